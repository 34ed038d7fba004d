"""Buyers who pay for what they cannot have, or twice, and providers that do not answer.

Each refusal leaves stock, orders and the bank as they were; delayed work finishes later.
"""

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta

import orjson
import pytest

from payments.provider import ProviderUnavailable
from schema.ids import concert_argument
from tests.support.hot_keys import advance_clock, record_worker_run
from tests.support.queue_users import QueueUsers
from tests.support.sandbox_shop import SandboxShop, purchase_input
from tests.support.shop import RELEASE, Answer, OnSale, new_key
from tests.support.shop_mutations import hold_with_pass
from tests.support.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALL_FREE = [(100, 0, 0), (2, 0, 0)]
DECLINED = "pm_card_chargeDeclined"


async def check_no_order(site: SandboxShop, concert: OnSale, held: Answer) -> None:
    """Check that a refused purchase has left neither an order nor an intent."""
    reference = await site.reference_of_hold(concert, held)
    assert await site.stores.orders.get(reference.order_id) is None
    assert await site.payments.provider.find_intents(reference, datetime.fromisoformat("2026-01-01T00:00Z")) == ()


async def test_hold_of_another_person_cannot_be_paid_for(site: SandboxShop) -> None:
    concert = await site.on_sale()
    held = (await site.shop.hold(concert, 2))["hold"]
    refused = await site.shop.buy(purchase_input(held), by="bob")
    assert (refused["__typename"], refused["code"]) == ("NotFoundError", "NOT_FOUND")
    await check_no_order(site, concert, held)
    assert await site.shop.stock(concert) == [(98, 2, 0), (2, 0, 0)]
    assert (await site.buy_hold(held))["status"] == "PENDING_PAYMENT"


async def test_expired_hold_cannot_be_paid_for(site: SandboxShop) -> None:
    concert = await site.on_sale(holdDurationSeconds=60)
    held = (await site.shop.hold(concert, 2))["hold"]
    stored = await site.stores.concerts.get(concert_argument(concert.id))
    assert stored is not None
    await advance_clock(site.stores, stored, 61_000)
    await record_worker_run(site.stores, stored.id)
    refused = await site.shop.buy(purchase_input(held))
    assert (refused["__typename"], refused["reason"]) == ("HoldEndedError", "EXPIRED")
    await check_no_order(site, concert, held)


async def test_released_hold_cannot_be_paid_for(site: SandboxShop) -> None:
    concert = await site.on_sale()
    held = (await site.shop.hold(concert, 2))["hold"]
    await site.shop.fields(RELEASE, by="alice", input={"holdId": held["id"]})
    refused = await site.shop.buy(purchase_input(held))
    assert (refused["__typename"], refused["reason"]) == ("HoldEndedError", "RELEASED")
    await check_no_order(site, concert, held)
    assert await site.shop.stock(concert) == ALL_FREE


async def test_canceled_order_can_be_neither_paid_nor_started_again(site: SandboxShop) -> None:
    concert = await site.on_sale()
    held = (await site.shop.hold(concert, 2))["hold"]
    order = await site.buy_hold(held)
    await site.change("cancelOrder", {"orderId": order["id"]})
    canceled = await site.read(order)
    refused = await site.sandbox.confirm(await site.intent_id(order), "pm_card_visa")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "payment_intent_unexpected_state")
    again = await site.shop.buy(purchase_input(held))
    assert (again["__typename"], again["reason"]) == ("HoldEndedError", "ORDER_ENDED")
    assert await site.read(order) == canceled
    assert len(await site.intents(order)) == 1
    assert await site.balance(order) == 0
    assert await site.shop.stock(concert) == ALL_FREE


async def test_hold_bought_five_times_at_once_becomes_one_order(site: SandboxShop) -> None:
    concert = await site.on_sale()
    held = (await site.shop.hold(concert, 2))["hold"]
    orders = await asyncio.gather(*[site.buy_hold(held) for _ in range(5)])
    assert {order["id"] for order in orders} == {orders[0]["id"]}
    assert len(await site.intents(orders[0])) == 1
    await site.pay(orders[0])
    await site.wait_for(orders[0], "PAID")
    assert await site.balance(orders[0]) == 9_900
    assert await site.shop.stock(concert) == [(98, 0, 2), (2, 0, 0)]


async def test_order_paid_twice_at_once_is_charged_once(site: SandboxShop) -> None:
    concert = await site.on_sale()
    order = await site.buy(concert, 2)
    intent_id = await site.intent_id(order)
    answers = await asyncio.gather(*[site.sandbox.confirm(intent_id, "pm_card_visa") for _ in range(3)])
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: 2}
    paid = await site.wait_for(order, "PAID")
    assert paid["refunds"] == []
    assert await site.balance(order) == 9_900


async def test_refunds_beyond_the_payment_never_reach_the_bank(site: SandboxShop) -> None:
    concert = await site.on_sale()
    order = await site.buy_paid(concert, 2)
    answers = await asyncio.gather(*[site.refund(order) for _ in range(4)])
    assert Counter(answer["__typename"] for answer in answers) == {"RefundOrderSuccess": 1, "NotRefundableError": 3}
    refunded = await site.read(order)
    again = await site.refund(order)
    assert (again["__typename"], again["reason"]) == ("NotRefundableError", "NOTHING_LEFT")
    assert await site.read(order) == refunded
    assert len(await site.sandbox.refunds(await site.intent_id(order))) == 1
    assert await site.balance(order) == 0
    assert await site.shop.stock(concert) == ALL_FREE


async def test_payment_from_another_installation_changes_nothing(site: SandboxShop) -> None:
    concert = await site.on_sale()
    order = await site.buy(concert, 2)
    reference = await site.reference(order)
    metadata = {"onsale_order": reference.order_id, "onsale_concert": reference.concert_id, "onsale_attempt": "1"}
    intent = await site.sandbox.create_intent(9_900, onsale_installation="another", **metadata)
    await site.sandbox.pay(intent["id"])
    body = await site.received("payment_intent.succeeded", intent["id"])
    answer = await site.post(body)
    assert (answer.status_code, answer.json()) == (200, {"outcome": "foreign"})
    assert await site.stores.payment_inbox.get(orjson.loads(body)["id"]) is None
    assert await site.read(order) == order


@pytest.mark.parametrize("fault", ["nonsense", "cut", "error_after"])
async def test_order_is_payable_after_a_bad_answer_from_the_provider(site: SandboxShop, fault: str) -> None:
    concert = await site.on_sale()
    await site.sandbox.fail(fault, "create_intent")
    order = await site.buy(concert, 1)
    assert (order["status"], order["payment"]) == ("PENDING_PAYMENT", None)
    await site.pass_time(timedelta(seconds=30))
    await site.work()
    assert len(await site.intents(order)) == 1
    await site.pay(order)
    await site.wait_for(order, "PAID")
    assert await site.balance(order) == 4_950


@pytest.mark.parametrize("mutation", ["syncOrderPayment", "cancelOrder"])
async def test_nonsense_from_the_provider_frees_no_stock(site: SandboxShop, mutation: str) -> None:
    concert = await site.on_sale()
    order = await site.buy(concert, 1)
    await site.sandbox.fail("nonsense", count=0)
    answer = await site.change(mutation, {"orderId": order["id"]})
    if mutation == "syncOrderPayment":
        assert (answer["__typename"], answer["retryable"]) == ("TemporarilyUnavailableError", True)
        assert await site.read(order) == order
    else:
        assert answer["order"]["status"] == "PENDING_PAYMENT"
    assert await site.shop.stock(concert) == [(99, 1, 0), (2, 0, 0)]


async def test_intent_created_despite_a_timeout_is_found_and_paid_once(site: SandboxShop) -> None:
    concert = await site.on_sale()
    await site.sandbox.fail("down", count=0)
    order = await site.buy(concert, 1)
    await site.sandbox.heal()
    await site.pass_time(timedelta(seconds=30))
    await site.sandbox.fail("slow_answer", "create_intent", seconds=5)
    async with site.impatient_payments() as payments:
        with pytest.raises(ProviderUnavailable):
            await payments.advance(await site.stored(order), site.now())
    assert (await site.read(order))["payment"] is None
    assert await site.shop.stock(concert) == [(99, 1, 0), (2, 0, 0)]

    async def is_created() -> bool:
        # The key is in use until the sandbox has sent its late answer.
        with suppress(ProviderUnavailable):
            return (await site.payments.advance(await site.stored(order), site.now())).version > 1
        return False

    await wait_until(is_created, what="the intent")
    assert len(await site.intents(order)) == 1
    await site.pay(order)
    await site.wait_for(order, "PAID")
    assert await site.balance(order) == 4_950


async def test_ten_minute_outage_during_a_sale_only_causes_delays(site: SandboxShop) -> None:
    concert = await site.on_sale(paymentDurationSeconds=1_800)
    refunded = await site.buy_paid(concert, 1, by="rita")
    canceled, untold = await site.buy(concert, 1, by="carl"), await site.buy(concert, 1, by="uma")
    await site.sandbox.pause_webhooks()
    await site.pay(untold)
    await site.sandbox.fail("down", count=0)
    new = await asyncio.gather(*[site.buy(concert, 1, by=f"p{number}") for number in range(4)])
    assert {(order["status"], order["payment"] is None) for order in new} == {("PENDING_PAYMENT", True)}
    assert (await site.refund(refunded))["order"]["status"] == "REFUND_PENDING"
    await site.change("cancelOrder", {"orderId": canceled["id"]}, by="carl")
    told = await site.change("syncOrderPayment", {"orderId": untold["id"]}, by="uma")
    assert told["__typename"] == "TemporarilyUnavailableError"
    for _ in range(5):
        await site.pass_time(timedelta(minutes=2))
        assert await site.work() == 0
    assert await site.shop.stock(concert) == [(93, 6, 1), (2, 0, 0)]
    await site.sandbox.heal()
    await site.sandbox.resume_webhooks()
    # A step is tried again after a pause that has grown with the failures.
    done = 0
    for _ in range(3):
        await site.pass_time(timedelta(minutes=2))
        done += await site.work()
    assert done == 6
    await asyncio.gather(*[site.pay(order) for order in new])
    for number, order in enumerate(new):
        await site.wait_for(order, "PAID", by=f"p{number}")
        assert (await site.balance(order), len(await site.intents(order))) == (4_950, 1)
    await site.wait_for(untold, "PAID", by="uma")
    ends = [(await site.stored(order)).status.value for order in (refunded, canceled)]
    assert ends == ["REFUNDED", "CANCELLED"]
    assert [await site.balance(order) for order in (refunded, canceled, untold)] == [0, 0, 4_950]
    assert await site.shop.stock(concert) == [(95, 0, 5), (2, 0, 0)]


async def queue_for(site: SandboxShop) -> tuple[QueueUsers, str, Answer]:
    """Return a queue with an admitted person, her pass, and her unpaid order."""
    queue = QueueUsers(site.shop, await site.on_sale(waitingRoom={"suspended": False}), new_key())
    token = await queue.admitted("alice")
    held = (await hold_with_pass(queue, "alice", token))["hold"]
    return queue, token, await site.buy_hold(held, by=queue.name("alice"))


async def test_buyer_keeps_the_place_after_a_decline_and_pays_with_another_card(site: SandboxShop) -> None:
    queue, _, order = await queue_for(site)
    alice = queue.name("alice")
    await site.sandbox.decline(await site.intent_id(order))
    await site.sandbox.webhooks_delivered()
    await site.applied(await site.event("payment_intent.payment_failed", await site.intent_id(order)))
    assert (await site.read(order, by=alice))["payment"]["lastDecline"] == {"code": "generic_decline"}
    assert (await queue.read_entry("alice"))["state"] == "ADMITTED"
    await site.pay(order)
    await site.wait_for(order, "PAID", by=alice)
    assert (await queue.read_entry("alice"))["state"] == "COMPLETED"


@pytest.mark.parametrize("end", ["canceled", "expired"])
async def test_pass_allows_another_hold_after_a_declined_order(site: SandboxShop, end: str) -> None:
    queue, token, order = await queue_for(site)
    alice = queue.name("alice")
    await site.sandbox.decline(await site.intent_id(order))
    await site.sandbox.webhooks_delivered()
    await site.applied(await site.event("payment_intent.payment_failed", await site.intent_id(order)))
    if end == "canceled":
        await site.change("cancelOrder", {"orderId": order["id"]}, by=alice)
    else:
        await site.pass_deadline(order)
        assert await site.work() == 1
    status = (await site.read(order, by=alice))["status"]
    assert status == {"canceled": "CANCELLED", "expired": "PAYMENT_FAILED"}[end]
    assert await site.shop.stock(queue.concert) == ALL_FREE
    entry = await queue.read_entry("alice")
    assert (entry["number"], entry["state"]) == (1, "ADMITTED")
    again = await site.buy_hold((await hold_with_pass(queue, "alice", token))["hold"], by=alice)
    await site.pay(again)
    await site.wait_for(again, "PAID", by=alice)
    assert (await queue.read_entry("alice"))["state"] == "COMPLETED"
