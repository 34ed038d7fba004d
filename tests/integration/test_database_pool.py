"""The pool that lends databases to tests: nothing of one test reaches the next."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio
from pymongo import MongoClient
from pymongo.database import Database

from storage.embedded.process import ServerProcess
from storage.mongo.orders import UNITS_INDEX
from tests.support.databases import DatabasePool, create_template, read_catalog

Mongo = Database[dict[str, Any]]

CHANGES: dict[str, Callable[[Mongo], object]] = {
    "dropped index": lambda mongo: mongo["orders"].drop_index(UNITS_INDEX),
    "added index": lambda mongo: mongo["orders"].create_index("status"),
    "index with other options": lambda mongo: _replace_index(mongo),
    "index of an added collection": lambda mongo: mongo["indexed"].create_index("status"),
    "validator": lambda mongo: mongo.command("collMod", "orders", validator={}),
    "dropped collection": lambda mongo: mongo.drop_collection("mails"),
    "capped collection": lambda mongo: mongo.create_collection("capped", capped=True, size=4096),
    "view": lambda mongo: mongo.create_collection("shown", viewOn="orders", pipeline=[]),
    "profile": lambda mongo: _profile(mongo),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(client: MongoClient[dict[str, Any]], shared_mongod: ServerProcess) -> DatabasePool:
    """A pool that lends a database again two loans later."""
    template = await create_template(client, shared_mongod.url)
    return DatabasePool(client, shared_mongod.url, template=template, resting=1)


@pytest.fixture(scope="module")
def client(shared_mongod: ServerProcess) -> Iterator[MongoClient[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](shared_mongod.url) as made:
        yield made


def test_database_is_lent_again_without_its_documents(pool: DatabasePool, client: MongoClient[dict[str, Any]]) -> None:
    with pool.borrowed() as first:
        pristine = read_catalog(client, first)
        filled = [*pristine, "added"]
        for collection in filled:
            client[first][collection].insert_one({})
    with pool.borrowed() as other:
        assert other != first
        # A write that arrives after the end of its test.
        client[first]["orders"].insert_one({})
    with pool.borrowed() as again:
        assert again == first
        assert {name: client[again][name].count_documents({}) for name in filled} == dict.fromkeys(filled, 0)
        assert read_catalog(client, again).items() >= pristine.items()


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changed_database_is_dropped(
    pool: DatabasePool, client: MongoClient[dict[str, Any]], change: Callable[[Mongo], object]
) -> None:
    with pool.borrowed() as changed:
        change(client[changed])
    for _ in range(2):
        with pool.borrowed() as name:
            assert name != changed
    assert changed not in client.list_database_names()


def _replace_index(mongo: Mongo) -> None:
    mongo["concerts"].drop_index("slug_1")
    mongo["concerts"].create_index("slug", name="slug_1")


def _profile(mongo: Mongo) -> None:
    mongo.command("profile", 2)
    mongo["orders"].find_one()
    mongo.command("profile", 0)
