"""The order worker: leases, grace after a gap, pauses and the alarm."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
import pytest_asyncio

from domain.orders import Order, OrderStatus
from domain.payments.conclusion import WAITING
from storage.hot.hot_state import TakenUnits
from tests.support.payment_saga import Till, concert_for_sale, opened_till
from tests.support.sale import stock
from workers.orders import LANES, ORDERS_PER_LEASE, OrderWorker

pytestmark = pytest.mark.asyncio

GRACE = timedelta(seconds=60)


@pytest_asyncio.fixture
async def till(valkey_url: str, mongo_url: str, mongo_database: str) -> AsyncIterator[Till]:
    async with opened_till(valkey_url, mongo_url, mongo_database) as made:
        yield made


@pytest_asyncio.fixture
async def worker(till: Till) -> OrderWorker:
    """A worker that has run without a gap for longer than any grace period."""
    made = OrderWorker(till.payments, clock=till.now)
    await made.run_once(till.stores)
    await keep_running(till, made, GRACE)
    return made


async def keep_running(till: Till, worker: OrderWorker, duration: timedelta) -> None:
    """Advance the clock without a gap between two runs."""
    end = till.ahead + duration
    while till.ahead < end:
        till.ahead = min(till.ahead + timedelta(seconds=4), end)
        await till.stores.worker_heartbeats.beat(worker.name, till.now())


async def run_until_due(till: Till, worker: OrderWorker, order: Order) -> None:
    assert order.payment is not None
    await keep_running(till, worker, order.payment.expires_at - till.now() + timedelta(seconds=1))


async def test_worker_closes_orders_at_their_deadline(till: Till, worker: OrderWorker) -> None:
    concert = await concert_for_sale(till, 30)
    orders = [await till.order(concert, 1, who=f"p{number}") for number in range(12)]
    assert await worker.run_once(till.stores) == 0
    await run_until_due(till, worker, orders[-1])
    assert await worker.run_once(till.stores) == 12
    assert {(await till.read(order)).status for order in orders} == {OrderStatus.EXPIRED}
    assert await stock(till.stores, concert) == [(30, 0, 0)]
    assert await worker.run_once(till.stores) == 0


async def test_two_workers_do_each_step_once(till: Till, worker: OrderWorker) -> None:
    concert = await concert_for_sale(till, 30)
    orders = [await till.order(concert, 1, who=f"p{number}") for number in range(12)]
    await run_until_due(till, worker, orders[-1])
    other = OrderWorker(till.make_payments(), clock=till.now)
    await asyncio.gather(worker.run_once(till.stores), other.run_once(till.stores))
    assert till.provider.calls.count("cancel_intent") == 12
    assert {(await till.read(order)).status for order in orders} == {OrderStatus.EXPIRED}


async def test_gap_between_worker_runs_starts_the_grace_period(till: Till, worker: OrderWorker) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.order(concert, 1)
    assert order.payment is not None
    till.ahead += order.payment.expires_at - order.created_at + timedelta(seconds=30)
    await worker.run_once(till.stores)
    assert (await till.read(order)).status is OrderStatus.PENDING_PAYMENT
    await keep_running(till, worker, GRACE)
    await worker.run_once(till.stores)
    assert (await till.read(order)).status is OrderStatus.EXPIRED


async def test_worker_creates_the_intent_that_a_purchase_could_not(till: Till, worker: OrderWorker) -> None:
    concert = await concert_for_sale(till, 10)
    till.provider.is_down = True
    order = await till.order(concert, 1)
    till.provider.is_down = False
    await keep_running(till, worker, timedelta(seconds=6))
    assert await worker.run_once(till.stores) == 1
    advanced = await till.read(order)
    assert advanced.payment is not None
    assert advanced.payment.attempt.client_secret is not None


async def test_worker_finishes_a_late_payment(till: Till, worker: OrderWorker) -> None:
    concert = await concert_for_sale(till, 2)
    order = await till.order(concert, 2)
    await run_until_due(till, worker, order)
    await worker.run_once(till.stores)
    assert (await till.pay(order)).status is OrderStatus.LATE_PAYMENT
    await worker.run_once(till.stores)
    assert (await till.read(order)).status is OrderStatus.PAID
    assert await stock(till.stores, concert) == [(0, 0, 2)]


async def test_stock_is_kept_and_an_alarm_raised_while_the_provider_is_silent(
    till: Till, worker: OrderWorker, caplog: pytest.LogCaptureFixture
) -> None:
    concert = await concert_for_sale(till, 2)
    order = await till.order(concert, 2)
    await run_until_due(till, worker, order)
    till.provider.is_down = True
    await worker.run_once(till.stores)
    waiting = await till.read(order)
    assert (waiting.status, waiting.units) == (OrderStatus.PENDING_PAYMENT, order.units)
    assert waiting.events[-1].kind == WAITING
    assert not [line for line in caplog.records if line.levelno >= logging.ERROR]
    for _ in range(3):
        await keep_running(till, worker, timedelta(minutes=1))
        await worker.run_once(till.stores)
    alarms = [line.getMessage() for line in caplog.records if line.levelno >= logging.ERROR]
    assert len(alarms) == 1
    assert alarms[0].startswith(
        f"ALARM order_waits: order {order.id} waits for the provider: CLOSE has been due since "
    )
    assert await stock(till.stores, concert) == [(0, 2, 0)]
    till.provider.is_down = False
    await keep_running(till, worker, timedelta(minutes=1))
    await worker.run_once(till.stores)
    assert (await till.read(order)).status is OrderStatus.EXPIRED
    assert await stock(till.stores, concert) == [(2, 0, 0)]


async def test_unavailable_provider_is_not_called_in_every_run(till: Till, worker: OrderWorker) -> None:
    concert = await concert_for_sale(till, 2)
    order = await till.order(concert, 1)
    await run_until_due(till, worker, order)
    till.provider.is_down = True
    before = len(till.provider.calls)
    for _ in range(5):
        await worker.run_once(till.stores)
    assert len(till.provider.calls) == before + 1


async def test_failing_order_does_not_delay_another(till: Till, worker: OrderWorker) -> None:
    concert = await concert_for_sale(till, 2)
    first = await till.order(concert, 1)
    second = await till.order(concert, 1, who="bob")
    await run_until_due(till, worker, second)
    till.provider.fail["cancel_intent"] = [ValueError("nonsense")]
    await worker.run_once(till.stores)
    statuses = sorted([(await till.read(order)).status.value for order in (first, second)])
    assert statuses == ["EXPIRED", "PENDING_PAYMENT"]


async def test_round_ends_while_the_stock_store_does_not_answer(
    till: Till, worker: OrderWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    concert = await concert_for_sale(till, 30)
    orders = [await till.order(concert, 1, who=f"p{number}") for number in range(ORDERS_PER_LEASE)]
    await run_until_due(till, worker, orders[-1])
    await worker.run_once(till.stores)
    for order in orders:
        assert (await till.pay(order)).status is OrderStatus.LATE_PAYMENT
    asked = 0

    async def recovering(_: Order, *, starts_at: datetime) -> TakenUnits:
        nonlocal asked
        del starts_at
        asked += 1
        return TakenUnits("RECOVERING")

    with monkeypatch.context() as patch:
        patch.setattr(till.stores.hot_state, "take_again", recovering)
        async with asyncio.timeout(30):
            await worker.run_once(till.stores)
    # Other lanes may have leased the orders again before the first lane noticed the failure.
    assert ORDERS_PER_LEASE <= asked <= ORDERS_PER_LEASE * LANES
    assert await worker.run_once(till.stores) == ORDERS_PER_LEASE
    assert {(await till.read(order)).status for order in orders} == {OrderStatus.PAID}
