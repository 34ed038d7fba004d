"""The invariants of the queue, which must hold after any kill.

The caps are kept, no one is called twice, every position shown is exact for its version, and no
entry of a waiting person is lost. Each check yields the rows that violate it.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.clients.observations import At, Observation, Observations, all_pushed
from domain.queues import RoomSettings
from proofs.sale.records.audit import Audit
from proofs.sale.records.invariants import Verdict

WINDOW_S = 60
STAGES = {"WAITING": 0, "READY": 1, "ADMITTED": 2, "COMPLETED": 3, "LEFT": 3, "EXPIRED": 3}


@dataclass(frozen=True, slots=True)
class Evidence:
    settings: RoomSettings
    observations: Observations
    audit: Audit


def caps_kept(evidence: Evidence) -> Iterator[str]:
    """Neither the slots taken nor the calls in any 60 s exceed their cap."""
    slots, per_minute = evidence.settings.total_active_users, evidence.settings.new_users_per_minute
    if evidence.audit.most_slots > slots:
        yield f"{evidence.audit.most_slots} slots of {slots} were taken in the store"
    for room in evidence.observations.rooms:
        if room.slots_taken > slots:
            yield f"{room.slots_taken} slots of {slots} were taken at {room.at}"
    calls = [second * 1000 for second, count in sorted(evidence.audit.calls.items()) for _ in range(count)]
    for moments, source in ((calls, "by the calls per second"), (evidence.audit.called_ms, "by the entries")):
        if over := _most_in_any_window(moments, per_minute):
            yield f"{over} calls in {WINDOW_S} s where {per_minute} are allowed, {source}"


def no_one_called_twice(evidence: Evidence) -> Iterator[str]:
    """There are as many calls as called numbers, and no entry returns to an earlier state."""
    audit = evidence.audit
    called = audit.serving - sum(number <= audit.serving for number in audit.departed)
    if (calls := sum(audit.calls.values())) != called:
        yield f"{calls} calls were made for {called} numbers"
    for number, seen in _by_number(evidence.observations).items():
        for before, after in pairwise(seen):
            if STAGES[after.state] < STAGES[before.state]:
                yield f"number {number} was {before.state} at {before.at} and {after.state} at {after.at}"
        if number in audit.departed and any(observation.state in ("READY", "ADMITTED") for observation in seen):
            yield f"number {number} was called, but counts as departed before its call"


def positions_exact(evidence: Evidence) -> Iterator[str]:
    """All observations of a version show the same queue, and each position is exact.

    A position is the person's rank among the people who were waiting at that version.
    """
    departures = _Departures(evidence)
    rooms: dict[At, set[tuple[int, int]]] = defaultdict(set)
    for room in evidence.observations.rooms:
        rooms[room.at].add((room.serving, room.waiting))
    for at, seen in _by_moment(evidence.observations).items():
        yield from _contradictions(at, seen, rooms[at])
        waiting = sorted(
            {(observation.number, observation.position) for observation in seen if observation.state == "WAITING"}
        )
        for (number, position), (next_number, next_position) in pairwise(waiting):
            if not (position or 0) < (next_position or 0) <= (position or 0) + next_number - number:
                yield f"at {at} number {number} was at {position} and number {next_number} at {next_position}"
        for observation in seen:
            if problem := _misplaced(observation, departures):
                yield f"at {at} number {observation.number} was {problem}"


def positions_never_grow(evidence: Evidence) -> Iterator[str]:
    """No position increases unless the queue is rebuilt."""
    for number, seen in _by_number(evidence.observations).items():
        for before, after in pairwise([observation for observation in seen if observation.state == "WAITING"]):
            if before.at[0] == after.at[0] and (after.position or 0) > (before.position or 0):
                yield f"number {number} was at {before.position} at {before.at} and {after.position} at {after.at}"


def versions_rise(evidence: Evidence) -> Iterator[str]:
    """On each subscription, versions increase and numbers never decrease."""
    for socket in evidence.observations.sockets:
        for before, after in pairwise(socket.observations):
            if after.at <= before.at:
                yield f"a socket of {socket.person} was shown {after.at} after {before.at}"
            if after.number < before.number:
                yield f"a socket of {socket.person} was shown number {after.number} after {before.number}"


def no_entry_lost(evidence: Evidence) -> Iterator[str]:
    """No entry expires before its call while its owner is still in the queue."""
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
    """Bounds on how many numbers departed before their call, derived from observations."""

    def __init__(self, evidence: Evidence) -> None:
        self._waited: dict[int, At] = dict.fromkeys(evidence.audit.departed, (0, 0))
        self._gone: dict[int, At] = {}
        for number, at in evidence.observations.still_waiting.items():
            if number in self._waited:
                self._waited[number] = at
        for observation in all_pushed(evidence.observations.sockets):
            if observation.number not in self._waited:
                continue
            if observation.state == "WAITING":
                self._waited[observation.number] = max(self._waited[observation.number], observation.at)
            else:
                self._gone[observation.number] = min(self._gone.get(observation.number, observation.at), observation.at)
        self._at: At = (0, 0)
        self._bounds: tuple[list[int], list[int]] = ([], [])

    def between(self, at: At, first: int, last: int) -> tuple[int, int]:
        """Return the bounds for the numbers from `first` to `last`, inclusive."""
        if at != self._at:
            certain = sorted(number for number, gone in self._gone.items() if gone <= at)
            possible = sorted(number for number, waited in self._waited.items() if waited < at)
            self._at, self._bounds = at, (certain, possible)
        certain, possible = self._bounds
        return _count(certain, first, last), _count(possible, first, last)


def _misplaced(observation: Observation, departures: _Departures) -> str | None:
    number, position, serving = observation.number, observation.position, observation.serving
    if observation.state != "WAITING":
        is_right = position == (0 if STAGES[observation.state] < 3 else None)
        return None if is_right else f"{observation.state} at position {position}"
    if position is None or number <= serving:
        return f"waiting at position {position} while {serving} was served"
    fewest, most = departures.between(observation.at, serving + 1, number - 1)
    departed = number - serving - position
    if fewest <= departed <= most:
        return None
    return f"at position {position}, so {departed} before it had departed, not {fewest} to {most}"


def _contradictions(at: At, seen: Sequence[Observation], rooms: set[tuple[int, int]]) -> Iterator[str]:
    totals = rooms | {(observation.serving, observation.waiting) for observation in seen}
    if len(totals) > 1:
        yield f"at {at} the queue was shown as (serving, waiting) {sorted(totals)}"
    by_number: dict[int, set[tuple[str, int | None]]] = defaultdict(set)
    for observation in seen:
        by_number[observation.number].add((observation.state, observation.position))
    for number, states in by_number.items():
        if len(states) > 1:
            yield f"at {at} number {number} was shown as {sorted(states, key=str)}"


def _by_moment(observations: Observations) -> dict[At, list[Observation]]:
    moments: dict[At, list[Observation]] = defaultdict(list)
    for observation in all_pushed(observations.sockets):
        moments[observation.at].append(observation)
    return moments


def _by_number(observations: Observations) -> dict[int, list[Observation]]:
    """Return the observations of each number on all sockets, oldest first."""
    numbers: dict[int, list[Observation]] = defaultdict(list)
    for observation in sorted(all_pushed(observations.sockets), key=lambda observation: observation.at):
        numbers[observation.number].append(observation)
    return numbers


def _most_in_any_window(moments_ms: Sequence[int], allowed: int) -> int:
    """Return the most moments in any window, or 0 if no window has more than `allowed`.

    The moments must be sorted.
    """
    most = 0
    for index, last in enumerate(moments_ms):
        in_window = index + 1 - bisect_left(moments_ms, last - WINDOW_S * 1000 + 1)
        most = max(most, in_window)
    return most if most > allowed else 0


def _count(numbers: Sequence[int], first: int, last: int) -> int:
    return bisect_left(numbers, last + 1) - bisect_left(numbers, first)
