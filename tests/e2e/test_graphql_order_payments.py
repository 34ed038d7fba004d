"""Paying, canceling and refunding orders over GraphQL, with a provider in memory."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from domain.limits.rates import CallRates, Rate, RateLimits
from domain.payments.facts import FactState
from schema.ids import concert_argument as concert_id
from schema.ids import of_order
from storage.embedded.process import ServerProcess
from tests.support.databases import DatabasePool
from tests.support.paying_shop import READ, UPDATED, PayingShop, open_paying_shop, order_id_of
from tests.support.shop import Answer, lines, moment
from tests.support.shop_socket import open_client
from tests.support.store_servers import borrowed_stores

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNTOUCHED = [(100, 0, 0), (2, 0, 0)]
SYNC_RATE = Rate(20, 600)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def paying(shared_valkey: ServerProcess, databases: DatabasePool) -> AsyncIterator[PayingShop]:
    rates = RateLimits(payment_syncs=CallRates(per_person=SYNC_RATE))
    async with (
        borrowed_stores(shared_valkey.url, databases) as stores,
        open_paying_shop(stores, shared_valkey.url, rates=rates) as made,
    ):
        yield made


@pytest.fixture(autouse=True)
def _provider_is_up(paying: PayingShop) -> None:
    paying.provider.is_down = False
    paying.provider.refunds_are = FactState.SUCCEEDED


async def test_purchase_returns_an_order_with_what_is_needed_to_pay_for_it(paying: PayingShop) -> None:
    concert = await paying.on_sale()
    order = await paying.buy(concert, 2)
    stored, intent = await paying.stored(order), paying.intent(order)
    assert stored.payment is not None
    assert (order["status"], order["number"]) == ("PENDING_PAYMENT", stored.number)
    assert 0 < order["payment"].pop("secondsUntilDeadline") <= 600
    assert order["payment"] == {
        "provider": "SANDBOX",
        "publishableKey": "pk_test_sandbox",
        "intentId": intent.id,
        "clientSecret": f"{intent.id}_secret",
        "deadline": moment(stored.payment.expires_at),
        "testPaymentUrl": f"https://sandbox.example/pay/{intent.id}?client_secret={intent.id}_secret",
        "lastDecline": None,
    }
    assert await paying.shop.stock(concert) == [(98, 2, 0), (2, 0, 0)]


@pytest.mark.parametrize("by", ["olivia", "ada"])
async def test_only_the_buyer_can_read_the_payment(paying: PayingShop, by: str) -> None:
    order = await paying.buy(await paying.on_sale(), 1)
    answer = await paying.shop.ask(READ, by=by, id=order["id"])
    assert (answer["data"]["order"]["status"], answer["data"]["order"]["payment"]) == ("PENDING_PAYMENT", None)
    [error] = answer["errors"]
    assert (error["path"], error["extensions"]["code"]) == (["order", "payment"], "FORBIDDEN")
    assert order["payment"]["clientSecret"] not in str(answer)


async def test_free_order_is_paid_at_once_and_has_no_payment(paying: PayingShop) -> None:
    concert = await paying.on_sale(tiers=[{"name": "Free", "priceMinor": 0, "capacity": 3}])
    order = await paying.buy(concert, 2)
    assert (order["status"], order["payment"], order["refunds"]) == ("PAID", None, [])
    assert paying.provider.intents_of(order_id_of(order)) == []
    assert await paying.shop.stock(concert) == [(1, 0, 2)]


async def test_payment_missed_by_the_purchase_is_pushed_later(paying: PayingShop) -> None:
    paying.provider.is_down = True
    order = await paying.buy(await paying.on_sale(), 1)
    assert (order["status"], order["payment"]) == ("PENDING_PAYMENT", None)
    paying.provider.is_down = False
    async with open_client(paying.shop, paying.shop.token("alice")) as client:
        await client.subscribe("o", UPDATED, id=order["id"])
        assert (await client.receive())["payload"]["data"]["orderUpdated"]["payment"] is None
        stored = await paying.stored(order)
        await paying.payments.advance(stored, stored.created_at + timedelta(minutes=1))
        pushed = (await client.receive())["payload"]["data"]["orderUpdated"]
        assert pushed["payment"]["intentId"] == paying.intent(order).id
        await paying.pay(order)
        assert (await client.receive())["payload"]["data"]["orderUpdated"]["status"] == "PAID"


async def test_last_decline_is_shown_with_its_reason(paying: PayingShop) -> None:
    order = await paying.buy(await paying.on_sale(), 1)
    stored = await paying.stored(order)
    await paying.payments.apply(stored.id, stored.concert_id, [paying.provider.decline(paying.intent(order))])
    declined = await paying.read(order)
    assert (declined["status"], declined["payment"]["lastDecline"]) == ("PENDING_PAYMENT", {"code": "card_declined"})


async def test_sync_asks_the_provider_and_finds_the_payment(paying: PayingShop) -> None:
    concert = await paying.on_sale()
    order = await paying.buy(concert, 1)
    paying.provider.pay(paying.intent(order))
    synced = await paying.change("syncOrderPayment", {"orderId": order["id"]})
    assert (synced["order"]["status"], synced["order"]["payment"]) == ("PAID", None)
    assert await paying.shop.stock(concert) == [(99, 0, 1), (2, 0, 0)]


async def test_sync_while_the_provider_is_down_changes_nothing(paying: PayingShop) -> None:
    order = await paying.buy(await paying.on_sale(), 1)
    paying.provider.is_down = True
    refused = await paying.change("syncOrderPayment", {"orderId": order["id"]})
    assert (refused["__typename"], refused["retryable"]) == ("TemporarilyUnavailableError", True)
    assert (await paying.read(order))["version"] == order["version"]


async def test_sync_is_limited_per_person(paying: PayingShop) -> None:
    order = await paying.buy(await paying.on_sale(), 1, by="rita")
    before = len(paying.provider.calls)
    answers = [
        await paying.change("syncOrderPayment", {"orderId": order["id"]}, by="rita") for _ in range(SYNC_RATE.count + 1)
    ]
    assert Counter(answer["__typename"] for answer in answers) == {
        "SyncOrderPaymentSuccess": SYNC_RATE.count,
        "RateLimitedError": 1,
    }
    assert len(paying.provider.calls) - before == SYNC_RATE.count


async def test_canceled_order_returns_its_tickets_and_cannot_be_paid(paying: PayingShop) -> None:
    concert = await paying.on_sale()
    order = await paying.buy(concert, 2, 1)
    for _ in range(2):
        canceled = await paying.change("cancelOrder", {"orderId": order["id"]})
        assert (canceled["order"]["status"], canceled["order"]["payment"]) == ("CANCELLED", None)
        assert canceled["order"]["cancelRequestedAt"] is not None
        assert await paying.shop.stock(concert) == UNTOUCHED
    assert paying.intent(order).state is FactState.CANCELED


async def test_canceled_order_keeps_its_tickets_until_the_provider_confirms(paying: PayingShop) -> None:
    concert = await paying.on_sale()
    order = await paying.buy(concert, 2)
    paying.provider.is_down = True
    canceled = (await paying.change("cancelOrder", {"orderId": order["id"]}))["order"]
    assert (canceled["status"], canceled["payment"]) == ("PENDING_PAYMENT", None)
    assert canceled["cancelRequestedAt"] is not None
    assert await paying.shop.stock(concert) == [(98, 2, 0), (2, 0, 0)]


async def test_paid_order_can_be_refunded_but_not_canceled(paying: PayingShop) -> None:
    concert = await paying.on_sale()
    order = await paying.buy_paid(concert, 1)
    refused = await paying.change("cancelOrder", {"orderId": order["id"]})
    assert (refused["__typename"], refused["code"]) == ("OrderNotCancelableError", "ORDER_NOT_CANCELABLE")
    assert refused["message"] == (
        "Only an unpaid order can be canceled. This order is paid; ask for a refund with refundOrder."
    )
    assert await paying.shop.stock(concert) == [(99, 0, 1), (2, 0, 0)]


async def test_payment_made_before_the_cancellation_counts(paying: PayingShop) -> None:
    order = await paying.buy(await paying.on_sale(), 1)
    paying.provider.pay(paying.intent(order))
    refused = await paying.change("cancelOrder", {"orderId": order["id"]})
    assert refused["__typename"] == "OrderNotCancelableError"
    assert (await paying.read(order))["status"] == "PAID"


@pytest.mark.parametrize("mutation", ["syncOrderPayment", "cancelOrder", "refundOrder"])
async def test_another_persons_order_does_not_exist(paying: PayingShop, mutation: str) -> None:
    order = await paying.buy_paid(await paying.on_sale(), 1)
    calls = len(paying.provider.calls)
    key = {"idempotencyKey": "k"} if mutation == "refundOrder" else {}
    refused = await paying.change(mutation, {"orderId": order["id"], **key}, by="bob")
    assert refused["__typename"] == "NotFoundError"
    assert (await paying.read(order))["version"] == order["version"]
    assert len(paying.provider.calls) == calls


async def test_malformed_id_and_invalid_lines_are_listed_together(paying: PayingShop) -> None:
    lines_ = [{"tierId": "nonsense", "quantity": 0}]
    refused = await paying.change("refundOrder", {"orderId": "x", "idempotencyKey": "", "lines": lines_})
    paths = [problem["path"] for problem in refused["problems"]]
    assert paths == ["orderId", "lines.0.tierId", "idempotencyKey", "lines.0.quantity"]


async def test_refund_of_one_ticket_returns_its_price_and_its_unit(paying: PayingShop) -> None:
    concert = await paying.on_sale()
    order = await paying.buy_paid(concert, 2, 1)
    refunded = (await paying.refund(order, lines=lines(concert, 1)))["order"]
    assert (refunded["status"], refunded["refunded"]["minor"]) == ("PAID", 4950)
    assert refunded["refunds"] == [
        {
            "state": "SUCCEEDED",
            "reason": "REQUESTED",
            "amount": {"minor": 4950, "currency": "EUR"},
            "lines": [{"tierId": concert.tiers[0], "quantity": 1}],
        }
    ]
    assert await paying.shop.stock(concert) == [(99, 0, 1), (1, 0, 1)]


async def test_refund_without_lines_covers_all_remaining_tickets(paying: PayingShop) -> None:
    concert = await paying.on_sale()
    order = await paying.buy_paid(concert, 2, 1)
    await paying.refund(order, lines=lines(concert, 1))
    refunded = (await paying.refund(order))["order"]
    assert (refunded["status"], refunded["refunded"]["minor"]) == ("REFUNDED", 17_900)
    assert [refund["amount"]["minor"] for refund in refunded["refunds"]] == [4950, 12_950]
    assert await paying.shop.stock(concert) == UNTOUCHED


async def test_repeated_key_refunds_nothing_more(paying: PayingShop) -> None:
    concert = await paying.on_sale()
    order = await paying.buy_paid(concert, 3)
    first = await paying.refund(order, key="once", lines=lines(concert, 1))
    again = await paying.refund(order, key="once", lines=lines(concert, 1))
    assert again["order"] == first["order"]
    other = await paying.refund(order, key="once", lines=lines(concert, 2))
    assert other["__typename"] == "IdempotencyConflictError"
    assert paying.intent(order).refunded == 4950
    assert await paying.shop.stock(concert) == [(98, 0, 2), (2, 0, 0)]


async def test_simultaneous_refunds_with_one_key_refund_once(paying: PayingShop) -> None:
    concert = await paying.on_sale()
    order = await paying.buy_paid(concert, 3)
    twins = [paying.refund(order, key="twins", lines=lines(concert, 1)) for _ in range(8)]
    assert {answer["__typename"] for answer in await asyncio.gather(*twins)} == {"RefundOrderSuccess"}
    assert paying.intent(order).refunded == 4950


async def test_competing_refunds_never_exceed_the_order(paying: PayingShop) -> None:
    concert = await paying.on_sale()
    order = await paying.buy_paid(concert, 3)
    answers = await asyncio.gather(*[paying.refund(order, lines=lines(concert, 1)) for _ in range(6)])
    assert Counter(answer["__typename"] for answer in answers) == {"RefundOrderSuccess": 3, "NotRefundableError": 3}
    assert paying.intent(order).refunded == 3 * 4950
    assert (await paying.read(order))["status"] == "REFUNDED"
    assert await paying.shop.stock(concert) == UNTOUCHED


async def test_refund_of_too_many_tickets_changes_nothing(paying: PayingShop) -> None:
    concert = await paying.on_sale()
    order = await paying.buy_paid(concert, 2)
    refused = await paying.refund(order, lines=lines(concert, 3))
    assert [refused[name] for name in ("__typename", "reason", "refundable")] == ["NotRefundableError", "TOO_MANY", 2]
    assert (await paying.read(order))["version"] == order["version"]


async def test_refund_is_pending_while_the_provider_is_down(paying: PayingShop) -> None:
    concert = await paying.on_sale()
    order = await paying.buy_paid(concert, 2)
    paying.provider.is_down = True
    pending = (await paying.refund(order))["order"]
    assert (pending["status"], pending["refunded"]["minor"]) == ("REFUND_PENDING", 0)
    assert [refund["state"] for refund in pending["refunds"]] == ["PENDING"]
    assert await paying.shop.stock(concert) == [(98, 0, 2), (2, 0, 0)]
    refused = await paying.refund(order)
    assert (refused["__typename"], refused["reason"]) == ("NotRefundableError", "NOTHING_LEFT")


async def test_unpaid_order_is_not_refundable(paying: PayingShop) -> None:
    order = await paying.buy(await paying.on_sale(), 1)
    refused = await paying.refund(order)
    assert (refused["__typename"], refused["reason"]) == ("NotRefundableError", "NOT_PAID")


async def test_free_order_is_refunded_without_the_provider(paying: PayingShop) -> None:
    concert = await paying.on_sale(tiers=[{"name": "Free", "priceMinor": 0, "capacity": 3}])
    order = await paying.buy(concert, 2)
    calls = len(paying.provider.calls)
    for _ in range(2):
        part = (await paying.refund(order, key="part", lines=lines(concert, 1)))["order"]
        assert (part["status"], part["refunds"][0]["state"]) == ("PAID", "SUCCEEDED")
        assert await paying.shop.stock(concert) == [(2, 0, 1)]
    assert (await paying.refund(order))["order"]["status"] == "REFUNDED"
    assert await paying.shop.stock(concert) == [(3, 0, 0)]
    assert len(paying.provider.calls) == calls


async def test_buyer_may_refund_until_the_concerts_deadline(paying: PayingShop) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    concert = await paying.on_sale(refundsUntil=moment(tomorrow))
    order = await paying.buy_paid(concert, 1)
    assert (await paying.refund(order, by="alice"))["order"]["status"] == "REFUNDED"


async def test_buyer_needs_the_organizer_after_the_deadline(paying: PayingShop) -> None:
    yesterday = moment(datetime.now(UTC).replace(microsecond=0) - timedelta(days=1))
    for concert in (await paying.on_sale(), await paying.on_sale(refundsUntil=yesterday)):
        order = await paying.buy_paid(concert, 1)
        refused = await paying.refund(order, by="alice")
        assert (refused["__typename"], refused["reason"]) == ("NotRefundableError", "TOO_LATE")
        assert (await paying.read(order))["version"] == order["version"]
        assert (await paying.refund(order, by="olivia"))["order"]["status"] == "REFUNDED"


async def test_house_order_is_hidden_even_from_admins(paying: PayingShop) -> None:
    concert = await paying.on_sale()
    tiers = [{"tierId": concert.tiers[0], "capacity": 90}]
    update = "mutation ($input: UpdateConcertInput!) { updateConcert(input: $input) { __typename } }"
    await paying.shop.fields(update, by="olivia", input={"concertId": concert.id, "tiers": tiers})
    houses = [o async for o in paying.stores.orders.iterate_concert(concert_id(concert.id)) if o.person_id == "house"]
    assert len(houses) == 1
    shown: Answer = await paying.shop.fields(READ, by="ada", id=str(of_order(houses[0].id)))
    assert shown == {"order": None}
