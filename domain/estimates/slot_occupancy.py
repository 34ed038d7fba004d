"""Estimates how long slots stay occupied.

The estimate is the mean visit duration for which the expected number of called people still inside
equals the actual number.

A visit has two stages with the same mean duration (an Erlang distribution of order two), so few
visits end early. One visit in `1 / LONG_SHARE` takes `LONG_FACTOR` times as long. These long visits
do not end in the first minutes of a sale, and later some of them are always in progress. The
estimate does not need a list of visits, only the calls over time and the number of slots taken now.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

MIN_ENDED_VISITS = 5
"""The number of finished visits required for an estimate."""
LONG_SHARE = 0.08
LONG_FACTOR = 4.0
SHORTEST_MEAN_S = 2.0
LONGEST_MEAN_S = 36_000.0
_HALVINGS = 14
"""Enough for a precision of a thousandth of the mean."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """People called at about the same time."""

    age_s: float
    count: float


@dataclass(slots=True)
class VisitStages:
    """The number of people in each stage, for visits that follow one distribution."""

    mean_s: float
    early: float = 0.0
    late: float = 0.0

    def advance(self, seconds: float) -> None:
        passed = 2 * seconds / self.mean_s
        stay = exp(-passed)
        self.early, self.late = self.early * stay, (self.late + self.early * passed) * stay

    def add(self, people: float, ago_s: float) -> None:
        passed = 2 * ago_s / self.mean_s
        self.early += people / (1 + passed)
        self.late += people * passed / (1 + passed)


class SlotOccupancy:
    """All people who occupy a slot, split into usual and long visits."""

    def __init__(self, mean_s: float) -> None:
        self.usual, self.long = VisitStages(mean_s), VisitStages(mean_s * LONG_FACTOR)

    @property
    def mean_s(self) -> float:
        return self.usual.mean_s * (1 - LONG_SHARE) + self.long.mean_s * LONG_SHARE

    @property
    def count(self) -> float:
        return self.usual.early + self.usual.late + self.long.early + self.long.late

    def add(self, people: float, *, ago_s: float = 0.0) -> None:
        """Add people called `ago_s` seconds ago, all of them still inside."""
        self.usual.add(people * (1 - LONG_SHARE), ago_s)
        self.long.add(people * LONG_SHARE, ago_s)

    def advance(self, seconds: float) -> float:
        """Advance by `seconds`, and return how many visits end in that time."""
        before = self.count
        self.usual.advance(seconds)
        self.long.advance(seconds)
        return before - self.count

    def scale_to(self, count: float) -> "SlotOccupancy":
        scale = count / self.count if self.count else 0.0
        for visits in (self.usual, self.long):
            visits.early *= scale
            visits.late *= scale
        return self


def estimate_occupancy(cohorts: Sequence[Cohort], slots_taken: int) -> SlotOccupancy | None:
    """Estimate the occupancy. Returns None until enough visits have ended.

    Cohorts must be sorted oldest first.
    """
    if sum(cohort.count for cohort in cohorts) - slots_taken < MIN_ENDED_VISITS:
        return None
    low, high = log(SHORTEST_MEAN_S), log(LONGEST_MEAN_S)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _count_inside(cohorts, exp(middle)) < slots_taken:
            low = middle
        else:
            high = middle
    return _build_occupancy(cohorts, exp((low + high) / 2)).scale_to(slots_taken)


def _count_inside(cohorts: Sequence[Cohort], mean_s: float) -> float:
    """Return the same count as `_build_occupancy` at a quarter of the cost, which matters because
    the search tries many means.
    """
    count = 0.0
    for cohort in cohorts:
        usual = 2 * cohort.age_s / mean_s
        long = usual / LONG_FACTOR
        stay = (1 - LONG_SHARE) * (1 + usual) * exp(-usual) + LONG_SHARE * (1 + long) * exp(-long)
        count += cohort.count * stay
    return count


def _build_occupancy(cohorts: Sequence[Cohort], mean_s: float) -> SlotOccupancy:
    inside = SlotOccupancy(mean_s)
    for cohort, next_age_s in zip(cohorts, [*(cohort.age_s for cohort in cohorts[1:]), 0.0], strict=True):
        inside.add(cohort.count)
        inside.advance(cohort.age_s - next_age_s)
    return inside
