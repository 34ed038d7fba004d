"""An ASGI app on a real loopback port, in the loop of the test."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp

from web.server import make_config


@asynccontextmanager
async def serving(build: Callable[[str], ASGIApp]) -> AsyncIterator[str]:
    """`build` gets the base address the app will have, since an issuer has to know its own."""
    # With the protocol left 0, asyncio would not set TCP_NODELAY and every answer would take 40 ms.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        # From here on connections queue up, so nobody has to wait for the server to be ready.
        listener.listen()
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        # Not as a server has it: what a test serves opens and closes around this, and says little.
        server = uvicorn.Server(make_config(build(base), log_level="warning", lifespan="off"))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield base
        finally:
            server.should_exit = True
            await task
