"""The line of a concert for people: join, leave, heartbeat, claim; and the snapshots that positions come from."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from domain.errors import Admission, NotAdmitted, NotInQueue, RateLimited, RoomNotOpen
from domain.ids import ConcertId, PersonId
from domain.lines import Line
from domain.queues import EntryState
from storage import scripts
from storage.holds import Doubt
from storage.keys import rate_key
from storage.link import Link, Reply

LEASE_MS = 15_000
"""Three renewals; a process that misses them all is taken for dead."""


@dataclass(frozen=True, slots=True)
class EntryRecord:
    """An entry as the store has it. Where it stands takes a `Line`."""

    person_id: PersonId
    number: int
    state: EntryState
    joined_at: datetime
    claimed_at: datetime | None
    session_ends_at: datetime
    """What a pass says: its own end, whatever grace there is."""
    deadline: datetime | None
    """READY: claim before. ADMITTED: the session ends. WAITING: None while a socket speaks for the person."""


@dataclass(frozen=True, slots=True)
class LineState:
    """The line at one version."""

    epoch: int
    version: int
    line: Line
    slots_taken: int
    passes_issued: int


@dataclass(frozen=True, slots=True)
class Changes:
    """Who has something new, up to `version`. `is_complete`: nobody else has."""

    epoch: int
    version: int
    people: tuple[PersonId, ...]
    is_complete: bool


class LeaseOver(Exception):
    """The store has given this process up: it takes a new name and attaches its people again."""


class QueueStore:
    def __init__(self, link: Link, doubt: Doubt) -> None:
        self._link = link
        self._doubt = doubt

    async def join(self, concert_id: ConcertId, person_id: PersonId) -> EntryRecord:
        """Raises RoomNotOpen."""
        word, rest = await self._call(scripts.JOIN_QUEUE, concert_id, person_id)
        if word == "NOT_OPEN":
            raise RoomNotOpen(concert_id)
        return _entry(person_id, rest[0])

    async def leave(self, concert_id: ConcertId, person_id: PersonId) -> EntryRecord:
        """Raises NotInQueue for somebody who never joined."""
        return await self._entry_of(scripts.LEAVE_QUEUE, concert_id, person_id)

    async def heartbeat(self, concert_id: ConcertId, person_id: PersonId) -> EntryRecord:
        """Raises NotInQueue for an entry that ended, too."""
        return await self._entry_of(scripts.HEARTBEAT, concert_id, person_id)

    async def claim(self, concert_id: ConcertId, person_id: PersonId) -> EntryRecord:
        """The ADMITTED entry. Raises NotInQueue, or NotAdmitted with the position of who is not called yet."""
        word, rest = await self._call(scripts.CLAIM_PASS, concert_id, person_id)
        if word == "NO_ENTRY":
            raise NotInQueue
        entry = _entry(person_id, rest[0])
        if word == "NOT_CALLED":
            line = (await self.line(concert_id)).line
            raise NotAdmitted(Admission.NOT_CALLED, line.position(entry.number))
        return entry

    async def line(self, concert_id: ConcertId) -> LineState:
        _, rest = await self._call(scripts.READ_LINE, concert_id)
        epoch, version, serving, tail, departed, slots, issued, _ = rest
        assert isinstance(departed, bytes)
        return LineState(int(epoch), int(version), Line(int(serving), int(tail), departed), int(slots), int(issued))

    async def entries(self, concert_id: ConcertId, people: Sequence[PersonId]) -> dict[PersonId, EntryRecord]:
        """Of these people, those who ever joined."""
        _, rest = await self._call(scripts.READ_ENTRIES, concert_id, *people)
        grace_until_ms = int(rest[0])
        found = zip(people, rest[1:], strict=True)
        return {person: _entry(person, record, grace_until_ms) for person, record in found if record}

    async def changes(self, concert_id: ConcertId, *, after: int, limit: int) -> Changes:
        _, rest = await self._call(scripts.READ_CHANGES, concert_id, after, limit)
        people = tuple(PersonId(name.decode()) for name in rest[2::2] if isinstance(name, bytes))
        is_complete = len(people) < limit
        version = int(rest[1]) if is_complete else int(rest[-1])
        return Changes(int(rest[0]), version, people, is_complete)

    async def attach(
        self,
        concert_id: ConcertId,
        process: str,
        people: Sequence[tuple[PersonId, int]] = (),
        *,
        said_before: bool = False,
    ) -> None:
        """Renews the lease of this process, and says who has come (news above 0) or gone. Raises LeaseOver."""
        pairs = [word for pair in people for word in pair]
        word, _ = await self._call(scripts.ATTACH, concert_id, process, LEASE_MS, int(said_before), *pairs)
        if word == "LEASE_OVER":
            raise LeaseOver

    async def count_try(self, what: str, who: str, *, limit: int, window_s: int) -> None:
        """Raises RateLimited when `who` did `what` more often than `limit` times in the window."""
        word, rest = await self._link.call_on(scripts.COUNT_TRY, (rate_key(what, who),), limit, window_s * 1000)
        if word == "TOO_OFTEN":
            raise RateLimited(what, max(1, -(-int(rest[0]) // 1000)))

    async def _entry_of(self, script: scripts.Script, concert_id: ConcertId, person_id: PersonId) -> EntryRecord:
        word, rest = await self._call(script, concert_id, person_id)
        if word == "NO_ENTRY":
            raise NotInQueue
        return _entry(person_id, rest[0])

    async def _call(self, script: scripts.Script, concert_id: ConcertId, *args: str | int) -> tuple[str, Reply]:
        word, rest = await self._link.call(script, concert_id, *args)
        if word in ("UNKNOWN", "RECOVERING"):
            raise await self._doubt.answer(concert_id, word)
        return word, rest


def _entry(person_id: PersonId, text: bytes | int, grace_until_ms: int = 0) -> EntryRecord:
    record: dict[str, Any] = json.loads(text if isinstance(text, bytes) else str(text))
    state = EntryState(record["state"])
    attached: dict[str, int] = record.get("attached") or {}
    is_spoken_for = state is EntryState.WAITING and any(news > 0 for news in attached.values())
    is_living = state in (EntryState.WAITING, EntryState.READY, EntryState.ADMITTED)
    claimed_ms = record.get("claimed_ms")
    return EntryRecord(
        person_id=person_id,
        number=record["number"],
        state=state,
        joined_at=_time(record["joined_ms"]),
        claimed_at=None if claimed_ms is None else _time(claimed_ms),
        session_ends_at=_time(record["deadline_ms"]),
        deadline=None if is_spoken_for else _time(max(record["deadline_ms"], grace_until_ms if is_living else 0)),
    )


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
