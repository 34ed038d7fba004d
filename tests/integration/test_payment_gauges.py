"""The payment gauges in `/metrics`, with orders and events in each state that they count."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import httpx2
import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId
from domain.orders import Order, OrderStatus
from domain.payments.inbox import InboxState
from storage.connect import Stores
from storage.mongo.order_batch import Outcome
from storage.mongo.payments.payment_figures import StuckReason
from tests.support.exposed_metrics import read_samples
from tests.support.mongo_failures import failing
from tests.support.payment_events import inbox_event
from tests.support.payment_orders import DEADLINE, pending_order
from tests.support.payment_saga import Till, concert_for_sale, opened_till
from web.monitoring.metrics import metrics_routes
from web.monitoring.payment_gauges import PaymentGauges

NOW = DEADLINE + timedelta(minutes=5)


@pytest_asyncio.fixture
async def till(valkey_url: str, mongo_url: str, mongo_database: str) -> AsyncIterator[Till]:
    async with opened_till(valkey_url, mongo_url, mongo_database) as made:
        yield made


async def insert(stores: Stores, *orders: Order) -> None:
    for order in orders:
        assert await stores.order_batch.insert(order) is Outcome.RECORDED


def orders_in_each_state(concert_id: ConcertId) -> list[Order]:
    def order(name: str, number: int, **changes: object) -> Order:
        made = pending_order(name, number, concert_id=concert_id, work_at=DEADLINE)
        return replace(made, **changes)  # type: ignore[arg-type]

    overdue = order("overdue", 1)
    fresh = order("fresh", 2, work_at=NOW + timedelta(minutes=1))
    assert overdue.payment is not None
    open_payment = replace(overdue.payment, expires_at=NOW + timedelta(minutes=1))
    return [
        overdue,
        fresh,
        order("awaited", 3, payment=open_payment),
        order("late", 4, status=OrderStatus.LATE_PAYMENT),
        order("refund", 5, status=OrderStatus.REFUND_PENDING, work_at=DEADLINE - timedelta(minutes=1)),
        order("second", 6, status=OrderStatus.PAID),
        order("sent", 7, status=OrderStatus.REFUND_PENDING, work_at=None),
        order("paid", 8, status=OrderStatus.PAID, work_at=None, effects_at=NOW),
        order("done", 9, status=OrderStatus.FULFILLED, work_at=None),
    ]


async def test_orders_are_counted_by_the_reason_they_are_stuck(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    await insert(till.stores, *orders_in_each_state(concert.id))
    for number, state in enumerate(InboxState):
        problem = "" if state in (InboxState.NEW, InboxState.APPLIED) else "why"
        assert await till.stores.payment_inbox.insert(inbox_event(f"evt_{number}", state=state, problem=problem))
    shown = read_samples(await PaymentGauges(now=lambda: NOW).show(till.stores))
    assert shown == {
        "onsale_payment_gauges_read": 1,
        **{f"onsale_stuck_orders{reason.value}": 1 for reason in StuckReason},
        "onsale_stuck_ordersrefund_due": 2,
        "onsale_stuck_ordersrefund_pending": 2,
        **{f"onsale_payment_inbox{state}": 1 for state in ("parked", "quarantined", "reported")},
        "onsale_oldest_due_order_seconds": 360,
    }


async def test_gauges_of_an_empty_shop_are_zero(till: Till) -> None:
    shown = read_samples(await PaymentGauges(now=lambda: NOW).show(till.stores))
    assert shown["onsale_payment_gauges_read"] == 1
    assert {value for name, value in shown.items() if name != "onsale_payment_gauges_read"} == {0}


async def test_gauges_are_read_at_most_once_in_ten_seconds(till: Till) -> None:
    passed = [0.0]
    gauges = PaymentGauges(now=lambda: NOW, clock=lambda: passed[0])
    concert = await concert_for_sale(till, 10)
    await gauges.show(till.stores)
    await insert(till.stores, pending_order("overdue", 1, concert_id=concert.id))
    for seconds, count in ((9.9, 0), (10.0, 1)):
        passed[0] = seconds
        assert read_samples(await gauges.show(till.stores))["onsale_stuck_orderspayment_overdue"] == count


async def test_gauges_are_missing_while_mongodb_does_not_answer(till: Till, mongo_url: str) -> None:
    await till.stores.concert_cache.list_all()
    async with failing(mongo_url, 20, commands=("aggregate", "find"), errorCode=11600):
        shown = read_samples(await PaymentGauges(now=lambda: NOW).show(till.stores))
    assert shown == {"onsale_payment_gauges_read": 0}


async def test_a_scrape_shows_counters_and_gauges(till: Till) -> None:
    app = _with_stores(Starlette(routes=metrics_routes(["127.0.0.1"])), till.stores)
    transport = httpx2.ASGITransport(app, client=("127.0.0.1", 4711))
    async with httpx2.AsyncClient(transport=transport, base_url="http://onsale") as client:
        shown = read_samples((await client.get("/metrics")).content)
    assert shown["onsale_stuck_orderslate_payment"] == 0
    assert "onsale_alarms_totalorder_waits" in shown


def _with_stores(app: ASGIApp, stores: Stores) -> ASGIApp:
    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {"stores": stores}}, receive, send)

    return call


async def test_gauges_are_missing_until_the_indexes_of_orders_exist(till: Till) -> None:
    await till.stores.orders.collection.drop_index("concertId_1_workAt_1")
    with pytest.raises(TemporarilyUnavailable):
        await till.stores.payment_figures.read([], NOW)
    assert read_samples(await PaymentGauges(now=lambda: NOW).show(till.stores)) == {"onsale_payment_gauges_read": 0}
