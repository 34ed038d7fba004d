"""Compare-and-set changes to orders.

A change is a pure function of the stored order. If another process changed the order first, the
function is applied to the newer version, so no change is lost or made twice.
"""

from collections.abc import Callable

from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId, OrderId
from domain.orders import Order
from payments.saga.crash_points import CrashPoint, Reached
from storage.connect import Stores
from storage.keys import EFFECTS_CHANNEL
from storage.mongo.order_updates import UpdateOutcome
from telemetry import metrics, traces

MAX_CONFLICTS = 20
"""The number of attempts. The purchase, webhooks, the worker and the buyer may change an order at
the same time, but rarely more than a few of these do.
"""


class UnitsTaken(Exception):
    """Another order has one of the units that this order was to get."""


class OrderChanges:
    def __init__(self, stores: Stores, reached: Reached) -> None:
        self._stores = stores
        self._reached = reached

    async def get(self, order_id: OrderId, concert_id: ConcertId) -> Order | None:
        """Return the order, or None if the concert has no order with this id."""
        order = await self._stores.orders.get(order_id)
        return order if order is not None and order.concert_id == concert_id else None

    async def change(self, order: Order, decide: Callable[[Order], Order]) -> Order:
        """Store the order that `decide` returns, update the hot state, and return the stored order.

        Raises UnitsTaken, and TemporarilyUnavailable if it is unknown whether the change was
        stored.
        """
        for _ in range(MAX_CONFLICTS):
            changed = decide(order)
            if changed is order:
                return order
            about: traces.Attributes = {
                traces.CONCERT_ID: order.concert_id,
                "onsale.order_status": changed.status.value,
            }
            with traces.continue_trace("change order", order.traceparent, about):
                if await self._store(order, changed):
                    return changed
            order = await self._read_again(order)
        raise TemporarilyUnavailable("This order is being changed by many requests")

    async def _store(self, order: Order, changed: Order) -> bool:
        """Store the change and update the hot state. Return False if the order has a newer
        version.
        """
        match await self._stores.order_updates.update(changed):
            case UpdateOutcome.WON:
                if changed.status is not order.status:
                    metrics.orders.add(changed.status.value)
                self._reached(CrashPoint.ORDER_UPDATED)
                await self._stores.order_sync.record(changed)
                self._reached(CrashPoint.STOCK_UPDATED)
                if changed.effects_at is not None and changed.effects_at != order.effects_at:
                    self._stores.hint_publisher.publish(EFFECTS_CHANNEL)
                return True
            case UpdateOutcome.LOST:
                return False
            case UpdateOutcome.UNIT_TAKEN:
                raise UnitsTaken(order.id)
            case UpdateOutcome.UNKNOWN:
                raise TemporarilyUnavailable("It is not known yet whether the change to this order was stored")

    async def _read_again(self, order: Order) -> Order:
        newer = await self.get(order.id, order.concert_id)
        if newer is None:
            raise TemporarilyUnavailable("The order database has not confirmed this order yet")
        return newer
