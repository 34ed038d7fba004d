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


class Upstream:
    """A server that keeps requests to /graphql back until they are let go."""

    def __init__(self) -> None:
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
        calls = [asyncio.create_task(client.get("/graphql", params={"documentId": "a"})) for _ in range(3)]
        try:
            # By default, nginx keeps two of the three for five seconds.
            await wait_until(lambda: upstream.kept_back == 3, what="all requests to arrive", timeout=4)
        finally:
            upstream.let_go.set()
            answers: list[httpx2.Response] = await asyncio.gather(*calls)
    assert [answer.text for answer in answers] == ["{}"] * 3
