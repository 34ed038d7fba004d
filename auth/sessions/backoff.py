"""Makes a process wait longer after each failed attempt to reach the issuer."""

from collections.abc import Callable

FIRST_S = 1.0
LONGEST_S = 60.0


class Backoff:
    def __init__(self, now: Callable[[], float], random: Callable[[], float]) -> None:
        self._now = now
        self._random = random
        self._failures = 0
        self._until = float("-inf")

    @property
    def is_waiting(self) -> bool:
        return self._now() < self._until

    def fail(self) -> None:
        """Pause twice as long as last time, up to a limit, minus a random part of up to half."""
        pause_s = min(FIRST_S * 2**self._failures, LONGEST_S)
        self._failures = min(self._failures + 1, 10)
        self._until = self._now() + pause_s * (1 - self._random() / 2)

    def succeed(self) -> None:
        self._failures = 0
        self._until = float("-inf")
