"""Reads the snapshots that the hub publishes: concerts with their queue and stock, entries with
their passes, holds, and orders.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import assert_never

from auth.passes import PassSigner
from domain.analytics.sales import ConcertSales
from domain.errors import NotFound
from domain.holds import Hold
from domain.ids import ConcertId, HoldId, OrderId, PersonId
from domain.orders import Order
from domain.queues import WAITING_STATES, EntryState
from domain.stock import Stock, StockAhead
from domain.topics import (
    HoldsTopic,
    OrderTopic,
    QueueSnapshot,
    QueueTopic,
    RoomTopic,
    SalesTopic,
    Snapshot,
    StockSnapshot,
    StockTopic,
    Topic,
)
from resolvers.context import Context
from resolvers.history import build_past_room, build_past_stock, is_past
from resolvers.permissions import organizes
from resolvers.queues import build_entry
from resolvers.wait_tables import WaitTableCache, build_room_wait_table, build_waiting_room
from storage.connect import Stores
from storage.hot.queue_state import QueueState
from storage.hot.queues import EntryRecord
from subscriptions.interfaces import ConcertSnapshot, RoomSnapshot


class StoreSnapshotReader:
    """Implements `subscriptions.interfaces.SnapshotReader`."""

    def __init__(self, stores: Stores, passes: PassSigner, wait_tables: WaitTableCache) -> None:
        self._stores = stores
        self._passes = passes
        self._wait_tables = wait_tables

    async def read_snapshot(self, concert_id: ConcertId, *, after: int) -> ConcertSnapshot:
        stored = await self._stores.snapshots.read(concert_id, after=after)
        # The queue state contains the version of the concert whose settings are in force.
        concert = await self._stores.concert_cache.get(concert_id, version=stored.state.concert_version)
        if concert is None:
            raise NotFound("Concert", concert_id)
        room = build_waiting_room(concert, stored.state.room)
        wait_table = build_room_wait_table(room)
        self._wait_tables.put(room, wait_table)
        stock = stored.stock(concert)
        return ConcertSnapshot(RoomSnapshot(room, stored.state, wait_table), stock, stored.changes)

    async def read_entries(self, concert_id: ConcertId, people: Sequence[PersonId]) -> dict[PersonId, EntryRecord]:
        return await self._stores.queues.read_entries(concert_id, people)

    async def read_holds(self, concert_id: ConcertId, person_id: PersonId) -> tuple[Hold, ...]:
        return await self._stores.holds.list_for_person(concert_id, person_id)

    async def read_hold(self, concert_id: ConcertId, hold_id: HoldId) -> Hold | None:
        return await self._stores.holds.get(concert_id, hold_id)

    async def read_orders(self, order_ids: Collection[OrderId]) -> tuple[Order, ...]:
        return await self._stores.orders.get_many(order_ids)

    async def read_sales(self, concert_id: ConcertId) -> ConcertSales:
        return await self._stores.sales.read(concert_id)

    def build_queue_snapshot(
        self, snapshot: RoomSnapshot, record: EntryRecord | None, stock: Stock, stock_ahead: StockAhead
    ) -> QueueSnapshot:
        """Build the snapshot of one person at the version of `snapshot`.

        The record may be newer and contain a call that is not in this version. The version takes
        precedence.
        """
        if snapshot.state.is_over:
            # The forecast considers only the stock, but the sale has ended.
            stock_ahead = StockAhead.SOLD_OUT
        if record is None:
            return QueueSnapshot(None, snapshot.room, stock, stock_ahead)
        if record.state not in WAITING_STATES and _is_waiting(record, snapshot.state):
            record = replace(record, state=EntryState.WAITING, claimed_at=None, deadline=None, end_reason=None)
        position = None if record.number is None else snapshot.state.positions.position(record.number)
        entry = build_entry(
            self._passes,
            snapshot.room.concert_id,
            record,
            method=snapshot.room.settings.queueing_method,
            position=position,
            wait_table=snapshot.wait_table,
            epoch=snapshot.room.epoch,
            version=snapshot.room.version,
        )
        return QueueSnapshot(entry, snapshot.room, stock, stock_ahead)


async def read_past_snapshots(context: Context, topic: Topic) -> tuple[Snapshot, ...] | None:
    """Return all snapshots of a past concert's topic, or None if the topic may still change.

    Raises TemporarilyUnavailable.
    """
    if isinstance(topic, OrderTopic | SalesTopic):
        # An order of a past concert can still be refunded.
        return None
    concert = await context.stores.concert_cache.get(topic.concert_id)
    if concert is None or not is_past(concert):
        return None
    room = build_past_room(concert)
    match topic:
        case RoomTopic():
            return (room,)
        case HoldsTopic():
            return ()
    # The stock is that of a query; in a queue, no viewer sees more than a buyer does.
    for_organizer = isinstance(topic, StockTopic) and organizes(context, concert)
    sold = await context.sold_counts.get(context.stores, concert)
    stock = build_past_stock(concert, sold, for_organizer=for_organizer)
    match topic:
        case StockTopic():
            return (StockSnapshot(stock, room),)
        case QueueTopic():
            return (QueueSnapshot(None, room, stock, StockAhead.SOLD_OUT),)
    assert_never(topic)


def _is_waiting(record: EntryRecord, state: QueueState) -> bool:
    if record.round != state.round or record.entry_id <= state.over_id:
        return False
    return record.number is not None and state.positions.is_waiting(record.number)
