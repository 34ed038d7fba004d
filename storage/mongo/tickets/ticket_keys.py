"""The public keys of concerts in MongoDB. No key is ever removed, because any of them may have
signed a printed ticket.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from pymongo import ASCENDING
from pymongo.errors import BulkWriteError

from domain.ids import ConcertId
from storage.mongo.client import Database, Document, raises_unavailable
from storage.mongo.order_batch import DUPLICATE_KEY


class TicketKeyStore:
    def __init__(self, database: Database) -> None:
        self._keys = database["ticket_keys"]

    async def create_indexes(self) -> None:
        await self._keys.create_index([("concertId", ASCENDING), ("createdAt", ASCENDING), ("_id", ASCENDING)])

    @raises_unavailable
    async def put(self, concert_id: ConcertId, keys: Mapping[str, bytes]) -> None:
        """Store public keys of a concert by their ids. Keys that are already stored are not
        changed.
        """
        now = datetime.now(UTC)
        documents: list[Document] = [
            {"_id": f"{concert_id}:{id_}", "concertId": concert_id, "keyId": id_, "publicKey": key, "createdAt": now}
            for id_, key in keys.items()
        ]
        try:
            await self._keys.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            failures = (error.details or {}).get("writeErrors", ())
            if (error.details or {}).get("writeConcernErrors") or any(one["code"] != DUPLICATE_KEY for one in failures):
                raise

    @raises_unavailable
    async def list(self, concert_id: ConcertId) -> dict[str, bytes]:
        """Return all public keys of a concert by their ids, oldest first."""
        found = self._keys.find({"concertId": concert_id}).sort([("createdAt", ASCENDING), ("_id", ASCENDING)])
        return {document["keyId"]: bytes(document["publicKey"]) async for document in found}
