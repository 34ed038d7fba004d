"""Lets other tasks run on the event loop after a bounded time.

The time is bounded regardless of how long each step of the work takes.
"""

import asyncio
import time

MAX_SLICE_S = 0.004
"""The length of a time slice. An arriving hold waits no longer than this, plus the step in
progress.
"""


class TimeSlice:
    """Yields for `turns` iterations of the event loop after each slice.

    A small request takes many iterations, so one after each slice would make it wait for as many
    slices.
    """

    __slots__ = ("_since_s", "_turns")

    def __init__(self, *, turns: int = 1) -> None:
        self._turns = turns
        self._since_s = time.monotonic()

    async def checkpoint(self) -> None:
        """Yield to the event loop if the slice is used up."""
        if time.monotonic() - self._since_s > MAX_SLICE_S:
            for _ in range(self._turns):
                await asyncio.sleep(0)
            self._since_s = time.monotonic()
