"""Work that outlives its caller: a client that hangs up does not cancel a purchase half-way. Owned, counted, ended."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from domain.errors import TemporarilyUnavailable

R = TypeVar("R")

MAX_RUNNING = 10_000


class DetachedTasks:
    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
        """Run `work` to its end, whatever becomes of the caller.

        Raises TemporarilyUnavailable when too much runs.
        """
        if len(self._running) >= MAX_RUNNING:
            work.close()
            raise TemporarilyUnavailable("This server has too many requests in progress")
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def run(self, work: Coroutine[Any, Any, R]) -> R:
        """Return the result of `work`, which runs to its end even if this call is cancelled.

        Raises TemporarilyUnavailable when too much runs.
        """
        return await asyncio.shield(self.start(work))

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        # Read, so that a failure nobody waits for any more is not reported as lost.
        if not task.cancelled():
            task.exception()

    async def aclose(self, *, patience_s: float) -> None:
        """Lets what runs finish for a while, then cancels it: the settle worker decides about the rest."""
        if self._running:
            await asyncio.wait(self._running, timeout=patience_s)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
