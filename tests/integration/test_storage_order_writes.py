"""The number of majority writes that orders cost from purchase to payment."""

import asyncio
from dataclasses import replace

from domain.orders import Order, OrderEvent, OrderStatus
from domain.payments.payment import Effects, EffectState
from storage.connect import Stores
from storage.mongo.order_batch import Outcome
from storage.mongo.order_updates import UpdateOutcome
from tests.support.payment_orders import NOW, pending_order, with_intent
from tests.support.write_commands import count_write_commands


def paid(order: Order) -> Order:
    effects = Effects({"tickets": EffectState.DUE, "document": EffectState.DUE})
    events = (*order.events, OrderEvent("PAID", NOW))
    return replace(order, version=3, status=OrderStatus.PAID, events=events, effects=effects, work_at=None)


async def test_a_hundred_orders_are_paid_with_three_order_writes(stores: Stores) -> None:
    """The fourth majority write inserts the webhook's event into the inbox."""
    pending = [pending_order(f"o{number}", number) for number in range(100)]
    recorded = [with_intent(order) for order in pending]
    before = await count_write_commands(stores.mongo)
    inserted = await asyncio.gather(*[stores.order_batch.insert(order) for order in pending])
    assert set(inserted) == {Outcome.RECORDED}
    for version in (recorded, [paid(order) for order in recorded]):
        updated = await asyncio.gather(*[stores.order_updates.update(order) for order in version])
        assert set(updated) == {UpdateOutcome.WON}
    assert await count_write_commands(stores.mongo) == before + 3
