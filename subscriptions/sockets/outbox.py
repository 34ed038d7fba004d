"""The unsent messages of one connection: answers in order, then the newest payloads.

One task writes, and only while messages are waiting. Memory is bounded, because payloads of a
subscription replace each other, and the connection stops reading messages while too many answers
are waiting.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from starlette.types import Send

MAX_MESSAGES = 16
"""The maximum number of waiting answers, above which no further message is read.

Each running operation may still add two.
"""


class MessageSource(Protocol):
    """A subscription that has payloads to send."""

    def next_message(self) -> str | None:
        """Return the next message, or None if there is none now."""


class Outbox:
    """The writer of one connection.

    `on_stuck` is called once if the client does not read for `drain_wait_s`. Nothing is sent after
    that.
    """

    def __init__(
        self, send: Send, tasks: asyncio.TaskGroup, *, drain_wait_s: float, on_stuck: Callable[[], None]
    ) -> None:
        self._send = send
        self._tasks = tasks
        self._drain_wait_s = drain_wait_s
        self._on_stuck = on_stuck
        self._messages: deque[str] = deque()
        self._changed: dict[MessageSource, None] = {}
        self._has_space = asyncio.Event()
        self._has_space.set()
        self._writer: asyncio.Task[None] | None = None
        self._is_closed = False

    def put(self, *messages: str) -> None:
        self._messages.extend(messages)
        if len(self._messages) > MAX_MESSAGES:
            self._has_space.clear()
        self._start_writer()

    def mark_changed(self, source: MessageSource) -> None:
        """Send the messages of `source` after the waiting answers."""
        self._changed[source] = None
        self._start_writer()

    async def wait_for_space(self) -> None:
        await self._has_space.wait()

    def stop(self) -> None:
        """Drop all unsent messages."""
        self._is_closed = True
        self._messages.clear()
        self._changed.clear()
        self._has_space.set()
        if self._writer is not None:
            self._writer.cancel()

    def _start_writer(self) -> None:
        if not self._is_closed and self._writer is None:
            self._writer = self._tasks.create_task(self._write())

    async def _write(self) -> None:
        try:
            while (text := self._next()) is not None:
                async with asyncio.timeout(self._drain_wait_s):
                    await self._send({"type": "websocket.send", "text": text})
        except TimeoutError:
            self._is_closed = True
            self._on_stuck()
        except OSError:
            self._is_closed = True  # the client has disconnected, which the reader notices too
        finally:
            self._writer = None

    def _next(self) -> str | None:
        if self._messages:
            text = self._messages.popleft()
            if len(self._messages) <= MAX_MESSAGES:
                self._has_space.set()
            return text
        while self._changed:
            source = next(iter(self._changed))
            del self._changed[source]
            payload = source.next_message()
            if payload is not None:
                # The source moves to the end, so that a busy subscription does not starve others.
                self._changed[source] = None
                return payload
        return None
