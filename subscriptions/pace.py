"""A token bucket: so many at once, then so many per second."""


class Pace:
    __slots__ = ("_at_s", "_burst", "_left", "_per_s")

    def __init__(self, per_s: float, *, burst: int, now_s: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._left = float(burst)
        self._at_s = now_s

    def allows(self, now_s: float) -> bool:
        """One more, now; it is counted if it is allowed."""
        self._left = min(self._burst, self._left + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True
