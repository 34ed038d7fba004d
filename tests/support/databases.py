"""Lends tests empty databases that have all collections and indexes.

Creating the indexes takes longer than most tests, so a database is emptied and lent again, unless a
test has changed its collections or indexes.
"""

import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pymongo import MongoClient
from pymongo.write_concern import WriteConcern

from storage.connect import open_stores
from tests.support.waiting import wait_until

PREFIX = "prepared_"
RESTING = 3
"""How many other databases must be returned before this one is lent again. By then, the last writes
of a killed process or a canceled task have arrived, so that emptying removes them.
"""
NO_REDIS = "redis://127.0.0.1:1/0"

Catalog = dict[str, Any]
"""The options and the indexes of each collection."""


def is_prepared(database: str) -> bool:
    """Return whether a database had all its indexes when it was lent."""
    return database.startswith(PREFIX)


class DatabasePool:
    def __init__(
        self, client: MongoClient[dict[str, Any]], url: str, *, template: Catalog, resting: int = RESTING
    ) -> None:
        self._client = client
        self.url = url
        self._template = template
        self._resting = resting
        self._returned: deque[str] = deque()

    @contextmanager
    def borrowed(self) -> Iterator[str]:
        """Lend a database for the block. Close its clients before the block ends."""
        name = self._take()
        yield name
        self._returned.append(name)

    def _take(self) -> str:
        while len(self._returned) > self._resting:
            name = self._returned.popleft()
            if self._empty(name):
                return name
            self._client.drop_database(name)
        return self._create()

    def _empty(self, name: str) -> bool:
        """Delete all documents. Return False if the database differs from the template."""
        collections = read_catalog(self._client, name)
        if not self._is_pristine(collections):
            return False
        database = self._client[name]
        for collection in collections:
            database.get_collection(collection, write_concern=WriteConcern(1)).delete_many({})
        # Majority reads must not see the deleted documents. This deletion waits for all the others.
        database[next(iter(self._template))].delete_many({})
        return True

    def _is_pristine(self, collections: Catalog) -> bool:
        """Compare the collections with the template. A new empty collection whose only index is on
        ids is allowed, because it behaves like a missing one.
        """
        added = {name: made for name, made in collections.items() if name not in self._template}
        kept = {name: made for name, made in collections.items() if name in self._template}
        return kept == self._template and all(made == ({}, _ONLY_IDS) for made in added.values())

    def _create(self) -> str:
        name = f"{PREFIX}{uuid.uuid4().hex}"
        database = self._client[name]
        for collection, (options, indexes) in self._template.items():
            database.create_collection(collection, **options)
            created = [index for index in indexes if index["name"] != "_id_"]
            if created:
                database.command("createIndexes", collection, indexes=created)
        return name


_ONLY_IDS = [{"v": 2, "key": {"_id": 1}, "name": "_id_"}]


async def create_template(client: MongoClient[dict[str, Any]], mongo_url: str) -> Catalog:
    """Return the collections and indexes that the product creates in an empty database."""
    name = f"template_{uuid.uuid4().hex}"
    async with open_stores(NO_REDIS, mongo_url, name) as stores:
        # The indexes of orders are created last.
        await wait_until(stores.orders.has_unit_guards, what="the indexes")
    return read_catalog(client, name)


def read_catalog(client: MongoClient[dict[str, Any]], database: str) -> Catalog:
    """Return the options and the indexes of each collection of a database."""
    found = client.admin.aggregate([{"$listCatalog": {}}, {"$match": {"db": database}}])
    return {row["name"]: _described(row) for row in sorted(found, key=lambda row: row["name"])}


def _described(row: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    if row["type"] != "collection":
        return {"type": row["type"]}, []
    options = {name: value for name, value in row["md"]["options"].items() if name != "uuid"}
    indexes = [index["spec"] for index in row["md"]["indexes"] if index["ready"]]
    return options, sorted(indexes, key=lambda index: str(index["name"]))
