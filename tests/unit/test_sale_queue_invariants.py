"""Each invariant of the queue holds for true evidence and fails for false evidence."""

from dataclasses import replace

import pytest

from bench.clients.observations import Observation, Observations, RoomObservation, SocketObservations
from domain.queues import RoomSettings
from proofs.sale.records.audit import Audit, read_set_bits
from proofs.sale.records.queue_invariants import Evidence, judge_queue

SETTINGS = RoomSettings(suspended=False, total_active_users=2, new_users_per_minute=3)


def observed(version: int, state: str, number: int, position: int | None, serving: int, waiting: int) -> Observation:
    return Observation((1, version), state, number, position, serving, waiting)


def observed_waiting(version: int, number: int, position: int, serving: int, waiting: int) -> Observation:
    return observed(version, "WAITING", number, position, serving, waiting)


def room(version: int, serving: int, waiting: int, slots_taken: int) -> RoomObservation:
    return RoomObservation((1, version), serving, waiting, slots_taken)


def true_evidence() -> Evidence:
    """Return evidence of six people.

    Number 4 leaves at version 11; 1 and 2 are called at version 12, and 3 at version 13.
    """
    ada = SocketObservations(
        "ada", [observed_waiting(10, 2, 2, 0, 6), observed_waiting(11, 2, 2, 0, 5), observed(12, "READY", 2, 0, 2, 3)]
    )
    bob = SocketObservations("bob", [observed_waiting(10, 4, 4, 0, 6), observed(11, "LEFT", 4, None, 0, 5)])
    cleo = SocketObservations("cleo", [observed_waiting(10, 5, 5, 0, 6), observed_waiting(11, 5, 4, 0, 5)])
    cleo_again = SocketObservations(
        "cleo", [observed_waiting(11, 5, 4, 0, 5), observed_waiting(12, 5, 2, 2, 3), observed_waiting(13, 5, 1, 3, 2)]
    )
    dora = SocketObservations("dora", [observed_waiting(10, 6, 6, 0, 6), observed_waiting(12, 6, 3, 2, 3)])
    rooms = [room(11, 0, 5, 0), room(12, 2, 3, 2), room(13, 3, 2, 2)]
    audit = Audit(
        calls={100: 2, 130: 1},
        called_ms=(100_200, 100_200, 130_100),
        most_slots=2,
        serving=3,
        tail=6,
        departed=frozenset({4}),
    )
    return Evidence(SETTINGS, Observations([ada, bob, cleo, cleo_again, dora], rooms), audit)


def violations(evidence: Evidence) -> dict[str, tuple[str, ...]]:
    return {verdict.invariant: verdict.offending for verdict in judge_queue(evidence) if verdict.offending}


def pushes(*observations: Observation) -> Evidence:
    """Return the true evidence with one more socket."""
    return change(sockets=[*true_evidence().observations.sockets, SocketObservations("eve", list(observations))])


def evidence(**changes: object) -> Evidence:
    true = true_evidence()
    return replace(true, audit=replace(true.audit, **changes))  # type: ignore[arg-type]


def change(true: Evidence | None = None, **changes: object) -> Evidence:
    true = true or true_evidence()
    return replace(true, observations=replace(true.observations, **changes))  # type: ignore[arg-type]


def test_true_evidence_violates_nothing() -> None:
    assert violations(true_evidence()) == {}


CAPS, CALLS, POSITIONS, RISE = "caps kept", "no one called twice", "positions exact", "versions rise"


@pytest.mark.parametrize(
    ("false", "invariant", "row"),
    [
        (evidence(most_slots=3), CAPS, "3 slots of 2 were taken in the store"),
        (change(rooms=[room(14, 3, 2, 3)]), CAPS, "3 slots of 2 were taken at (1, 14)"),
        (evidence(calls={100: 2, 159: 2}), CAPS, "4 calls in 60 s where 3 are allowed"),
        (evidence(called_ms=(1, 2, 3, 60_000)), CAPS, "allowed, by the entries"),
        (evidence(calls={100: 2, 190: 2}), CALLS, "4 calls were made for 3 numbers"),
        (evidence(calls={100: 2}), CALLS, "2 calls were made for 3 numbers"),
        (pushes(observed_waiting(13, 2, 1, 1, 2)), CALLS, "number 2 was READY at (1, 12) and WAITING at (1, 13)"),
        (evidence(departed=frozenset({2, 4})), CALLS, "number 2 was called, but counts as departed"),
        (pushes(observed_waiting(13, 6, 2, 3, 3)), POSITIONS, "was shown as (serving, waiting) [(3, 2), (3, 3)]"),
        (pushes(observed(13, "READY", 5, 0, 3, 2)), POSITIONS, "at (1, 13) number 5 was shown as"),
        (pushes(observed_waiting(13, 6, 1, 3, 2)), POSITIONS, "at (1, 13) number 5 was at 1 and number 6 at 1"),
        (pushes(observed_waiting(13, 6, 3, 3, 2)), POSITIONS, "at (1, 13) number 5 was at 1 and number 6 at 3"),
        (
            pushes(observed_waiting(10, 3, 2, 0, 6)),
            POSITIONS,
            "number 3 was at position 2, so 1 before it had departed",
        ),
        (
            pushes(observed_waiting(12, 6, 4, 2, 3)),
            POSITIONS,
            "number 6 was at position 4, so 0 before it had departed",
        ),
        (pushes(observed_waiting(13, 3, 1, 3, 2)), POSITIONS, "number 3 was waiting at position 1 while 3 was served"),
        (pushes(observed(13, "READY", 3, 1, 3, 2)), POSITIONS, "at (1, 13) number 3 was READY at position 1"),
        (pushes(observed(13, "LEFT", 4, 0, 3, 2)), POSITIONS, "at (1, 13) number 4 was LEFT at position 0"),
        (
            pushes(observed_waiting(14, 5, 2, 3, 2)),
            "positions never grow",
            "number 5 was at 1 at (1, 13) and 2 at (1, 14)",
        ),
        (pushes(*[observed_waiting(13, 6, 2, 3, 2)] * 2), RISE, "a socket of eve was shown (1, 13) after (1, 13)"),
        (
            pushes(observed_waiting(13, 6, 2, 3, 2), observed_waiting(14, 5, 1, 3, 2)),
            RISE,
            "a socket of eve was shown number 5 after 6",
        ),
        (change(expired={4: "eve"}), "no entry lost", "eve stayed with number 4, and it expired before it was called"),
    ],
)
def test_false_evidence_is_detected(false: Evidence, invariant: str, row: str) -> None:
    found = violations(false)
    assert any(row in offending for offending in found.get(invariant, ())), found


def test_position_may_grow_when_the_queue_is_rebuilt() -> None:
    rebuilt = Observation((2, 3), "WAITING", 6, 4, 2, 4)
    found = violations(pushes(observed_waiting(13, 6, 2, 3, 2), rebuilt))
    assert not found.keys() & {"positions never grow", "versions rise"}


def test_expired_call_does_not_count_as_a_lost_entry() -> None:
    assert violations(change(expired={3: "eve"})) == {}


def test_calls_a_minute_apart_are_within_the_cap() -> None:
    assert violations(evidence(calls={100: 2, 160: 1}, called_ms=(1, 2, 3, 60_001))) == {}


def test_unobserved_departure_allows_two_positions() -> None:
    """Number 3 left unobserved, so two positions are possible unless a poll shows it waiting."""
    unobserved = {"calls": {100: 2}, "called_ms": (), "departed": frozenset({3, 4})}
    assert violations(evidence(**unobserved)) == {}
    behind = SocketObservations("eve", [observed_waiting(12, 6, 2, 2, 3)])
    sockets = true_evidence().observations.sockets
    assert violations(change(evidence(**unobserved), sockets=[*sockets, behind])).keys() == {"positions exact"}
    behind = SocketObservations("eve", [observed_waiting(12, 5, 1, 2, 3)])
    polled = change(evidence(**unobserved), sockets=[*sockets, behind], still_waiting={3: (1, 12)})
    assert any("not 1 to 1" in row for row in violations(polled)["positions exact"])


def test_departed_numbers_are_the_set_bits() -> None:
    assert read_set_bits(bytes([0b01000001, 0, 0b10000000])) == {1, 7, 16}
    assert read_set_bits(b"") == frozenset()
