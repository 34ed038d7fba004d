"""What is still to be sent on one socket: messages in order, then the newest state of each subscription that changed.

One task writes, and only while there is something to write. Its memory is bounded: states replace each other, and the
reader stops taking messages while too many answers wait.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from starlette.types import Send

from subscriptions.live import Live

MAX_WAITING = 16
"""Answers to messages; above, no further message is read. Operations that run may add their two each."""


class Outbox:
    """`on_stuck` is called once, if the client takes nothing for `drain_wait_s`; nothing is sent after that."""

    def __init__(
        self, send: Send, tasks: asyncio.TaskGroup, *, drain_wait_s: float, on_stuck: Callable[[], None]
    ) -> None:
        self._send = send
        self._tasks = tasks
        self._drain_wait_s = drain_wait_s
        self._on_stuck = on_stuck
        self._waiting: deque[str] = deque()
        self._changed: dict[Live, None] = {}
        self._room = asyncio.Event()
        self._room.set()
        self._writer: asyncio.Task[None] | None = None
        self._is_closed = False

    def put(self, *messages: str) -> None:
        self._waiting.extend(messages)
        if len(self._waiting) > MAX_WAITING:
            self._room.clear()
        self._wake()

    def mark(self, live: Live) -> None:
        """It has something to show."""
        self._changed[live] = None
        self._wake()

    async def room(self) -> None:
        await self._room.wait()

    def stop(self) -> None:
        """Drops what was not sent."""
        self._is_closed = True
        self._waiting.clear()
        self._changed.clear()
        self._room.set()
        if self._writer is not None:
            self._writer.cancel()

    def _wake(self) -> None:
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
            self._is_closed = True  # the client is gone, and the reader is told so too
        finally:
            self._writer = None

    def _next(self) -> str | None:
        if self._waiting:
            text = self._waiting.popleft()
            if len(self._waiting) <= MAX_WAITING:
                self._room.set()
            return text
        while self._changed:
            live = next(iter(self._changed))
            del self._changed[live]
            text_of_state = live.take()
            if text_of_state is not None:
                self._changed[live] = None  # at the end, so that a busy one starves no other
                return text_of_state
        return None
