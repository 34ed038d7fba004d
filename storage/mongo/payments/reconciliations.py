"""The progress of the reconciliation, and the orders that it compares with the provider.

One process at a time works on a cursor. Losing a cursor only repeats work.
"""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from pymongo import ASCENDING, DESCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError, PyMongoError

from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId, OrderId
from domain.orders import Order, OrderStatus
from storage.mongo.client import Database, Document, raises_unavailable
from storage.mongo.order_documents import order_from_document

LEASE = timedelta(seconds=60)
TIME_INDEX = "paid_orders_by_time"
_NEVER_PAID = [OrderStatus.VOID, OrderStatus.WITHDRAWN, OrderStatus.PENDING_PAYMENT]
_HAS_INTENT: Document = {"payment.attempts.intentId": {"$gt": ""}}


@dataclass(frozen=True, slots=True)
class TimeCursor:
    """A window of time, in whole seconds, that is compared from its end to its beginning."""

    since: datetime
    """Everything before this time has been compared."""
    end: datetime | None = None
    """The end of the current window, or None between two windows."""
    until: datetime | None = None
    """Everything in the window after this time has been compared."""


@dataclass(frozen=True, slots=True)
class StockCursor:
    concert_id: ConcertId | None = None
    after: OrderId | None = None


class ReconciliationStore:
    def __init__(self, database: Database) -> None:
        self._cursors = database["reconciliations"]
        self._orders = database["orders"]

    async def create_indexes(self) -> None:
        await self._orders.create_index(
            [("createdAt", ASCENDING)], name=TIME_INDEX, partialFilterExpression=_HAS_INTENT
        )

    async def lease_time(self, name: str, now: datetime, *, first: datetime) -> TimeCursor | None:
        """Lease a cursor, which begins at `first`, or return None if another process has it."""
        found = await self._lease(name, now, {"since": first, "end": None, "until": None})
        return None if found is None else TimeCursor(found["since"], found["end"], found["until"])

    async def lease_stock(self, name: str, now: datetime) -> StockCursor | None:
        found = await self._lease(name, now, {"concertId": None, "after": None})
        return None if found is None else StockCursor(found["concertId"], found["after"])

    @raises_unavailable
    async def put_time(self, name: str, cursor: TimeCursor) -> None:
        """Store the progress, and end the lease."""
        moved = {"since": cursor.since, "end": cursor.end, "until": cursor.until}
        await self._cursors.update_one({"_id": name}, {"$set": moved, "$unset": {"leaseUntil": ""}})

    @raises_unavailable
    async def put_stock(self, name: str, cursor: StockCursor) -> None:
        moved = {"concertId": cursor.concert_id, "after": cursor.after}
        await self._cursors.update_one({"_id": name}, {"$set": moved, "$unset": {"leaseUntil": ""}})

    @raises_unavailable
    async def find_by_intents(self, intent_ids: Collection[str]) -> dict[str, Order]:
        """Return the orders that recorded these intents, by intent."""
        query = {"payment.attempts.intentId": {"$in": list(intent_ids)}}
        found: dict[str, Order] = {}
        async for document in self._orders.find(query):
            order = order_from_document(document)
            attempts = order.payment.attempts if order.payment else ()
            found |= {attempt.intent_id: order for attempt in attempts if attempt.intent_id}
        return found

    async def iterate_paid(self, since: datetime, before: datetime) -> AsyncIterator[Order]:
        """Yield the orders with an intent that were created in this time, newest first, except
        pending ones. Raises TemporarilyUnavailable if MongoDB does not answer, or has not created
        the index yet.
        """
        query = {**_HAS_INTENT, "createdAt": {"$gte": since, "$lt": before}, "status": {"$nin": _NEVER_PAID}}
        found = self._orders.find(query, batch_size=500).sort("createdAt", DESCENDING).hint(TIME_INDEX)
        try:
            async for document in found:
                yield order_from_document(document)
        except PyMongoError as error:
            raise TemporarilyUnavailable("The order database does not answer") from error

    @raises_unavailable
    async def _lease(self, name: str, now: datetime, first: Document) -> Document | None:
        try:
            found: Document = await self._cursors.find_one_and_update(
                {"_id": name, "leaseUntil": {"$not": {"$gt": now}}},
                {"$set": {"leaseUntil": now + LEASE}, "$setOnInsert": first},
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        except DuplicateKeyError:
            return None
        return found
