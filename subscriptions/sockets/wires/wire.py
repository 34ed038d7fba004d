"""The interface between a connection and the transport below it."""

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from enum import StrEnum
from typing import Any, Protocol

from subscriptions.interfaces import Rendered


class EndReason(StrEnum):
    """Why a wire has ended its socket, for the figures of operators."""

    LEFT = "LEFT"
    """The client has closed or lost its connection."""
    PROTOCOL_ERROR = "PROTOCOL_ERROR"
    """The client has sent a frame that violates RFC 6455."""
    SERVICE_RESTART = "SERVICE_RESTART"
    """This process is stopping."""


class Wire(Protocol):
    """The transport of one connection.

    It is created with reading paused. While reading is not paused, it passes each message to its
    sink.
    """

    def connect(self, sink: "Sink") -> None:
        """Pass all messages to this connection from now on."""

    def write(self, *messages: bytes) -> None:
        """Write text messages. Does not block."""

    def write_next(self, prefix: bytes, rendered: Rendered) -> None:
        """Write a `next` message, whose frame may be shared with other connections."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def close(self, code: int, reason: str) -> None:
        """Close the socket so that a client that is still sending can read the reason."""

    def abort(self) -> None:
        """Disconnect the client without a reason."""

    def start_task(self, work: Coroutine[Any, Any, None], *, context: Context | None = None) -> asyncio.Task[None]:
        """Run `work` in a task that the server waits for when it stops."""


class Sink(Protocol):
    """The connection above a wire."""

    def receive(self, message: bytes | None) -> None:
        """Handle a text message, or None for a binary message."""

    def pause_writing(self) -> None:
        """Write nothing more, because the client does not read."""

    def resume_writing(self) -> None:
        """Write again, because the client has read what was written."""

    def lost(self, reason: EndReason = EndReason.LEFT) -> None:
        """Handle the end of the socket: the client has left, or the wire is closing by itself."""
