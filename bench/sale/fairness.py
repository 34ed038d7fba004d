"""Invariants of the queue, valid after any kill: caps are kept, everyone is called once and in
order, and every position shown is exact for its version.

Each check yields the rows that violate it.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.sale.audit import Audit
from bench.sale.invariants import Verdict
from bench.sale.observations import At, Observation, Observations, pushed
from domain.queues import RoomSettings

WINDOW_S = 60
STAGES = {"WAITING": 0, "READY": 1, "ADMITTED": 2, "COMPLETED": 3, "LEFT": 3, "EXPIRED": 3}


@dataclass(frozen=True, slots=True)
class Evidence:
    settings: RoomSettings
    observations: Observations
    audit: Audit


def caps_kept(evidence: Evidence) -> Iterator[str]:
    """No more slots are taken than exist, and no more calls are made in any 60 s than allowed."""
    slots, per_minute = evidence.settings.total_active_users, evidence.settings.new_users_per_minute
    if evidence.audit.most_slots > slots:
        yield f"{evidence.audit.most_slots} slots of {slots} were taken, says the store"
    for room in evidence.observations.rooms:
        if room.slots_taken > slots:
            yield f"{room.slots_taken} slots of {slots} were taken at {room.at}"
    calls = [second * 1000 for second, count in sorted(evidence.audit.calls.items()) for _ in range(count)]
    for moments, whose in ((calls, "by the second"), (evidence.audit.called_ms, "by the places")):
        if over := _most_in_a_window(moments, per_minute):
            yield f"{over} calls in {WINDOW_S} s where {per_minute} are allowed, {whose}"


def no_one_called_twice(evidence: Evidence) -> Iterator[str]:
    """The calls equal the called numbers, and no entry returns to an earlier state."""
    audit = evidence.audit
    called = audit.serving - sum(number <= audit.serving for number in audit.departed)
    if (calls := sum(audit.calls.values())) != called:
        yield f"{calls} calls were made for {called} numbers"
    for number, seen in _by_number(evidence.observations).items():
        for before, after in pairwise(seen):
            if STAGES[after.state] < STAGES[before.state]:
                yield f"number {number} was {before.state} at {before.at} and {after.state} at {after.at}"
        if number in audit.departed and any(sighting.state in ("READY", "ADMITTED") for sighting in seen):
            yield f"number {number} was called and counts as departed before its call"


def positions_exact(evidence: Evidence) -> Iterator[str]:
    """All observers of a version see the same queue;
    a position is the rank among those waiting then.
    """
    departures = _Departures(evidence)
    looks: dict[At, set[tuple[int, int]]] = defaultdict(set)
    for room in evidence.observations.rooms:
        looks[room.at].add((room.serving, room.waiting))
    for at, seen in _by_moment(evidence.observations).items():
        yield from _one_line(at, seen, looks[at])
        waiting = sorted({(sighting.number, sighting.position) for sighting in seen if sighting.state == "WAITING"})
        for (number, position), (next_number, next_position) in pairwise(waiting):
            if not (position or 0) < (next_position or 0) <= (position or 0) + next_number - number:
                yield f"at {at} number {number} stood {position} and number {next_number} stood {next_position}"
        for sighting in seen:
            if problem := _misplaced(sighting, departures):
                yield f"at {at} number {sighting.number} was {problem}"


def positions_never_grow(evidence: Evidence) -> Iterator[str]:
    """No position grows unless the queue is rebuilt."""
    for number, seen in _by_number(evidence.observations).items():
        for before, after in pairwise([sighting for sighting in seen if sighting.state == "WAITING"]):
            if before.at[0] == after.at[0] and (after.position or 0) > (before.position or 0):
                yield f"number {number} stood {before.position} at {before.at} and {after.position} at {after.at}"


def versions_rise(evidence: Evidence) -> Iterator[str]:
    """Each subscription shows rising versions, of one number or of later ones."""
    for trail in evidence.observations.trails:
        for before, after in pairwise(trail.observations):
            if after.at <= before.at:
                yield f"a socket of {trail.person} was shown {after.at} after {before.at}"
            if after.number < before.number:
                yield f"a socket of {trail.person} was shown number {after.number} after {before.number}"


def no_entry_lost(evidence: Evidence) -> Iterator[str]:
    """Everyone who stayed was called or left after the sell-out:
    no entry expires before its call.
    """
    for number, person in evidence.observations.expired.items():
        if number in evidence.audit.departed:
            yield f"{person} stayed with number {number}, and it expired before it was called"


CHECKS: tuple[Callable[[Evidence], Iterable[str]], ...] = (
    caps_kept,
    no_one_called_twice,
    positions_exact,
    positions_never_grow,
    versions_rise,
    no_entry_lost,
)


def judge_queue(evidence: Evidence) -> tuple[Verdict, ...]:
    return tuple(Verdict(check.__name__.replace("_", " "), tuple(check(evidence))) for check in CHECKS)


class _Departures:
    """Lower and upper bounds, from observations, of the numbers that departed before their call."""

    def __init__(self, evidence: Evidence) -> None:
        self._waited: dict[int, At] = dict.fromkeys(evidence.audit.departed, (0, 0))
        self._gone: dict[int, At] = {}
        for number, at in evidence.observations.still_waiting.items():
            if number in self._waited:
                self._waited[number] = at
        for sighting in pushed(evidence.observations.trails):
            if sighting.number not in self._waited:
                continue
            if sighting.state == "WAITING":
                self._waited[sighting.number] = max(self._waited[sighting.number], sighting.at)
            else:
                self._gone[sighting.number] = min(self._gone.get(sighting.number, sighting.at), sighting.at)
        self._at: At = (0, 0)
        self._bounds: tuple[list[int], list[int]] = ([], [])

    def between(self, at: At, first: int, last: int) -> tuple[int, int]:
        """Return the bounds among the numbers from `first` to `last`, both included."""
        if at != self._at:
            surely = sorted(number for number, gone in self._gone.items() if gone <= at)
            maybe = sorted(number for number, waited in self._waited.items() if waited < at)
            self._at, self._bounds = at, (surely, maybe)
        surely, maybe = self._bounds
        return _count(surely, first, last), _count(maybe, first, last)


def _misplaced(sighting: Observation, departures: _Departures) -> str | None:
    number, position, serving = sighting.number, sighting.position, sighting.serving
    if sighting.state != "WAITING":
        is_right = position == (0 if STAGES[sighting.state] < 3 else None)
        return None if is_right else f"{sighting.state} and stood {position}"
    if position is None or number <= serving:
        return f"waiting at {position} while {serving} was served"
    fewest, most = departures.between(sighting.at, serving + 1, number - 1)
    departed = number - serving - position
    if fewest <= departed <= most:
        return None
    return f"{position}, which means that {departed} before it departed; {fewest} to {most} had"


def _one_line(at: At, seen: Sequence[Observation], looks: set[tuple[int, int]]) -> Iterator[str]:
    told = looks | {(sighting.serving, sighting.waiting) for sighting in seen}
    if len(told) > 1:
        yield f"at {at} the line was told as (serving, waiting) {sorted(told)}"
    by_number: dict[int, set[tuple[str, int | None]]] = defaultdict(set)
    for sighting in seen:
        by_number[sighting.number].add((sighting.state, sighting.position))
    for number, states in by_number.items():
        if len(states) > 1:
            yield f"at {at} number {number} was told as {sorted(states, key=str)}"


def _by_moment(observations: Observations) -> dict[At, list[Observation]]:
    moments: dict[At, list[Observation]] = defaultdict(list)
    for sighting in pushed(observations.trails):
        moments[sighting.at].append(sighting)
    return moments


def _by_number(observations: Observations) -> dict[int, list[Observation]]:
    """Return the observations of each number on any socket, oldest first."""
    numbers: dict[int, list[Observation]] = defaultdict(list)
    for sighting in sorted(pushed(observations.trails), key=lambda sighting: sighting.at):
        numbers[sighting.number].append(sighting)
    return numbers


def _most_in_a_window(moments_ms: Sequence[int], allowed: int) -> int:
    """Return the most moments in any window if more than `allowed`, else 0;
    `moments_ms` are sorted.
    """
    worst = 0
    for index, last in enumerate(moments_ms):
        inside = index + 1 - bisect_left(moments_ms, last - WINDOW_S * 1000 + 1)
        worst = max(worst, inside)
    return worst if worst > allowed else 0


def _count(numbers: Sequence[int], first: int, last: int) -> int:
    return bisect_left(numbers, last + 1) - bisect_left(numbers, first)
