"""A clock for the running event loop. Tests advance it instead of waiting for timers."""

import asyncio


class LoopClock:
    """Replaces the loop's clock permanently, so use it only in a loop that no other test uses.

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
        """Expire every timer that is due within `seconds`."""
        self._ahead_s += seconds
