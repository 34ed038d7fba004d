"""Sends the same bytes to a server with the fast path of HTTP and to one without it. The transports
are in memory, so a test decides how the bytes are cut.
"""

import asyncio
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.server import ServerState

from web.fast_path.answers import FastPath
from web.fast_path.protocol import HttpProtocol
from web.graphql_service import GraphQLService
from web.logs import access
from web.middleware import RequestMiddleware
from web.proxies import ProxyMiddleware
from web.server import make_config

PEER = ("10.0.0.7", 40_000)
PROXIES = ("10.0.0.0/8",)
MAX_BODY_BYTES = 300_000
DATE = [(b"date", b"Tue, 01 Dec 2026 00:00:00 GMT")]
WITHIN_S = 60.0
TURNS = 60
"""Turns of the loop within which an answer that waits for no store is written."""
_AGE = re.compile(rb"(?<=expired )[\d,]+(?= s ago)")
_ID = re.compile(rb"x-request-id: ([0-9a-f]{16})\r\n")


class ClientTransport(asyncio.Transport):
    """The server's end of a connection. It keeps what the client receives.

    `may_send` is set while the server reads.
    """

    def __init__(self) -> None:
        super().__init__({"peername": PEER, "sockname": ("10.0.0.1", 8_000)})
        self.received = bytearray()
        self.may_send = asyncio.Event()
        self.may_send.set()
        self._is_closing = False
        self.protocol: asyncio.Protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._is_closing:
            self.received += data

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            self.may_send.set()
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def pause_reading(self) -> None:
        self.may_send.clear()

    def resume_reading(self) -> None:
        self.may_send.set()


@dataclass(frozen=True, slots=True)
class Received:
    """The bytes that a client received, and whether the server closed the connection."""

    data: bytes
    is_closed: bool
    access_lines: tuple[str, ...]
    counted_requests: int
    """The number of requests that uvicorn counts."""

    @property
    def statuses(self) -> list[int]:
        return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", self.data)]


@dataclass(slots=True)
class Connection:
    """A connection to one of the two servers."""

    protocol: HttpProtocol
    transport: ClientTransport
    server_state: ServerState

    async def send(self, data: bytes) -> None:
        """Let the server receive the bytes in one piece, as soon as it reads."""
        await self.transport.may_send.wait()
        if not self.transport.is_closing():
            self.protocol.data_received(data)

    @property
    def lacks_a_body(self) -> bool:
        """Return whether the ordinary path waits for the rest of a body."""
        cycle = self.protocol.cycle
        return cycle is not None and cycle.more_body and not cycle.response_complete and not self.protocol.pipeline

    async def answered(self) -> None:
        """Wait until no request is being answered."""
        while self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks)
            await asyncio.sleep(0)

    async def answered_until(self, expected: int | None) -> None:
        """Wait as `TwoPaths` does."""
        for _ in count():
            received, tasks = len(self.transport.received), self.server_state.tasks
            if not tasks or (self.lacks_a_body if expected is None else received >= expected):
                return
            await asyncio.sleep(0)

    async def lose(self) -> tuple[bytes, bool]:
        """Disconnect the client. Returns what it has received, and whether the server had closed
        the connection.
        """
        received = _without_ids(bytes(self.transport.received)), self.transport.is_closing()
        self.transport.close()
        await self.answered()
        return received


@dataclass(slots=True)
class TwoPaths:
    """Two servers on one GraphQL service, behind the same proxies.

    Access lines are compared too, within `record_access_lines`.
    """

    service: GraphQLService
    options: dict[str, Any] = field(default_factory=dict)
    """Changes to the options of uvicorn."""
    fast_path: FastPath = field(init=False)
    _config: Config = field(init=False)
    _access_lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.fast_path = FastPath(self.service.http, PROXIES, max_body_bytes=MAX_BODY_BYTES)
        self._config = make_config(_app(self.service), lifespan="off", **self.options)
        self._config.load()

    @contextmanager
    def record_access_lines(self) -> Iterator["TwoPaths"]:
        """Record the access lines within the block."""
        handler = _AccessLines(self._access_lines)
        access.addHandler(handler)
        level = access.level
        access.setLevel(logging.INFO)
        try:
            yield self
        finally:
            access.removeHandler(handler)
            access.setLevel(level)

    def connect(self, *, is_fast: bool) -> Connection:
        state: dict[str, Any] = {"fast_path": self.fast_path} if is_fast else {}
        server_state, transport = ServerState(), ClientTransport()
        server_state.default_headers = DATE
        protocol = HttpProtocol(self._config, server_state, state, asyncio.get_running_loop())
        transport.protocol = protocol
        protocol.connection_made(transport)
        return Connection(protocol, transport, server_state)

    async def compare(self, pieces: Sequence[bytes], *, pauses: bool = False) -> Received:
        """Send the pieces to both servers, and return what both have sent, which must be equal.

        With `pauses`, an answer that waits for no store is written before the next piece is sent.
        """
        turns = TURNS if pauses else 1
        ordinary = await self._exchange(pieces, turns, is_fast=False)
        fast = await self._exchange(pieces, turns, is_fast=True, expected=len(ordinary.data))
        assert fast == ordinary, f"\nfast:     {fast}\nordinary: {ordinary}\nsent:     {pieces}"
        return fast

    async def _exchange(
        self, pieces: Sequence[bytes], turns: int, *, is_fast: bool, expected: int | None = None
    ) -> Received:
        """Send the pieces. If `expected` is None, wait until no request is left or the last one
        lacks a part of its body; otherwise until as many bytes have been received.
        """
        self._access_lines.clear()
        connection = self.connect(is_fast=is_fast)
        async with asyncio.timeout(WITHIN_S):
            for piece in pieces:
                await connection.send(piece)
                await _turn(turns)
            await connection.answered_until(expected)
        await _turn(TURNS)
        data, is_closed = await connection.lose()
        return Received(data, is_closed, tuple(self._access_lines), connection.server_state.total_requests)


class _AccessLines(logging.Handler):
    """Keeps the access lines, without their times."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(" ".join(record.getMessage().split()[:3]))


def _app(service: GraphQLService) -> Starlette:
    middleware = [Middleware(ProxyMiddleware, PROXIES), Middleware(RequestMiddleware)]
    return Starlette(routes=[Route("/graphql", _Endpoint(service))], middleware=middleware)


class _Endpoint:
    """The ASGI endpoint; Starlette would treat a function as a request handler."""

    def __init__(self, service: GraphQLService) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._service.http(scope, receive, send)


async def _turn(turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


def _without_ids(data: bytes) -> bytes:
    """Replace the ids that the server has made, and the age of an expired token."""
    for made in _ID.findall(data):
        data = data.replace(made, b"-" * len(made))
    return _AGE.sub(lambda age: b"-" * len(age[0]), data)
