"""A clock for the running event loop that tests advance instead of waiting for timers."""

import asyncio


class LoopClock:
    """Replaces the clock of the loop permanently, so use it only in the test's own loop.

    Create it before the code under test, which may keep a reference to the loop's `time`.
    """

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._read_loop_time = loop.time
        self._ahead_s = 0.0
        setattr(loop, "time", self.time)  # noqa: B010 - mypy forbids assigning a method

    def time(self) -> float:
        return self._read_loop_time() + self._ahead_s

    def advance(self, seconds: float) -> None:
        """Make due every timer that would expire within `seconds`."""
        self._ahead_s += seconds
