"""The sales of a concert over GraphQL: queried, summed over time, and pushed to the organizer."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from domain.analytics.time_ranges import DEFAULT_BUCKETS
from domain.payments.effects import SALES
from storage.embedded.process import ServerProcess
from tests.support.databases import DatabasePool
from tests.support.paying_shop import PayingShop, open_paying_shop
from tests.support.queue_users import QueueUsers, open_queue
from tests.support.shop import Answer, OnSale, person_id
from tests.support.shop_mutations import UNKNOWN_CONCERT
from tests.support.shop_socket import open_client
from tests.support.sockets import Client
from tests.support.store_servers import borrowed_stores
from tests.support.waiting import wait_until
from workers.effects.sales import record_sales
from workers.effects.worker import EffectsWorker
from workers.history import HistoryWorker
from workers.orders import OrderWorker

pytestmark = pytest.mark.asyncio(loop_scope="module")

FIGURES = """
    orders ticketsSold gross { amount minor currency } ticketsRefunded refunded { minor } net { minor } version
    tiers { tierId ticketsSold gross { minor } ticketsRefunded refunded { minor } }
"""
SALES_OF = f"query ($id: ID!) {{ concertSales(concertId: $id) {{ {FIGURES} }} }}"
OVER_TIME = """
query ($id: ID!, $from: DateTime, $until: DateTime, $interval: TimeInterval) {
  concertSales(concertId: $id) {
    orders
    overTime(from: $from, until: $until, interval: $interval) {
      start end orders ticketsSold gross { minor } ticketsRefunded refunded { minor }
    }
    queueOverTime(from: $from, until: $until, interval: $interval) {
      start end joined called claimed completed droppedOut
    }
  }
}
"""
QUEUE = """
query ($id: ID!) {
  concertSales(concertId: $id) {
    queue {
      joined called claimed completed leftWaiting absent leftCalled notClaimed leftAdmitted sessionOver rate
    }
  }
}
"""
CHANGED = "subscription ($id: ID!) { salesChanged(concertId: $id) { orders net { minor } version } }"
GIVE = """
mutation ($input: ChangeConcertOrganizerInput!) { changeConcertOrganizer(input: $input) { __typename } }
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def paying(shared_valkey: ServerProcess, databases: DatabasePool) -> AsyncIterator[PayingShop]:
    async with (
        borrowed_stores(shared_valkey.url, databases) as stores,
        open_paying_shop(stores, shared_valkey.url) as made,
    ):
        yield made


async def record(paying: PayingShop) -> None:
    """Return the money of requested refunds, and record all sales and refunds."""
    await OrderWorker(paying.payments, clock=paying.now).run_once(paying.stores)
    await EffectsWorker({SALES: record_sales}, clock=paying.now).run_once(paying.stores)


async def sales_of(paying: PayingShop, concert: OnSale, *, by: str = "olivia") -> Answer:
    return (await paying.shop.fields(SALES_OF, by=by, id=concert.id))["concertSales"]


async def pushed(client: Client, orders: int) -> Answer:
    """Return the first sales received with this number of orders; versions never decrease."""
    version = 0
    while True:
        message = await client.receive()
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        sales = message["payload"]["data"]["salesChanged"]
        assert sales["version"] >= version
        version = sales["version"]
        if sales["orders"] == orders:
            return sales


async def test_organizer_reads_the_sales_and_the_refunds_of_a_concert(paying: PayingShop) -> None:
    concert = await paying.on_sale()
    order = await paying.buy_paid(concert, 2, 1)
    await paying.buy(concert, 1, by="bob")
    await paying.refund(order, lines=[{"tierId": concert.tiers[0], "quantity": 1}])
    await record(paying)
    await record(paying)
    found = await sales_of(paying, concert)
    assert found == {
        "orders": 1,
        "ticketsSold": 3,
        "gross": {"amount": "179.00", "minor": 17_900, "currency": "EUR"},
        "ticketsRefunded": 1,
        "refunded": {"minor": 4_950},
        "net": {"minor": 12_950},
        "version": 2,
        "tiers": [
            {
                "tierId": concert.tiers[0],
                "ticketsSold": 2,
                "gross": {"minor": 9_900},
                "ticketsRefunded": 1,
                "refunded": {"minor": 4_950},
            },
            {
                "tierId": concert.tiers[1],
                "ticketsSold": 1,
                "gross": {"minor": 8_000},
                "ticketsRefunded": 0,
                "refunded": {"minor": 0},
            },
        ],
    }
    assert await sales_of(paying, concert, by="ada") == found


async def test_sales_over_time_have_a_bucket_for_each_period(paying: PayingShop) -> None:
    concert = await paying.on_sale()
    await paying.buy_paid(concert, 2)
    await record(paying)
    for interval in (None, "MINUTE", "FIVE_MINUTES", "DAY"):
        answer = await paying.shop.fields(OVER_TIME, by="olivia", id=concert.id, interval=interval)
        buckets = answer["concertSales"]["overTime"]
        assert len(buckets) == DEFAULT_BUCKETS
        assert [one["end"] for one in buckets[:-1]] == [one["start"] for one in buckets[1:]]
        (sold,) = [one for one in buckets if one["orders"]]
        assert (sold["orders"], sold["ticketsSold"], sold["gross"]["minor"]) == (1, 2, 9_900)
    past = {"from": "2020-02-28T22:30:00Z", "until": "2020-02-29T00:00:00Z", "interval": "HOUR"}
    answer = await paying.shop.fields(OVER_TIME, by="olivia", id=concert.id, **past)
    assert answer["concertSales"]["orders"] == 1
    assert [(one["start"], one["end"], one["orders"]) for one in answer["concertSales"]["overTime"]] == [
        ("2020-02-28T22:00:00Z", "2020-02-28T23:00:00Z", 0),
        ("2020-02-28T23:00:00Z", "2020-02-29T00:00:00Z", 0),
    ]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"from": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "is not before the end of the range"),
        ({"from": "2026-01-01T00:00:00Z", "until": "2026-01-01T08:21:00Z", "interval": "MINUTE"}, "501 buckets"),
        ({"from": "1970-01-01T00:00:00Z", "until": "2200-12-31T00:00:00Z", "interval": "DAY"}, "at most 500"),
    ],
)
async def test_range_without_buckets_or_with_too_many_is_refused(
    paying: PayingShop, wanted: dict[str, str], message: str
) -> None:
    concert = await paying.on_sale()
    answer = await paying.shop.ask(OVER_TIME, by="olivia", id=concert.id, **wanted)
    assert answer["data"]["concertSales"] == {"orders": 0, "overTime": None, "queueOverTime": None}
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"] * 2
    assert message in answer["errors"][0]["message"]


async def test_conversion_of_the_queue_is_shown(paying: PayingShop) -> None:
    queue: QueueUsers = await open_queue(paying.shop, totalActiveUsers=10)
    await queue.join("ann", "ben", "cyd", "dan")
    await queue.result("leaveQueue", "dan")
    await queue.call()
    await queue.result("claimQueuePass", "ann")
    await queue.result("leaveQueue", "ben")
    await HistoryWorker().run_once(paying.stores)
    concert_id = queue.concert.id
    answer = await paying.shop.fields(QUEUE, by="olivia", id=concert_id)
    assert answer["concertSales"]["queue"] == {
        "joined": 4,
        "called": 3,
        "claimed": 1,
        "completed": 0,
        "leftWaiting": 1,
        "absent": 0,
        "leftCalled": 1,
        "notClaimed": 0,
        "leftAdmitted": 0,
        "sessionOver": 0,
        "rate": 0,
    }
    answer = await paying.shop.fields(OVER_TIME, by="olivia", id=concert_id, interval="DAY")
    buckets = answer["concertSales"]["queueOverTime"]
    sums = {name: sum(one[name] for one in buckets) for name in buckets[0] if name not in ("start", "end")}
    assert sums == {"joined": 4, "called": 3, "claimed": 1, "completed": 0, "droppedOut": 2}


async def test_each_sale_and_refund_is_pushed_to_the_organizer(paying: PayingShop) -> None:
    concert = await paying.on_sale()
    async with open_client(paying.shop, paying.shop.token("olivia")) as client:
        await client.subscribe("s", CHANGED, id=concert.id)
        assert await pushed(client, 0) == {"orders": 0, "net": {"minor": 0}, "version": 0}
        order = await paying.buy_paid(concert, 2)
        await record(paying)
        assert await pushed(client, 1) == {"orders": 1, "net": {"minor": 9_900}, "version": 1}
        await paying.refund(order)
        await record(paying)
        await record(paying)
        assert await pushed(client, 1) == {"orders": 1, "net": {"minor": 0}, "version": 2}


async def test_sales_over_time_are_queried_and_not_pushed(paying: PayingShop) -> None:
    concert = await paying.on_sale()
    document = "subscription ($id: ID!) { salesChanged(concertId: $id) { orders overTime { orders } } }"
    async with open_client(paying.shop, paying.shop.token("olivia")) as client:
        await client.subscribe("s", document, id=concert.id)
        message = await client.receive()
        assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", "QUERY_TOO_COMPLEX")
        assert message["payload"][0]["message"] == (
            "`ConcertSales.overTime` needs a read that pushes of `salesChanged` do not make; select it in a query"
            " instead."
        )


@pytest.mark.parametrize(("by", "code"), [(None, "UNAUTHENTICATED"), ("alice", "FORBIDDEN"), ("otto", "FORBIDDEN")])
async def test_other_people_cannot_see_the_sales(paying: PayingShop, by: str | None, code: str) -> None:
    concert = await paying.on_sale()
    answer = await paying.shop.ask(SALES_OF, by=by, id=concert.id)
    assert (answer["data"], answer["errors"][0]["extensions"]["code"]) == ({"concertSales": None}, code)
    async with open_client(paying.shop, paying.shop.token(by) if by else None) as client:
        await client.subscribe("s", CHANGED, id=concert.id)
        message = await client.receive()
        assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", code)


async def test_sales_of_an_unknown_concert_are_not_found(paying: PayingShop) -> None:
    answer = await paying.shop.ask(SALES_OF, by="olivia", id=UNKNOWN_CONCERT)
    assert (answer["data"], answer["errors"][0]["extensions"]["code"]) == ({"concertSales": None}, "NOT_FOUND")


async def test_sales_are_no_longer_pushed_to_the_previous_organizer(paying: PayingShop) -> None:
    concert = await paying.on_sale()
    async with open_client(paying.shop, paying.shop.token("olivia")) as client:
        await client.subscribe("s", CHANGED, id=concert.id)
        await pushed(client, 0)
        change = {"concertId": concert.id, "organizerId": person_id("otto")}
        await paying.shop.fields(GIVE, by="ada", input=change)

        async def is_known() -> bool:
            answer = await paying.shop.ask(SALES_OF, by="otto", id=concert.id)
            return answer["data"]["concertSales"] is not None

        await wait_until(is_known, what="the new organizer")
        await paying.buy_paid(concert, 2)
        await record(paying)
        payload = (await client.receive())["payload"]
        assert (payload["data"], payload["errors"][0]["extensions"]["code"]) == (None, "FORBIDDEN")
        assert "9900" not in str(payload)
