"""Repairs of the reconciliation after losses, and windows that must end whatever they contain."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from domain.ids import OrderId
from domain.orders import OrderStatus
from domain.payments.facts import FactState
from payments.provider import Intent, OrderReference
from payments.reconciliation import provider_side, stock_side
from payments.reconciliation.windows import PASSES, Window
from payments.saga.crash_points import CrashPoint, ignore
from storage.mongo.payments.reconciliations import LEASE, StockCursor
from tests.support.hot_keys import concert_key
from tests.support.payment_saga import Crashed, Till, concert_for_sale, crash_at, opened_till
from tests.support.sale import check_invariants, stock
from workers.reconcile import ReconcileWorker

pytestmark = pytest.mark.asyncio

RECENT, _ = PASSES


@pytest_asyncio.fixture
async def till(valkey_url: str, mongo_url: str, mongo_database: str) -> AsyncIterator[Till]:
    async with opened_till(valkey_url, mongo_url, mongo_database) as made:
        yield made


WINDOW = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
"""The provider double creates all of its intents in this window."""


def side(till: Till) -> provider_side.ProviderSide:
    return provider_side.ProviderSide(till.stores, till.payments)


def alarms(caplog: pytest.LogCaptureFixture) -> list[str]:
    lines = [record.getMessage() for record in caplog.records]
    return [line.split()[1].removesuffix(":") for line in lines if line.startswith("ALARM ")]


def clock(till: Till) -> datetime:
    """Return the time of the workers, at which `WINDOW` is old enough."""
    return WINDOW.until + RECENT.age + till.ahead


def worker_at(till: Till) -> ReconcileWorker:
    """Return the worker of another process."""
    return ReconcileWorker(till.payments, clock=lambda: clock(till))


async def begin_with_window(till: Till) -> None:
    """Skip the days before `WINDOW`, to which a first run looks back."""
    for source in ("intents", "refunds", "disputes"):
        name = f"{source}:{RECENT.name}"
        cursor = await till.stores.reconciliations.lease_time(name, clock(till), first=WINDOW.since)
        assert cursor is not None
        await till.stores.reconciliations.put_time(name, cursor)


async def compare_all_stock(till: Till) -> None:
    cursor = await stock_side.compare_page(till.stores, StockCursor())
    while cursor.concert_id is not None:
        cursor = await stock_side.compare_page(till.stores, cursor)


async def test_lost_hold_record_of_a_paid_order_is_recreated(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.paid_order(concert, 2)
    await till.paid_order(concert, 1, who="bob")
    assert await stock(till.stores, concert) == [(7, 0, 3)]
    await till.stores.script_client.run_command("HDEL", concert_key(concert, "holds"), order.id)
    await compare_all_stock(till)
    assert await stock(till.stores, concert) == [(7, 0, 3)]
    await check_invariants(till.stores, concert)
    await compare_all_stock(till)
    assert await stock(till.stores, concert) == [(7, 0, 3)]


async def test_lost_hold_record_of_a_pending_order_is_recreated(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.order(concert, 2)
    await till.stores.script_client.run_command("HDEL", concert_key(concert, "holds"), order.id)
    await compare_all_stock(till)
    assert await stock(till.stores, concert) == [(8, 2, 0)]
    await check_invariants(till.stores, concert)
    await till.pay(order)
    assert await stock(till.stores, concert) == [(8, 0, 2)]
    await check_invariants(till.stores, concert)


async def test_orders_of_many_refunds_are_found_through_an_index(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.order(concert, 1)
    intent_ids = [till.intent(order).id, *[f"pi_{number}" for number in range(500)]]
    assert await till.stores.reconciliations.find_by_intents(intent_ids) == {intent_ids[0]: order}
    query = {"payment.attempts.intentId": {"$in": intent_ids}}
    plan: dict[str, Any] = await till.stores.orders.collection.find(query).explain()
    assert "'indexName': 'payment.attempts.intentId_1'" in str(plan["queryPlanner"]["winningPlan"])
    assert "COLLSCAN" not in str(plan["queryPlanner"]["winningPlan"])


async def test_intent_of_a_void_order_is_reported_as_unknown(till: Till, caplog: pytest.LogCaptureFixture) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.order(concert, 1)
    till.provider.pay(till.intent(order))
    await till.stores.orders.collection.delete_one({"_id": order.id})
    assert await till.stores.orders.find_or_void(order.id, concert.id, now=till.now()) is None
    await side(till).compare_intents(WINDOW)
    assert alarms(caplog) == ["money_without_order"]


async def test_many_intents_of_other_programs_do_not_stop_a_window(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_side, "MAX_OBJECTS", 2)
    concert = await concert_for_sale(till, 10)
    order = await till.order(concert, 1)
    till.provider.pay(till.intent(order))
    ours = till.provider.intents.pop(till.intent(order).id)
    others = OrderReference(OrderId("theirs"), concert.id, "another installation")
    for number in range(4):
        at = WINDOW.until - timedelta(seconds=number)
        till.provider.intents[f"pi_other_{number}"] = replace(ours, id=f"pi_other_{number}", reference=others, at=at)
    till.provider.intents[ours.id] = ours
    until, slices = WINDOW.until, 0
    while until >= WINDOW.since and slices < 9:
        until = await side(till).compare_intents(Window(WINDOW.since, until)) - timedelta(seconds=1)
        slices += 1
    assert slices == 3
    assert (await till.read(order)).status is OrderStatus.PAID


async def test_unreadable_order_does_not_stop_the_other_parts(till: Till, caplog: pytest.LogCaptureFixture) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.paid_order(concert, 1)
    dispute = till.provider.dispute(till.intent(order), FactState.LOST)
    till.provider.intents[dispute.intent_id].disputes.append(dispute)
    broken = await till.order(concert, 1, who="bob")
    till.provider.pay(till.intent(broken))
    await till.stores.orders.collection.update_one({"_id": broken.id}, {"$unset": {"currency": ""}})
    await begin_with_window(till)
    await worker_at(till).run_once(till.stores)
    assert (await till.read(order)).status is OrderStatus.DISPUTE_LOST
    assert "reconciling intents failed" in caplog.text


async def test_killed_worker_leaves_its_window_to_another_process(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_side, "MAX_OBJECTS", 1)
    concert = await concert_for_sale(till, 10)
    orders = [await till.order(concert, 1, who=f"p{number}") for number in range(4)]
    for number, order in enumerate(orders):
        intent = till.intent(order)
        intent.at = WINDOW.until - timedelta(seconds=number)
        till.provider.pay(intent)
    await begin_with_window(till)
    await worker_at(till).run_once(till.stores)
    till.reached = crash_at(CrashPoint.ORDER_UPDATED)
    with pytest.raises(Crashed):
        await worker_at(till).run_once(till.stores)
    till.reached = ignore
    await worker_at(till).run_once(till.stores)
    statuses = [(await till.read(order)).status for order in orders]
    assert statuses == [OrderStatus.PAID, OrderStatus.PAID, OrderStatus.PENDING_PAYMENT, OrderStatus.PENDING_PAYMENT]
    till.ahead = LEASE + timedelta(seconds=1)
    other = worker_at(till)
    for _ in range(9):
        await other.run_once(till.stores)
    assert {(await till.read(order)).status for order in orders} == {OrderStatus.PAID}
    assert await stock(till.stores, concert) == [(6, 0, 4)]


async def test_provider_is_asked_about_many_orders_at_the_same_time(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    concert = await concert_for_sale(till, 10)
    orders = [await till.paid_order(concert, 1, who=who) for who in ("ann", "bob")]
    window = Window(min(order.created_at for order in orders) - timedelta(seconds=1), till.now())
    both_asked, get_intent = asyncio.Barrier(2), till.provider.get_intent

    async def wait_for_both(asked_id: str) -> Intent:
        await both_asked.wait()
        return await get_intent(asked_id)

    monkeypatch.setattr(till.provider, "get_intent", wait_for_both)
    async with asyncio.timeout(30):
        await side(till).compare_intents(window)
