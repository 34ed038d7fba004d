"""WebSocket frames (RFC 6455): reads those of a client and builds ours, without extensions.

websockets parses each frame. A parser lives only while a message is incomplete, so an idle socket
needs none.
"""

import struct
from collections.abc import Generator
from dataclasses import dataclass

from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.frames import CTRL_OPCODES, Close, Frame, Opcode
from websockets.frames import CloseCode as StandardCode
from websockets.streams import StreamReader

from subscriptions.interfaces import Rendered
from subscriptions.sockets.close_codes import CloseCode

MAX_SHARED_FRAMES = 16
"""The maximum number of frames that a payload keeps. Further ids, such as UUIDs, are not shared."""
FRAMES_PER_TURN = 200
"""The number of frames of a client that are read before other tasks can run.

One segment may contain tens of thousands of empty frames.
"""
_FIN = 0x80


class FrameError(Exception):
    """Raised if a frame violates the protocol or a message is too large."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True, slots=True)
class Incoming:
    """A whole message or one control frame."""

    opcode: Opcode
    data: bytes


class FrameReader:
    """Joins the bytes of one client to messages and control frames.

    The size of a message is bounded; the caller bounds the bytes that it feeds ahead.
    """

    __slots__ = ("_frames_left", "_max_bytes", "_message", "_opcode", "_parser", "_stream")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._stream = StreamReader()
        self._parser: Generator[None, None, Frame] | None = None
        self._opcode: Opcode | None = None
        self._message = bytearray()
        self._frames_left = FRAMES_PER_TURN

    @property
    def needs_turn(self) -> bool:
        """Return whether bytes are left because the frames of this turn have been read."""
        return self._frames_left == 0 and bool(self._stream.buffer)

    def begin_turn(self) -> None:
        self._frames_left = FRAMES_PER_TURN

    @property
    def is_empty(self) -> bool:
        """Return whether no byte of an incomplete frame or message is kept."""
        return self._parser is None and self._opcode is None and not self._stream.buffer

    def feed(self, data: bytes) -> None:
        self._stream.feed_data(data)

    def read(self) -> Incoming | None:
        """Return the next message or control frame, or None if it is incomplete or needs a turn.

        Raises FrameError.
        """
        try:
            while (frame := self._read_frame()) is not None:
                received = self._join(frame)
                if received is not None:
                    return received
        except PayloadTooBig:
            raise FrameError(CloseCode.BAD_REQUEST, f"The message has more than {self._max_bytes} bytes") from None
        except ProtocolError as error:
            raise FrameError(StandardCode.PROTOCOL_ERROR, str(error)) from None
        return None

    def _read_frame(self) -> Frame | None:
        if self._parser is None:
            if not self._stream.buffer or self._frames_left == 0:
                return None
            left = self._max_bytes - len(self._message)
            self._parser = Frame.parse(self._stream.read_exact, mask=True, max_size=left)
        try:
            next(self._parser)
        except StopIteration as parsed:
            self._parser = None
            self._frames_left -= 1
            frame: Frame = parsed.value
            return frame
        return None

    def _join(self, frame: Frame) -> Incoming | None:
        """Return the message that this frame completes, or a control frame itself."""
        data = bytes(frame.data)
        if frame.opcode in CTRL_OPCODES:
            if frame.opcode is Opcode.CLOSE:
                self._check_close(data)
            return Incoming(frame.opcode, data)
        if frame.opcode is not Opcode.CONT:
            if self._opcode is not None:
                raise ProtocolError("expected a continuation frame")
            self._opcode = frame.opcode
        elif self._opcode is None:
            raise ProtocolError("unexpected continuation frame")
        self._message += data
        return self._complete(self._opcode) if frame.fin else None

    def _complete(self, opcode: Opcode) -> Incoming:
        message = bytes(self._message)
        self._opcode, self._message = None, bytearray()
        if opcode is Opcode.TEXT and not _is_utf8(message):
            raise FrameError(StandardCode.INVALID_DATA, "")
        return Incoming(opcode, message)

    def _check_close(self, data: bytes) -> None:
        try:
            Close.parse(data)
        except UnicodeDecodeError as error:
            reason = f"{error.reason} at position {error.start}"
            raise FrameError(StandardCode.INVALID_DATA, reason) from None
        if self._opcode is not None:
            raise ProtocolError("incomplete fragmented message")


def text_header(size: int) -> bytes:
    """Return the header of a text message of this many bytes."""
    return _header(Opcode.TEXT, size)


def text_frame(message: bytes) -> bytes:
    return text_header(len(message)) + message


def next_frame(prefix: bytes, rendered: Rendered) -> bytes:
    """Return the frame of a `next` message that begins with `prefix`.

    Sockets with the same prefix share the frame.
    """
    frame = rendered.frames.get(prefix)
    if frame is None:
        payload = rendered.payload
        frame = b"".join((text_header(len(prefix) + len(payload) + 1), prefix, payload, b"}"))
        if len(rendered.frames) < MAX_SHARED_FRAMES:
            rendered.frames[prefix] = frame
    return frame


def control_frame(opcode: Opcode, data: bytes) -> bytes:
    return _header(opcode, len(data)) + data


def close_frame(code: int, reason: str) -> bytes:
    return control_frame(Opcode.CLOSE, struct.pack("!H", code) + reason.encode())


def _header(opcode: Opcode, size: int) -> bytes:
    if size < 126:
        return struct.pack("!BB", _FIN | opcode, size)
    if size < 65_536:
        return struct.pack("!BBH", _FIN | opcode, 126, size)
    return struct.pack("!BBQ", _FIN | opcode, 127, size)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
