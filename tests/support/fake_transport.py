"""A transport that keeps what is written to it, and a sink that keeps the events of a wire."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from subscriptions.sockets.wires.wire import EndReason


class FakeTransport(asyncio.Transport):
    """Once `is_stuck` is set, each write pauses its protocol."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.is_paused = False
        self.is_stuck = False
        self.ending = ""
        self.limits: tuple[int | None, int | None] = (None, None)
        self.protocol: Any = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))
        if self.is_stuck:
            self.protocol.pause_writing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.limits = (high, low)

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def close(self) -> None:
        self.ending = self.ending or "closed"

    def abort(self) -> None:
        self.ending = "aborted"

    def drain(self) -> None:
        """Let the client read."""
        self.is_stuck = False
        self.protocol.resume_writing()


@dataclass
class FakeSink:
    """`on_message` is called for each message."""

    events: list[bytes | str] = field(default_factory=list)
    on_message: Callable[[], object] = lambda: None

    def receive(self, message: bytes | None) -> None:
        self.events.append("binary" if message is None else message)
        self.on_message()

    def pause_writing(self) -> None:
        self.events.append("pause")

    def resume_writing(self) -> None:
        self.events.append("resume")

    def lost(self, reason: EndReason = EndReason.LEFT) -> None:
        del reason
        self.events.append("lost")


@dataclass
class FakeServerState:
    connections: set[Any] = field(default_factory=set)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
