"""The twenty cases of payment, part two: deadlines, races with a payment, silent providers."""

import asyncio
import logging
from datetime import datetime, timedelta

import pytest

from domain.orders import OrderStatus
from tests.support.paying_shop import UPDATED
from tests.support.sandbox_shop import SandboxShop
from tests.support.shop import Answer
from tests.support.shop_socket import open_client
from tests.support.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALL_FREE = [(100, 0, 0), (2, 0, 0)]
ONE_HELD = [(99, 1, 0), (2, 0, 0)]
ONE_SOLD = [(99, 0, 1), (2, 0, 0)]
HOLDS = "{ me { holds { id expiresAt } } }"
LATE = "pm_card_lateSuccess"


async def test_case_05_success_after_the_hold_expired_takes_the_seats_again(site: SandboxShop) -> None:
    concert = await site.on_sale()
    order = await site.buy(concert, 0, 2)
    units = set((await site.stored(order)).units)
    await expire_while_paying(site, order)
    assert await site.shop.stock(concert) == ALL_FREE
    await site.sandbox.settle(await site.intent_id(order))
    await site.wait_for(order, "LATE_PAYMENT")
    assert await site.work() == 1
    paid = await site.wait_for(order, "PAID")
    stored = await site.stored(order)
    assert (set(stored.units), stored.released_units) == (units, ())
    assert paid["refunds"] == []
    assert await site.balance(order) == 16_000
    assert await site.shop.stock(concert) == [(100, 0, 0), (0, 0, 2)]


async def test_case_05_success_after_the_seats_were_sold_is_refunded(site: SandboxShop) -> None:
    concert = await site.on_sale()
    order = await site.buy(concert, 1, 2)
    await expire_while_paying(site, order)
    await site.buy_paid(concert, 0, 1, by="bob")
    async with open_client(site.shop, site.shop.token("alice")) as client:
        await client.subscribe("o", UPDATED, id=order["id"])
        pushed = (await client.receive())["payload"]["data"]["orderUpdated"]
        assert pushed["status"] == "EXPIRED"
        await site.sandbox.settle(await site.intent_id(order))
        await site.wait_for(order, "LATE_PAYMENT")
        await site.work()
        while pushed["status"] != "REFUNDED":
            pushed = (await client.receive())["payload"]["data"]["orderUpdated"]
    assert [(refund["reason"], refund["state"]) for refund in pushed["refunds"]] == [("HOLD_EXPIRED", "SUCCEEDED")]
    (refund,) = await site.sandbox.refunds(await site.intent_id(order))
    assert refund["metadata"]["onsale_refund"] == "1"
    assert await site.balance(order) == 0
    assert await site.shop.stock(concert) == [(100, 0, 0), (1, 0, 1)]


async def test_case_06_payment_that_races_the_deadline_wins_or_is_refused(site: SandboxShop) -> None:
    concert = await site.on_sale()
    orders = [await site.buy(concert, 1, by=f"p{number}") for number in range(6)]
    await site.pass_deadline(orders[-1])
    intents = [await site.intent_id(order) for order in orders]
    await asyncio.gather(site.work(), *[site.sandbox.confirm(intent, "pm_card_visa") for intent in intents])
    await site.sandbox.webhooks_delivered()
    for order in orders:
        await wait_until_over(site, order)
        stored, balance = await site.stored(order), await site.balance(order)
        assert (stored.status, balance) in [(OrderStatus.PAID, 4_950), (OrderStatus.EXPIRED, 0)]
    sold = sum([(await site.stored(order)).status is OrderStatus.PAID for order in orders])
    assert await site.shop.stock(concert) == [(100 - sold, 0, sold), (2, 0, 0)]


async def test_case_06_payment_found_at_the_deadline_keeps_the_seats(site: SandboxShop) -> None:
    concert = await site.on_sale()
    order = await site.buy(concert, 1)
    await site.sandbox.pause_webhooks()
    await site.pay(order)
    await site.pass_deadline(order)
    assert await site.work() == 1
    assert (await site.read(order))["status"] == "PAID"
    assert await site.shop.stock(concert) == ONE_SOLD


async def test_case_07_payment_extends_the_hold_once_up_to_its_deadline(site: SandboxShop) -> None:
    concert = await site.on_sale(holdDurationSeconds=60, paymentDurationSeconds=1_800)
    held = (await site.shop.hold(concert, 1, by="hank"))["hold"]
    order = await site.buy_hold(held, by="hank")
    bought_at = (await site.stored(order)).created_at
    deadline = datetime.fromisoformat(order["payment"]["deadline"])
    assert deadline - bought_at == timedelta(minutes=30)
    again = await site.buy_hold(held, by="hank")
    assert (again["id"], again["payment"]["deadline"]) == (order["id"], order["payment"]["deadline"])
    (shown,) = (await site.shop.fields(HOLDS, by="hank"))["me"]["holds"]
    assert (shown["id"], shown["expiresAt"]) == (held["id"], order["payment"]["deadline"])


async def test_case_11_payment_during_the_cancellation_has_one_outcome(site: SandboxShop) -> None:
    concert = await site.on_sale()
    orders = [await site.buy(concert, 1, by=f"p{number}") for number in range(6)]
    intents = [await site.intent_id(order) for order in orders]
    cancels = [
        site.change("cancelOrder", {"orderId": order["id"]}, by=f"p{number}") for number, order in enumerate(orders)
    ]
    payments = [site.sandbox.confirm(intent, "pm_card_visa") for intent in intents]
    answers, _ = await asyncio.gather(asyncio.gather(*cancels), asyncio.gather(*payments))
    await site.sandbox.webhooks_delivered()
    sold = 0
    for order, answer in zip(orders, answers, strict=True):
        await wait_until_over(site, order)
        paid = (await site.stored(order)).status is OrderStatus.PAID
        sold += paid
        expected = "OrderNotCancelableError" if paid else "CancelOrderSuccess"
        assert (answer["__typename"], await site.balance(order)) == (expected, 4_950 * paid)
    assert await site.shop.stock(concert) == [(100 - sold, 0, sold), (2, 0, 0)]


async def test_case_11_success_after_the_cancellation_is_refunded(site: SandboxShop) -> None:
    concert = await site.on_sale()
    order = await site.buy(concert, 1)
    await site.pay(order, LATE)
    canceled = await site.change("cancelOrder", {"orderId": order["id"]})
    assert canceled["order"]["status"] == "CANCELLED"
    await site.sandbox.settle(await site.intent_id(order))
    await site.wait_for(order, "REFUND_PENDING")
    assert await site.work() == 1
    assert (await site.read(order))["status"] == "REFUNDED"
    assert await site.balance(order) == 0
    assert await site.shop.stock(concert) == ALL_FREE


async def test_case_17_order_gets_its_intent_once_the_provider_is_back(site: SandboxShop) -> None:
    concert = await site.on_sale()
    await site.sandbox.fail("down", count=0)
    order = await site.buy(concert, 1)
    assert (order["status"], order["payment"]) == ("PENDING_PAYMENT", None)
    await site.pass_time(timedelta(seconds=30))
    assert await site.work() == 0
    await site.sandbox.heal()
    await site.pass_time(timedelta(minutes=1))
    assert await site.work() == 1
    assert len(await site.intents(order)) == 1
    await site.pay(order)
    await site.wait_for(order, "PAID")
    assert await site.shop.stock(concert) == ONE_SOLD


async def test_case_17_stock_is_kept_past_the_deadline_without_the_provider(
    site: SandboxShop, caplog: pytest.LogCaptureFixture
) -> None:
    concert = await site.on_sale()
    order = await site.buy(concert, 1)
    await site.sandbox.fail("down", count=0)
    await site.pass_deadline(order)
    await site.pass_time(timedelta(minutes=3))
    with caplog.at_level(logging.ERROR):
        assert await site.work() == 0
    assert [
        line for line in caplog.messages if line.startswith(f"ALARM order_waits: order {(await site.stored(order)).id}")
    ]
    assert (await site.stored(order)).events[-1].kind == "WAITING_FOR_PROVIDER"
    assert await site.shop.stock(concert) == ONE_HELD
    await site.sandbox.heal()
    await site.pass_time(timedelta(minutes=1))
    assert await site.work() == 1
    assert (await site.read(order))["status"] == "EXPIRED"
    assert await site.shop.stock(concert) == ALL_FREE


async def expire_while_paying(site: SandboxShop, order: Answer) -> None:
    """Let the deadline pass before the bank has decided on the payment."""
    await site.pay(order, LATE)
    await site.pass_deadline(order)
    assert await site.work() == 1
    assert (await site.read(order))["status"] == "EXPIRED"


async def wait_until_over(site: SandboxShop, order: Answer) -> None:
    async def is_over() -> bool:
        return (await site.stored(order)).status is not OrderStatus.PENDING_PAYMENT

    await wait_until(is_over, what="an order that is paid or over")
