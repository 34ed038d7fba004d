"""Lets long work yield to the other tasks on the event loop at regular intervals.

The intervals are measured in time, not in steps of the work.
"""

import asyncio
import time

MAX_SLICE_S = 0.004
"""The length of a time slice. A hold that arrives waits at most this long, plus the rest of the
step in progress.
"""


class TimeSlice:
    """Yields for `turns` iterations of the event loop after each slice.

    A small request needs several iterations, so yielding for only one would make it wait for that
    many slices.
    """

    __slots__ = ("_since_s", "_turns")

    def __init__(self, *, turns: int = 1) -> None:
        self._turns = turns
        self._since_s = time.monotonic()

    async def checkpoint(self) -> None:
        """Yield to the event loop if the time slice is used up."""
        if time.monotonic() - self._since_s > MAX_SLICE_S:
            for _ in range(self._turns):
                await asyncio.sleep(0)
            self._since_s = time.monotonic()
