"""Notices about concerts in MongoDB: resumable jobs, each processed by one worker at a time."""

from datetime import datetime

from pymongo import ASCENDING, DESCENDING, ReturnDocument

from domain.ids import ConcertId, OrderId
from domain.mails.mail import MailKind
from domain.mails.notices import LEASE, TOLD, ConcertNotice
from storage.mongo.client import Database, Document, Session, raises_unavailable


class NoticeStore:
    def __init__(self, database: Database) -> None:
        self.collection = database["concert_notices"]
        self._orders = database["orders"]

    async def create_indexes(self) -> None:
        await self.collection.create_index(
            [("dueAt", ASCENDING)], name="due", partialFilterExpression={"dueAt": {"$exists": True}}
        )
        await self.collection.create_index([("concertId", ASCENDING), ("version", DESCENDING)])

    async def insert_in_transaction(self, notice: ConcertNotice, session: Session) -> None:
        document: Document = {
            "_id": notice.id,
            "concertId": notice.concert_id,
            "kind": notice.kind,
            "version": notice.version,
            "createdAt": notice.created_at,
            "after": notice.after,
            "dueAt": notice.created_at,
        }
        await self.collection.insert_one(document, session=session)

    @raises_unavailable
    async def lease_due(self, now: datetime) -> ConcertNotice | None:
        """Lease the notice that has been due longest, and return it, or None if none is due."""
        found = await self.collection.find_one_and_update(
            {"dueAt": {"$lte": now}},
            {"$set": {"dueAt": now + LEASE}},
            sort=[("dueAt", ASCENDING)],
            return_document=ReturnDocument.AFTER,
        )
        return _notice(found) if found else None

    @raises_unavailable
    async def list_orders(self, notice: ConcertNotice, *, limit: int) -> tuple[OrderId, ...]:
        """Return the next orders whose buyers may get the notice, by id."""
        # One query per status reads the index in id order, without sorting. Each status is read
        # twice, because between two queries an order may change to a status that has already been
        # read.
        found: list[str] = []
        for status in TOLD[notice.kind] * 2:
            query: Document = {"concertId": notice.concert_id, "status": status, "_id": {"$gt": notice.after or ""}}
            page = self._orders.find(query, {"_id": 1}).sort("_id", ASCENDING).limit(limit)
            found += [document["_id"] async for document in page]
        return tuple(OrderId(order_id) for order_id in sorted(set(found))[:limit])

    @raises_unavailable
    async def put_back(self, notice: ConcertNotice, *, after: OrderId, due_at: datetime) -> None:
        """Store the progress of the job."""
        await self.collection.update_one({"_id": notice.id}, {"$set": {"after": after, "dueAt": due_at}})

    @raises_unavailable
    async def finish(self, notice: ConcertNotice) -> None:
        await self.collection.update_one({"_id": notice.id}, {"$unset": {"dueAt": ""}})

    @raises_unavailable
    async def newest_version(self, concert_id: ConcertId) -> int:
        """Return the version of the latest notice about a concert, or 0 if it has none."""
        newest_first = [("version", DESCENDING)]
        found = await self.collection.find_one({"concertId": concert_id}, {"version": 1}, sort=newest_first)
        return found["version"] if found else 0


def _notice(document: Document) -> ConcertNotice:
    after = document["after"]
    return ConcertNotice(
        concert_id=ConcertId(document["concertId"]),
        kind=MailKind(document["kind"]),
        version=document["version"],
        created_at=document["createdAt"],
        after=None if after is None else OrderId(after),
    )
