"""The twenty cases of payment, part three: money that comes twice, goes back, or never comes."""

import asyncio
import logging
from datetime import timedelta

import pytest

from domain.orders import OrderStatus
from domain.payments.effects import EFFECTS
from tests.support.sandbox_shop import SandboxShop
from tests.support.shop import lines

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALL_FREE = [(100, 0, 0), (2, 0, 0)]
TWO_SOLD = [(98, 0, 2), (2, 0, 0)]
REFUND_TAKES_S = 5


async def test_case_09_second_payment_for_an_order_is_refunded(site: SandboxShop) -> None:
    concert = await site.on_sale()
    order = await site.buy_paid(concert, 2)
    first = await site.intent_id(order)
    second = await site.create_intent(await site.reference(order), 9_900, attempt=2)
    await site.sandbox.pay(second)
    await site.sandbox.webhooks_delivered()
    await site.applied(await site.event("payment_intent.succeeded", second))
    assert await site.work() == 1
    kept = await site.read(order)
    assert kept["status"] == "PAID"
    refunds = [(refund["reason"], refund["state"], refund["amount"]["minor"]) for refund in kept["refunds"]]
    assert refunds == [("SECOND_PAYMENT", "SUCCEEDED", 9_900)]
    assert (await site.sandbox.balance(first), await site.sandbox.balance(second)) == (9_900, 0)
    assert await site.shop.stock(concert) == TWO_SOLD


async def test_case_10_confirmation_and_webhook_pay_the_order_once(site: SandboxShop) -> None:
    concert = await site.on_sale()
    order = await site.buy(concert, 2)
    await site.sandbox.pause_webhooks()
    intent_id = await site.pay(order)
    body = await site.raw_event("payment_intent.succeeded", intent_id)
    syncs = [site.change("syncOrderPayment", {"orderId": order["id"]}) for _ in range(4)]
    answers = await asyncio.gather(*syncs, site.post(body), site.post(body))
    assert {answer["order"]["status"] for answer in answers[:4]} == {"PAID"}
    await site.applied(await site.event("payment_intent.succeeded", intent_id))
    stored = await site.stored(order)
    assert [event.kind for event in stored.events].count("PAID") == 1
    assert tuple(stored.effects.states) == EFFECTS
    assert [ticket.generation for ticket in stored.tickets] == [1, 1]
    assert await site.balance(order) == 9_900
    assert await site.shop.stock(concert) == TWO_SOLD


async def test_case_13_refund_without_the_provider_is_retried_with_an_alarm(
    site: SandboxShop, caplog: pytest.LogCaptureFixture
) -> None:
    concert = await site.on_sale()
    order = await site.buy_paid(concert, 2)
    await site.sandbox.fail("unavailable", "create_refund", count=0)
    assert (await site.refund(order))["order"]["status"] == "REFUND_PENDING"
    with caplog.at_level(logging.ERROR):
        for _ in range(2):
            await site.pass_time(timedelta(minutes=2))
            assert await site.work() == 0
    assert [
        line for line in caplog.messages if line.startswith(f"ALARM order_waits: order {(await site.stored(order)).id}")
    ]
    assert await site.balance(order) == 9_900
    assert await site.shop.stock(concert) == TWO_SOLD
    await site.sandbox.heal()
    await site.pass_time(timedelta(hours=1))
    assert await site.work() == 1
    assert (await site.read(order))["status"] == "REFUNDED"
    assert await site.balance(order) == 0
    assert await site.shop.stock(concert) == ALL_FREE


async def test_case_13_refund_that_the_bank_returns_is_made_again(site: SandboxShop) -> None:
    concert = await site.on_sale()
    order = await site.buy(concert, 2)
    intent_id = await site.pay(order, "pm_card_refundFail")
    await site.wait_for(order, "PAID")
    await site.refund(order)
    await site.sandbox.move_clock(REFUND_TAKES_S)
    await site.wait_for(order, "REFUND_PENDING")
    (failed,) = await site.sandbox.refunds(intent_id)
    await site.applied(await site.event("refund.failed", intent_id))
    assert (failed["status"], await site.balance(order)) == ("failed", 9_900)
    await site.pass_time(timedelta(minutes=2))
    assert await site.work() == 1
    again = (await site.sandbox.refunds(intent_id))[0]
    assert again["id"] != failed["id"]
    assert again["metadata"]["onsale_refund"] == "2"


async def test_case_14_partial_refund_frees_exactly_its_seats(site: SandboxShop) -> None:
    concert = await site.on_sale()
    order = await site.buy_paid(concert, 3, 1)
    units = (await site.stored(order)).units
    refunded = (await site.refund(order, lines=lines(concert, 1, 1)))["order"]
    stored = await site.stored(order)
    assert refunded["status"] == "PAID"
    assert len(stored.released_units) == 2
    assert set(stored.units) == set(units) - set(stored.released_units)
    assert {unit.rpartition(":")[0] for unit in stored.released_units} == {line.tier_id for line in stored.lines}
    assert await site.balance(order) == 2 * 4_950
    assert await site.shop.stock(concert) == TWO_SOLD
    await site.buy_paid(concert, 0, 2, by="bob")
    assert await site.shop.stock(concert) == [(98, 0, 2), (0, 0, 2)]


@pytest.mark.parametrize(("outcome", "status", "balance"), [("lost", "DISPUTE_LOST", 0), ("won", "PAID", 9_900)])
async def test_case_15_dispute_keeps_the_stock_until_it_is_lost(
    site: SandboxShop, outcome: str, status: str, balance: int
) -> None:
    concert = await site.on_sale()
    order = await site.buy_paid(concert, 2)
    intent_id = await site.intent_id(order)
    dispute = await site.sandbox.dispute(intent_id)
    await site.applied(await site.event("charge.dispute.created", intent_id))
    assert (await site.read(order))["status"] == "PAID"
    assert await site.shop.stock(concert) == TWO_SOLD
    await site.sandbox.close_dispute(dispute["id"], outcome)
    await site.applied(await site.event("charge.dispute.closed", intent_id))
    assert (await site.read(order))["status"] == status
    stock = ALL_FREE if outcome == "lost" else TWO_SOLD
    assert await site.shop.stock(concert) == stock
    body = await site.raw_event("charge.dispute.closed", intent_id)
    assert (await site.post(body)).json() == {"outcome": "duplicate"}
    assert await site.shop.stock(concert) == stock
    assert await site.balance(order) == balance


async def test_case_18_free_order_needs_no_provider(site: SandboxShop) -> None:
    concert = await site.on_sale(tiers=[{"name": "Free", "priceMinor": 0, "capacity": 3}])
    await site.sandbox.fail("down", count=0)
    order = await site.buy(concert, 2)
    assert (order["status"], order["payment"]) == ("PAID", None)
    assert await site.shop.stock(concert) == [(1, 0, 2)]
    await site.sandbox.heal()
    assert await site.intents(order) == []
    stored = await site.stored(order)
    assert (stored.status, stored.payment, stored.work_at) == (OrderStatus.PAID, None, None)
