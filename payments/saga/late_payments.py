"""Payments that arrive after the order's units were released.

Only the order worker takes this step, and only one worker at a time per order.
"""

import logging
from collections.abc import Callable
from datetime import datetime

from domain.errors import TemporarilyUnavailable
from domain.ids import Unit
from domain.orders import Order, OrderStatus
from domain.payments import transitions
from payments.saga.crash_points import CrashPoint, Reached
from payments.saga.order_changes import OrderChanges, UnitsTaken
from storage.connect import Stores

log = logging.getLogger(__name__)

MAX_CONFLICTS = 5
"""The number of attempts. After each conflict, orders missing from the hot state are recorded
again.
"""


class _OrderChanged(Exception):
    """A message from the provider has changed the order since units were taken for it."""

    def __init__(self, order: Order) -> None:
        super().__init__(order.id)
        self.order = order


class LatePayments:
    def __init__(
        self, stores: Stores, changes: OrderChanges, *, clock: Callable[[], datetime], reached: Reached
    ) -> None:
        self._stores = stores
        self._changes = changes
        self._clock = clock
        self._reached = reached

    async def take_units(self, order: Order) -> Order:
        """Give the order units again if all of its lines can have them; otherwise decide to refund
        it.

        Raises TemporarilyUnavailable if the stock store does not answer.
        """
        for _ in range(MAX_CONFLICTS):
            units = await self._take(order)
            if not units:
                return await self._changes.change(
                    order, lambda order: transitions.refuse_late_payment(order, self._clock())
                )
            self._reached(CrashPoint.UNITS_TAKEN)
            try:
                return await self._give(order, units)
            except UnitsTaken:
                await self._stores.order_sync.sync_owners(units)
            except _OrderChanged as changed:
                order = changed.order
                if order.status is not OrderStatus.LATE_PAYMENT:
                    return order
        raise TemporarilyUnavailable("The tickets of this order are being checked after a restart of the stock store")

    async def _give(self, order: Order, units: tuple[Unit, ...]) -> Order:
        """Store the units that were taken for this version of the order.

        Raises _OrderChanged if there is a newer version: recording it in the hot state has freed
        the units, and other people may hold them.
        """

        def decide(stored: Order) -> Order:
            if stored.version != order.version:
                raise _OrderChanged(stored)
            return transitions.take_units(stored, units, self._clock())

        return await self._changes.change(order, decide)

    async def _take(self, order: Order) -> tuple[Unit, ...]:
        """Return units for all lines of the order, or none if they cannot be taken."""
        concert = await self._stores.concert_cache.get(order.concert_id)
        if concert is None or concert.terms.starts_at <= self._clock():
            return ()
        taken = await self._stores.hot_state.take_again(order, starts_at=concert.terms.starts_at)
        match taken.word:
            case "TAKEN":
                return taken.units
            case "SOLD_OUT" | "PERSON_LIMIT" | "OVER":
                log.info("order %s was paid late and will not get tickets: %s", order.id, taken.word)
                return ()
            case _:
                raise TemporarilyUnavailable("The stock store is recovering")
