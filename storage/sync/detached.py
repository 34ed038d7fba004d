"""Tasks that outlive their caller, so a client that disconnects does not cancel a purchase halfway.

DetachedTasks owns the tasks, limits their number, and cancels them at shutdown.
"""

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
        """Start `work`, which runs to its end even if the caller is canceled. Return its task.

        Raises TemporarilyUnavailable if too many tasks are running.
        """
        if len(self._running) >= MAX_RUNNING:
            work.close()
            raise TemporarilyUnavailable("This server has too many requests in progress")
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def run(self, work: Coroutine[Any, Any, R]) -> R:
        """Return the result of `work`, which runs to its end even if this call is canceled.

        Raises TemporarilyUnavailable if too many tasks are running.
        """
        return await asyncio.shield(self.start(work))

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        # Read the exception, so that asyncio does not report it if no caller awaits the task
        # anymore.
        if not task.cancelled():
            task.exception()

    async def aclose(self, *, patience_s: float) -> None:
        """Wait up to `patience_s` seconds for the running tasks, then cancel them.

        The settle worker settles purchases that were canceled.
        """
        if self._running:
            await asyncio.wait(self._running, timeout=patience_s)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
