"""Fuzzes the WebSocket endpoint with messages and raw frames.

Whatever a client sends, the server must close the socket with a close frame. The frame must have
a code, unless the client's close frame has none. If the connection were cut instead, clients would
reconnect in vain.
"""

import base64
import json
import os
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

ANSWER_TIMEOUT_S = 60.0
TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9
NO_CODE = 1005
_LARGEST = 70_000
"""Slightly more than the largest message that the server accepts."""


class LostSocket(AssertionError):
    """Raised if the server ends a connection without a close frame or without a code."""


@dataclass(frozen=True, slots=True)
class Frame:
    opcode: int
    payload: bytes
    is_final: bool = True
    reserved: int = 0
    is_masked: bool = True

    def encode(self) -> bytes:
        head = bytes([(self.is_final << 7) | (self.reserved << 4) | self.opcode])
        bit, size = self.is_masked << 7, len(self.payload)
        if size < 126:
            head += bytes([bit | size])
        elif size < 65_536:
            head += bytes([bit | 126]) + struct.pack("!H", size)
        else:
            head += bytes([bit | 127]) + struct.pack("!Q", size)
        if not self.is_masked:
            return head + self.payload
        mask = os.urandom(4)
        return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(self.payload))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
_DOCUMENT = st.sampled_from(
    ["{ serverTime }", "{", "subscription { stockChanged(concertId: 1) { __typename } }", "query A { me { name } }", ""]
)
_PAYLOAD = st.fixed_dictionaries(
    {},
    optional={"query": _DOCUMENT | _JSON, "variables": _JSON, "operationName": _JSON, "extensions": _JSON},
)
_MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["connection_init", "subscribe", "complete", "ping", "pong", "next"]) | _JSON,
        "id": st.sampled_from(["1", "2"]) | _JSON,
        "payload": _PAYLOAD | _JSON,
    },
)
_TEXT_FRAME = st.builds(
    Frame, st.just(TEXT), (_MESSAGE | _JSON).map(lambda message: json.dumps(message).encode(errors="replace"))
)
_ANY_FRAME = st.builds(
    Frame,
    st.integers(0, 15),
    st.binary(max_size=200) | st.integers(0, _LARGEST).map(lambda size: b"a" * size),
    is_final=st.booleans(),
    reserved=st.sampled_from([0, 0, 0, 1, 4, 7]),
    is_masked=st.sampled_from([True, True, True, False]),
)
_INIT = Frame(TEXT, b'{"type":"connection_init"}')
FRAMES = st.tuples(st.sampled_from([(), (_INIT,)]), st.lists(_TEXT_FRAME | _TEXT_FRAME | _ANY_FRAME, max_size=12)).map(
    lambda parts: [*parts[0], *parts[1]]
)


def fuzz_sockets(url: str, *, examples: int) -> int:
    """Open a socket for each generated list of frames, and return how many were opened.

    Raises LostSocket, with the shortest list that causes it.
    """
    opened = 0

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(FRAMES)
    def send(frames: list[Frame]) -> None:
        nonlocal opened
        opened += 1
        exchange(url, frames)

    send()
    return opened


def exchange(url: str, frames: Sequence[Frame]) -> int:
    """Send the frames and a close frame, and return the server's close code.

    Raises LostSocket if there is none. If the client closed without a code, the server does the
    same, as RFC 6455 recommends, and the result is NO_CODE.
    """
    with _open(url) as connection:
        for frame in [*frames, Frame(CLOSE, struct.pack("!H", 1000))]:
            try:
                connection.sendall(frame.encode())
            except OSError:
                break  # the server has already closed the socket
        for opcode, payload in _frames(_reader(connection, frames)):
            if opcode == CLOSE and len(payload) >= 2:
                return int(struct.unpack("!H", payload[:2])[0])
            if opcode == CLOSE and any(frame.opcode == CLOSE and not frame.payload for frame in frames):
                return NO_CODE
            if opcode == CLOSE:
                raise LostSocket(f"a close frame without a code after {frames}")
        raise LostSocket(f"the connection was cut after {frames}")


def _open(url: str) -> socket.socket:
    address = urlsplit(url)
    assert address.hostname
    connection = socket.create_connection((address.hostname, address.port or 80), timeout=ANSWER_TIMEOUT_S)
    key = base64.b64encode(os.urandom(16)).decode()
    connection.sendall(
        f"GET /graphql HTTP/1.1\r\nHost: {address.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n".encode()
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1) or _lost("the upgrade was not answered")
    if b" 101 " not in head.partition(b"\r\n")[0]:
        _lost(f"the upgrade was refused: {head!r}")
    return connection


def _lost(reason: str) -> bytes:
    raise LostSocket(reason)


def _reader(connection: socket.socket, frames: Sequence[Frame]) -> Callable[[int], bytes | None]:
    """Return a function that reads exactly `size` bytes, or None at the end of the stream."""

    def read(size: int) -> bytes | None:
        found = b""
        while len(found) < size:
            try:
                part = connection.recv(size - len(found))
            except TimeoutError:
                raise LostSocket(f"the server neither answered nor closed the socket after {frames}") from None
            except ConnectionResetError:
                return None
            if not part:
                return None
            found += part
        return found

    return read


def _frames(read: Callable[[int], bytes | None]) -> Iterator[tuple[int, bytes]]:
    """Yield the opcode and the payload of each frame from the server; its frames are not masked."""
    while head := read(2):
        size = head[1] & 127
        if size >= 126:
            longer = read(2 if size == 126 else 8)
            if longer is None:
                return
            size = int.from_bytes(longer, "big")
        payload = read(size) if size else b""
        if payload is None:
            return
        yield head[0] & 15, payload
