"""The clock of the sandbox. It can be moved forward, so that a test need not wait for days."""

import time


class Clock:
    def __init__(self, offset_s: float = 0.0) -> None:
        self.offset_s = offset_s

    def now(self) -> float:
        """Return the seconds since 1970 by this clock."""
        return time.time() + self.offset_s

    def advance(self, seconds: float) -> None:
        """Move the clock forward. It never moves back, so documents stay in order of creation."""
        self.offset_s += max(seconds, 0.0)
