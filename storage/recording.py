"""Makes the hot state agree with recorded orders: one of them, the owners of contested units, a purchase cut short."""

import asyncio
import logging
from collections.abc import Iterable
from datetime import UTC, datetime

from domain.errors import TemporarilyUnavailable
from domain.holds import HoldState
from domain.ids import ConcertId, HoldId, OrderId, Unit
from domain.orders import Order
from storage.hot_state import HotState
from storage.orders import OrderStore

log = logging.getLogger(__name__)


class Recorder:
    def __init__(self, orders: OrderStore, hot: HotState) -> None:
        self._orders = orders
        self._hot = hot

    async def record(self, order: Order) -> None:
        """Tells the hot state; that it cannot be told takes nothing from an order, and a worker tells it later."""
        try:
            word = await self._hot.record_order(order)
        except TemporarilyUnavailable as error:
            word = str(error)
        if word not in ("RECORDED", "KNOWN"):
            log.warning("order %s is not yet recorded in the hot state: %s", order.id, word)

    async def record_all(self, orders: Iterable[Order]) -> None:
        await asyncio.gather(*[self.record(order) for order in orders])

    async def record_owners(self, units: Iterable[Unit]) -> bool:
        """After a conflict: records every order that has one of the units. False if none has."""
        owners = await self._orders.owners_of(tuple(units))
        await self.record_all(owners)
        return bool(owners)

    async def settle(self, concert_id: ConcertId, hold_id: HoldId) -> HoldState:
        """Decides a purchase of which nobody knows the end: SOLD if an order is there, ENDED if none ever can be.

        Writes first and reads after: an insert that is still on its way then fails on the VOID order.
        """
        found = await self._orders.fence(OrderId(hold_id), concert_id, now=datetime.now(UTC))
        if found is not None:
            await self.record(found)
            return HoldState.SOLD
        await self._hot.void_hold(concert_id, hold_id)
        return HoldState.ENDED
