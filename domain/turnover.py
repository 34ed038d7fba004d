"""How long a slot stays taken: the one mean under which as many of those called so far would still be inside as are.

A visit has two parts of equal mean, so few end at once and few last very long (Erlang's law of order two). That needs
no list of visits: calls by the time they were made, and the slots taken now, say all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

FEWEST_ENDED = 5
"""Visits that must have ended before anything is said."""
FASTEST_S = 2.0
SLOWEST_S = 36_000.0
_HALVINGS = 16
"""To a thousandth of the mean."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """People called at about the same time."""

    age_s: float
    count: float


@dataclass(slots=True)
class Inside:
    """People who take slots, `early` and `late` by the part of their visit; it is moved on as time passes."""

    mean_s: float
    early: float
    late: float

    @property
    def count(self) -> float:
        return self.early + self.late

    def wait(self, seconds: float) -> float:
        """How many of them end meanwhile."""
        before = self.early + self.late
        passed = 2 * seconds / self.mean_s
        stay = exp(-passed)
        self.early, self.late = self.early * stay, (self.late + self.early * passed) * stay
        return before - self.early - self.late

    def enter(self, people: float) -> None:
        self.early += people


def inside_now(cohorts: Sequence[Cohort], slots_taken: int) -> Inside | None:
    """None while too few visits have ended to tell."""
    if sum(cohort.count for cohort in cohorts) - slots_taken < FEWEST_ENDED:
        return None
    low, high = log(FASTEST_S), log(SLOWEST_S)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _left_of(cohorts, exp(middle)).count < slots_taken:
            low = middle
        else:
            high = middle
    found = _left_of(cohorts, exp((low + high) / 2))
    scale = slots_taken / found.count if found.count else 0.0
    return Inside(found.mean_s, found.early * scale, found.late * scale)


def _left_of(cohorts: Sequence[Cohort], mean_s: float) -> Inside:
    early = late = 0.0
    for cohort in cohorts:
        passed = 2 * cohort.age_s / mean_s
        stay = cohort.count * exp(-passed)
        early += stay
        late += stay * passed
    return Inside(mean_s, early, late)
