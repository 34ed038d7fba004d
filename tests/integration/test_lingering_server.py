"""A server that has closed its port answers one more request on each open connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.support.waiting import wait_until
from web.server import Server, make_config, open_listener

REQUEST = b"GET / HTTP/1.1\r\nHost: onsale\r\n\r\n"
LONG_S = 300.0
"""So long that the test, however slow, does not see the end of it."""


async def answer(_: Request) -> PlainTextResponse:
    return PlainTextResponse("answered")


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Server, asyncio.Task[None], int]]:
    # Idle connections stay open for as long as the test wants.
    server = Server(make_config(Starlette(routes=[Route("/", answer)]), timeout_keep_alive=LONG_S))
    server.linger_s = LONG_S
    with open_listener("127.0.0.1", 0, setting="ONSALE_PORT") as listener:
        port = listener.getsockname()[1]
        running = asyncio.create_task(server.serve(sockets=[listener]))
        await server.has_started.wait()
        yield server, running, port
        server.linger_s = 0
        server.should_exit = True
        await running


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(REQUEST)
    head = await reader.readuntil(b"\r\n\r\n")
    assert await reader.readexactly(len("answered")) == b"answered"
    return head.lower()


async def refuses(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return True
    writer.close()
    return False


async def test_idle_connection_is_closed_after_its_next_response() -> None:
    async with serving() as (server, running, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert b"connection: close" not in await ask(reader, writer)
        server.should_exit = True
        await wait_until(lambda: refuses(port), what="the closed port")
        assert not running.done()
        assert b"connection: close" in await ask(reader, writer)
        assert await reader.read() == b""
        writer.close()
        await running


async def test_server_without_connections_ends_at_once() -> None:
    async with serving() as (server, running, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await ask(reader, writer)
        writer.close()
        server.should_exit = True
        await running
