"""Revocations in MongoDB, written with majority concern and read in cluster-time order.

The server sets the field `ts` to its cluster time when it executes the insert, which is shortly
before the write gets its place in the oplog. A snapshot read returns the cluster time up to which
it sees every majority-committed write. The next read starts `OVERLAP_S` before that time, so it
also finds a write whose `ts` is older than its place in the oplog. Neither replication delay
nor the clocks of other machines matter.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from bson import Timestamp
from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from domain.identity.revocations import REVOCATION_LASTS_S, AlreadyRevoked, Revocation, RevocationPage
from domain.ids import PersonId
from storage.mongo.client import ANSWER_WITHIN_MS, Database, Document, raises_unavailable

OVERLAP_S = 10
"""Longer than the server takes from setting `ts` to writing the oplog, usually under 1 ms."""
PAGE_SIZE = 1_000
KEPT_FOR = timedelta(seconds=REVOCATION_LASTS_S + 3_600)
"""An hour longer than a revocation counts, in case clocks differ."""
ORDER_INDEX = "read_order"
EXPIRY_INDEX = "expiry"
_SET_BY_SERVER = Timestamp(0, 0)


class RevocationStore:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._revocations = database["revocations"]

    async def create_indexes(self) -> None:
        await self._revocations.create_index([("ts", ASCENDING), ("_id", ASCENDING)], name=ORDER_INDEX)
        await self._revocations.create_index([("expiresAt", ASCENDING)], name=EXPIRY_INDEX, expireAfterSeconds=0)

    async def has_indexes(self) -> bool:
        return {ORDER_INDEX, EXPIRY_INDEX} <= set(await self._revocations.index_information())

    @raises_unavailable
    async def insert(self, revocation: Revocation) -> None:
        """Record the revocation. Raises AlreadyRevoked if its id has been recorded before.

        Raises TemporarilyUnavailable if the outcome is unknown.
        """
        document = {
            "_id": revocation.id,
            "ts": _SET_BY_SERVER,
            "expiresAt": datetime.now(UTC) + KEPT_FOR,
            "sid": revocation.session_id,
            "sub": revocation.person_id,
            "issuedBefore": revocation.issued_before_s,
        }
        try:
            await self._revocations.insert_one(document)
        except DuplicateKeyError as error:
            raise AlreadyRevoked(revocation.id) from error

    async def read_pages(self, since: int | None) -> AsyncIterator[RevocationPage]:
        """Yield the revocations since an earlier `read_through`, or all if `since` is None.

        The oldest come first. Those from the seconds just before `since` are yielded again. The
        next read starts at the `read_through` of the first page. Raises TemporarilyUnavailable.
        """
        first = Timestamp(1, 0) if since is None else Timestamp(max(1, (since >> 32) - OVERLAP_S), 0)
        query: Document = {"ts": {"$gte": first}}
        while True:
            documents, read_through = await self._read(query)
            yield RevocationPage(tuple(_revocation(document) for document in documents), read_through)
            if len(documents) < PAGE_SIZE:
                return
            last = documents[-1]
            query = {"$or": [{"ts": {"$gt": last["ts"]}}, {"ts": last["ts"], "_id": {"$gt": last["_id"]}}]}

    @raises_unavailable
    async def _read(self, query: Document) -> tuple[list[Document], int | None]:
        """Read one page. The driver's `find` does not return the cluster time of a snapshot."""
        reply = await self._database.command(
            {
                "find": self._revocations.name,
                "filter": query,
                "sort": {"ts": 1, "_id": 1},
                "limit": PAGE_SIZE,
                "batchSize": PAGE_SIZE,
                "singleBatch": True,
                "readConcern": {"level": "snapshot"},
                "maxTimeMS": ANSWER_WITHIN_MS,
            }
        )
        cursor = reply["cursor"]
        time: Timestamp | None = cursor.get("atClusterTime")
        return cursor["firstBatch"], None if time is None else time.time << 32 | time.inc


def _revocation(document: Document) -> Revocation:
    person_id = document["sub"]
    return Revocation(
        id=document["_id"],
        session_id=document["sid"],
        person_id=None if person_id is None else PersonId(person_id),
        issued_before_s=document["issuedBefore"],
        recorded_at_s=float(document["ts"].time),
    )
