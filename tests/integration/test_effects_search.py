"""The effects worker searches for parked orders page by page, and loses none of them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta

import pytest
import pytest_asyncio

from domain.ids import OrderId
from domain.orders import Order, OrderStatus
from storage.connect import Stores
from tests.support.payment_saga import Till, concert_for_sale, opened_till
from workers.effects import worker as effects
from workers.effects.worker import LONGEST_SEARCH, EffectsWorker

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def till(valkey_url: str, mongo_url: str, mongo_database: str) -> AsyncIterator[Till]:
    async with opened_till(valkey_url, mongo_url, mongo_database) as made:
        yield made


async def succeed(stores: Stores, orders: Sequence[Order]) -> Mapping[OrderId, str | None]:
    return dict.fromkeys((order.id for order in orders), None)


def worker_of(till: Till) -> EffectsWorker:
    return EffectsWorker(dict.fromkeys(("document", "mail", "sales"), succeed), clock=till.now)


async def park(till: Till, order: Order) -> None:
    await till.stores.effect_work.postpone(order, None)
    assert (await till.read(order)).effects_at is None


async def count_fulfilled(till: Till, orders: Sequence[Order]) -> int:
    return sum([(await till.read(order)).status is OrderStatus.FULFILLED for order in orders])


async def test_due_effects_do_not_wait_for_the_end_of_the_search(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effects, "PARKED_PAGE_SIZE", 1)
    monkeypatch.setattr(effects, "PARKED_PAGES_PER_RUN", 1)
    concert = await concert_for_sale(till, 10)
    orders = [await till.paid_order(concert, 1, who=f"p{number}") for number in range(4)]
    *parked, due = sorted(orders, key=lambda order: order.id)
    for order in parked:
        await park(till, order)
    worker = worker_of(till)
    await worker.run_once(till.stores)
    assert await count_fulfilled(till, [due]) == 1
    assert await count_fulfilled(till, parked) == 1
    for _ in range(2):
        await worker.run_once(till.stores)
    assert await count_fulfilled(till, parked) == 3


async def test_every_concert_is_searched_to_its_end(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effects, "PARKED_PAGE_SIZE", 2)
    concerts = [await concert_for_sale(till, 10) for _ in range(2)]
    orders = [await till.paid_order(one, 1, who=f"p{number}") for one in concerts for number in range(5)]
    for order in orders:
        await park(till, order)
    assert await worker_of(till).run_once(till.stores) == 10
    assert await count_fulfilled(till, orders) == 10


async def test_changes_after_a_long_outage_are_searched_in_several_steps(till: Till) -> None:
    worker = worker_of(till)
    await worker.run_once(till.stores)
    order = await till.paid_order(await concert_for_sale(till, 10), 1)
    await park(till, order)
    await till.stores.orders.collection.update_one(
        {"_id": order.id}, {"$set": {"updatedAt": till.now() + 2 * LONGEST_SEARCH}}
    )
    till.ahead += 3 * LONGEST_SEARCH + timedelta(seconds=1)
    for _ in range(2):
        await worker.run_once(till.stores)
    assert (await till.read(order)).status is OrderStatus.FULFILLED
