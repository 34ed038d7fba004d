"""An in-memory queue that counts the hub's reads. Tests can change its state."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import cast

from domain.errors import TemporarilyUnavailable
from domain.estimates.wait_estimates import NO_ESTIMATE
from domain.holds import Hold
from domain.ids import ConcertId, EntryId, PersonId
from domain.queue_positions import QueuePositions
from domain.queues import ACTIVE_STATES, EntryState, RoomStatus
from domain.stock import Stock, StockAhead
from domain.topics import QueueSnapshot
from resolvers.snapshots import StoreSnapshotReader
from resolvers.wait_tables import WaitTableCache, build_waiting_room
from storage.connect import Stores
from storage.hot.queue_state import Changes, QueueState
from storage.hot.queues import EntryRecord
from subscriptions.interfaces import ConcertSnapshot, RoomSnapshot
from tests.support.sale import PASSES
from tests.support.snapshots import CONCERT, NOW, ROOM, STOCK


@dataclass
class FakeQueue(StoreSnapshotReader):
    """A snapshot reader and presence store. Person `p7` has number 7 in the queue."""

    people: int
    serving: int = 0
    version: int = 1
    round: int = 1
    grace_until_ms: int = 0
    message: str = ""
    stock: Stock = STOCK
    states: dict[PersonId, EntryState] = field(default_factory=dict)
    changed: dict[PersonId, int] = field(default_factory=dict)
    unlisted_up_to: int = 0
    """Changes up to this version are no longer listed by person."""
    fails: set[str] = field(default_factory=set)
    """The names of the reads that fail."""
    calls: Counter[str] = field(default_factory=Counter)
    asked: list[PersonId] = field(default_factory=list)
    connected: list[PersonId] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(cast("Stores", None), PASSES, WaitTableCache())

    def move(self, count: int = 1) -> None:
        """Advance the serving number by `count`, without changing any person's state."""
        self.serving += count
        self.version += 1

    def change(self, person: str, state: EntryState) -> None:
        self.version += 1
        self.states[PersonId(person)] = state
        self.changed[PersonId(person)] = self.version

    def _count(self, what: str) -> None:
        self.calls[what] += 1
        if what in self.fails:
            raise TemporarilyUnavailable(f"{what} cannot be read")

    async def read_snapshot(self, concert_id: ConcertId, *, after: int) -> ConcertSnapshot:
        self._count("snapshot")
        named = tuple(person for person, version in self.changed.items() if version > max(after, self.unlisted_up_to))
        changes = Changes(1, self.version, named, after >= self.unlisted_up_to)
        return ConcertSnapshot(self._room_snapshot(), self.stock, changes)

    def _room_snapshot(self) -> RoomSnapshot:
        queue = QueuePositions(self.serving, self.people, self._departed())
        state = QueueState(
            epoch=1,
            version=self.version,
            concert_version=1,
            round=self.round,
            positions=queue,
            slots_taken=ROOM.slots_taken,
            passes_issued=ROOM.passes_issued,
            status=RoomStatus.OPEN,
            is_opened=True,
            grace_until_ms=self.grace_until_ms,
            flow=ROOM.flow,
        )
        concert = replace(CONCERT, room=replace(CONCERT.room, message=self.message))
        return RoomSnapshot(build_waiting_room(concert, state.room), state, NO_ESTIMATE)

    def _departed(self) -> bytes:
        gone = {int(person[1:]) for person, state in self.states.items() if state not in ACTIVE_STATES}
        first = self.serving // 8
        return bytes(
            sum(1 << 7 - bit for bit in range(8) if byte * 8 + bit in gone)
            for byte in range(first, self.people // 8 + 1)
        )

    async def read_entries(self, concert_id: ConcertId, people: Sequence[PersonId]) -> dict[PersonId, EntryRecord]:
        self._count("entries")
        self.asked += people
        return {person_id: self.record(person_id) for person_id in people}

    def record(self, person_id: PersonId) -> EntryRecord:
        state = self.states.get(person_id, EntryState.WAITING)
        number, deadline = int(person_id[1:]), NOW + timedelta(minutes=5, milliseconds=self.grace_until_ms)
        return EntryRecord(person_id, EntryId(number), number, state, NOW, None, deadline, deadline, None, None, 1)

    async def read_holds(self, concert_id: ConcertId, person_id: PersonId) -> tuple[Hold, ...]:
        self._count("holds")
        return ()

    def build_queue_snapshot(
        self, snapshot: RoomSnapshot, record: EntryRecord | None, stock: Stock, stock_ahead: StockAhead
    ) -> QueueSnapshot:
        self.calls["show"] += 1
        return super().build_queue_snapshot(snapshot, record, stock, stock_ahead)

    async def sync_presence(
        self, concert_id: ConcertId, process: str, people: Sequence[tuple[PersonId, int]], *, is_known: bool
    ) -> None:
        self.connected += [person_id for person_id, number in people if number > 0]
