"""The cancellations of concerts in MongoDB: one job per concert, leased by one worker at a time.

A job stores the progress of its pass over the orders, so another process can continue it. Passes
are repeated, and each one requests only what has not been requested yet, so processing a page twice
does no harm.
"""

from collections.abc import Collection
from datetime import datetime

from pymongo import ASCENDING, ReturnDocument

from domain.ids import ConcertId, OrderId, PersonId
from domain.orders import OrderStatus
from domain.payments.cancellations import LEASE, OPEN, UNDOABLE, CancellationJob, CancellationProgress
from storage.mongo.client import Database, Document, raises_unavailable


class CancellationStore:
    def __init__(self, database: Database) -> None:
        self._jobs = database["cancellations"]
        self._orders = database["orders"]

    async def create_indexes(self) -> None:
        await self._jobs.create_index([("dueAt", ASCENDING)])
        await self._orders.create_index([("concertId", ASCENDING), ("status", ASCENDING), ("_id", ASCENDING)])

    @raises_unavailable
    async def start(self, concert_id: ConcertId, *, requested_by: PersonId, now: datetime) -> None:
        """Create the job of a concert, unless it exists."""
        job: Document = {
            "startedAt": now,
            "requestedBy": requested_by,
            "after": None,
            "finishedAt": None,
            "dueAt": now,
        }
        await self._jobs.update_one({"_id": concert_id}, {"$setOnInsert": job}, upsert=True)

    @raises_unavailable
    async def find_without_job(self, concert_ids: Collection[ConcertId]) -> set[ConcertId]:
        """Return which of these canceled concerts have no job."""
        found = self._jobs.find({"_id": {"$in": list(concert_ids)}}, {"_id": 1})
        return set(concert_ids) - {ConcertId(document["_id"]) async for document in found}

    @raises_unavailable
    async def lease_due(self, now: datetime) -> CancellationJob | None:
        """Lease the job that has been due longest, and return it, or None if none is due."""
        found = await self._jobs.find_one_and_update(
            {"dueAt": {"$lte": now}},
            {"$set": {"dueAt": now + LEASE}},
            sort=[("dueAt", ASCENDING)],
            return_document=ReturnDocument.AFTER,
        )
        return _job(found) if found else None

    @raises_unavailable
    async def list_orders(self, job: CancellationJob, *, limit: int) -> tuple[OrderId, ...]:
        """Return the next orders of the pass that may have to be canceled or refunded, by id."""
        # One query per status reads the index in id order, without sorting.
        found: list[str] = []
        for status in UNDOABLE:
            query: Document = {"concertId": job.concert_id, "status": status, "_id": {"$gt": job.after or ""}}
            page = self._orders.find(query, {"_id": 1}).sort("_id", ASCENDING).limit(limit)
            found += [document["_id"] async for document in page]
        return tuple(OrderId(order_id) for order_id in sorted(found)[:limit])

    @raises_unavailable
    async def put_back(
        self, job: CancellationJob, *, due_at: datetime | None, after: OrderId | None, finished_at: datetime | None
    ) -> None:
        """Store the progress of the job, and when it is due again.

        If `due_at` is None, it is never due again.
        """
        progress = {"after": after, "dueAt": due_at, "finishedAt": finished_at}
        await self._jobs.update_one({"_id": job.concert_id}, {"$set": progress})

    @raises_unavailable
    async def read_progress(self, concert_id: ConcertId) -> CancellationProgress | None:
        """Return the progress of a concert's cancellation, or None if it has no job."""
        found = await self._jobs.find_one({"_id": concert_id})
        if found is None:
            return None
        job = _job(found)
        return CancellationProgress(
            job.started_at,
            job.finished_at,
            open_orders=await self._count(concert_id, OPEN),
            refunded_orders=await self._count(concert_id, (OrderStatus.REFUNDED,)),
        )

    @raises_unavailable
    async def count_open(self, concert_id: ConcertId) -> int:
        """Return the number of orders whose money or tickets are not settled yet."""
        return await self._count(concert_id, OPEN)

    async def _count(self, concert_id: ConcertId, statuses: Collection[OrderStatus]) -> int:
        return await self._orders.count_documents({"concertId": concert_id, "status": {"$in": list(statuses)}})


def _job(document: Document) -> CancellationJob:
    after = document["after"]
    return CancellationJob(
        concert_id=ConcertId(document["_id"]),
        started_at=document["startedAt"],
        requested_by=PersonId(document["requestedBy"]),
        after=None if after is None else OrderId(after),
        finished_at=document["finishedAt"],
    )
