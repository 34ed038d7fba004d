"""A WebSocket client on bare TCP: it sends any bytes, cut anywhere, and shows every frame that the
server sends.
"""

import asyncio
import base64
import contextlib
import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from proofs.fuzz.sockets import CLOSE, NO_CODE, TEXT, Frame
from tests.support.slow_readers import small_buffer_socket
from tests.support.sockets import ACK, INIT, PROTOCOL, TIMEOUT_S, Message

CONTINUATION, PONG = 0, 10
_READ_AHEAD_BYTES = 4_096
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class ServerFrame:
    """A frame from the server. `head` is everything before the payload."""

    head: bytes
    payload: bytes

    @property
    def opcode(self) -> int:
        return self.head[0] & 15


class RawSocket:
    """An open connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, *parts: Frame | bytes) -> None:
        """Send all the parts in one segment."""
        self._writer.write(b"".join(part.encode() if isinstance(part, Frame) else part for part in parts))
        async with asyncio.timeout(TIMEOUT_S):
            await self._writer.drain()

    async def receive_frame(self) -> ServerFrame:
        """Return the next frame. Raises IncompleteReadError at the end of the stream."""
        async with asyncio.timeout(TIMEOUT_S):
            head = await self._reader.readexactly(2)
            size = head[1]
            if size >= 126:
                longer = await self._reader.readexactly(2 if size == 126 else 8)
                head, size = head + longer, int.from_bytes(longer, "big")
            return ServerFrame(head, await self._reader.readexactly(size))

    async def receive(self) -> Message:
        frame = await self.receive_frame()
        assert frame.opcode == TEXT, frame
        return orjson.loads(frame.payload)

    async def receive_byte(self) -> bytes:
        async with asyncio.timeout(TIMEOUT_S):
            return await self._reader.readexactly(1)

    async def receive_until(self, ending: bytes) -> bytes:
        """Return the bytes that arrive until the last of them are `ending`."""
        received = bytearray()
        async with asyncio.timeout(TIMEOUT_S):
            while not received.endswith(ending):
                part = await self._reader.read(65_536)
                assert part, "the stream has ended"
                received += part
        return bytes(received)

    async def closed(self) -> tuple[int, str]:
        """Discard frames until the server's close frame, and echo it; return its code and reason.

        The stream must end after it.
        """
        while (frame := await self.receive_frame()).opcode != CLOSE:
            pass
        with contextlib.suppress(ConnectionError):
            await self.send(Frame(CLOSE, frame.payload))
        await self.ended()
        return close_of(frame)

    async def ended(self) -> None:
        """Check that the server sends nothing more and ends the stream."""
        async with asyncio.timeout(TIMEOUT_S):
            assert await self._reader.read() == b""

    def reset(self) -> None:
        """Drop the connection with an RST, as a crashed client does."""
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._writer.transport.abort()

    async def upgraded(self) -> None:
        """Read the answer to the upgrade request, and nothing after it."""
        async with asyncio.timeout(TIMEOUT_S):
            head = await self._reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head


@asynccontextmanager
async def raw_socket(url: str, *, has_small_buffer: bool = False) -> AsyncIterator[RawSocket]:
    """Connect to the server without sending anything.

    With a small buffer, a client that does not read soon stops the server from writing.
    """
    address = url.split("/")[2]
    if not has_small_buffer:
        host, port = address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=_READ_AHEAD_BYTES)
        async with _closing(reader, writer) as opened:
            yield opened
        return
    async with small_buffer_socket(address) as small:
        reader, writer = await asyncio.open_connection(sock=small, limit=_READ_AHEAD_BYTES)
        async with _closing(reader, writer) as opened:
            yield opened


@asynccontextmanager
async def raw_client(url: str, *, has_small_buffer: bool = False, is_hasty: bool = False) -> AsyncIterator[RawSocket]:
    """Connect, upgrade, and send connection_init. A hasty client does not wait for the upgrade."""
    async with raw_socket(url, has_small_buffer=has_small_buffer) as opened:
        request = upgrade_request(url)
        await opened.send(request[:9])
        await turns_of_the_loop(10)
        await opened.send(request[9:])
        if is_hasty:
            await turns_of_the_loop(2)
            await opened.send(text(INIT))
        await opened.upgraded()
        if not is_hasty:
            await opened.send(text(INIT))
        assert await opened.receive() == ACK
        yield opened


class SlowUpgrades:
    """ASGI middleware that lets bytes arrive before a socket is accepted."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await turns_of_the_loop(10)
        await self._app(scope, receive, send)


async def turns_of_the_loop(count: int) -> None:
    """Let the server read the bytes sent so far separately from those sent later."""
    for _ in range(count):
        await asyncio.sleep(0)


def upgrade_request(url: str) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    address, _, path = url.removeprefix("ws://").partition("/")
    return (
        f"GET /{path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {PROTOCOL}\r\n\r\n"
    ).encode()


def text(message: object) -> Frame:
    """Return the whole message in one frame. Bytes are sent unchanged."""
    return Frame(TEXT, message if isinstance(message, bytes) else orjson.dumps(message))


def fragments(message: bytes, *cuts: int) -> list[Frame]:
    """Return the message in fragments that end at the given positions."""
    ends = [*cuts, len(message)]
    parts = [message[start:end] for start, end in zip([0, *cuts], ends, strict=True)]
    return [
        Frame(TEXT if index == 0 else CONTINUATION, part, is_final=index == len(cuts))
        for index, part in enumerate(parts)
    ]


def close_of(frame: ServerFrame) -> tuple[int, str]:
    if not frame.payload:
        return NO_CODE, ""
    return int.from_bytes(frame.payload[:2], "big"), frame.payload[2:].decode()


@asynccontextmanager
async def _closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> AsyncIterator[RawSocket]:
    try:
        yield RawSocket(reader, writer)
    finally:
        writer.transport.abort()
