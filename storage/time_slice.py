"""Lets long work yield to the other tasks on the event loop at regular intervals.

The intervals are measured in time, not in steps of the work.
"""

import asyncio
import time
from math import inf

MAX_SLICE_S = 0.004
"""The length of a time slice. A hold that arrives waits at most this long, plus the rest of the
step in progress.
"""


MAX_PUSH_SLICE_S = 0.002
"""The length of a time slice of deliveries, which are more frequent than other long work."""
MAX_PUSH_STEPS = 200
"""The maximum number of deliveries in a slice. The kernel keeps working after it has accepted a
message, so the time alone would understate the cost.
"""


class TimeSlice:
    """Yields for `turns` iterations of the event loop after each slice, which ends after `max_s`
    seconds or `max_steps` steps.

    A small request needs several iterations, so yielding for only one would make it wait for that
    many slices.
    """

    __slots__ = ("_max_s", "_max_steps", "_since_s", "_steps", "_turns")

    def __init__(self, *, turns: int = 1, max_s: float = MAX_SLICE_S, max_steps: float = inf) -> None:
        self._turns = turns
        self._max_s = max_s
        self._max_steps = max_steps
        self._steps = 0
        self._since_s = time.monotonic()

    async def checkpoint(self, *, steps: int = 1) -> None:
        """Count the steps done, and yield to the event loop if the time slice is used up."""
        self._steps += steps
        if self._steps >= self._max_steps or time.monotonic() - self._since_s > self._max_s:
            for _ in range(self._turns):
                await asyncio.sleep(0)
            self._steps = 0
            self._since_s = time.monotonic()
