"""How Onsale is served: uvicorn with our options, in `python app.py`, in tests and, by their names, in production."""

import asyncio
import gc
import resource
import socket
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import uvicorn
import uvloop
from starlette.types import ASGIApp

from subscriptions.sockets.ws_protocol import SocketProtocol

R = TypeVar("R")

BACKLOG = 2_048
"""A rush of new connections waits here instead of being refused."""
# A hold takes milliseconds; whoever is not answered by then is cut off, and finds out by repeating the request.
GRACE_S = 3
GC_THRESHOLDS = (10_000, 20, 5)
"""Objects made and not freed, young collections, and middle ones: a million objects until all are looked through."""


def make_config(app: ASGIApp, **changes: Any) -> uvicorn.Config:
    options: dict[str, Any] = {
        "http": "httptools",
        "ws": SocketProtocol,
        "lifespan": "on",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "timeout_graceful_shutdown": GRACE_S,
    }
    return uvicorn.Config(app, **(options | changes))


class Server(uvicorn.Server):
    """Signals are the supervisor's: they cancel everything in order, and not the server alone."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Event streams would never end by themselves; sockets are told by their protocol."""
        streams = self.lifespan.state.get("event_streams")
        if streams is not None:
            streams.stop_all()
        await super().shutdown(sockets)


def run_program(program: Coroutine[Any, Any, R]) -> R:
    """Run it on the event loop of a server, with as many open files as the system allows."""
    raise_open_file_limit()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(program)


def configure_gc() -> None:
    """A full collection stops everybody: with 5,000 sockets for half a second, and by default every ten seconds.

    Nearly all that is thrown away here is freed at once by its counts; the rest, above all that of closed sockets,
    waits until as much was made as some 2,500 sockets take.
    """
    gc.set_threshold(*GC_THRESHOLDS)


def raise_open_file_limit() -> None:
    """Every socket is a file, and shells allow a thousand; the hard limit is what the administrator meant."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
