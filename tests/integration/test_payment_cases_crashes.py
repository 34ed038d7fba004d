"""The twenty cases of payment, part four: a process that ends after any step of the saga.

The process that takes the step crashes right after it. The shop's workers then do the rest, with
the same stores and the same sandbox.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from domain.orders import Order, OrderStatus
from domain.payments.payment import RefundReason
from payments.saga.crash_points import CrashPoint
from payments.saga.order_payments import OrderPayments
from resolvers.purchase import Purchase
from schema.ids import concert_argument
from tests.support.payment_saga import Crashed, crash_at
from tests.support.sale import CUSTOMER, check_invariants
from tests.support.sandbox_shop import SandboxShop
from tests.support.shop import OnSale, new_key, person_id
from workers.record import RecordWorker

pytestmark = pytest.mark.asyncio(loop_scope="module")

Crash = Callable[[SandboxShop, OnSale, OrderPayments], Awaitable[Order]]


@pytest.mark.parametrize("point", [CrashPoint.ORDER_INSERTED, CrashPoint.ORDER_RECORDED, CrashPoint.INTENT_CREATED])
async def test_case_12_crash_in_a_purchase_leaves_a_payable_order(site: SandboxShop, point: CrashPoint) -> None:
    concert = await site.on_sale()
    held = (await site.shop.hold(concert, 2))["hold"]
    reference = await site.reference_of_hold(concert, held)
    purchase = Purchase(
        concert_id=reference.concert_id,
        hold_id=reference.order_id,  # type: ignore[arg-type]
        person_id=person_id("alice"),
        customer=CUSTOMER,
        key=new_key(),
        digest=new_key(),
    )
    with pytest.raises(Crashed):
        await purchase.run(site.stores, ending_at(site, point))
    await RecordWorker().run_once(site.stores)
    await site.pass_time(timedelta(seconds=6))
    assert await site.work() == 1
    order = await site.buy_hold(held)
    intents = await site.intents(order)
    assert intents == [order["payment"]["intentId"]]
    await site.pay(order)
    await site.wait_for(order, "PAID")
    await check_ledger(site, concert, 9_900, [(98, 0, 2), (2, 0, 0)])


async def pay(site: SandboxShop, concert: OnSale, ending: OrderPayments) -> Order:
    order = await site.buy(concert, 2)
    await site.sandbox.pause_webhooks()
    await site.pay(order)
    stored = await site.stored(order)
    with pytest.raises(Crashed):
        await ending.sync(stored.id, stored.concert_id)
    await site.sandbox.resume_webhooks()
    await site.sandbox.webhooks_delivered()
    return stored


async def cancel(site: SandboxShop, concert: OnSale, ending: OrderPayments) -> Order:
    stored = await site.stored(await site.buy(concert, 2))
    with pytest.raises(Crashed):
        await ending.request_cancel(stored, "BUYER")
    return stored


async def refund(site: SandboxShop, concert: OnSale, ending: OrderPayments) -> Order:
    stored = await site.stored(await site.buy_paid(concert, 2))
    reason = RefundReason.REQUESTED
    with pytest.raises(Crashed):
        await ending.request_refund(
            stored, units=None, reason=reason, requested_by=None, request_key="key", digest="digest"
        )
    return stored


async def pay_late(site: SandboxShop, concert: OnSale, ending: OrderPayments) -> Order:
    order = await site.buy(concert, 2)
    await site.pay(order, "pm_card_lateSuccess")
    await site.pass_deadline(order)
    assert await site.work() == 1
    await site.sandbox.settle(await site.intent_id(order))
    await site.wait_for(order, "LATE_PAYMENT")
    stored = await site.stored(order)
    with pytest.raises(Crashed):
        await ending.advance(stored, site.now())
    return stored


@pytest.mark.parametrize(
    ("crash", "point", "status"),
    [
        (pay, CrashPoint.ORDER_UPDATED, OrderStatus.PAID),
        (pay, CrashPoint.STOCK_UPDATED, OrderStatus.PAID),
        (cancel, CrashPoint.ORDER_UPDATED, OrderStatus.CANCELLED),
        (cancel, CrashPoint.INTENT_CANCELED, OrderStatus.CANCELLED),
        (refund, CrashPoint.ORDER_UPDATED, OrderStatus.REFUNDED),
        (refund, CrashPoint.REFUND_CREATED, OrderStatus.REFUNDED),
        (pay_late, CrashPoint.UNITS_TAKEN, OrderStatus.PAID),
        (pay_late, CrashPoint.ORDER_UPDATED, OrderStatus.PAID),
    ],
)
async def test_case_12_crash_after_a_step_is_repaired(
    site: SandboxShop, crash: Crash, point: CrashPoint, status: OrderStatus
) -> None:
    concert = await site.on_sale()
    order = await crash(site, concert, ending_at(site, point))
    await site.work()
    await RecordWorker().run_once(site.stores)
    found = await site.stores.orders.get(order.id)
    assert found is not None
    assert (found.status, found.work_at) == (status, None)
    is_paid = status is OrderStatus.PAID
    stock = [(98, 0, 2) if is_paid else (100, 0, 0), (2, 0, 0)]
    await check_ledger(site, concert, 9_900 if is_paid else 0, stock)


def ending_at(site: SandboxShop, point: CrashPoint) -> OrderPayments:
    """Return the payments of a process that ends as soon as it reaches the point."""
    return OrderPayments(
        site.stores, site.payments.provider, clock=site.now, reached=crash_at(point), intent_within_s=20
    )


async def check_ledger(site: SandboxShop, concert: OnSale, balance: int, stock: list[tuple[int, int, int]]) -> None:
    """Check the stores and the bank. The concert has one order, so there must not be a second
    intent.
    """
    concert_id = concert_argument(concert.id)
    entries = [entry for entry in await site.sandbox.ledger() if entry["metadata"]["onsale_concert"] == concert_id]
    assert sum(entry["amount"] for entry in entries) == balance
    assert len([entry for entry in entries if entry["amount"] > 0]) <= 1
    assert len([entry for entry in entries if entry["amount"] < 0]) <= 1
    assert await site.shop.stock(concert) == stock
    stored = await site.stores.concerts.get(concert_id)
    assert stored is not None
    await check_invariants(site.stores, stored)
