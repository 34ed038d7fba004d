"""nginx passes on equal anonymous requests together if their answers may not be stored."""

import asyncio
from pathlib import Path

import httpx2
import pytest

from storage.embedded.ports import free_port
from tests.support.nginx import find_nginx, running_nginx
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(find_nginx() is None, reason="nginx is missing (apt-get install nginx-light)")

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n{}"


WITHIN_S = 4
"""By default, nginx keeps two of three equal requests for five seconds."""
ATTEMPTS = 8


class Upstream:
    """A server that keeps requests to /graphql back until they are let go."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Keep the next requests back."""
        self.kept_back = 0
        self.let_go = asyncio.Event()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b"/graphql" in await reader.readuntil(b"\r\n\r\n"):
            self.kept_back += 1
            await self.let_go.wait()
        writer.write(ANSWER)
        await writer.drain()
        writer.close()
        await writer.wait_closed()


async def arrive_together(client: httpx2.AsyncClient, upstream: Upstream) -> bool:
    """Send three equal requests. Return whether all arrive before nginx lets waiting ones go on."""
    upstream.begin()
    calls = [asyncio.create_task(client.get("/graphql", params={"documentId": "a"})) for _ in range(3)]
    try:
        await wait_until(lambda: upstream.kept_back == 3, what="all requests to arrive", timeout=WITHIN_S)
    except AssertionError:
        return False
    finally:
        upstream.let_go.set()
        assert [answer.text for answer in await asyncio.gather(*calls)] == ["{}"] * 3
    return True


async def test_private_answers_do_not_wait_for_each_other(tmp_path: Path) -> None:
    upstream, port, app_port = Upstream(), free_port(), free_port()
    assert port is not None
    assert app_port is not None
    server = await asyncio.start_server(upstream.answer, "127.0.0.1", app_port)
    async with (
        server,
        running_nginx(tmp_path / "nginx", port=port, app_port=app_port) as nginx,
        nginx.client() as client,
    ):
        # A slow machine may look like a wrong configuration, which fails in each attempt.
        for _ in range(ATTEMPTS):
            if have_arrived := await arrive_together(client, upstream):
                break
    assert have_arrived
