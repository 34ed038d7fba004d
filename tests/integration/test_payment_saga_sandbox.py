"""The saga with the official library and the sandbox, whose ledger shows the bank's side."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta

import pytest
import pytest_asyncio

from domain.orders import Order, OrderStatus
from domain.payments.payment import RefundReason
from payments.provider import OrderReference
from payments.providers import open_provider
from payments.saga.order_payments import OrderPayments
from settings import PaymentSettings
from tests.support.payment_saga import Till, concert_for_sale, opened_till
from tests.support.sale import check_invariants, stock
from tests.support.sandbox import Sandbox

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def till(valkey_url: str, mongo_url: str, mongo_database: str, sandbox: Sandbox) -> AsyncIterator[Till]:
    settings = PaymentSettings(
        secret_key=sandbox.secret_key, url=sandbox.url, webhook_secrets=(sandbox.webhook_secret,)
    )
    async with (
        opened_till(valkey_url, mongo_url, mongo_database) as made,
        aclosing(open_provider(settings)) as provider,
    ):
        # The first call opens a connection, which may take long on a busy machine.
        made.payments = OrderPayments(made.stores, provider, clock=made.now, intent_within_s=20)
        yield made


def intent_id(order: Order) -> str:
    assert order.payment is not None
    assert order.payment.attempt.intent_id is not None
    return order.payment.attempt.intent_id


async def synced(till: Till, order: Order) -> Order:
    return await till.payments.sync(order.id, order.concert_id)


async def test_paid_intent_makes_the_order_paid(till: Till, sandbox: Sandbox) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.order(concert, 2)
    assert (await synced(till, order)).status is OrderStatus.PENDING_PAYMENT
    await sandbox.decline(intent_id(order))
    assert (await synced(till, order)).status is OrderStatus.PENDING_PAYMENT
    await sandbox.pay(intent_id(order))
    assert (await synced(till, order)).status is OrderStatus.PAID
    assert await sandbox.balance(intent_id(order)) == order.total.minor
    assert await stock(till.stores, concert) == [(8, 0, 2)]


async def test_partial_and_full_refunds_reach_the_bank(till: Till, sandbox: Sandbox) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.order(concert, 3)
    await sandbox.pay(intent_id(order))
    paid = await synced(till, order)
    for key, units, balance in (("one", paid.units[:1], 5_000), ("rest", None, 0)):
        paid = await till.payments.request_refund(
            paid, units=units, reason=RefundReason.REQUESTED, requested_by=None, request_key=key, digest=key
        )
        assert await sandbox.balance(intent_id(order)) == balance
    assert paid.status is OrderStatus.REFUNDED
    assert await stock(till.stores, concert) == [(10, 0, 0)]


async def test_intent_of_an_expired_order_is_canceled(till: Till, sandbox: Sandbox) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.order(concert, 1)
    till.ahead = timedelta(minutes=11)
    assert (await till.advance(order)).status is OrderStatus.EXPIRED
    assert (await sandbox.intent(intent_id(order)))["status"] == "canceled"


async def test_success_after_the_deadline_gets_tickets_again(till: Till, sandbox: Sandbox) -> None:
    concert = await concert_for_sale(till, 2)
    order = await till.order(concert, 2)
    await sandbox.pay(intent_id(order), "pm_card_lateSuccess")
    till.ahead = timedelta(minutes=11)
    await till.advance(order)
    await sandbox.settle(intent_id(order))
    await synced(till, order)
    assert (await till.advance(order)).status is OrderStatus.PAID
    assert await stock(till.stores, concert) == [(0, 0, 2)]
    await check_invariants(till.stores, concert)


@pytest.mark.parametrize("fault", ["error_after", "error_before", "cut", "unavailable"])
async def test_failed_creation_results_in_exactly_one_intent(till: Till, sandbox: Sandbox, fault: str) -> None:
    concert = await concert_for_sale(till, 10)
    await sandbox.fail(fault, "create_intent")
    order = await till.order(concert, 1)
    assert order.payment is not None
    assert order.payment.attempt.intent_id is None
    till.ahead = timedelta(seconds=6)
    order = await till.advance(order)
    assert (await sandbox.intent(intent_id(order)))["status"] == "requires_payment_method"
    reference = OrderReference(order.id, concert.id, await till.payments.installation())
    found = await till.payments.provider.find_intents(reference, order.created_at - timedelta(minutes=1))
    assert [one.id for one in found] == [intent_id(order)]
    await sandbox.pay(intent_id(order))
    assert (await synced(till, order)).status is OrderStatus.PAID


@pytest.mark.parametrize("fault", ["error_after", "error_before", "cut", "unavailable"])
async def test_failed_refund_is_made_exactly_once(till: Till, sandbox: Sandbox, fault: str) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.order(concert, 1)
    await sandbox.pay(intent_id(order))
    paid = await synced(till, order)
    await sandbox.fail(fault, "create_refund")
    await till.payments.request_refund(
        paid, units=None, reason=RefundReason.REQUESTED, requested_by=None, request_key="k", digest="d"
    )
    assert (await till.advance(order)).status is OrderStatus.REFUNDED
    assert await sandbox.balance(intent_id(order)) == 0
    assert len(await sandbox.refunds(intent_id(order))) == 1
