"""The reconciliation with real stores and the sandbox, whose webhooks are lost here."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from prometheus_client import REGISTRY

from domain.concerts import Concert
from domain.orders import Order, OrderStatus
from domain.payments.facts import FactKind, FactState
from payments.provider import PaymentProvider, ProviderUnavailable
from payments.providers import open_provider
from payments.reconciliation import provider_side, stock_side
from payments.reconciliation.windows import DISPUTE_PASSES, PASSES
from payments.saga.order_payments import OrderPayments
from settings import PaymentSettings
from storage.mongo.order_updates import UpdateOutcome
from tests.support.hot_keys import replace_incarnation
from tests.support.payment_saga import Till, concert_for_sale, opened_till
from tests.support.sale import check_invariants, stock
from tests.support.sandbox import Sandbox
from workers.reconcile import ReconcileWorker

pytestmark = pytest.mark.asyncio

RECENT, FINAL = PASSES
AN_HOUR = timedelta(hours=1)
DAYS = 9
"""The number of runs that complete the long first look back."""


@dataclass
class Shop:
    till: Till
    sandbox: Sandbox
    provider: PaymentProvider
    caplog: pytest.LogCaptureFixture

    def __post_init__(self) -> None:
        self.worker = ReconcileWorker(self.till.payments, clock=lambda: self.till.now())

    async def order(self, concert: Concert, who: str = "alice") -> Order:
        return await self.till.order(concert, 1, who=who)

    async def paid(self, concert: Concert, who: str = "alice") -> Order:
        """Return a paid order, as reported by the provider."""
        order = await self.order(concert, who)
        await self.sandbox.pay(intent_id(order))
        return await self.till.payments.sync(order.id, order.concert_id)

    async def reconcile(self, *, after: timedelta = AN_HOUR, runs: int = DAYS) -> None:
        self.till.ahead = after
        for _ in range(runs):
            await self.worker.run_once(self.till.stores)

    def alarms(self) -> list[str]:
        """Return the names of the alarms in the log, without alarms of other tests."""
        lines = [record.getMessage() for record in self.caplog.records]
        return [line.split()[1].removesuffix(":") for line in lines if line.startswith("ALARM ")]

    async def replaced(self, order: Order, **changes: Any) -> Order:
        """Change an order in MongoDB in a way that no step would."""
        stored = await self.till.read(order)
        changed = replace(stored, version=stored.version + 1, **changes)
        assert await self.till.stores.order_updates.update(changed) is UpdateOutcome.WON
        return changed


def intent_id(order: Order) -> str:
    assert order.payment is not None
    assert order.payment.attempt.intent_id is not None
    return order.payment.attempt.intent_id


def counted(kind: str) -> float:
    return REGISTRY.get_sample_value("onsale_reconciled_total", {"kind": kind}) or 0


@pytest_asyncio.fixture
async def shop(
    valkey_url: str, mongo_url: str, mongo_database: str, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[Shop]:
    settings = PaymentSettings(
        secret_key=sandbox.secret_key, url=sandbox.url, webhook_secrets=(sandbox.webhook_secret,)
    )
    async with (
        opened_till(valkey_url, mongo_url, mongo_database) as till,
        aclosing(open_provider(settings)) as provider,
    ):
        # The first call opens a connection, which may take long on a busy machine.
        till.payments = OrderPayments(till.stores, provider, clock=till.now, intent_within_s=20)
        yield Shop(till, sandbox, provider, caplog)


async def test_case_19_order_whose_webhook_was_lost_becomes_paid(shop: Shop) -> None:
    concert = await concert_for_sale(shop.till, 10)
    lost, told, open_ = [await shop.order(concert, who) for who in ("ann", "bob", "cy")]
    for order in (lost, told):
        await shop.sandbox.pay(intent_id(order))
    await shop.till.payments.sync(told.id, concert.id)
    await shop.reconcile()
    statuses = [(await shop.till.read(order)).status for order in (lost, told, open_)]
    assert statuses == [OrderStatus.PAID, OrderStatus.PAID, OrderStatus.PENDING_PAYMENT]
    assert shop.alarms() == ["facts_missed"]
    assert await stock(shop.till.stores, concert) == [(7, 1, 2)]
    before = await shop.till.read(lost)
    await shop.reconcile(after=FINAL.age + AN_HOUR, runs=DAYS + 5)
    assert await shop.till.read(lost) == before
    assert shop.alarms() == ["facts_missed"]


async def test_new_objects_are_left_to_their_messages(shop: Shop) -> None:
    concert = await concert_for_sale(shop.till, 10)
    order = await shop.order(concert)
    await shop.sandbox.pay(intent_id(order))
    await shop.reconcile(after=RECENT.age - timedelta(minutes=1))
    assert (await shop.till.read(order)).status is OrderStatus.PENDING_PAYMENT
    await shop.reconcile(after=RECENT.age + timedelta(minutes=1))
    assert (await shop.till.read(order)).status is OrderStatus.PAID


async def test_refunds_and_disputes_without_a_message_are_applied(shop: Shop) -> None:
    concert = await concert_for_sale(shop.till, 10)
    refunded, disputed = [await shop.paid(concert, who) for who in ("ann", "bob")]
    await shop.sandbox.refund(intent_id(refunded))
    dispute = await shop.sandbox.dispute(intent_id(disputed))
    await shop.sandbox.close_dispute(dispute["id"], "lost")
    await shop.reconcile()
    statuses = [(await shop.till.read(order)).status for order in (refunded, disputed)]
    assert statuses == [OrderStatus.REFUNDED, OrderStatus.DISPUTE_LOST]
    assert await stock(shop.till.stores, concert) == [(10, 0, 0)]
    assert shop.alarms() == ["facts_missed", "facts_missed"]


async def test_late_decision_about_a_dispute_is_applied_without_its_message(shop: Shop) -> None:
    concert = await concert_for_sale(shop.till, 10)
    order = await shop.paid(concert)
    dispute = await shop.sandbox.dispute(intent_id(order))
    await shop.reconcile(after=FINAL.age + AN_HOUR, runs=DAYS + 5)
    assert (await shop.till.read(order)).status is OrderStatus.PAID
    await shop.sandbox.close_dispute(dispute["id"], "lost")
    *_, decided = DISPUTE_PASSES
    await shop.reconcile(after=decided.age + AN_HOUR, runs=130)
    assert (await shop.till.read(order)).status is OrderStatus.DISPUTE_LOST


async def test_intents_without_an_order_are_reported(shop: Shop) -> None:
    concert = await concert_for_sale(shop.till, 10)
    unpaid, paid, canceled = [await shop.order(concert, who) for who in ("ann", "bob", "cy")]
    await shop.sandbox.pay(intent_id(paid))
    await shop.sandbox.cancel(intent_id(canceled))
    gone = [order.id for order in (unpaid, paid, canceled)]
    await shop.till.stores.orders.collection.delete_many({"_id": {"$in": gone}})
    await shop.reconcile()
    assert sorted(shop.alarms()) == ["money_without_order", "unknown_intent"]
    assert intent_id(paid) in shop.caplog.text
    assert await shop.sandbox.balance(intent_id(paid)) == paid.total.minor


async def test_paid_order_is_reported_if_the_provider_reports_no_success(shop: Shop) -> None:
    concert = await concert_for_sale(shop.till, 10)
    forged = await shop.order(concert)
    assert forged.payment is not None
    facts = tuple(
        replace(fact, state=FactState.SUCCEEDED) if fact.kind is FactKind.PAYMENT else fact
        for fact in forged.payment.facts
    )
    changed = await shop.replaced(forged, status=OrderStatus.PAID, payment=replace(forged.payment, facts=facts))
    await shop.reconcile()
    assert shop.alarms() == ["paid_without_success"]
    assert await shop.till.read(forged) == changed


async def test_different_amount_is_reported_and_refunded(shop: Shop) -> None:
    concert = await concert_for_sale(shop.till, 10)
    order = await shop.order(concert)
    await shop.sandbox.pay(intent_id(order))
    (line,) = order.lines
    await shop.replaced(order, lines=(replace(line, unit_price_minor=1_000),))
    await shop.reconcile()
    assert sorted(shop.alarms()) == ["amount_differs", "facts_missed"]
    assert (await shop.till.read(order)).status is OrderStatus.REFUND_PENDING
    assert (await shop.till.advance(order)).status is OrderStatus.REFUNDED
    assert await shop.sandbox.balance(intent_id(order)) == 0


async def test_each_run_continues_where_the_previous_one_stopped(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_side, "MAX_OBJECTS", 2)
    concert = await concert_for_sale(shop.till, 10)
    orders = []
    for number in range(5):
        orders.append(await shop.order(concert, f"p{number}"))
        await shop.sandbox.pay(intent_id(orders[-1]))
        await shop.sandbox.move_clock(5)
    await shop.reconcile(runs=DAYS + 5)
    assert {(await shop.till.read(order)).status for order in orders} == {OrderStatus.PAID}
    assert shop.alarms().count("facts_missed") >= 2


async def test_two_workers_share_one_cursor(shop: Shop) -> None:
    now = shop.till.now()
    store = shop.till.stores.reconciliations
    first = await store.lease_time("intents:recent", now, first=now)
    assert first is not None
    assert await store.lease_time("intents:recent", now, first=now) is None
    await store.put_time("intents:recent", first)
    assert await store.lease_time("intents:recent", now, first=now) == first


async def test_silent_provider_does_not_stop_the_comparison_of_the_stock(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    concert = await concert_for_sale(shop.till, 10)
    await shop.paid(concert)

    def list_nothing(*_: object) -> None:
        raise ProviderUnavailable("down")

    for name in ("list_intents", "list_new_refunds", "list_new_disputes"):
        monkeypatch.setattr(shop.provider, name, list_nothing)
    before = counted("orders")
    await shop.reconcile()
    assert counted("orders") - before >= 1
    assert shop.alarms() == []


async def test_orders_that_do_not_match_their_holds_are_recorded_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stock_side, "PAGE_SIZE", 2)
    concert = await concert_for_sale(shop.till, 10)
    orders = [await shop.order(concert, f"p{number}") for number in range(3)]
    paid = await shop.paid(concert, "payer")
    # Redis does not learn that one order has ended.
    assert orders[0].payment is not None
    await shop.replaced(orders[0], status=OrderStatus.CANCELLED, units=(), released_units=orders[0].units)
    before = counted("repaired_holds")
    await shop.reconcile(runs=4)
    assert counted("repaired_holds") - before == 1
    assert await stock(shop.till.stores, concert) == [(7, 2, 1)]
    assert (await shop.till.read(paid)).status is OrderStatus.PAID
    await check_invariants(shop.till.stores, concert)
    await shop.reconcile(runs=4)
    assert counted("repaired_holds") - before == 1


async def test_untrusted_stock_is_left_to_its_recovery(shop: Shop) -> None:
    concert = await concert_for_sale(shop.till, 10)
    await shop.order(concert)
    await replace_incarnation(shop.till.stores, concert)
    before = counted("repaired_holds")
    await shop.reconcile(runs=3)
    assert counted("repaired_holds") == before
