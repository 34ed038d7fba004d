"""Serves an application on transports in memory, with uvicorn's HTTP protocol and no network.

What is written at one end of a connection is received at the other end immediately. `CpuTime`
measures what the requests cost this process.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, redirect_stderr
from dataclasses import dataclass, field
from typing import Any, TextIO

from starlette.types import ASGIApp
from uvicorn import Config
from uvicorn.lifespan.on import LifespanOn
from uvicorn.server import ServerState

from bench.metrics import NotMeasured
from bench.queueing.load import Connection
from bench.runs import CLIENT_CORE, SERVER_CORE, used_by_others_s
from web.server import make_config

SERVER_ADDRESS = ("127.0.0.1", 8_000)
CLIENT_ADDRESS = ("127.0.0.1", 40_000)


@dataclass(frozen=True, slots=True)
class LocalServer:
    config: Config
    state: dict[str, Any]
    """The objects that the lifespan of the application has created."""
    server_state: ServerState = field(default_factory=ServerState)

    def make_protocol(self) -> asyncio.Protocol:
        make: Any = self.config.http_protocol_class
        protocol: asyncio.Protocol = make(config=self.config, server_state=self.server_state, app_state=self.state)
        return protocol

    @asynccontextmanager
    async def open_connections(self, count: int, success: str) -> AsyncIterator[list[Connection]]:
        """Yield connections. An answer that does not contain `success` is an error."""
        opened: list[Connection] = []
        try:
            for _ in range(count):
                connection = LocalConnection(self, success)
                await connection.open()
                opened.append(connection)
            yield opened
        finally:
            for one in opened:
                one.close()


class LocalConnection(Connection):
    """A client's connection to a server in the same process."""

    def __init__(self, server: LocalServer, success: str) -> None:
        super().__init__(SERVER_ADDRESS[1], CLIENT_ADDRESS[0], success.encode())
        self._server = server

    async def open(self) -> None:
        server = self._server.make_protocol()
        link = _Link((self, server))
        server.connection_made(_LocalTransport(link, self, {"peername": CLIENT_ADDRESS, "sockname": SERVER_ADDRESS}))
        self.connection_made(_LocalTransport(link, server, {}))


@dataclass(slots=True)
class _Link:
    """The two ends of a connection, which close together."""

    protocols: tuple[asyncio.Protocol, asyncio.Protocol]
    is_closed: bool = False

    def close(self) -> None:
        if self.is_closed:
            return
        self.is_closed = True
        for protocol in self.protocols:
            asyncio.get_running_loop().call_soon(protocol.connection_lost, None)


class _LocalTransport(asyncio.Transport):
    def __init__(self, link: _Link, receiver: asyncio.Protocol, facts: dict[str, object]) -> None:
        super().__init__(facts)
        self._link = link
        self._receiver = receiver

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._link.is_closed:
            self._receiver.data_received(bytes(data))

    def is_closing(self) -> bool:
        return self._link.is_closed

    def close(self) -> None:
        self._link.close()

    def pause_reading(self) -> None:
        """Do nothing, because a client sends its next request only after an answer."""

    def resume_reading(self) -> None:
        """Do nothing, as reading is never paused."""


@contextmanager
def own_server_core(other_pid: int) -> Iterator[None]:
    """Give this process the core of the server during a block; the other process leaves it."""
    os.sched_setaffinity(other_pid, {CLIENT_CORE})
    os.sched_setaffinity(0, {SERVER_CORE})
    try:
        yield
    finally:
        os.sched_setaffinity(0, {CLIENT_CORE})


@dataclass(slots=True)
class CpuTime:
    """The CPU time of this process per request, and what other processes used meanwhile."""

    us_each: float = 0.0
    """The CPU time of a request in microseconds."""
    noise: float = 0.0
    """The part of a core that other processes used."""

    @contextmanager
    def measure(self, requests: int) -> Iterator[None]:
        """Measure a block in which this many requests are answered."""
        began_s, others_s, cpu_s = time.monotonic(), used_by_others_s(), time.process_time()
        yield
        cpu_s = time.process_time() - cpu_s
        self.us_each = cpu_s / requests * 1e6
        self.noise = round(max(used_by_others_s() - others_s, 0.0) / (time.monotonic() - began_s), 2)


@asynccontextmanager
async def serve_locally(app: ASGIApp, log: TextIO) -> AsyncIterator[LocalServer]:
    """Start the application, and stop it at the end. Its log lines go to a file that stays open."""
    config = make_config(app)
    lifespan = LifespanOn(config)
    with redirect_stderr(log):
        await lifespan.startup()
    if lifespan.should_exit:
        raise NotMeasured("the application could not be started")
    try:
        yield LocalServer(config, lifespan.state)
    finally:
        await lifespan.shutdown()
