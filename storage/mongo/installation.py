"""The id of this installation, kept in MongoDB.

It is part of the metadata of every object at the payment provider, because several installations
may share one account there.
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
