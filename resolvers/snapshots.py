"""What the hub reads, from the stores: rooms with their settings, lines, stock, entries with their passes."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from auth.passes import PassSigner
from domain.errors import NotFound
from domain.holds import Hold
from domain.ids import ConcertId, HoldId, OrderId, PersonId
from domain.orders import Order
from domain.queues import EntryState
from domain.stock import Stock, StockAhead
from domain.topics import QueueSnapshot
from resolvers.queues import build_entry
from resolvers.wait_tables import build_room_wait_table, build_waiting_room
from storage.connect import Stores
from storage.hot.queues import Changes, EntryRecord, QueueState
from subscriptions.interfaces import RoomSnapshot

_CALLED_OR_OVER = frozenset(EntryState) - {EntryState.PREQUEUED, EntryState.WAITING}


class StoreSnapshotReader:
    def __init__(self, stores: Stores, passes: PassSigner) -> None:
        self._stores = stores
        self._passes = passes

    async def read_stock(self, concert_id: ConcertId) -> Stock:
        return await self._stores.holds.read_stock(concert_id)

    async def read_room(self, concert_id: ConcertId) -> RoomSnapshot:
        state = await self._stores.queues.read_queue(concert_id)
        # The document whose settings are in force: the line says which version of it that is.
        concert = await self._stores.concert_cache.get(concert_id, version=state.concert_version)
        if concert is None:
            raise NotFound("Concert", concert_id)
        room = build_waiting_room(concert, state)
        return RoomSnapshot(room, state, build_room_wait_table(room))

    async def read_changes(self, concert_id: ConcertId, *, after: int) -> Changes:
        return await self._stores.queues.read_changes(concert_id, after=after)

    async def read_entries(self, concert_id: ConcertId, people: Sequence[PersonId]) -> dict[PersonId, EntryRecord]:
        return await self._stores.queues.read_entries(concert_id, people)

    async def read_holds(self, concert_id: ConcertId, person_id: PersonId) -> tuple[Hold, ...]:
        return await self._stores.holds.list_for_person(concert_id, person_id)

    async def read_hold(self, concert_id: ConcertId, hold_id: HoldId) -> Hold | None:
        return await self._stores.holds.get(concert_id, hold_id)

    async def read_orders(self, order_ids: Collection[OrderId]) -> tuple[Order, ...]:
        return await self._stores.orders.get_many(order_ids)

    def build_queue_snapshot(
        self, view: RoomSnapshot, record: EntryRecord | None, stock: Stock, stock_ahead: StockAhead
    ) -> QueueSnapshot:
        """A record read after the line may know of a call that this version of the line does not: the line decides."""
        if record is None:
            return QueueSnapshot(None, view.room, stock, stock_ahead)
        if record.state in _CALLED_OR_OVER and _is_waiting(record, view.state):
            record = replace(record, state=EntryState.WAITING, claimed_at=None, deadline=None, end_reason=None)
        position = None if record.number is None else view.state.positions.position(record.number)
        method = view.room.settings.queueing_method
        entry = build_entry(
            self._passes, view.room.concert_id, record, method=method, position=position, pace=view.wait_table
        )
        return QueueSnapshot(entry, view.room, stock, stock_ahead)


def _is_waiting(record: EntryRecord, state: QueueState) -> bool:
    return record.round == state.round and record.number is not None and state.positions.is_waiting(record.number)
