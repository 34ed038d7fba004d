"""Rates derived from a room's flow: how many people wait, how fast they leave, and when the people
inside were called.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from domain.estimates.room_flow import SLICE_S, RoomFlow
from domain.estimates.slot_occupancy import Cohort

LONGEST_S = 86_400.0


@dataclass(frozen=True, slots=True)
class QueueRates:
    waiting: int
    gone: int
    """People who left the queue in recent slices without being called."""
    gone_rate: float
    """The probability per second that a waiting person leaves."""


def measure_rates(flow: RoomFlow, slots_taken: int) -> QueueRates:
    """Measure the rates of a flow.

    The number of people waiting now is computed from the totals of the round. Earlier numbers are
    computed backward from it, slice by slice.
    """
    finished_inside = flow.completed + flow.not_claimed + flow.session_over
    left_inside = max(0, flow.called - finished_inside - slots_taken)
    waiting = max(1, flow.joined - flow.called - flow.absent - max(0, flow.left - left_inside))
    gone, person_s, waiting_then = sum(flow.gone_lately), 0.0, float(waiting)
    age_s = flow.now_s % SLICE_S
    slices = zip(reversed(flow.joined_lately), reversed(flow.called_lately), reversed(flow.gone_lately), strict=True)
    for index, (joined, called, left) in enumerate(slices):
        before = max(0.0, waiting_then - joined + called + left)
        person_s += (waiting_then + before) / 2 * (SLICE_S if index else age_s)
        waiting_then = before
    return QueueRates(waiting, gone, gone / person_s if person_s else 0.0)


def build_cohorts(flow: RoomFlow) -> list[Cohort]:
    """Return cohorts of all people called in this round, oldest first.

    Calls made before the first slice are assumed to be evenly distributed over time.
    """
    since_s = seconds_since_opening(flow)
    cohorts = [
        Cohort(min((start_s + end_s) / 2, since_s), count)
        for start_s, end_s, count in iterate_slices_back(flow.now_s, flow.called_lately)
        if count
    ]
    older = max(0, flow.called - sum(flow.called_lately))
    known_s = (len(flow.called_lately) - 1) * SLICE_S + flow.now_s % SLICE_S
    if older:
        span_s = max(0.0, since_s - known_s)
        cohorts += [Cohort(known_s + span_s * eighths / 8, older / 4) for eighths in (1, 3, 5, 7)]
    return sorted(cohorts, key=lambda cohort: -cohort.age_s)


def seconds_since_opening(flow: RoomFlow) -> float:
    """Return the seconds since the opening, or `LONGEST_S` if the opening time is unknown."""
    return LONGEST_S if flow.opened_s is None else max(1.0, flow.now_s - flow.opened_s)


def iterate_slices_back(now_s: float, counts: tuple[int, ...]) -> Iterator[tuple[float, float, int]]:
    """Yield each slice, newest first, as the seconds since its end, the seconds since its start,
    and its count.
    """
    began_s = now_s % SLICE_S
    yield 0.0, began_s, counts[-1]
    for count in reversed(counts[:-1]):
        yield began_s, began_s + SLICE_S, count
        began_s += SLICE_S
