"""A wire that writes WebSocket frames straight to an asyncio transport.

The handshake is done by the server's own protocol, which then hands over its transport. Nothing of
the handshake is kept, so an idle socket consists of a transport, this protocol and a connection.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from enum import Enum, auto
from typing import Any, Protocol, TypeAlias

from websockets.frames import Opcode

from subscriptions.interfaces import Rendered
from subscriptions.sockets.close_codes import CloseCode
from subscriptions.sockets.wires.frames import (
    FrameError,
    FrameReader,
    Incoming,
    close_frame,
    control_frame,
    next_frame,
    text_frame,
)
from subscriptions.sockets.wires.wire import EndReason, Sink

EXTENSION = "onsale.frames"
"""The ASGI extension with which a server offers the transport of an accepted socket.

Its key `take_over` is a `TakeOver`.
"""
WRITE_HIGH_BYTES, WRITE_LOW_BYTES = 32_768, 4_096
"""The size of the transport's buffer at which a client counts as slow, and as reading again."""
CLOSE_WAIT_S = 5.0
"""The time after which a client that does not close its side is disconnected."""
QUIET_S = 0.2
"""The duration of silence after which we assume that a client has read our close frame."""


class ServerState(Protocol):
    """The connections and tasks that a server waits for when it stops."""

    connections: set[Any]
    tasks: set[asyncio.Task[None]]


class _State(Enum):
    OPEN = auto()
    CLOSING = auto()
    """Our close frame was sent, and the client has yet to answer it."""
    DISCARDING = auto()
    """The client violated the protocol, so all further data is discarded."""
    CLOSED = auto()


class FrameProtocol(asyncio.Protocol):
    __slots__ = (
        "_cut_off_at",
        "_is_reading",
        "_is_writable",
        "_max_bytes",
        "_pong",
        "_reader",
        "_server",
        "_sink",
        "_state",
        "_timer",
        "_transport",
    )

    def __init__(
        self, transport: asyncio.Transport, server: ServerState, *, max_bytes: int, early: bytes = b""
    ) -> None:
        """Take over the transport. The bytes in `early` have already arrived and are read first."""
        self._transport = transport
        self._server = server
        self._max_bytes = max_bytes
        self._sink: Sink | None = None
        self._reader: FrameReader | None = None
        self._state = _State.OPEN
        self._is_reading = False
        self._is_writable = True
        self._pong: bytes | None = None
        """The last ping that could not be answered because the client does not read."""
        self._timer: asyncio.TimerHandle | None = None
        self._cut_off_at = 0.0
        transport.pause_reading()
        transport.set_write_buffer_limits(WRITE_HIGH_BYTES, WRITE_LOW_BYTES)
        server.connections.add(self)
        if early:
            self._reader = FrameReader(max_bytes)
            self._reader.feed(early)

    # Wire

    def connect(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, *messages: bytes) -> None:
        frames = [text_frame(message) for message in messages]
        self._transport.write(frames[0] if len(frames) == 1 else b"".join(frames))

    def write_next(self, prefix: bytes, rendered: Rendered) -> None:
        self._transport.write(next_frame(prefix, rendered))

    def pause_reading(self) -> None:
        self._is_reading = False
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._is_reading = True
        if self._reader is None:
            self._transport.resume_reading()
        else:
            asyncio.get_running_loop().call_soon(self._read_on)

    def close(self, code: int, reason: str) -> None:
        self._start_closing(_State.CLOSING, code, reason)

    def abort(self) -> None:
        self._transport.abort()

    def start_task(self, work: Coroutine[Any, Any, None], *, context: Context | None = None) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, context=context)
        self._server.tasks.add(task)
        task.add_done_callback(self._server.tasks.discard)
        return task

    # asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        if self._state is _State.DISCARDING:
            self._close_when_quiet()
            return
        if self._reader is None:
            self._reader = FrameReader(self._max_bytes)
        self._reader.feed(data)
        self._read()

    def eof_received(self) -> None:
        """End the connection. asyncio closes the transport once its buffer is empty."""
        self._end_connection()
        self._cut_off()

    def connection_lost(self, exc: Exception | None) -> None:
        self._state = _State.CLOSED
        self._server.connections.discard(self)
        self._reader = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._sink is not None:
            self._sink.lost()
            self._sink = None

    def pause_writing(self) -> None:
        self._is_writable = False
        if self._sink is not None:
            self._sink.pause_writing()

    def resume_writing(self) -> None:
        self._is_writable = True
        if self._pong is not None:
            pong, self._pong = self._pong, None
            self._transport.write(control_frame(Opcode.PONG, pong))
        if self._is_writable and self._sink is not None:
            self._sink.resume_writing()

    def restart(self) -> None:
        """Close the socket because the server restarts."""
        if self._state is _State.OPEN:
            self._end_connection(EndReason.SERVICE_RESTART)
            self.close(CloseCode.SERVICE_RESTART, "This server is restarting; reconnect")

    @property
    def is_open(self) -> bool:
        return self._state is _State.OPEN

    def disconnect(self) -> None:
        """Close the transport without waiting for the client."""
        self._transport.close()

    # Reading

    def _read_on(self) -> None:
        """Handle the frames that arrived earlier, and then read more."""
        try:
            self._read()
        except Exception:
            self._transport.abort()
            raise
        if self._is_reading and (self._reader is None or not self._reader.needs_turn):
            self._transport.resume_reading()

    def _read(self) -> None:
        """Handle the frames that have arrived, until reading is paused or other tasks must run."""
        reader = self._reader
        if reader is None:
            return
        reader.begin_turn()
        try:
            while self._is_reading and (incoming := reader.read()) is not None:
                self._handle(incoming)
        except FrameError as error:
            self._fail(error)
        if reader.is_empty or self._state in (_State.DISCARDING, _State.CLOSED):
            self._reader = None
        elif self._is_reading and reader.needs_turn:
            self._transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._read_on)

    def _handle(self, incoming: Incoming) -> None:
        if incoming.opcode is Opcode.CLOSE:
            self._on_close(incoming.data)
        elif self._state is not _State.OPEN or self._sink is None:
            pass  # the client sent this before it read our close frame
        elif incoming.opcode is Opcode.TEXT:
            self._sink.receive(incoming.data)
        elif incoming.opcode is Opcode.BINARY:
            self._sink.receive(None)
        elif incoming.opcode is Opcode.PING:
            self._on_ping(incoming.data)

    def _on_ping(self, data: bytes) -> None:
        if self._is_writable:
            self._transport.write(control_frame(Opcode.PONG, data))
        else:
            self._pong = data

    def _on_close(self, data: bytes) -> None:
        """Answer the client's close frame with the same code, unless it answers ours."""
        if self._state is _State.OPEN:
            self._transport.write(control_frame(Opcode.CLOSE, data))
            self._cut_off()
        self._state = _State.CLOSED
        self._is_reading = False
        self._end_connection()
        self._transport.close()

    def _fail(self, error: FrameError) -> None:
        if self._state is not _State.OPEN:
            self._state = _State.CLOSED
            self._transport.close()
            return
        self._end_connection(EndReason.PROTOCOL_ERROR)
        self._start_closing(_State.DISCARDING, error.code, str(error))
        self._close_when_quiet()

    def _end_connection(self, reason: EndReason = EndReason.LEFT) -> None:
        if self._sink is not None:
            self._sink.lost(reason)

    # Closing

    def _start_closing(self, state: _State, code: int, reason: str) -> None:
        """Write our close frame, after which the client must close its side in time.

        The frame does not wait until the client has read all earlier data.
        """
        if self._state is not _State.OPEN:
            return
        self._state = state
        self._pong = None
        self._transport.write(close_frame(code, reason))
        self.resume_reading()
        self._cut_off()

    def _cut_off(self) -> None:
        """Disconnect the client soon, whether it reads or not."""
        self._cut_off_at = asyncio.get_running_loop().time() + CLOSE_WAIT_S
        self._set_timer(self._cut_off_at, self._transport.abort)

    def _close_when_quiet(self) -> None:
        """Discard data until the client is silent.

        A client that is disconnected while it is sending might never read the reason.
        """
        quiet_at = asyncio.get_running_loop().time() + QUIET_S
        if quiet_at < self._cut_off_at:
            self._set_timer(quiet_at, self._flush)

    def _flush(self) -> None:
        """Close the transport once its buffer is empty."""
        self._transport.close()
        self._set_timer(self._cut_off_at, self._transport.abort)

    def _set_timer(self, at_s: float, callback: Callable[[], object]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(at_s, callback)


TakeOver: TypeAlias = Callable[[int], FrameProtocol | None]
"""Takes over the transport of an accepted socket.

The argument is the maximum size of a message in bytes. Returns None if that is no longer possible.
"""
