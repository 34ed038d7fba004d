"""The id of this installation, kept in MongoDB.

It is part of the metadata of every object at the payment provider, because several installations
may share one account there. A copy of the database has the same id, but another deployment id.
"""

import uuid

from pymongo import ReturnDocument

from storage.mongo.client import Database, raises_unavailable


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

    async def deployment_id(self) -> str:
        """Return an id of this database, which a copy made by a dump and a restore does not share.

        Raises PyMongoError or TemporarilyUnavailable.
        """
        installation = await self.id()
        collections = await self._installation.database.list_collections(filter={"name": self._installation.name})
        found = [collection["info"]["uuid"] async for collection in collections]
        return f"{installation}:{found[0] if found else ''}"
