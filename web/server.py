"""Runs uvicorn with our options, in `python app.py` and in tests."""

import asyncio
import errno
import gc
import socket
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import uvicorn
import uvloop
from starlette.types import ASGIApp

from settings import SettingsError
from subscriptions.sockets.ws_protocol import SocketProtocol
from web.fast_path.protocol import HttpProtocol
from web.health import Departure
from web.open_files import raise_open_file_limit

R = TypeVar("R")

BACKLOG = 2_048
"""The number of new connections that can wait during a rush instead of being refused."""
# A hold takes milliseconds. A client that has no answer after this time is disconnected, and learns
# the outcome by repeating the request.
GRACE_S = 3
LINGER_S = 6.0
"""How long a server that has closed its port lets connections end by themselves. An idle connection
of a proxy ends after 5 seconds, uvicorn's time limit.
"""
LOOK_EVERY_S = 0.1
GC_THRESHOLDS = (10_000, 20, 5)
"""Thresholds: numbers of allocated objects, young collections and middle collections.

With these, a full collection happens once per million objects.
"""


def make_config(app: ASGIApp, **changes: Any) -> uvicorn.Config:
    options: dict[str, Any] = {
        "http": HttpProtocol,
        "ws": SocketProtocol,
        "lifespan": "on",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "timeout_graceful_shutdown": GRACE_S,
    }
    return uvicorn.Config(app, **(options | changes))


def open_listener(host: str, port: int, *, setting: str) -> socket.socket:
    """Return a listening socket. Raises SettingsError, which names the setting of the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        step = f"{error.strerror}; check ONSALE_HOST"
        if error.errno == errno.EADDRINUSE:
            step = f"another program uses it; set {setting} to a free port"
        raise SettingsError(f"port {port} on {host} cannot be opened: {step}") from error


class Server(uvicorn.Server):
    """uvicorn without signal handlers.

    `python app.py` handles signals itself, because it must also stop the workers and the stores, in
    order.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.has_started = asyncio.Event()
        """Set when the server accepts requests."""
        self.linger_s = 0.0
        """How long connections may end by themselves once the port is closed: each after its next
        response. A request that a proxy sends just then is still answered.
        """

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.has_started.set()

    def announce_departure(self) -> None:
        """Make the application not ready. It serves requests until `should_exit` is set."""
        if self.started:
            departure: Departure = self.lifespan.state["departure"]
            departure.is_announced = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the event streams, which would otherwise never end.

        SocketProtocol closes the sockets.
        """
        streams = self.lifespan.state.get("event_streams")
        if streams is not None:
            streams.stop_all()
        if self.linger_s:
            await self._linger(sockets or [])
        await super().shutdown(sockets)

    async def _linger(self, sockets: list[socket.socket]) -> None:
        """Accept no more connections, end sockets, and let other connections end by themselves."""
        for server in self.servers:
            server.close()
        for listener in sockets:
            listener.close()
        ends_s, seen = time.monotonic() + self.linger_s, set[object]()
        while time.monotonic() < ends_s:
            for connection in self.server_state.connections - seen:
                seen.add(connection)
                if isinstance(connection, HttpProtocol):
                    connection.close_after_response()
                else:
                    connection.shutdown()
            if not any(isinstance(connection, HttpProtocol) for connection in self.server_state.connections):
                return
            await asyncio.sleep(LOOK_EVERY_S)


def run_program(program: Coroutine[Any, Any, R]) -> R:
    """Run the program on uvloop and return its result.

    The program may open as many files as the system allows.
    """
    raise_open_file_limit()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(program)


def configure_gc() -> None:
    """Make full collections rare.

    A full collection stops all requests: with 5,000 sockets it takes half a second, and by default
    it happens every ten seconds. Reference counting frees nearly all garbage here immediately. The
    rest, mostly from closed sockets, waits until the process has allocated as many objects as about
    2,500 sockets need. Imported modules and the schema are never garbage, so collections skip them.
    """
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
