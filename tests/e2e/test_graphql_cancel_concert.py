"""Canceling a concert over GraphQL: its sale ends permanently, and every order is refunded."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

import storage.mongo.cancellations
import workers.cancellation
from domain.payments.facts import FactState
from domain.payments.payment import RefundReason
from storage.embedded.process import ServerProcess
from tests.support.databases import DatabasePool
from tests.support.paying_shop import CANCEL, PROGRESS, PayingShop, open_paying_shop
from tests.support.shop import Answer, OnSale, lines
from tests.support.store_servers import borrowed_stores

pytestmark = pytest.mark.asyncio(loop_scope="module")

TIERS = [
    {"name": "Standing", "priceMinor": 4950, "capacity": 100},
    {"name": "Free", "priceMinor": 0, "capacity": 2},
]
UNTOUCHED = [(100, 0, 0), (2, 0, 0)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def paying(shared_valkey: ServerProcess, databases: DatabasePool) -> AsyncIterator[PayingShop]:
    async with (
        borrowed_stores(shared_valkey.url, databases) as stores,
        open_paying_shop(stores, shared_valkey.url) as made,
    ):
        yield made


@pytest.fixture(autouse=True)
def _provider_is_up(paying: PayingShop) -> None:
    paying.provider.is_down = False


async def statuses(paying: PayingShop, orders: list[Answer]) -> list[str]:
    return [(await paying.stored(order)).status.value for order in orders]


async def test_canceled_concert_stays_listed_but_sells_nothing(paying: PayingShop) -> None:
    concert = await paying.on_sale(tiers=TIERS)
    canceled = await paying.cancel(concert)
    assert (canceled["concert"]["status"], canceled["concert"]["isOnSale"]) == ("CANCELLED", False)
    refused = await paying.shop.hold(concert, 1)
    assert (refused["__typename"], refused["status"]) == ("NotOnSaleError", "CANCELLED")
    assert refused["message"] == "This concert has been canceled; choose another one."
    assert await paying.shop.stock(concert) == UNTOUCHED


async def test_every_order_of_a_canceled_concert_is_canceled_or_refunded(paying: PayingShop) -> None:
    concert = await paying.on_sale(tiers=TIERS)
    unpaid = await paying.buy(concert, 2)
    paid = await paying.buy_paid(concert, 2, by="bob")
    partly = await paying.buy_paid(concert, 3, by="carol")
    await paying.refund(partly, lines=lines(concert, 1))
    free = await paying.buy(concert, 0, 1, by="dora")
    canceled = await paying.buy(concert, 1, by="erin")
    await paying.change("cancelOrder", {"orderId": canceled["id"]}, by="erin")

    await paying.cancel(concert)
    assert (await paying.progress(concert))["openOrders"] == 4
    await paying.undo_orders()

    orders = [unpaid, paid, partly, free, canceled]
    assert await statuses(paying, orders) == ["CANCELLED", "REFUNDED", "REFUNDED", "REFUNDED", "CANCELLED"]
    assert [paying.intent(order).refunded for order in (paid, partly)] == [9900, 14_850]
    reasons = [refund["reason"] for refund in (await paying.read(partly, by="carol"))["refunds"]]
    assert reasons == ["REQUESTED", "CONCERT_CANCELLED"]
    progress = await paying.progress(concert)
    assert (progress["openOrders"], progress["refundedOrders"]) == (0, 3)
    assert progress["finishedAt"] is not None
    assert await paying.shop.stock(concert) == UNTOUCHED


async def test_cancellation_continues_until_the_provider_answers(paying: PayingShop) -> None:
    concert = await paying.on_sale(tiers=TIERS)
    orders = [await paying.buy(concert, 1), await paying.buy_paid(concert, 1, by="bob")]
    await paying.cancel(concert)
    paying.provider.is_down = True
    await paying.undo_orders()
    assert await statuses(paying, orders) == ["PENDING_PAYMENT", "REFUND_PENDING"]
    progress = await paying.progress(concert)
    assert (progress["openOrders"], progress["finishedAt"]) == (2, None)
    paying.provider.is_down = False
    await paying.undo_orders()
    assert await statuses(paying, orders) == ["CANCELLED", "REFUNDED"]
    assert (await paying.progress(concert))["finishedAt"] is not None


async def test_order_paid_while_its_concert_is_canceled_is_refunded(paying: PayingShop) -> None:
    concert = await paying.on_sale(tiers=TIERS)
    order = await paying.buy(concert, 1)
    await paying.cancel(concert)
    paying.provider.pay(paying.intent(order))
    await paying.undo_orders()
    assert await statuses(paying, [order]) == ["REFUNDED"]
    assert paying.intent(order).refunded == 4950


async def test_canceled_concert_stays_canceled(paying: PayingShop) -> None:
    concert = await paying.on_sale(tiers=TIERS)
    first = await paying.cancel(concert)
    assert await paying.cancel(concert) == first
    changes: dict[str, dict[str, object]] = {
        "publishConcert": {},
        "closeConcert": {},
        "updateConcert": {"gatePeople": []},
        "configureWaitingRoom": {"settings": {"message": "Hello"}},
        "resetWaitingRoom": {"idempotencyKey": "k"},
    }
    for name, rest in changes.items():
        type_name = name[0].upper() + name[1:]
        document = (
            f"mutation ($i: {type_name}Input!) {{ {name}(input: $i) {{ ... on DomainError {{ code message }} }} }}"
        )
        answer = await paying.shop.fields(document, by="olivia", i={"concertId": concert.id, **rest})
        assert answer[name]["code"] == "ILLEGAL_TRANSITION", name
        assert answer[name]["message"].startswith("This concert is canceled, so "), name
    assert await paying.cancel(concert) == first


async def test_closed_concert_can_be_canceled_but_a_draft_cannot(paying: PayingShop) -> None:
    closed = await paying.on_sale(tiers=TIERS)
    close = "mutation ($i: CloseConcertInput!) { closeConcert(input: $i) { __typename } }"
    await paying.shop.fields(close, by="olivia", i={"concertId": closed.id})
    assert (await paying.cancel(closed))["concert"]["status"] == "CANCELLED"
    refused = await paying.cancel(await paying.shop.draft())
    assert (refused["__typename"], refused["code"]) == ("IllegalTransitionError", "ILLEGAL_TRANSITION")


async def test_worker_starts_a_cancellation_whose_job_is_missing(paying: PayingShop) -> None:
    concert = await paying.on_sale(tiers=TIERS)
    order = await paying.buy_paid(concert, 1)
    await paying.cancel(concert)
    # The process died between the two writes of cancelConcert.
    await paying.stores.mongo["cancellations"].delete_many({})
    await paying.undo_orders()
    assert await statuses(paying, [order]) == ["REFUNDED"]
    assert (await paying.progress(concert))["refundedOrders"] == 1


async def test_pass_continues_on_the_next_page_after_a_crash(
    paying: PayingShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers.cancellation, "PAGE_SIZE", 2)
    monkeypatch.setattr(workers.cancellation, "MAX_PAGES_PER_RUN", 1)
    concert = await paying.on_sale(tiers=TIERS)
    orders = [await paying.buy_paid(concert, 1, by=f"buyer{number}") for number in range(5)]
    await paying.cancel(concert)
    await paying.stores.mongo["cancellations"].update_many(
        {"_id": {"$ne": (await paying.stored(orders[0])).concert_id}}, {"$set": {"dueAt": None}}
    )
    undone = []
    for _ in range(4):
        # Each run is in another process, because the previous process has died.
        paying.ahead += timedelta(minutes=1)
        await paying.make_worker().run_once(paying.stores)
        undone.append(Counter(await statuses(paying, orders))["REFUND_PENDING"])
    assert undone[-1] == 5
    assert undone == sorted(undone)
    assert max(after - before for before, after in zip([0, *undone], undone, strict=False)) <= 2


async def test_competing_workers_refund_each_order_once(paying: PayingShop, monkeypatch: pytest.MonkeyPatch) -> None:
    # Each worker gets the same page, because the previous worker's lease ends at once.
    monkeypatch.setattr(storage.mongo.cancellations, "LEASE", timedelta())
    concert = await paying.on_sale(tiers=TIERS)
    orders = [await paying.buy_paid(concert, 1, by=f"buyer{number}") for number in range(6)]
    await paying.cancel(concert)
    await asyncio.gather(*[paying.make_worker().run_once(paying.stores) for _ in range(4)])
    await paying.undo_orders()
    assert await statuses(paying, orders) == ["REFUNDED"] * 6
    assert [paying.intent(order).refunded for order in orders] == [4950] * 6
    for order in orders:
        stored = await paying.stored(order)
        assert stored.payment is not None
        assert [refund.reason for refund in stored.payment.refunds] == [RefundReason.CONCERT_CANCELLED]


async def test_order_inserted_behind_the_pass_is_refunded_later(paying: PayingShop) -> None:
    concert = await paying.on_sale(tiers=TIERS)
    order = await paying.buy_paid(concert, 1)
    # The order was hidden from the pass, as if its purchase had been in progress.
    orders = paying.stores.mongo["orders"]
    stored = await paying.stored(order)
    hidden = await orders.find_one_and_delete({"_id": stored.id})
    await paying.cancel(concert)
    await paying.undo_orders()
    assert (await paying.progress(concert))["finishedAt"] is not None
    await orders.insert_one(hidden)
    await paying.undo_orders()
    assert await statuses(paying, [order]) == ["REFUNDED"]


async def test_disputed_order_waits_for_the_bank(paying: PayingShop) -> None:
    concert = await paying.on_sale(tiers=TIERS)
    order = await paying.buy_paid(concert, 1)
    stored, intent = await paying.stored(order), paying.intent(order)
    await paying.payments.apply(stored.id, stored.concert_id, [paying.provider.dispute(intent, FactState.OPEN)])
    await paying.cancel(concert)
    await paying.undo_orders()
    assert (intent.refunded, (await paying.progress(concert))["openOrders"]) == (0, 1)
    await paying.payments.apply(stored.id, stored.concert_id, [paying.provider.dispute(intent, FactState.WON)])
    await paying.undo_orders()
    assert (intent.refunded, await statuses(paying, [order])) == (4950, ["REFUNDED"])


@pytest.mark.parametrize(("by", "code"), [("alice", "FORBIDDEN"), ("otto", "FORBIDDEN"), (None, "UNAUTHENTICATED")])
async def test_only_the_organizer_cancels_a_concert_and_sees_its_progress(
    paying: PayingShop, by: str | None, code: str
) -> None:
    concert: OnSale = await paying.on_sale(tiers=TIERS)
    answer = await paying.shop.ask(CANCEL, by=by, input={"concertId": concert.id})
    assert answer["errors"][0]["extensions"]["code"] == code
    assert (await paying.shop.hold(concert, 1))["__typename"] == "HoldTicketsSuccess"
    seen = await paying.shop.ask(PROGRESS, by=by, id=concert.id)
    assert (seen["data"]["concert"]["cancellation"], seen["errors"][0]["extensions"]["code"]) == (None, code)
