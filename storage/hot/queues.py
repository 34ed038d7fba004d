"""The line of a concert for people: join, leave, heartbeat, claim; and the snapshots that positions come from."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.errors import (
    Admission,
    IdempotencyConflict,
    NotAdmitted,
    NotInQueue,
    RateLimited,
    RoomNotOpen,
    TemporarilyUnavailable,
)
from domain.estimates.room_flow import SLICE_S, SLICES, RoomFlow
from domain.ids import ConcertId, PersonId
from domain.queue_positions import QueuePositions
from domain.queues import ACTIVE_STATES, EntryEnd, EntryState, RoomStatus
from storage import scripts
from storage.hot import replies
from storage.hot.holds import RecoveryGuard
from storage.hot.script_client import Reply, ScriptClient
from storage.keys import rate_key
from storage.scripts import ScriptReplyError

LEASE_MS = 15_000
"""Three renewals; a process that misses them all is taken for dead."""

CHANGES_PAGE_SIZE = 5_000
MAX_ADMIT_ATTEMPTS = 40
"""Of one command by hand: each passes over 250 places that nobody speaks for."""


@dataclass(frozen=True, slots=True)
class EntryRecord:
    """An entry as the store has it. Where it stands takes a `QueuePositions`."""

    person_id: PersonId
    entry_id: int
    number: int | None
    """None while its lot is not drawn."""
    state: EntryState
    joined_at: datetime
    claimed_at: datetime | None
    session_ends_at: datetime
    """What a pass says: its own end, whatever grace there is."""
    deadline: datetime | None
    """READY: claim before. ADMITTED: the session ends. Waiting: None while a socket speaks for the person."""
    end_reason: EntryEnd | None
    lot: int | None
    round: int


@dataclass(frozen=True, slots=True)
class QueueState:
    """The line at one version."""

    epoch: int
    version: int
    concert_version: int
    """Of the document whose settings are in force at this version."""
    round: int
    positions: QueuePositions
    slots_taken: int
    passes_issued: int
    status: RoomStatus
    is_opened: bool
    grace_until_ms: int
    """Until then no deadline counts as passed."""
    flow: RoomFlow


@dataclass(frozen=True, slots=True)
class Changes:
    """Who has something new, up to `version`. `is_complete`: nobody else has."""

    epoch: int
    version: int
    people: tuple[PersonId, ...]
    is_complete: bool


class LeaseExpired(Exception):
    """The store has given this process up: it takes a new name and attaches its people again."""


class QueueStore:
    def __init__(self, link: ScriptClient, doubt: RecoveryGuard) -> None:
        self._client = link
        self._guard = doubt

    async def join(self, concert_id: ConcertId, person_id: PersonId) -> EntryRecord:
        """Raises RoomNotOpen."""
        word, rest = await self._call(scripts.JOIN_QUEUE, concert_id, person_id)
        match word:
            case "ENTRY":
                return _entry(person_id, rest[0])
            case "NOT_OPEN":
                raise _not_open(concert_id, rest)
            case _:
                raise ScriptReplyError(scripts.JOIN_QUEUE.name, word)

    async def leave(self, concert_id: ConcertId, person_id: PersonId) -> EntryRecord:
        """Raises NotInQueue for somebody who never joined."""
        return await self._entry_of(scripts.LEAVE_QUEUE, concert_id, person_id)

    async def heartbeat(self, concert_id: ConcertId, person_id: PersonId) -> EntryRecord:
        """Raises NotInQueue for an entry that ended, too."""
        return await self._entry_of(scripts.HEARTBEAT, concert_id, person_id)

    async def claim(self, concert_id: ConcertId, person_id: PersonId) -> EntryRecord:
        """The ADMITTED entry. Raises NotInQueue, or NotAdmitted with the position of who is not called yet."""
        word, rest = await self._call(scripts.CLAIM_PASS, concert_id, person_id)
        match word:
            case "ENTRY":
                return _entry(person_id, rest[0])
            case "NOT_CALLED":
                place = await self.read_position(concert_id, person_id)
                raise NotAdmitted(Admission.NOT_CALLED, place[1] if place else None)
            case "NO_ENTRY":
                raise NotInQueue
            case _:
                raise ScriptReplyError(scripts.CLAIM_PASS.name, word)

    async def admit_next(self, concert_id: ConcertId, *, command_key: str, digest: str, count: int) -> int:
        """How many were called, at most `count`; the same command again answers the same.

        Raises RoomNotOpen, or IdempotencyConflict for a key that came with something else.
        """
        for _ in range(MAX_ADMIT_ATTEMPTS):
            word, rest = await self._call(scripts.ADMIT_NEXT, concert_id, command_key, digest, count)
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
        raise TemporarilyUnavailable("The places in front are over, and are still being cleared")

    async def read_queue(self, concert_id: ConcertId) -> QueueState:
        word, rest = await self._call(scripts.READ_QUEUE, concert_id)
        replies.expect(scripts.READ_QUEUE, word, "QUEUE")
        return _queue_state(rest)

    async def read_entries(self, concert_id: ConcertId, people: Sequence[PersonId]) -> dict[PersonId, EntryRecord]:
        """Of these people, those who ever joined."""
        word, rest = await self._call(scripts.READ_ENTRIES, concert_id, *people)
        replies.expect(scripts.READ_ENTRIES, word, "ENTRIES")
        grace_until_ms = int(rest[0])
        found = zip(people, rest[1:], strict=True)
        return {person: _entry(person, record, grace_until_ms) for person, record in found if record}

    async def read_position(self, concert_id: ConcertId, person_id: PersonId) -> tuple[EntryRecord, int | None] | None:
        """An entry and its position, of one moment; None for a person who never joined."""
        word, rest = await self._call(scripts.READ_POSITION, concert_id, person_id)
        match word:
            case "POSITION":
                record = _entry(person_id, rest[0], grace_until_ms=int(rest[1]))
                return record, None if rest[2] == b"" else int(rest[2])
            case "NO_ENTRY":
                return None
            case _:
                raise ScriptReplyError(scripts.READ_POSITION.name, word)

    async def read_changes(self, concert_id: ConcertId, *, after: int) -> Changes:
        """As many pages as there is news; not complete where older news is not named any more."""
        people: dict[PersonId, None] = {}
        epoch, at, is_complete = -1, after, True
        while True:
            word, rest = await self._call(scripts.READ_CHANGES, concert_id, at, CHANGES_PAGE_SIZE)
            replies.expect(scripts.READ_CHANGES, word, "CHANGES")
            is_complete &= after >= int(rest[2]) and epoch in (-1, int(rest[0]))
            epoch, named = int(rest[0]), rest[3::2]
            people.update((PersonId(replies.text(name)), None) for name in named)
            if len(named) < CHANGES_PAGE_SIZE or not is_complete:
                return Changes(epoch, int(rest[1]), tuple(people), is_complete)
            # A page ends with all who changed at its last version.
            at = int(rest[-1])

    async def sync_presence(
        self,
        concert_id: ConcertId,
        process: str,
        people: Sequence[tuple[PersonId, int]] = (),
        *,
        is_known: bool = False,
    ) -> None:
        """Renews the lease of this process, and says who has come (news above 0) or gone. Raises LeaseOver."""
        pairs = [word for pair in people for word in pair]
        word, _ = await self._call(scripts.SYNC_PRESENCE, concert_id, process, LEASE_MS, int(is_known), *pairs)
        match word:
            case "SYNCED":
                return
            case "LEASE_EXPIRED":
                raise LeaseExpired
            case _:
                raise ScriptReplyError(scripts.SYNC_PRESENCE.name, word)

    async def count_attempt(self, what: str, who: str, *, limit: int, window_s: int) -> None:
        """Raises RateLimited when `who` did `what` more often than `limit` times in the window."""
        word, rest = await self._client.call_with_keys(
            scripts.COUNT_ATTEMPT, (rate_key(what, who),), limit, window_s * 1000
        )
        match word:
            case "ALLOWED":
                return
            case "RATE_LIMITED":
                raise RateLimited(what, max(1, -(-int(rest[0]) // 1000)))
            case _:
                raise ScriptReplyError(scripts.COUNT_ATTEMPT.name, word)

    async def _entry_of(self, script: scripts.Script, concert_id: ConcertId, person_id: PersonId) -> EntryRecord:
        word, rest = await self._call(script, concert_id, person_id)
        match word:
            case "ENTRY":
                return _entry(person_id, rest[0])
            case "NO_ENTRY":
                raise NotInQueue
            case _:
                raise ScriptReplyError(script.name, word)

    async def _call(self, script: scripts.Script, concert_id: ConcertId, *args: str | int) -> tuple[str, Reply]:
        word, rest = await self._client.call(script, concert_id, *args)
        if word in ("UNKNOWN", "RECOVERING"):
            raise await self._guard.refusal_for(concert_id, word)
        return word, rest


def _entry(person_id: PersonId, text: bytes | int, grace_until_ms: int = 0) -> EntryRecord:
    record: dict[str, Any] = json.loads(text if isinstance(text, bytes) else str(text))
    state = EntryState(record["state"])
    attached: dict[str, int] = record.get("presence") or {}
    is_waiting = state in (EntryState.PREQUEUED, EntryState.WAITING)
    is_spoken_for = is_waiting and any(news > 0 for news in attached.values())
    claimed_ms = record.get("claimed_ms")
    return EntryRecord(
        person_id=person_id,
        entry_id=record["id"],
        number=record.get("number"),
        state=state,
        joined_at=replies.time(record["joined_ms"]),
        claimed_at=None if claimed_ms is None else replies.time(claimed_ms),
        session_ends_at=replies.time(record["deadline_ms"]),
        deadline=None
        if is_spoken_for
        else replies.time(max(record["deadline_ms"], grace_until_ms if state in ACTIVE_STATES else 0)),
        end_reason=EntryEnd(record["ended"]) if "ended" in record else None,
        lot=record.get("lot"),
        round=record["round"],
    )


def _queue_state(rest: Reply) -> QueueState:
    epoch, version, concert_version, round_, serving, tail, departed, slots = rest[:8]
    issued, status, opened_ms, grace_until_ms, now_ms = rest[8:13]
    assert isinstance(departed, bytes)
    return QueueState(
        epoch=int(epoch),
        version=int(version),
        concert_version=int(concert_version),
        round=int(round_),
        positions=QueuePositions(int(serving), int(tail), departed),
        slots_taken=int(slots),
        passes_issued=int(issued),
        status=RoomStatus(replies.text(status)),
        is_opened=opened_ms != b"",
        grace_until_ms=int(grace_until_ms),
        flow=_flow(int(now_ms), int(opened_ms) if opened_ms else None, rest[13:]),
    )


def _flow(now_ms: int, opened_ms: int | None, counted: Reply) -> RoomFlow:
    counts = {replies.text(name): int(number) for name, number in zip(counted[::2], counted[1::2], strict=True)}
    last = now_ms // (SLICE_S * 1000)

    def lately(what: str) -> tuple[int, ...]:
        return tuple(counts.get(f"{what}|{slice_}", 0) for slice_ in range(last - SLICES + 1, last + 1))

    return RoomFlow(
        now_s=now_ms / 1000,
        opened_s=None if opened_ms is None else opened_ms / 1000,
        joined=counts.get("joined", 0),
        called=counts.get("called", 0),
        claimed=counts.get("claimed", 0),
        completed=counts.get("completed", 0),
        tickets=counts.get("tickets", 0),
        left=counts.get("left", 0),
        absent=counts.get("absent", 0),
        not_claimed=counts.get("not_claimed", 0),
        session_over=counts.get("session_over", 0),
        joined_lately=lately("joined"),
        called_lately=lately("called"),
        gone_lately=lately("gone"),
    )


def _not_open(concert_id: ConcertId, rest: Reply) -> RoomNotOpen:
    return RoomNotOpen(concert_id, RoomStatus(replies.text(rest[0])), replies.time(rest[1]) if rest[1] else None)
