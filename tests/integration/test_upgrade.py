"""Startup with data written by commit 60c4621, whose Redis keys start with `onsale:`."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import redis
from bson import json_util
from pymongo import MongoClient

from domain.ids import ConcertId, PersonId
from domain.page import PageRequest
from resolvers import holds, orders, queues
from storage.connect import Stores
from tests.support.sale import buy, check_invariants, context, hold, opened, stock
from tests.support.store_copies import until_trusted
from tests.support.waiting import wait_until

DATA = Path(__file__).parent / "data" / "version_with_onsale_keys.json"
OLD_UNITS_INDEX: dict[str, Any] = {
    "name": "units_recorded_once",
    "unique": True,
    "partialFilterExpression": {"units": {"$gt": ""}},
}
SOLD, QUEUED = ConcertId("9ycvp5jp9zdu"), ConcertId("vnr8e3bgv8cy")


@pytest_asyncio.fixture
async def upgraded(valkey_url: str, mongo_url: str, fresh_database: str) -> AsyncIterator[Stores]:
    data = json.loads(DATA.read_text())
    _load_redis(valkey_url, data["redis"])
    with MongoClient[dict[str, Any]](mongo_url) as client:
        for name, documents in data["mongodb"].items():
            client[fresh_database][name].insert_many(json_util.loads(json.dumps(documents)))
        old_orders = client[fresh_database]["orders"]
        old_orders.create_index("units", **OLD_UNITS_INDEX)
        old_orders.create_index([("concertId", 1), ("status", 1)])
    async with opened(valkey_url, mongo_url, fresh_database) as stores:
        yield stores


def _load_redis(url: str, dump: dict[str, Any]) -> None:
    with redis.Redis.from_url(url, encoding="latin-1") as client:
        for key, kept in dump.items():
            value = kept["value"]
            match kept["type"]:
                case "hash":
                    client.hset(key, mapping=value)
                case "zset":
                    client.zadd(key, dict(value))
                case "stream":
                    for event in value:
                        client.xadd(key, event)
                case other:
                    pytest.fail(f"{key} is a {other}")


async def test_upgrade_rebuilds_stock_from_orders_and_ends_holds(upgraded: Stores) -> None:
    await until_trusted(upgraded, SOLD)
    concert = await upgraded.concerts.get(SOLD)
    assert concert is not None
    # In the first tier, two units were sold and one was held; in the second, one was sold.
    assert await stock(upgraded, concert) == [(3, 0, 2), (2, 0, 1)]
    assert await holds.list_viewer_holds(context(upgraded, "cyd")) == ()
    await check_invariants(upgraded, concert)


async def test_upgrade_keeps_orders_and_their_units(upgraded: Stores) -> None:
    await until_trusted(upgraded, SOLD)
    concert = await upgraded.concerts.get(SOLD)
    assert concert is not None
    recorded = [await buy(upgraded, await hold(upgraded, concert, 3, who="dan"))]
    for who in ("ann", "ben"):
        recorded += (await orders.page_viewer_orders(context(upgraded, who), PageRequest(5))).items
    units = [unit for order in recorded for unit in order.units]
    assert len(units) == len(set(units)) == 6
    assert await stock(upgraded, concert) == [(0, 3, 2), (2, 0, 1)]


async def test_upgrade_indexes_the_concerts_of_each_buyer(upgraded: Stores) -> None:
    await until_trusted(upgraded, SOLD)
    assert await upgraded.person_concerts.list(PersonId("ann")) == (SOLD,)


async def test_upgrade_loses_entries_but_people_can_rejoin(upgraded: Stores) -> None:
    await until_trusted(upgraded, QUEUED)
    assert (await upgraded.queues.read_queue(QUEUED)).positions.waiting_count == 0
    assert await queues.get_viewer_entry(context(upgraded, "ann"), QUEUED) is None
    joined = [await queues.join_queue(context(upgraded, who), QUEUED) for who in ("cyd", "ann")]
    assert [entry.position for entry in joined] == [1, 2]


async def test_upgrade_replaces_indexes_that_do_not_begin_with_the_concert(upgraded: Stores) -> None:
    indexes = upgraded.orders.collection.index_information

    async def are_old_ones_gone() -> bool:
        return not {"units_recorded_once", "concertId_1_status_1"} & set(await indexes())

    await wait_until(are_old_ones_gone, what="the end of the old indexes")
    assert await upgraded.problems() == []
    assert (await indexes())["concert_units_recorded_once"]["key"] == [("concertId", 1), ("units", 1)]


async def test_upgrade_finds_old_orders_by_their_number(upgraded: Stores) -> None:
    order = (await upgraded.orders.page_of_concert(SOLD, after=None, limit=1))[0]
    assert order.payment is None
    assert await upgraded.orders.find_by_number(SOLD, order.number) == (order,)
    assert await upgraded.orders.find_owners(order.units[:1]) == (order,)
