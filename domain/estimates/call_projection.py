"""Projects future calls from the measured rates and both admission caps.

The call window consists of 61 one-second counts, so a call stops counting toward the limit after
61 s. A waiting room that calls 600 people at the same moment then calls no one for a minute, and
its projection looks like a staircase. Slots become free as visits end (slot_occupancy.py). People
leave the queue at the measured rate, which falls over time because the people who stay are the
patient ones.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from math import exp, floor

from domain.estimates.queue_rates import (
    LONGEST_S,
    QueueRates,
    build_cohorts,
    iterate_slices_back,
    measure_rates,
    seconds_since_opening,
)
from domain.estimates.room_flow import RoomFlow
from domain.estimates.slot_occupancy import SlotOccupancy, estimate_occupancy

WINDOW_S = 61
STEPS_PER_WINDOW = 10
STEP_S = WINDOW_S / STEPS_PER_WINDOW
STEPS = 10 * STEPS_PER_WINDOW
"""About ten minutes are projected step by step. After that, the queue is assumed to move at the
rate of the last two windows.
"""
FAR_STEP = 1.1
"""After the last window, each step ends this many times as far in the future as the one before."""
PAUSE_RATIO = 10.0
"""A step is a pause if the previous step moved the queue more than this many times as far."""
UNOBSERVED_DECAY_VISITS = 1.5
"""The unobserved share of visits falls by a factor of e in this many mean visit durations."""
PATIENCE_S = 600.0
"""The rate at which people leave falls by a factor of e in this time."""
MAX_LEAVE_EXPONENT = 3.0
"""The projection assumes that at least one person in e^3 stays, even if many left in the first
second of a queue.
"""


@dataclass(frozen=True, slots=True)
class AdmissionCaps:
    slots_taken: int
    total_active_users: int
    new_users_per_minute: int


@dataclass(frozen=True, slots=True)
class CallProjection:
    """The projected state of the queue at each of `times_s`, in seconds from now."""

    rates: QueueRates
    ended: int
    """The number of finished visits from which slot occupancy was estimated."""
    unobserved_share: float
    """The share of visits not observed yet: 1 just after the opening, falling as visits end."""
    times_s: tuple[float, ...]
    moved: tuple[float, ...]
    """The highest position called by each time; it never decreases."""
    called: tuple[float, ...]
    """The number of people called from now until each time."""
    by_slots: tuple[float, ...]
    """How many of the `called` people have to wait for a free slot."""

    @property
    def still_moves(self) -> bool:
        """Return whether the queue still moves after a day."""
        return self.called[-1] > self.called[-2]

    def pause_edges(self) -> list[int]:
        """Return the last position before each pause in the calls, and the first position after
        it.
        """
        edges = []
        for before, here, after in zip(self.moved, self.moved[1:STEPS], self.moved[2:], strict=False):
            if here - before > PAUSE_RATIO * (after - here) and here - before > 1:
                # Rounding errors may leave `here` slightly below the last position of a burst.
                edges += [floor(here + 1e-6), floor(here + 1e-6) + 1]
        return edges

    def seconds_until_called(self, position: float) -> float | None:
        """Return the number of seconds until this position is called. Returns None if the queue
        does not move that far.
        """
        if position > self.moved[-1] + 1e-6:
            return None
        return self._between(position, self.times_s)

    def calls_before(self, position: float) -> tuple[float, float]:
        """Return `called` and `by_slots` at the moment this position is called."""
        return self._between(position, self.called), self._between(position, self.by_slots)

    def _between(self, position: float, values: tuple[float, ...]) -> float:
        after = bisect_left(self.moved, position - 1e-6)
        if after == 0 or after == len(self.moved):
            return values[min(after, len(values) - 1)]
        low, high = self.moved[after - 1], self.moved[after]
        share = (position - low) / (high - low)
        return values[after - 1] + share * (values[after] - values[after - 1])


def project_calls(flow: RoomFlow, caps: AdmissionCaps) -> CallProjection:
    inside = estimate_occupancy(build_cohorts(flow), caps.slots_taken)
    unobserved_share = exp(-seconds_since_opening(flow) / (UNOBSERVED_DECAY_VISITS * inside.mean_s)) if inside else 1.0
    measured = measure_rates(flow, caps.slots_taken)
    times_s, moved, called, by_slots = [0.0], [0.0], [0.0], [0.0]
    for seconds, calls, slots in _calls(flow, caps, inside):
        middle_s = times_s[-1] + seconds / 2
        leave_exponent = measured.gone_rate * PATIENCE_S * (1 - exp(-middle_s / PATIENCE_S))
        times_s.append(times_s[-1] + seconds)
        moved.append(moved[-1] + calls * exp(min(leave_exponent, MAX_LEAVE_EXPONENT)))
        called.append(called[-1] + calls)
        by_slots.append(by_slots[-1] + slots)
    ended = max(0, flow.called - caps.slots_taken)
    return CallProjection(
        measured, ended, unobserved_share, tuple(times_s), tuple(moved), tuple(called), tuple(by_slots)
    )


def _calls(flow: RoomFlow, caps: AdmissionCaps, inside: SlotOccupancy | None) -> Iterator[tuple[float, float, float]]:
    """Yield the length of each step in seconds, its number of calls, and how many of them had to
    wait for a slot.
    """
    returning, allowance = _returning(flow, caps.new_users_per_minute)
    free = float(caps.total_active_users - caps.slots_taken)
    lately: list[float] = []
    for step in range(STEPS + 1):
        seconds = STEP_S if step else 0.0
        allowance += returning[step]
        free += inside.advance(seconds) if inside else 0.0
        calls = max(0.0, min(allowance, free))
        by_slots = calls if free < allowance else 0.0
        allowance -= calls
        free -= calls
        if inside:
            inside.add(calls, ago_s=seconds / 2)
        returning[step + STEPS_PER_WINDOW] += calls
        lately.append(calls)
        yield seconds, calls, by_slots
    two_windows = lately[-2 * STEPS_PER_WINDOW :]
    rate = sum(two_windows) / (2 * WINDOW_S)
    slots_share = 1.0 if inside and free < allowance else 0.0
    reached_s = STEPS * STEP_S
    while reached_s < LONGEST_S:
        seconds = reached_s * (FAR_STEP - 1)
        reached_s += seconds
        yield seconds, rate * seconds, rate * seconds * slots_share


def _returning(flow: RoomFlow, per_minute: int) -> tuple[list[float], float]:
    """Return how many calls leave the window in each step, and how many more calls the window
    allows now.

    The latest calls fill the window first.
    """
    returning, missing = [0.0] * (STEPS + STEPS_PER_WINDOW + 1), float(per_minute)
    for ended_ago_s, began_ago_s, count in iterate_slices_back(flow.now_s, flow.called_lately):
        if not missing or ended_ago_s >= WINDOW_S:
            break
        counted = min(float(count), missing)
        missing -= counted
        if counted:
            # If only part of a slice counts, it is the latest part.
            began_ago_s = ended_ago_s + (began_ago_s - ended_ago_s) * counted / count
            _spread(returning, max(0.0, WINDOW_S - began_ago_s), WINDOW_S - ended_ago_s, counted)
    return returning, missing


def _spread(returning: list[float], from_s: float, to_s: float, count: float) -> None:
    """Distribute `count` evenly over the steps of a time span.

    Step 0 is the current moment. Each later step covers the `STEP_S` seconds before its end.
    """
    span_s = to_s - from_s
    first, last = int(from_s / STEP_S), int(to_s / STEP_S)
    for step in range(first, last + 1):
        overlap_s = min(to_s, (step + 1) * STEP_S) - max(from_s, step * STEP_S)
        returning[step + 1] += count * overlap_s / span_s if span_s else float(step == first) * count
