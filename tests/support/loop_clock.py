"""A clock of the running event loop that a test moves on, so that timers need no waiting."""

import asyncio


class LoopClock:
    """The loop's clock from now on. It stays ahead, so use it in a loop of the test's own.

    Create it before the code under test, which may keep the loop's `time`.
    """

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._read_loop_time = loop.time
        self._ahead_s = 0.0
        setattr(loop, "time", self.time)  # noqa: B010 - mypy forbids assigning a method

    def time(self) -> float:
        return self._read_loop_time() + self._ahead_s

    def advance(self, seconds: float) -> None:
        """Make every timer due that was set for the next `seconds`."""
        self._ahead_s += seconds
