"""Checks the settings of waiting rooms."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime

from domain.concerts import NO_CHANGE, Concert, ConcertChange, ConcertDraft, ConcertTerms
from domain.inputs.problems import EARLIEST, LATEST, FieldProblem, InputRule, number_problems
from domain.queues import QueueingMethod
from domain.room_changes import RoomSettingsPatch
from domain.text.characters import block_problems

MAX_ACTIVE_USERS = 1_000_000
MAX_ROOM_TIME_S = 7_200
MAX_MESSAGE = 500
MAX_PROOF_BITS = 24
MAX_ADMITTED_AT_ONCE = 1_000

_ROOM_VALUES = {
    "total_active_users": ("totalActiveUsers", 1, MAX_ACTIVE_USERS),
    "new_users_per_minute": ("newUsersPerMinute", 1, MAX_ACTIVE_USERS),
    "pass_claim_timeout_ms": ("passClaimTimeoutSeconds", 1_000, MAX_ROOM_TIME_S),
    "session_duration_ms": ("sessionDurationSeconds", 1_000, MAX_ROOM_TIME_S),
    "heartbeat_timeout_ms": ("heartbeatTimeoutSeconds", 1_000, MAX_ROOM_TIME_S),
    "disconnect_grace_ms": ("disconnectGraceSeconds", 1_000, MAX_ROOM_TIME_S),
}
"""The numeric settings of a room, each with its API name, the number of internal units per API
unit, and the maximum in API units.
"""


def room_problems(
    path: str, concert: Concert | ConcertDraft, *, before: Concert | None = None
) -> Iterator[FieldProblem]:
    """Yield the problems with a concert's room settings; `path` is the path of the settings in the
    input. An unchanged message is not checked.
    """
    room = concert.room
    yield from _room_value_problems(path, asdict(room))
    yield from _opening_problems(path, asdict(room), concert.terms)
    yield from _lottery_problems(path, asdict(room))
    if before is None or room.message != before.room.message:
        yield from _message_problems(path, room.message)


def patch_problems(
    path: str, patch: RoomSettingsPatch | None, change: ConcertChange = NO_CHANGE
) -> Iterator[FieldProblem]:
    """Yield the problems with the given settings, alone and combined with the given change to the
    concert, regardless of the current state of the room.
    """
    given = dict(patch.given) if patch else {}
    yield from _room_value_problems(path, given)
    yield from _opening_problems(path, given, change)
    yield from _lottery_problems(path, given)
    yield from _message_problems(path, str(given.get("message", "")))


def call_problems(count: int) -> Iterator[FieldProblem]:
    yield from number_problems("count", count, 1, MAX_ADMITTED_AT_ONCE)


def _room_value_problems(path: str, values: Mapping[str, object]) -> Iterator[FieldProblem]:
    for name, (field, unit, highest) in _ROOM_VALUES.items():
        value = values.get(name)
        if isinstance(value, int):
            yield from number_problems(f"{path}.{field}", value // unit, 1, highest)
    bits = values.get("proof_of_work_bits")
    if isinstance(bits, int):
        yield from number_problems(f"{path}.proofOfWorkBits", bits, 0, MAX_PROOF_BITS)


def _message_problems(path: str, message: str) -> Iterator[FieldProblem]:
    yield from block_problems(f"{path}.message", message, longest=MAX_MESSAGE, may_be_empty=True)


def _lottery_problems(path: str, values: Mapping[str, object]) -> Iterator[FieldProblem]:
    method = values.get("queueing_method", QueueingMethod.FIFO)
    # REJECT is allowed, because a lottery cannot be turned off after the draw, and such a queue
    # must still be able to reject people for a while.
    if values.get("shuffle_at_start") and method not in (QueueingMethod.FIFO, QueueingMethod.REJECT):
        message = f"requires FIFO, and this room uses {method}; change one of them"
        yield FieldProblem(f"{path}.shuffleAtStart", message, InputRule.CONFLICT, other="queueingMethod")


def _opening_problems(
    path: str, values: Mapping[str, object], terms: ConcertTerms | ConcertChange
) -> Iterator[FieldProblem]:
    """Yield problems if the room opens outside the sale window or its prequeue starts after the
    opening. A missing time never conflicts.
    """
    start, end = terms.sales_start_at, terms.sales_end_at
    opens_at, prequeue = values.get("opens_at"), values.get("prequeue_starts_at")
    opening = opens_at or (start if "opens_at" in values else None)
    if isinstance(opens_at, datetime) and start is not None and opens_at < start:
        message = "must not be before salesStartAt; omit it to open at salesStartAt"
        yield FieldProblem(f"{path}.opensAt", message, InputRule.TOO_EARLY, other="salesStartAt")
    if isinstance(opens_at, datetime) and end is not None and opens_at >= end:
        yield FieldProblem(f"{path}.opensAt", "must be before salesEndAt", InputRule.TOO_LATE, other="salesEndAt")
    if not isinstance(prequeue, datetime):
        return
    message = f"must be before the room opens (opensAt, or salesStartAt without it), and not before {EARLIEST.year}"
    if prequeue < EARLIEST:
        first, last = EARLIEST.year, LATEST.year - 1
        yield FieldProblem(f"{path}.prequeueStartsAt", message, InputRule.WRONG_YEAR, minimum=first, maximum=last)
    elif isinstance(opening, datetime) and prequeue >= opening:
        other = "opensAt" if opens_at else "salesStartAt"
        yield FieldProblem(f"{path}.prequeueStartsAt", message, InputRule.TOO_LATE, other=other)
