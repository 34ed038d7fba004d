"""A clock of the running event loop that a test moves on, so that timers are due without waiting."""

import asyncio


class LoopClock:
    """Install it before what it is to move, and in a loop that no other test uses: it stays ahead."""

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
