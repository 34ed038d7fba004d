"""Compares wait estimates with the truth: remembers what the last person in the queue was told, and
when their number is passed, how long it really took.
"""

from collections import deque
from dataclasses import dataclass, field

EVERY_S = 10.0
MAX_PROMISES = 60
MAX_GAP_S = 2.0
"""If the queue was not read for longer, it is not known when a number was passed."""


@dataclass(frozen=True, slots=True)
class QueueSeen:
    """The state of an open queue at the time `now_s` of the store."""

    round: tuple[int, int]
    """The epoch and the round. Numbers of other rounds mean other people."""
    now_s: float
    serving_number: int
    """The highest number that was called or skipped."""
    last_number: int
    """The number of the last person in the queue."""
    estimate_s: float | None
    """How long the last person is told to wait; None without an estimate."""


@dataclass(frozen=True, slots=True)
class _Promise:
    number: int
    made_s: float
    estimate_s: float


@dataclass(slots=True)
class EstimateChecks:
    """The checks of one queue."""

    _promises: deque[_Promise] = field(default_factory=deque)
    _made_s: float = float("-inf")
    _last: QueueSeen | None = None

    def compare(self, seen: QueueSeen) -> list[float]:
        """Return the error of each estimate whose truth is now known: estimate minus wait, in
        seconds.
        """
        last, self._last = self._last, seen
        if last is None or last.round != seen.round:
            self._promises.clear()
            self._made_s = float("-inf")
        is_exact = last is not None and seen.now_s - last.now_s <= MAX_GAP_S
        errors: list[float] = []
        while self._promises and self._promises[0].number <= seen.serving_number:
            promise = self._promises.popleft()
            if is_exact:
                errors.append(promise.estimate_s - (seen.now_s - promise.made_s))
        self._promise(seen)
        return errors

    def _promise(self, seen: QueueSeen) -> None:
        is_due = seen.now_s - self._made_s >= EVERY_S and len(self._promises) < MAX_PROMISES
        if is_due and seen.estimate_s is not None and seen.last_number > seen.serving_number:
            self._made_s = seen.now_s
            self._promises.append(_Promise(seen.last_number, seen.now_s, seen.estimate_s))
