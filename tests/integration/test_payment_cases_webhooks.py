"""The twenty cases of payment, part one: what the provider's webhooks may look like and when they
may arrive. The numbers are those in the checklist for payments.
"""

import asyncio
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from domain.money import CurrencyCode
from domain.orders import OrderStatus
from domain.payments.inbox import InboxState
from tests.support.sandbox_shop import MAX_WEBHOOK_BYTES, SandboxShop
from tests.support.shop import Answer
from tests.support.signed_webhooks import OTHER_SECRET, sign
from tests.support.waiting import wait_until
from workers.payment_events import PaymentEventsWorker

pytestmark = pytest.mark.asyncio(loop_scope="module")

SUCCEEDED = "payment_intent.succeeded"
PENDING_STOCK = [(98, 2, 0), (2, 0, 0)]
SOLD_STOCK = [(98, 0, 2), (2, 0, 0)]
UNTOUCHED = [(100, 0, 0), (2, 0, 0)]
THREE_DAYS_S = 3 * 86_400


async def inbox_size(site: SandboxShop) -> int:
    return await site.stores.payment_inbox.collection.count_documents({})


async def test_case_01_repeated_webhook_has_one_effect(site: SandboxShop) -> None:
    concert = await site.on_sale()
    order = await site.buy(concert, 2)
    await site.sandbox.duplicate_webhooks(1)
    intent_id = await site.pay(order)
    paid = await site.wait_for(order, "PAID")
    await site.sandbox.webhooks_delivered()
    succeeded = await site.event(SUCCEEDED, intent_id)
    body = await site.received(SUCCEEDED, intent_id)
    answers = await asyncio.gather(*[site.post(body) for _ in range(3)])
    assert [answer.json() for answer in answers] == [{"outcome": "duplicate"}] * 3
    await site.sandbox.move_clock(THREE_DAYS_S)
    before = site.route.statuses[200]
    await site.sandbox.resend(succeeded["id"])
    await wait_until(lambda: site.route.statuses[200] > before, what="the webhook three days later")
    assert set(site.route.statuses) == {200}
    assert await site.read(order) == paid
    assert [event.kind for event in (await site.stored(order)).events].count("PAID") == 1
    assert await site.balance(order) == 9_900
    assert await site.shop.stock(concert) == SOLD_STOCK


async def test_case_02_unknown_event_type_gets_200(site: SandboxShop) -> None:
    order = await site.buy(await site.on_sale(), 2)
    before = await inbox_size(site)
    customer = {"id": "cus_1", "object": "customer", "metadata": {}}
    event = {"id": "evt_of_a_customer", "object": "event", "type": "customer.created", "livemode": False}
    answer = await site.post(orjson.dumps({**event, "created": 1_700_000_000, "data": {"object": customer}}))
    assert (answer.status_code, answer.json()) == (200, {"outcome": "ignored"})
    assert await inbox_size(site) == before
    assert await site.read(order) == order


async def test_case_03_webhook_before_our_own_order_is_applied_later(site: SandboxShop) -> None:
    concert = await site.on_sale()
    held = (await site.shop.hold(concert, 2))["hold"]
    reference = await site.reference_of_hold(concert, held)
    first = await site.create_first_intent(reference)
    await site.sandbox.pay(first)
    await site.received(SUCCEEDED, first)
    event = await site.event(SUCCEEDED, first)
    await wait_for_state(site, event["id"], InboxState.PARKED)
    assert await site.stores.orders.get(reference.order_id) is None
    order = await site.buy_hold(held)
    assert await site.intent_id(order) == first
    await site.wait_for(order, "PAID")
    await site.applied(event)
    assert set(site.route.statuses) == {200}
    assert await site.balance(order) == 9_900
    assert await site.shop.stock(concert) == SOLD_STOCK


@pytest.mark.parametrize("arrival", ["reversed", "decline last", "refund before success"])
async def test_case_04_webhooks_in_any_order_lead_to_the_same_status(site: SandboxShop, arrival: str) -> None:
    concert = await site.on_sale()
    order = await site.buy(concert, 2)
    intent_id = await site.intent_id(order)
    await site.sandbox.pause_webhooks()
    await site.sandbox.decline(intent_id)
    await site.sandbox.pay(intent_id)
    await site.sandbox.refund(intent_id)
    await site.sandbox.drop_webhooks()
    await site.sandbox.resume_webhooks()
    events = await site.events(intent_id)
    match arrival:
        case "reversed":
            events.reverse()
        case "decline last":
            events.sort(key=lambda event: event["type"] == "payment_intent.payment_failed")
        case "refund before success":
            events.sort(key=lambda event: event["type"] == SUCCEEDED)
    told = {event["type"] for event in events}
    assert told >= {"payment_intent.payment_failed", SUCCEEDED, "refund.created"}
    for event in events:
        assert (await site.post(orjson.dumps(event))).status_code == 200
        if await site.stores.payment_inbox.get(event["id"]):
            await site.applied(event)
    refunded = await site.wait_for(order, "REFUNDED")
    assert refunded["refunded"]["minor"] == 9_900
    assert await site.balance(order) == 0
    assert await site.shop.stock(concert) == UNTOUCHED


async def test_case_04_decline_after_the_success_leaves_the_order_paid(site: SandboxShop) -> None:
    concert = await site.on_sale()
    order = await site.buy(concert, 2)
    intent_id = await site.intent_id(order)
    await site.sandbox.pause_webhooks()
    await site.sandbox.decline(intent_id)
    await site.sandbox.pay(intent_id)
    await site.sandbox.drop_webhooks()
    for kind in (SUCCEEDED, "payment_intent.payment_failed"):
        await site.deliver(await site.event(kind, intent_id))
        assert (await site.read(order))["status"] == "PAID"
    assert await site.shop.stock(concert) == SOLD_STOCK


@pytest.mark.parametrize(("amount", "currency"), [(9_899, CurrencyCode.EUR), (9_900, CurrencyCode.USD)])
async def test_case_08_wrong_amount_or_currency_is_refunded(
    site: SandboxShop, amount: int, currency: CurrencyCode
) -> None:
    concert = await site.on_sale()
    held = (await site.shop.hold(concert, 2))["hold"]
    reference = await site.reference_of_hold(concert, held)
    wrong = await site.create_first_intent(reference, amount=amount, currency=currency)
    order = await site.buy_hold(held)
    assert await site.intent_id(order) == wrong
    await site.sandbox.pay(wrong)
    await site.wait_for(order, "REFUND_PENDING")
    assert await site.work() == 1
    ended = await site.wait_for(order, "REFUNDED")
    assert [(refund["reason"], refund["amount"]["minor"]) for refund in ended["refunds"]] == [("MISMATCH", amount)]
    assert set((await site.stored(order)).effects.states) == {"mail"}
    assert await site.balance(order) == 0
    assert await site.shop.stock(concert) == UNTOUCHED


async def test_case_08_event_of_live_mode_is_quarantined(site: SandboxShop) -> None:
    concert = await site.on_sale()
    order = await site.buy(concert, 2)
    await site.sandbox.pause_webhooks()
    intent_id = await site.pay(order)
    await site.sandbox.drop_webhooks()
    event = await site.event(SUCCEEDED, intent_id)
    live = {**event, "id": f"{event['id']}_live", "livemode": True}
    answer = await site.post(orjson.dumps(live))
    assert (answer.status_code, answer.json()) == (200, {"outcome": "quarantined"})
    await PaymentEventsWorker(site.payments).run_once(site.stores)
    stored = await site.stores.payment_inbox.get(live["id"])
    assert stored is not None
    assert stored.state is InboxState.QUARANTINED
    assert (await site.stored(order)).status is OrderStatus.PENDING_PAYMENT
    assert await site.shop.stock(concert) == PENDING_STOCK


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("no header", "missing"),
        ("two timestamps", "malformed"),
        ("another secret", "mismatched"),
        ("another body", "mismatched"),
        ("six minutes old", "stale"),
        ("six minutes ahead", "future"),
    ],
)
async def test_case_16_webhook_with_a_bad_signature_gets_400(site: SandboxShop, fault: str, reason: str) -> None:
    order, body = await paid_and_untold(site)
    now, secret, before = datetime.now(UTC), site.sandbox.webhook_secret, await inbox_size(site)
    good = sign(body, now, secret)
    headers = {
        "no header": {},
        "two timestamps": {"stripe-signature": f"t=1,{good['stripe-signature']}"},
        "another secret": sign(body, now, OTHER_SECRET),
        "another body": sign(body + b" ", now, secret),
        "six minutes old": sign(body, now - timedelta(minutes=6), secret),
        "six minutes ahead": sign(body, now + timedelta(minutes=6), secret),
    }[fault]
    answer = await site.post(body, headers)
    assert (answer.status_code, answer.json()["error"]) == (400, reason)
    assert await inbox_size(site) == before
    assert await site.read(order) == order


async def test_case_16_one_of_two_signatures_is_enough(site: SandboxShop) -> None:
    order, body = await paid_and_untold(site)
    answer = await site.post(body, sign(body, datetime.now(UTC), OTHER_SECRET, site.sandbox.webhook_secret))
    assert answer.status_code == 200
    await site.wait_for(order, "PAID")


async def test_case_16_huge_body_gets_413(site: SandboxShop) -> None:
    order, body = await paid_and_untold(site)
    before = await inbox_size(site)
    answer = await site.post(body + b" " * MAX_WEBHOOK_BYTES)
    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
    assert await inbox_size(site) == before
    assert await site.read(order) == order


async def paid_and_untold(site: SandboxShop) -> tuple[Answer, bytes]:
    """Return an order whose payment the sandbox has not reported, and the body of its report."""
    order = await site.buy(await site.on_sale(), 1)
    await site.sandbox.pause_webhooks()
    intent_id = await site.pay(order)
    await site.sandbox.drop_webhooks()
    return order, orjson.dumps(await site.event(SUCCEEDED, intent_id))


async def wait_for_state(site: SandboxShop, event_id: str, state: InboxState) -> None:
    async def is_reached() -> bool:
        found = await site.stores.payment_inbox.get(event_id)
        return found is not None and found.state is state

    await wait_until(is_reached, what=f"an event that is {state}")
