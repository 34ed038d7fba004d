"""The unsent messages of one connection: answers in order, then the newest payloads.

While the client reads, messages are written straight to the wire and nothing is kept here. Memory
is bounded, because payloads of a subscription replace each other, and the connection stops reading
messages while too many answers are waiting.
"""

from collections import deque
from typing import Protocol

from subscriptions.sockets.wires.wire import Wire

MAX_MESSAGES = 16
"""The maximum number of waiting answers, above which no further message is read.

Each running operation may still add two.
"""


class MessageSource(Protocol):
    """A subscription that has payloads to send."""

    def next_message(self) -> bytes | None:
        """Return the next message, or None if there is none now."""


class Outbox:
    """The writer of one connection."""

    __slots__ = ("_changed", "_is_paused", "_messages", "is_idle", "wire")

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.is_idle = True
        """Whether the client reads and no message is waiting, so that payloads can be written."""
        self._is_paused = False
        self._messages: deque[bytes] | None = None
        self._changed: dict[MessageSource, None] | None = None

    @property
    def is_full(self) -> bool:
        """Return whether so many answers are waiting that no further message may be read."""
        return self._messages is not None and len(self._messages) > MAX_MESSAGES

    def put(self, *messages: bytes) -> None:
        if self.is_idle:
            self.wire.write(*messages)
            return
        if self._messages is None:
            self._messages = deque()
        self._messages.extend(messages)

    def mark_changed(self, source: MessageSource) -> None:
        """Send the messages of `source` after the waiting answers."""
        if self._changed is None:
            self._changed = {}
        self._changed[source] = None

    def pause(self) -> None:
        """Keep all messages until the client reads."""
        self._is_paused = True
        self.is_idle = False

    def resume(self) -> None:
        """Write the waiting messages until the client stops reading again."""
        self._is_paused = False
        while not self._is_paused:
            message = self._next()
            if message is None:
                self._messages = self._changed = None
                self.is_idle = True
                return
            self.wire.write(message)

    def stop(self) -> None:
        """Drop all unsent messages."""
        self._is_paused = True
        self.is_idle = False
        self._messages = self._changed = None

    def _next(self) -> bytes | None:
        if self._messages:
            return self._messages.popleft()
        while self._changed:
            source = next(iter(self._changed))
            del self._changed[source]
            message = source.next_message()
            if message is not None:
                # The source moves to the end, so that a busy subscription does not starve others.
                self.mark_changed(source)
                return message
        return None
