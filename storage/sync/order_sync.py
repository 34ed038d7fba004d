"""Makes the hot state agree with the orders in MongoDB.

It syncs one order, the orders that own contested units, or all orders of a concert.
"""

import asyncio
import logging
from collections.abc import Iterable
from datetime import UTC, datetime

from domain.concerts import Concert
from domain.errors import TemporarilyUnavailable, describe_cause
from domain.holds import HoldState
from domain.ids import HOUSE, ConcertId, HoldId, OrderId, PersonId, Unit
from domain.orders import Order, StockState
from storage.hot.hot_state import HotState, keys_expire_at
from storage.hot.person_concerts import PersonConcerts
from storage.hot.replies import is_recorded
from storage.mongo.client import raises_unavailable
from storage.mongo.orders import OrderStore
from storage.sync.concert_cache import ConcertCache
from telemetry.outage_log import OutageLog

log = logging.getLogger(__name__)
_outage = OutageLog(log, "recording orders in the hot state")

BATCH = 500
_HOLD_STATES = {
    StockState.BUYING: HoldState.BUYING,
    StockState.SOLD: HoldState.SOLD,
    StockState.WITHDRAWN: HoldState.SOLD,
    StockState.ENDED: HoldState.ENDED,
}


class OrderSync:
    def __init__(
        self, orders: OrderStore, hot_state: HotState, person_concerts: PersonConcerts, concert_cache: ConcertCache
    ) -> None:
        self._orders = orders
        self._hot_state = hot_state
        self._person_concerts = person_concerts
        self._concert_cache = concert_cache

    async def sync(self, order: Order) -> bool:
        """Record an order, and add its concert to the buyer's index. Return the result of
        `record`.
        """
        recorded, _ = await asyncio.gather(self.record(order), self._index(order))
        return recorded

    async def record(self, order: Order) -> bool:
        """Record an order, without adding its concert to the buyer's index.

        Creating the hold has just added it. Return False if the order cannot be recorded now; the
        record worker will record it later.
        """
        try:
            word = await self._hot_state.record_order(order)
            if is_recorded(word):
                _outage.succeeded(order.concert_id)
                return True
        except Exception as error:
            # The order exists despite the error, and must still be returned to its buyer.
            word = describe_cause(error)
        log.debug("order %s is not yet recorded in the hot state: %s", order.id, word)
        _outage.failed(order.concert_id, word, about=f"order {order.id}")
        return False

    async def sync_all(self, orders: Iterable[Order]) -> bool:
        """Record all orders. Return whether all of them were recorded."""
        return all(await asyncio.gather(*[self.sync(order) for order in orders]))

    async def sync_changed_since(self, concert_id: ConcertId, *, since: datetime) -> None:
        """Record those orders of the concert that changed at `since` or later."""
        changed = (await self._orders.changed_since(since)).get(concert_id, [])
        await self.sync_all(await self._orders.get_many([order_id for order_id, _ in changed]))

    async def sync_owners(self, units: Iterable[Unit]) -> bool:
        """Record every order that owns one of the units, after a conflict.

        Return False if there is no such order.
        """
        owners = await self._orders.find_owners(tuple(units))
        await self.sync_all(owners)
        return bool(owners)

    @raises_unavailable
    async def sync_concert(self, concert: Concert) -> int | None:
        """Record all orders of the concert. `concert.epoch` identifies the recovery.

        Return the number of orders, or None if the recovery has lost its mark. Raises
        TemporarilyUnavailable.
        """
        count = 0
        batch: list[Order] = []
        async for order in self._orders.iterate_concert(concert.id):
            batch.append(order)
            if len(batch) == BATCH:
                if not await self._record_batch(batch, concert):
                    return None
                # Renew the mark, so that a long recovery is not mistaken for one that crashed.
                await self._hot_state.mark_recovery(concert.id, concert.epoch)
                count += len(batch)
                batch = []
        return count + len(batch) if await self._record_batch(batch, concert) else None

    async def settle(self, concert_id: ConcertId, hold_id: HoldId) -> HoldState:
        """Settle a purchase whose outcome is unknown.

        Return BUYING if its order awaits payment, SOLD if its order has units for another reason,
        and ENDED if its order has none or can never exist. A VOID order is written before the order
        is read, so that an insert still in flight fails because of the VOID order.
        """
        found = await self._orders.find_or_void(OrderId(hold_id), concert_id, now=datetime.now(UTC))
        if found is not None:
            await self.sync(found)
            return _HOLD_STATES[found.stock_state]
        await self._hot_state.void_hold(concert_id, hold_id)
        return HoldState.ENDED

    async def _record_batch(self, batch: list[Order], concert: Concert) -> bool:
        people = {order.person_id for order in batch if order.person_id != HOUSE}
        words, _ = await asyncio.gather(
            asyncio.gather(*[self._hot_state.record_order(order, epoch=concert.epoch) for order in batch]),
            asyncio.gather(*[self._add_to_index(person_id, concert) for person_id in people]),
        )
        return all(is_recorded(word) for word in words)

    async def _index(self, order: Order) -> None:
        if order.person_id == HOUSE:
            return
        try:
            concert = await self._concert_cache.get(order.concert_id)
        except TemporarilyUnavailable as error:
            log.warning("concert %s was not added to the buyer's index: %s", order.concert_id, describe_cause(error))
            return
        if concert is not None:
            await self._add_to_index(order.person_id, concert)

    async def _add_to_index(self, person_id: PersonId, concert: Concert) -> None:
        """Add the concert to the person's index, and log any failure.

        A failure does little harm: orders are found in MongoDB, and each hold or entry adds its
        concert too.
        """
        try:
            await self._person_concerts.add(person_id, concert.id, expires_at=keys_expire_at(concert))
        except TemporarilyUnavailable as error:
            log.warning("concert %s was not added to the buyer's index: %s", concert.id, describe_cause(error))
