"""Makes the hot state agree with recorded orders: one of them, the owners of contested units, a purchase cut short."""

import asyncio
import logging
from collections.abc import Iterable
from datetime import UTC, datetime

from domain.holds import HoldState
from domain.ids import ConcertId, HoldId, OrderId, Unit
from domain.orders import Order
from storage.hot.hot_state import HotState, is_recorded
from storage.mongo.orders import OrderStore

log = logging.getLogger(__name__)


class OrderSync:
    def __init__(self, orders: OrderStore, hot: HotState) -> None:
        self._orders = orders
        self._hot_state = hot

    async def sync(self, order: Order) -> bool:
        """Tells the hot state. False: not now; that takes nothing from the order, and a worker tells it later."""
        try:
            word = await self._hot_state.record_order(order)
            if is_recorded(word):
                return True
        except Exception as error:
            # Whatever it is, the order stands, and its buyer must hear so.
            word = str(error) or type(error).__name__
        log.warning("order %s is not yet recorded in the hot state: %s", order.id, word)
        return False

    async def sync_all(self, orders: Iterable[Order]) -> bool:
        """Whether all of them are."""
        return all(await asyncio.gather(*[self.sync(order) for order in orders]))

    async def sync_changed_since(self, concert_id: ConcertId, *, since: datetime) -> None:
        """Records whatever changed of a concert's orders since then."""
        changed = (await self._orders.changed_since(since)).get(concert_id, [])
        await self.sync_all(await self._orders.get_many([order_id for order_id, _ in changed]))

    async def sync_owners(self, units: Iterable[Unit]) -> bool:
        """After a conflict: records every order that has one of the units. False if none has."""
        owners = await self._orders.find_owners(tuple(units))
        await self.sync_all(owners)
        return bool(owners)

    async def settle(self, concert_id: ConcertId, hold_id: HoldId) -> HoldState:
        """Decides a purchase of which nobody knows the end: SOLD if an order is there, ENDED if none ever can be.

        Writes first and reads after: an insert that is still on its way then fails on the VOID order.
        """
        found = await self._orders.find_or_void(OrderId(hold_id), concert_id, now=datetime.now(UTC))
        if found is not None:
            await self.sync(found)
            return HoldState.SOLD
        await self._hot_state.void_hold(concert_id, hold_id)
        return HoldState.ENDED
