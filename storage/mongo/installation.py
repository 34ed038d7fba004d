"""The id and the layout of this installation, and the Redis servers that its processes use, kept in
MongoDB.

The id is part of the metadata of every object at the payment provider, because several
installations may share one account there. A copy of the database has the same id, but another
deployment id.
"""

import uuid
from collections.abc import Collection
from dataclasses import dataclass

from pymongo import ReturnDocument
from pymongo.write_concern import WriteConcern

from storage.mongo.client import Database, raises_unavailable

KEPT_FOR_S = 86_400
"""How long the lease of a Redis that no process uses is kept."""


class InstallationStore:
    def __init__(self, database: Database) -> None:
        self._installation = database["installation"]
        self._id: str | None = None

    @raises_unavailable
    async def id(self) -> str:
        """Return the id, which the first process creates. It never changes, so it is cached."""
        if self._id is None:
            found = await self._installation.find_one_and_update(
                {"_id": "installation"},
                {"$setOnInsert": {"id": uuid.uuid4().hex}},
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
            self._id = str(found["id"])
        return self._id

    async def read_layout(self) -> int:
        """Return the number of the layout of this database, 0 if none is recorded.

        Raises PyMongoError.
        """
        found = await self._installation.find_one({"_id": "layout"})
        return 0 if found is None else int(found["number"])

    async def raise_layout(self, number: int) -> None:
        """Record this layout, unless a newer one is recorded. Raises PyMongoError, or
        TemporarilyUnavailable if nothing may be written.
        """
        await self._installation.update_one({"_id": "layout"}, {"$max": {"number": number}}, upsert=True)

    async def probe_write(self, *, within_ms: int) -> None:
        """Make a tiny journaled write on the majority of the set.

        Raises PyMongoError; WTimeoutError if the majority has not confirmed it within this time.
        """
        confirmed = WriteConcern("majority", wtimeout=within_ms, j=True)
        await self._installation.with_options(write_concern=confirmed).update_one(
            {"_id": "probe"}, {"$currentDate": {"at": True}}, upsert=True
        )

    async def deployment_id(self) -> str:
        """Return an id of this database, which a copy made by a dump and a restore does not share.

        Raises PyMongoError or TemporarilyUnavailable.
        """
        installation = await self.id()
        collections = await self._installation.database.list_collections(filter={"name": self._installation.name})
        found = [collection["info"]["uuid"] async for collection in collections]
        return f"{installation}:{found[0] if found else ''}"


@dataclass(frozen=True, slots=True)
class StoreLease:
    """A Redis that some process uses, as that process last reported it."""

    renewals: int
    """Rises as long as a process uses the Redis and the Redis accepts writes. Comparing it needs no
    clock.
    """
    address: str
    host: str
    """The host of the process."""


class StoreLeases:
    """One lease for each Redis, named by its incarnation."""

    def __init__(self, database: Database) -> None:
        self._leases = database["store_leases"]

    async def create_indexes(self) -> None:
        await self._leases.create_index("renewedAt", expireAfterSeconds=KEPT_FOR_S)

    @raises_unavailable
    async def renew(self, incarnation: str, *, address: str, host: str) -> None:
        await self._leases.update_one(
            {"_id": incarnation},
            {
                "$inc": {"renewals": 1},
                "$set": {"address": address, "host": host},
                "$currentDate": {"renewedAt": True},
            },
            upsert=True,
        )

    @raises_unavailable
    async def read(self, incarnations: Collection[str]) -> dict[str, StoreLease]:
        """Return the known leases of these servers."""
        found = self._leases.find({"_id": {"$in": list(incarnations)}})
        return {row["_id"]: StoreLease(row["renewals"], row["address"], row["host"]) async for row in found}
