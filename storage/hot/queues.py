"""The queue of a concert: join, leave, send heartbeats, claim passes, report presence, and read
entries and state.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from domain.errors import (
    Admission,
    IdempotencyConflict,
    NotAdmitted,
    NotInQueue,
    RoomNotOpen,
    TemporarilyUnavailable,
)
from domain.ids import ConcertId, EntryId, PersonId
from domain.limits.rates import NO_RATES, CallRates, LimitedCall
from domain.queues import ACTIVE_STATES, WAITING_STATES, EntryEnd, EntryState, RoomStatus
from storage import scripts
from storage.hot import replies
from storage.hot.guarded_client import GuardedClient
from storage.hot.queue_state import QueueState, RoomState, decode_queue_state, decode_room_state
from storage.hot.rate_limits import rate_arguments, rate_limited_error
from storage.hot.script_client import Reply
from storage.scripts import Script, ScriptReplyError
from telemetry import traces

LEASE_MS = 15_000
"""A lease lasts for three renewal intervals. A process that misses three renewals in a row is
considered dead.
"""

MAX_ADMIT_ATTEMPTS = 40
"""The limit for one `admitNext`. Each attempt ends the entries of up to 250 absent people."""


@dataclass(frozen=True, slots=True)
class EntryRecord:
    """An entry as stored; its position is computed from `QueuePositions`."""

    person_id: PersonId
    entry_id: EntryId
    number: int | None
    """None until its lot has been drawn."""
    state: EntryState
    joined_at: datetime
    claimed_at: datetime | None
    session_ends_at: datetime
    """The end of the session as stated in the pass, without any grace period."""
    deadline: datetime | None
    """The time at which the call (READY), the session (ADMITTED) or the presence (waiting) ends.

    None while a waiting person is connected.
    """
    end_reason: EntryEnd | None
    lot: int | None
    round: int
    epoch: int = field(default=0, compare=False)
    version: int = field(default=0, compare=False)
    """The epoch and the version of the concert at which the record was read."""
    changed_version: int = field(default=0, compare=False)
    """The version of the last change to an entry or a hold of the person; 0 if it is not known."""


@dataclass(frozen=True, slots=True)
class PositionedEntry:
    """An entry and its position, read at the same moment."""

    record: EntryRecord
    position: int | None
    """1 for the next person to be called; None if the entry is not waiting or has no number yet."""


class LeaseExpired(Exception):
    """The lease of this process has expired. The process must choose a new name and report its
    connections again.
    """


class ProofMissing(Exception):
    """A new entry needs a proof of work, but none was given or its challenge was already used."""


class QueueStore:
    def __init__(self, client: GuardedClient) -> None:
        self._client = client

    async def join(
        self,
        concert_id: ConcertId,
        person_id: PersonId,
        *,
        rates: CallRates = NO_RATES,
        address: str | None = None,
        proof_ms: int | None = None,
    ) -> PositionedEntry:
        """Join the queue, and return the person's entry: their active one, or a new one.

        `proof_ms` is when the challenge that the person solved expires: 0 if none was solved, None
        if none is needed. Raises RoomNotOpen, RateLimited or ProofMissing.
        """
        limits = rate_arguments(rates, address)
        proof = "" if proof_ms is None else proof_ms
        word, rest = await self._client.call(scripts.JOIN_QUEUE, concert_id, person_id, *limits, proof, _trace())
        match word:
            case "ENTRY":
                return _decode_positioned(person_id, rest)
            case "NOT_OPEN":
                raise _not_open(concert_id, rest)
            case "CHALLENGE_REQUIRED":
                raise ProofMissing
            case "RATE_LIMITED":
                raise rate_limited_error(LimitedCall.JOIN_QUEUE, rates, rest)
            case _:
                raise ScriptReplyError(scripts.JOIN_QUEUE.name, word)

    async def leave(self, concert_id: ConcertId, person_id: PersonId) -> PositionedEntry:
        """End the person's entry and return it. Raises NotInQueue for a person who never joined."""
        return await self._entry_reply(scripts.LEAVE_QUEUE, concert_id, person_id, _trace())

    async def heartbeat(self, concert_id: ConcertId, person_id: PersonId) -> PositionedEntry:
        """Extend the entry's deadline, and return the entry.

        Raises NotInQueue if the person has no active entry.
        """
        return await self._entry_reply(scripts.HEARTBEAT, concert_id, person_id)

    async def claim(self, concert_id: ConcertId, person_id: PersonId) -> PositionedEntry:
        """Claim the person's pass, and return the entry, which is now ADMITTED.

        Raises NotInQueue if the person has no active entry, and NotAdmitted with the position if
        they have not been called yet.
        """
        word, rest = await self._client.call(scripts.CLAIM_PASS, concert_id, person_id, _trace())
        match word:
            case "ENTRY":
                return _decode_positioned(person_id, rest)
            case "NOT_CALLED":
                raise NotAdmitted(Admission.NOT_CALLED, replies.optional_int(rest[0]))
            case "NO_ENTRY":
                raise NotInQueue
            case _:
                raise ScriptReplyError(scripts.CLAIM_PASS.name, word)

    async def admit_next(self, concert_id: ConcertId, *, command_key: str, digest: str, count: int) -> int:
        """Call up to `count` people manually. Return how many were called.

        A repeated command returns the same number. Raises RoomNotOpen, IdempotencyConflict if the
        key was used with another input, and TemporarilyUnavailable if too many ended entries are
        at the front of the queue.
        """
        for _ in range(MAX_ADMIT_ATTEMPTS):
            word, rest = await self._client.call(scripts.ADMIT_NEXT, concert_id, command_key, digest, count)
            match word:
                case "CALLED":
                    return int(rest[0])
                case "REPEAT":
                    continue
                case "NOT_OPEN":
                    raise _not_open(concert_id, rest)
                case "CONFLICT":
                    raise IdempotencyConflict
                case _:
                    raise ScriptReplyError(scripts.ADMIT_NEXT.name, word)
        raise TemporarilyUnavailable("Ended entries at the front of the queue are still being removed")

    async def read_room(self, concert_id: ConcertId) -> RoomState:
        """Return the counts of the waiting room. The cost does not depend on the length of the
        queue.
        """
        word, rest = await self._client.call(scripts.READ_ROOM, concert_id)
        replies.expect(scripts.READ_ROOM, word, "ROOM")
        return decode_room_state(replies.lists(rest)[0])

    async def read_queue(self, concert_id: ConcertId) -> QueueState:
        word, rest = await self._client.call(scripts.READ_QUEUE, concert_id)
        replies.expect(scripts.READ_QUEUE, word, "QUEUE")
        return decode_queue_state(replies.lists(rest)[0])

    async def read_entries(self, concert_id: ConcertId, people: Sequence[PersonId]) -> dict[PersonId, EntryRecord]:
        """Return the entries by person, except for people who never joined."""
        word, rest = await self._client.call(scripts.READ_ENTRIES, concert_id, *people)
        replies.expect(scripts.READ_ENTRIES, word, "ENTRIES")
        grace_until_ms, epoch, version = map(int, rest[:3])
        found = zip(people, rest[3::2], rest[4::2], strict=True)
        return {
            person: _decode_entry(
                person,
                record,
                grace_until_ms=grace_until_ms,
                epoch=epoch,
                version=version,
                changed_version=replies.optional_int(changed) or 0,
            )
            for person, record, changed in found
            if record
        }

    async def read_position(self, concert_id: ConcertId, person_id: PersonId) -> PositionedEntry | None:
        """Return the entry and its position; None for a person who never joined."""
        word, rest = await self._client.call(scripts.READ_POSITION, concert_id, person_id)
        match word:
            case "ENTRY":
                return _decode_positioned(person_id, rest)
            case "NO_ENTRY":
                return None
            case _:
                raise ScriptReplyError(scripts.READ_POSITION.name, word)

    async def sync_presence(
        self,
        concert_id: ConcertId,
        process: str,
        people: Sequence[tuple[PersonId, int]] = (),
        *,
        is_known: bool = False,
    ) -> None:
        """Renew the lease of this process and record connections and disconnections.

        Each person has a sequence number, which is positive for a connection and negative for a
        disconnection. Raises LeaseExpired.
        """
        pairs = [word for pair in people for word in pair]
        word, _ = await self._client.call(scripts.SYNC_PRESENCE, concert_id, process, LEASE_MS, int(is_known), *pairs)
        match word:
            case "SYNCED":
                return
            case "LEASE_EXPIRED":
                raise LeaseExpired
            case _:
                raise ScriptReplyError(scripts.SYNC_PRESENCE.name, word)

    async def _entry_reply(
        self, script: Script, concert_id: ConcertId, person_id: PersonId, *args: str
    ) -> PositionedEntry:
        word, rest = await self._client.call(script, concert_id, person_id, *args)
        match word:
            case "ENTRY":
                return _decode_positioned(person_id, rest)
            case "NO_ENTRY":
                raise NotInQueue
            case _:
                raise ScriptReplyError(script.name, word)


def _trace() -> str:
    """Return the trace that the events of a call belong to, or an empty string."""
    return traces.current_traceparent() or ""


def _decode_positioned(person_id: PersonId, rest: Reply) -> PositionedEntry:
    text, grace_until_ms, position, epoch, version = rest
    record = _decode_entry(person_id, text, grace_until_ms=int(grace_until_ms), epoch=int(epoch), version=int(version))
    return PositionedEntry(record, replies.optional_int(position))


def _decode_entry(
    person_id: PersonId,
    text: bytes | int,
    *,
    grace_until_ms: int,
    epoch: int,
    version: int,
    changed_version: int = 0,
) -> EntryRecord:
    record: dict[str, Any] = json.loads(replies.text(text))
    state = EntryState(record["state"])
    presence: dict[str, int] = record.get("presence") or {}
    is_present = state in WAITING_STATES and any(sequence > 0 for sequence in presence.values())
    deadline_ms = max(record["deadline_ms"], grace_until_ms if state in ACTIVE_STATES else 0)
    claimed_ms = record.get("claimed_ms")
    return EntryRecord(
        person_id=person_id,
        entry_id=EntryId(record["id"]),
        number=record.get("number"),
        state=state,
        joined_at=replies.time(record["joined_ms"]),
        claimed_at=None if claimed_ms is None else replies.time(claimed_ms),
        session_ends_at=replies.time(record["deadline_ms"]),
        deadline=None if is_present else replies.time(deadline_ms),
        end_reason=EntryEnd(record["ended"]) if "ended" in record else None,
        lot=record.get("lot"),
        round=record["round"],
        epoch=epoch,
        version=version,
        changed_version=changed_version,
    )


def _not_open(concert_id: ConcertId, rest: Reply) -> RoomNotOpen:
    return RoomNotOpen(concert_id, RoomStatus(replies.text(rest[0])), replies.time(rest[1]) if rest[1] else None)
