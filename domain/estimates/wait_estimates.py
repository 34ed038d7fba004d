"""Wait estimates: the p50 and p90 of the time until a person is called, in seconds.

A `CallProjection` predicts when a position will be called if everything continues as measured. The
estimate evaluates it at lower and higher positions to allow for random variation and measurement
errors. A `WaitTable` is built once per version of a queue, so each person costs only one lookup.
"""

from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil, sqrt
from typing import NamedTuple

from domain.estimates.call_projection import AdmissionCaps, CallProjection, project_calls
from domain.estimates.queue_rates import LONGEST_S
from domain.estimates.room_flow import RoomFlow

P90_SIGMAS = 1.2816
"""90% of the values in a normal distribution lie below this many standard deviations above the
mean.
"""
VISIT_DISPERSION = 0.6
"""The variance of the number of visits that end in a given time, divided by its mean."""
SLOT_DRIFT = 0.03
UNOBSERVED_DRIFT = 0.2
GONE_DRIFT = 0.25
DRIFT = 0.03
"""Expected relative changes after the measurement: in slots, in people leaving, and overall.
UNOBSERVED_DRIFT is added to SLOT_DRIFT in proportion to the share of visits that have not been
observed since the opening.
"""
MAX_SPREAD = 1.5
P90_MARGIN_S = 3.0
"""Added to p90, because calls are counted per second and slices cover ten seconds."""
POSITION_STEP = 1.15


@dataclass(frozen=True, slots=True)
class WaitEstimate:
    """Half of the people wait at most `p50_s` seconds from now, nine out of ten at most `p90_s`."""

    p50_s: int
    p90_s: int


class _Segment(NamedTuple):
    """A line between two positions of a table. Each quantile is `from + share * by`."""

    start: float
    length: float
    p50_from_s: float
    p50_by_s: float
    p90_from_s: float
    p90_by_s: float


@dataclass(frozen=True, slots=True)
class WaitTable:
    """The wait quantiles at `positions`, interpolated linearly in between.

    Neither quantile decreases as the position increases.
    """

    positions: tuple[float, ...] = ()
    p50_s: tuple[float, ...] = ()
    p90_s: tuple[float, ...] = ()
    beyond: WaitEstimate | None = None
    """The estimate for positions after the last one; None if the queue never moves that far at the
    measured rates.
    """

    _segments: tuple[_Segment, ...] = field(init=False, repr=False, compare=False)
    """Computed once per table, because thousands of people are looked up in it."""

    def __post_init__(self) -> None:
        knots = list(zip(self.positions, self.p50_s, self.p90_s, strict=True))
        # Up to the first position, the quantiles are those of the first position.
        first = [_Segment(0.0, 1.0, p50_s, 0.0, p90_s, 0.0) for _, p50_s, p90_s in knots[:1]]
        rest = [
            _Segment(low, high - low, p50_s, next_p50_s - p50_s, p90_s, next_p90_s - p90_s)
            for (low, p50_s, p90_s), (high, next_p50_s, next_p90_s) in pairwise(knots)
        ]
        object.__setattr__(self, "_segments", (*first, *rest))

    def estimate(self, position: int) -> WaitEstimate | None:
        found = self.quantiles_s(position)
        return WaitEstimate(*found) if found else None

    def quantiles_s(self, position: int) -> tuple[int, int] | None:
        """Return p50 and p90 of a position in seconds, as `estimate` does, or None if unknown."""
        after = bisect_left(self.positions, position)
        if after == len(self.positions):
            return (self.beyond.p50_s, self.beyond.p90_s) if self.beyond else None
        start, length, p50_from_s, p50_by_s, p90_from_s, p90_by_s = self._segments[after]
        share = (position - start) / length
        return round(p50_from_s + share * p50_by_s), ceil(p90_from_s + share * p90_by_s)


LONGEST = WaitEstimate(int(LONGEST_S), int(LONGEST_S))
NO_ESTIMATE = WaitTable()
"""A table without estimates."""


def build_wait_table(
    flow: RoomFlow, *, slots_taken: int, total_active_users: int, new_users_per_minute: int
) -> WaitTable:
    if flow.opened_s is None or flow.called == 0:
        return NO_ESTIMATE
    projection = project_calls(flow, AdmissionCaps(slots_taken, total_active_users, new_users_per_minute))
    positions, p50_s, p90_s = [], [0.0], [0.0]
    for position in _table_positions(projection):
        quantiles = _estimate(projection, position)
        if quantiles is None:
            break
        positions.append(position)
        p50_s.append(max(p50_s[-1], quantiles[0]))
        p90_s.append(max(p90_s[-1], quantiles[1]))
    return WaitTable(tuple(positions), tuple(p50_s[1:]), tuple(p90_s[1:]), LONGEST if projection.still_moves else None)


def _table_positions(projection: CallProjection) -> list[int]:
    """Return the positions of the table: close together at the front and the back of the queue, and
    on both sides of each pause in the calls.
    """
    furthest = int(projection.moved[-1])
    knots, edge = {*(furthest * part // 50 for part in range(41, 51)), *projection.pause_edges()}, 1
    while edge < furthest:
        knots.add(edge)
        edge = ceil(edge * POSITION_STEP)
    return sorted(knot for knot in knots if 1 <= knot <= furthest)


def _estimate(projection: CallProjection, position: float) -> tuple[float, float] | None:
    """Return p50 and p90 in seconds; None if the queue does not move that far.

    The movement of the queue is assumed to follow a gamma distribution with the relative spread
    computed for the position. Its quantiles (by the Wilson-Hilferty approximation) are converted to
    seconds.
    """
    spread = min(MAX_SPREAD, _spread(projection, position))
    half_s = projection.seconds_until_called(position * (1 - spread**2 / 9) ** 3)
    most_s = projection.seconds_until_called(position * (1 - spread**2 / 9 + P90_SIGMAS * spread / 3) ** 3)
    if most_s is None:
        most_s = LONGEST_S if projection.still_moves else None
    if half_s is None or most_s is None:
        return None
    return half_s, min(most_s + P90_MARGIN_S, LONGEST_S)


def _spread(projection: CallProjection, position: float) -> float:
    called, by_slots = projection.calls_before(position)
    slots = min(1.0, by_slots / position)
    gone = max(0.0, 1 - called / position)
    drift = SLOT_DRIFT + UNOBSERVED_DRIFT * projection.unobserved_share
    of_slots = slots * VISIT_DISPERSION / position + slots**2 * (VISIT_DISPERSION / max(projection.ended, 1) + drift**2)
    of_gone = gone / position + gone**2 * (1 / max(projection.rates.gone, 1) + GONE_DRIFT**2)
    return sqrt(of_slots + of_gone + DRIFT**2)
