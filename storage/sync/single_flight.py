"""Runs one read at a time for each key: callers that arrive during a read share
its result or error.

Results are not cached: the first caller after a read has ended starts a new one.
"""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from storage.sync.detached import DetachedTasks

K = TypeVar("K", bound=Hashable)
R = TypeVar("R")


class SingleFlight(Generic[K, R]):
    """The reads in progress. Each one belongs to an `owner`, so canceling a caller does not end
    it.
    """

    def __init__(self) -> None:
        self._reads: dict[K, asyncio.Task[R]] = {}

    def is_running(self, key: K) -> bool:
        return key in self._reads

    async def run(self, key: K, read: Callable[[], Coroutine[Any, Any, R]], *, owner: DetachedTasks) -> R:
        """Return the result of the read for this key, or raise its exception.

        Raises TemporarilyUnavailable if `owner` has too many tasks.
        """
        return await asyncio.shield(self.start(key, read, owner=owner))

    def start(self, key: K, read: Callable[[], Coroutine[Any, Any, R]], *, owner: DetachedTasks) -> asyncio.Task[R]:
        """Return the task that reads this key; start one if none is running."""
        reading = self._reads.get(key)
        if reading is None:
            reading = owner.start(read())
            self._reads[key] = reading
            # This callback runs before any caller receives the result, so a caller that tries again
            # starts a new read.
            reading.add_done_callback(lambda _: self._reads.pop(key))
        return reading
