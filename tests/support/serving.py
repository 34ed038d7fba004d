"""Serves an ASGI app on a loopback port, in the test's event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from web.server import make_config


class _Server(uvicorn.Server):
    """A server whose applications and protocols get the given state."""

    def __init__(self, config: uvicorn.Config, state: dict[str, Any]) -> None:
        super().__init__(config)
        self._state = state

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.lifespan.state = self._state
        await super().startup(sockets)


@asynccontextmanager
async def serving(
    build: Callable[[str], ASGIApp],
    *,
    certificate: Path | None = None,
    state: dict[str, Any] | None = None,
    **changes: Any,
) -> AsyncIterator[str]:
    """Serve an app within the block, with `changes` to the options of uvicorn.

    `build` receives the base URL of the app, because an issuer has to know its own URL. If
    `certificate` names a file with a certificate and its key, the app is served over TLS. `state`
    stands for what the lifespan of the app creates; it may be filled later.
    """
    # If the protocol were 0, the default, asyncio would not set TCP_NODELAY, and every answer would
    # take 40 ms.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        # From here on, connections are queued, so clients may connect before the server runs.
        listener.listen()
        base = f"{'https' if certificate else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
        # Unlike a real server, this one logs little, and it does not run the lifespan because the
        # test opens and closes the app itself. On a busy machine, a client may be idle for a long
        # time; it must not lose its connection just as it sends a request.
        options = {"log_level": "warning", "lifespan": "off", "timeout_keep_alive": 3_600}
        config = make_config(build(base), ssl_certfile=certificate, **(options | changes))
        server = _Server(config, {} if state is None else state)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield base
        finally:
            server.should_exit = True
            await task
