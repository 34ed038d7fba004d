"""The work of the order workers and the effects workers: due orders, each leased by one worker of a
kind at a time, and the heartbeat of the workers.

`workAt` of an order says when a step of its payment is due, `effectsAt` when an effect is. Each
kind of work has its own lease, which does not change the order's version, so the provider's events
can still be applied to a leased order.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from pymongo import ASCENDING, ReturnDocument
from pymongo.write_concern import WriteConcern

from domain.ids import ConcertId
from domain.orders import Order
from storage.mongo.client import ANSWER_WITHIN_MS, Database, Document, raises_unavailable
from storage.mongo.order_documents import order_from_document

LEASE = timedelta(seconds=30)
"""Longer than the steps of an order take, even if the provider and a store are slow. After that
time, another worker continues an order whose worker has died.
"""
MAX_GAP = timedelta(seconds=5)
"""The longest pause between two heartbeats that does not count as a gap, as for deadlines in Redis.
"""


@dataclass(frozen=True, slots=True)
class WorkFields:
    """The fields of an order document for one kind of work."""

    at: str
    lease_id: str
    lease_until: str


STEPS = WorkFields("workAt", "leaseId", "leaseUntil")
EFFECTS = WorkFields("effectsAt", "effectsLeaseId", "effectsLeaseUntil")


@dataclass(frozen=True, slots=True)
class Lease:
    """The orders that one worker may work on until the lease ends."""

    token: str
    concert_id: ConcertId
    orders: tuple[Order, ...]
    may_have_more: bool = False
    """Whether more orders may be due: another worker may have leased some of those found."""


class OrderWork:
    def __init__(self, database: Database, fields: WorkFields = STEPS) -> None:
        self._orders = database["orders"]
        self._fields = fields

    @raises_unavailable
    async def find_concerts(self, now: datetime) -> tuple[ConcertId, ...]:
        """Return the concerts that have due orders, including past ones."""
        # The condition on the concert lets MongoDB skip from concert to concert in the index.
        query = {"concertId": {"$gt": ""}, self._fields.at: {"$lte": now}}
        return tuple(ConcertId(found) for found in await self._orders.distinct("concertId", query))

    @raises_unavailable
    async def lease_due(self, concert_id: ConcertId, now: datetime, *, limit: int) -> Lease:
        """Lease the orders of a concert that have been due longest."""
        token = uuid.uuid4().hex
        at, lease_id, lease_until = self._fields.at, self._fields.lease_id, self._fields.lease_until
        due: Document = {"concertId": concert_id, at: {"$lte": now}, lease_until: {"$not": {"$gt": now}}}
        found = await self._orders.find(due, {"_id": 1}).sort(at, ASCENDING).limit(limit).to_list(limit)
        if not found:
            return Lease(token, concert_id, ())
        ids = {"$in": [document["_id"] for document in found]}
        # The condition is repeated, because another worker may have leased the same orders since
        # they were found.
        await self._orders.update_many({**due, "_id": ids}, {"$set": {lease_id: token, lease_until: now + LEASE}})
        leased = self._orders.find({"concertId": concert_id, "_id": ids, lease_id: token}).sort(at, ASCENDING)
        orders = tuple([order_from_document(document) async for document in leased])
        return Lease(token, concert_id, orders, may_have_more=len(found) == limit)

    @raises_unavailable
    async def release(self, lease: Lease) -> None:
        """End a lease early, so that orders with another step are due at once."""
        if lease.orders:
            ids = [order.id for order in lease.orders]
            await self._orders.update_many(
                {"concertId": lease.concert_id, "_id": {"$in": ids}, self._fields.lease_id: lease.token},
                {"$unset": {self._fields.lease_id: "", self._fields.lease_until: ""}},
            )


class WorkerHeartbeats:
    """Records when workers ran, and since when they have run without a gap."""

    def __init__(self, database: Database) -> None:
        # A lost heartbeat merely looks like a gap.
        self._heartbeats = database["worker_heartbeats"].with_options(
            write_concern=WriteConcern(1, wtimeout=ANSWER_WITHIN_MS)
        )

    @raises_unavailable
    async def beat(self, name: str, now: datetime) -> datetime:
        """Record a run of these workers, in any process. Return the time of the run that ended
        their last gap, during which a buyer's deadline may have passed unnoticed.
        """
        had_gap = {"$lt": ["$lastRunAt", now - MAX_GAP]}
        found = await self._heartbeats.find_one_and_update(
            {"_id": name},
            [
                {
                    "$set": {
                        "resumedAt": {"$cond": [had_gap, now, "$resumedAt"]},
                        "lastRunAt": {"$max": ["$lastRunAt", now]},
                    }
                }
            ],
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        resumed_at: datetime = found["resumedAt"]
        return resumed_at
