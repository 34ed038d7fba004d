"""Orders in MongoDB: uniqueness of units, outcomes of batch inserts, and pagination."""

import asyncio
from collections import UserDict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.errors import WriteError

from domain.errors import BadUserInput
from domain.holds import TicketLine
from domain.ids import ConcertId, OrderId, PersonId, TierId, Unit
from domain.money import CurrencyCode
from domain.orders import Customer, Order, OrderEvent, OrderStatus
from domain.page import PageRequest
from storage.connect import Stores
from storage.mongo import order_batch
from storage.mongo.order_batch import Outcome, outcomes_of
from storage.mongo.order_documents import order_document
from storage.mongo.orders import UNITS_INDEX
from tests.support.sale import is_ready
from tests.support.waiting import wait_until

CONCERT = ConcertId("concert")
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def order(id_: str, *units: str, at: datetime = NOW) -> Order:
    return Order(
        id=OrderId(id_),
        concert_id=CONCERT,
        person_id=PersonId("alice"),
        status=OrderStatus.PAID,
        units=tuple(Unit(unit) for unit in units),
        released_units=(),
        lines=(TicketLine(TierId("concert-1"), len(units), 100),),
        currency=CurrencyCode.EUR,
        customer=Customer("Ada", "ada@example.org"),
        version=1,
        events=(OrderEvent("PAID", at),),
        created_at=at,
    )


async def test_a_unit_is_recorded_in_only_one_order(stores: Stores) -> None:
    insert = stores.order_batch.insert
    assert await insert(order("a", "concert-1:1", "concert-1:2")) is Outcome.RECORDED
    assert await insert(order("b", "concert-1:2", "concert-1:3")) is Outcome.DUPLICATE
    assert await insert(order("a", "concert-1:4")) is Outcome.DUPLICATE
    assert [owner.id for owner in await stores.orders.find_owners([Unit("concert-1:2"), Unit("concert-1:3")])] == ["a"]
    await stores.orders.collection.update_one(
        {"_id": "a"}, {"$set": {"units": [], "releasedUnits": ["concert-1:1", "concert-1:2"]}}
    )
    assert await insert(order("b", "concert-1:2", "concert-1:3")) is Outcome.RECORDED


async def test_an_order_cannot_contain_a_unit_twice(stores: Stores) -> None:
    with pytest.raises(WriteError):
        await stores.orders.collection.insert_one(order_document(order("a", "concert-1:1", "concert-1:1")))


async def test_orders_without_units_do_not_conflict(stores: Stores) -> None:
    for id_ in ("a", "b", "c"):
        assert await stores.orders.find_or_void(OrderId(id_), CONCERT, now=NOW) is None
    assert await stores.orders.get(OrderId("a")) is None
    assert await stores.orders.changed_since(NOW - timedelta(hours=1)) == {}


async def test_readiness_requires_the_unique_index_and_the_schema(stores: Stores) -> None:
    assert await stores.problems() == []
    await stores.orders.collection.drop_index(UNITS_INDEX)
    (problem,) = await stores.problems()
    assert problem.endswith(" lacks the unique index on units or its schema")
    await stores.orders.create_indexes()
    assert await stores.problems() == []
    await stores.mongo.command("collMod", "orders", validator={})
    assert len(await stores.problems()) == 1


async def test_concurrent_orders_share_an_insert(stores: Stores) -> None:
    await stores.mongo.command("profile", 2)
    made = [order(f"o{number}", f"concert-1:{number % 150}") for number in range(200)]
    outcomes = await asyncio.gather(*[stores.order_batch.insert(one) for one in made])
    assert (outcomes.count(Outcome.RECORDED), outcomes.count(Outcome.DUPLICATE)) == (150, 50)
    await stores.mongo.command("profile", 0)
    inserts = {"op": "insert", "ns": f"{stores.mongo.name}.orders"}
    assert await stores.mongo["system.profile"].count_documents(inserts) == 2


async def test_an_order_is_encoded_once(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[str] = []

    class Document(UserDict[str, object]):
        """A document that the encoder reads field by field."""

        def __getitem__(self, key: str) -> object:
            encoded.append(key)
            return super().__getitem__(key)

    monkeypatch.setattr(order_batch, "order_document", lambda order: Document(order_document(order)))
    assert await stores.order_batch.insert(order("o1", "concert-1:1")) is Outcome.RECORDED
    assert await stores.orders.get(OrderId("o1")) == order("o1", "concert-1:1")
    assert encoded.count("units") == 1


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({"writeErrors": []}, [Outcome.RECORDED, Outcome.RECORDED]),
        ({"writeErrors": [{"index": 1, "code": 11000}]}, [Outcome.RECORDED, Outcome.DUPLICATE]),
        ({"writeErrors": [{"index": 0, "code": 121}]}, [None, Outcome.RECORDED]),
        ({"writeErrors": [{"index": 0, "code": 11000}], "writeConcernErrors": [{"code": 64}]}, [None, None]),
    ],
    ids=["success", "duplicate", "other refusal", "without majority"],
)
def test_outcomes_are_matched_to_orders_by_index(details: dict[str, Any], expected: list[Outcome | None]) -> None:
    outcomes = outcomes_of(details, 2)
    assert [outcomes.get(index) for index in (0, 1)] == expected


async def test_pages_stay_stable_during_inserts(stores: Stores) -> None:
    for number in range(5):
        await stores.order_batch.insert(order(f"o{number}", f"concert-1:{number}", at=NOW + timedelta(minutes=number)))
    first = await stores.orders.page_of_person(PersonId("alice"), PageRequest(2))
    assert ([one.id for one in first.items], first.has_next_page) == (["o4", "o3"], True)
    await stores.order_batch.insert(order("new", "concert-1:9", at=NOW + timedelta(hours=1)))
    rest = await stores.orders.page_of_person(PersonId("alice"), PageRequest(5, first.cursors[-1]))
    assert ([one.id for one in rest.items], rest.has_next_page) == (["o2", "o1", "o0"], False)
    assert rest.has_previous_page


@pytest.mark.parametrize("cursor", ["", "garbage", "AAAA", "é", "OTk5OTk5OTk5OTk5OTk5OTk5OTk6YQ"])
async def test_an_invalid_cursor_is_refused(stores: Stores, cursor: str) -> None:
    with pytest.raises(BadUserInput):
        await stores.orders.page_of_person(PersonId("alice"), PageRequest(2, cursor))


async def test_an_order_is_read_as_it_was_written(stores: Stores) -> None:
    made = replace(order("a", "concert-1:1"), released_units=(Unit("concert-1:0"),), events=(OrderEvent("PAID", NOW),))
    await stores.order_batch.insert(made)
    assert await stores.orders.get(OrderId("a")) == made


async def test_indexes_are_recreated_after_the_database_is_dropped(stores: Stores) -> None:
    await stores.mongo.client.drop_database(stores.mongo.name)
    assert len(await stores.problems()) == 1
    await stores.orders.create_indexes()
    await stores.concerts.create_indexes()
    await stores.revocations.create_indexes()
    await wait_until(lambda: is_ready(stores), what="the indexes")
