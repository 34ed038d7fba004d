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
from resolvers.paces import pace_in, room_of
from resolvers.queues import show_entry
from storage.connect import Stores
from storage.hot.queues import Changes, EntryRecord, QueueState
from subscriptions.reader import RoomView

_CALLED_OR_OVER = frozenset(EntryState) - {EntryState.PREQUEUED, EntryState.WAITING}


class StoreReader:
    def __init__(self, stores: Stores, passes: PassSigner) -> None:
        self._stores = stores
        self._passes = passes

    async def stock(self, concert_id: ConcertId) -> Stock:
        return await self._stores.holds.read_stock(concert_id)

    async def room(self, concert_id: ConcertId) -> RoomView:
        state = await self._stores.queues.read_queue(concert_id)
        # The document whose settings are in force: the line says which version of it that is.
        concert = await self._stores.concert_cache.get(concert_id, version=state.concert_version)
        if concert is None:
            raise NotFound("Concert", concert_id)
        room = room_of(concert, state)
        return RoomView(room, state, pace_in(room))

    async def changes(self, concert_id: ConcertId, *, after: int) -> Changes:
        return await self._stores.queues.read_changes(concert_id, after=after)

    async def entries(self, concert_id: ConcertId, people: Sequence[PersonId]) -> dict[PersonId, EntryRecord]:
        return await self._stores.queues.read_entries(concert_id, people)

    async def holds(self, concert_id: ConcertId, person_id: PersonId) -> tuple[Hold, ...]:
        return await self._stores.holds.list_for_person(concert_id, person_id)

    async def hold(self, concert_id: ConcertId, hold_id: HoldId) -> Hold | None:
        return await self._stores.holds.get(concert_id, hold_id)

    async def orders(self, order_ids: Collection[OrderId]) -> tuple[Order, ...]:
        return await self._stores.orders.get_many(order_ids)

    def show(self, view: RoomView, record: EntryRecord | None, stock: Stock, stock_ahead: StockAhead) -> QueueSnapshot:
        """A record read after the line may know of a call that this version of the line does not: the line decides."""
        if record is None:
            return QueueSnapshot(None, view.room, stock, stock_ahead)
        if record.state in _CALLED_OR_OVER and _is_waiting(record, view.state):
            record = replace(record, state=EntryState.WAITING, claimed_at=None, deadline=None, end_reason=None)
        position = None if record.number is None else view.state.positions.position(record.number)
        method = view.room.settings.queueing_method
        entry = show_entry(self._passes, view.room.concert_id, record, method=method, position=position, pace=view.pace)
        return QueueSnapshot(entry, view.room, stock, stock_ahead)


def _is_waiting(record: EntryRecord, state: QueueState) -> bool:
    return record.round == state.round and record.number is not None and state.positions.is_waiting(record.number)
