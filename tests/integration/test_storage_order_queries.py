"""Look-ups of orders in MongoDB by concert, number and intent, and the indexes that serve them."""

from dataclasses import replace
from typing import Any

import pytest

from domain.ids import ConcertId, OrderId
from domain.orders import Order, OrderStatus
from storage.connect import Stores
from storage.mongo.client import Document
from storage.mongo.order_batch import Outcome
from storage.mongo.order_updates import UpdateOutcome
from storage.mongo.orders import UNITS_INDEX
from tests.support.payment_orders import CONCERT, DEADLINE, NOW, TIER, order_id, pending_order, with_intent

OTHER = ConcertId("npqrstuvwxyz")


async def insert(stores: Stores, *orders: Order) -> None:
    for order in orders:
        assert await stores.order_batch.insert(order) is Outcome.RECORDED


async def test_pages_of_a_concert_have_each_order_once(stores: Stores) -> None:
    made = [pending_order(f"o{number}", number) for number in range(5)]
    await insert(stores, *made, pending_order("other", 1, concert_id=OTHER))
    assert await stores.orders.find_or_void(order_id("void"), CONCERT, now=NOW) is None
    pages, after = list[list[OrderId]](), None
    while page := await stores.orders.page_of_concert(CONCERT, after=after, limit=2):
        after = page[-1].id
        pages.append([order.id for order in page])
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [one for page in pages for one in page] == sorted(order.id for order in made)


async def test_an_order_is_found_by_its_number_in_its_concert(stores: Stores) -> None:
    made = pending_order("a", 1)
    twin = replace(pending_order("b", 2), id=OrderId(made.id[:15] + "f" * 17))
    await insert(stores, made, twin, pending_order("c", 3))
    assert {order.id for order in await stores.orders.find_by_number(CONCERT, made.number.lower())} == {
        made.id,
        twin.id,
    }
    assert await stores.orders.find_by_number(OTHER, made.number) == ()


async def test_the_orders_of_an_intent_are_found_without_their_concert(stores: Stores) -> None:
    made = [pending_order("a", 1), pending_order("b", 2)]
    await insert(stores, *made)
    assert await stores.order_updates.update(with_intent(made[0], "pi_a")) is UpdateOutcome.WON
    assert [order.id for order in await stores.orders.find_by_intent("pi_a")] == [made[0].id]
    assert await stores.orders.find_by_intent("pi_b") == ()


async def test_pending_orders_do_not_count_as_sold(stores: Stores) -> None:
    await insert(stores, pending_order("a", 1, 2), replace(pending_order("b", 3), status=OrderStatus.PAID))
    assert await stores.orders.count_sold([CONCERT]) == {CONCERT: {TIER: 1}}


@pytest.mark.parametrize(
    ("query", "index", "keys"),
    [
        ({"concertId": {"$in": [CONCERT]}, "units": {"$in": [f"{TIER}:1", f"{TIER}:3"]}}, UNITS_INDEX, 4),
        ({"concertId": CONCERT, "_id": {"$gt": ""}}, "concertId_1__id_1", 20),
        ({"concertId": CONCERT, "status": OrderStatus.VOID, "_id": {"$gt": "0"}}, "concertId_1_status_1__id_1", 0),
        ({"concertId": CONCERT, "workAt": {"$lt": DEADLINE}}, "concertId_1_workAt_1", 0),
        ({"payment.attempts.intentId": "pi_1"}, "payment.attempts.intentId_1", 0),
        ({"updatedAt": {"$gt": NOW}}, "updatedAt_1", 0),
        ({"concertId": CONCERT, "effectsAt": {"$lt": DEADLINE}}, "concertId_1_effectsAt_1", 0),
        ({"concertId": CONCERT, "tickets.id": "0" * 32}, "concertId_1_tickets.id_1", 0),
        ({"concertId": CONCERT, "revocations.at": {"$exists": True}}, "concertId_1_revocations.at_1", 0),
        ({"tickets.holderId": "alice"}, "tickets.holderId_1_createdAt_-1__id_1", 0),
    ],
    ids=["units", "pages", "status", "work", "intent", "changes", "effects", "ticket", "revocations", "holder"],
)
async def test_a_look_up_of_orders_reads_only_what_it_needs(
    stores: Stores, query: Document, index: str, keys: int
) -> None:
    concerts = (CONCERT, OTHER)
    await insert(stores, *[pending_order(f"o{n}", n, concert_id=concerts[n // 20]) for n in range(40)])
    await stores.orders.create_indexes()
    found = stores.orders.collection.find(query)
    plan: dict[str, Any] = await (found.sort("_id", 1) if "_id" in query else found).explain()
    assert f"'indexName': '{index}'" in str(plan["queryPlanner"]["winningPlan"])
    assert plan["executionStats"]["totalKeysExamined"] <= keys + 1


async def test_only_look_ups_without_a_concert_have_other_indexes(stores: Stores) -> None:
    indexes = await stores.orders.collection.index_information()
    first = {name: index["key"][0][0] for name, index in indexes.items()}
    assert {field for field in first.values() if field != "concertId"} == {
        "_id",
        "personId",
        "payment.attempts.intentId",
        "createdAt",
        "updatedAt",
        "tickets.holderId",
    }
    assert [name for name, index in indexes.items() if index.get("unique")] == [UNITS_INDEX]
