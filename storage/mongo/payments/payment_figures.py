"""Figures about payments that need attention: stuck orders and payment events, counted in MongoDB.

Any process can read them, whichever process does the work. Each count stops at a limit, because
larger numbers would say no more, and counting must not slow down a sale.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pymongo.errors import OperationFailure

from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId
from domain.orders import OrderStatus
from domain.payments.inbox import InboxState
from storage.mongo.client import Database, Document, raises_unavailable

STUCK_AFTER = timedelta(minutes=2)
"""How long work may be due before it counts as stuck. Workers normally do it within seconds."""
EFFECTS_STUCK_AFTER = timedelta(minutes=10)
MAX_COUNT = 10_000
READ_WITHIN_MS = 2_000
_WORK_INDEX = {"concertId": 1, "workAt": 1}
"""The index of the orders that have work. Queries name it, because MongoDB would otherwise choose
among several indexes that begin with the concert.
"""
SHOWN_STATES = (InboxState.PARKED, InboxState.QUARANTINED, InboxState.REPORTED)


class StuckReason(StrEnum):
    PAYMENT_OVERDUE = "payment_overdue"
    """Pending two minutes after the deadline of the payment."""
    PROVIDER_AWAITED = "provider_awaited"
    """Pending, and an intent or a cancellation has been due for two minutes."""
    LATE_PAYMENT = "late_payment"
    """Paid after the units were released, and undecided for two minutes."""
    REFUND_DUE = "refund_due"
    """A refund has been due for two minutes."""
    REFUND_PENDING = "refund_pending"
    """A refund has not succeeded yet, whether or not it has been sent."""
    EFFECTS_DUE = "effects_due"
    """An effect, such as the document of the tickets, has been due for ten minutes."""


_REASONS = {
    (OrderStatus.PENDING_PAYMENT, True): StuckReason.PAYMENT_OVERDUE,
    (OrderStatus.PENDING_PAYMENT, False): StuckReason.PROVIDER_AWAITED,
    (OrderStatus.LATE_PAYMENT, True): StuckReason.LATE_PAYMENT,
    (OrderStatus.LATE_PAYMENT, False): StuckReason.LATE_PAYMENT,
}
"""By status, and whether the payment's deadline has passed. Other orders have a refund due."""


@dataclass(frozen=True, slots=True)
class PaymentFigures:
    stuck: Mapping[StuckReason, int]
    events: Mapping[InboxState, int]
    """The number of payment events that are parked, quarantined or reported."""
    oldest_due_at: datetime | None
    """When the order that has been due longest became due; None if no order is due."""


class PaymentFiguresStore:
    def __init__(self, database: Database) -> None:
        self._orders = database["orders"]
        self._events = database["payment_events"]

    async def read(self, concert_ids: Collection[ConcertId], now: datetime) -> PaymentFigures:
        """Return the figures. Pending refunds are counted for these concerts; all other figures
        cover every concert.

        Raises TemporarilyUnavailable if MongoDB does not answer, or has not created the indexes of
        orders yet.
        """
        try:
            return await self._read(concert_ids, now)
        except OperationFailure as error:
            raise TemporarilyUnavailable("The order database cannot count orders yet") from error

    @raises_unavailable
    async def _read(self, concert_ids: Collection[ConcertId], now: datetime) -> PaymentFigures:
        of_concerts: Document = {"concertId": {"$in": list(concert_ids)}}
        stuck, pending, effects, oldest, events = await asyncio.gather(
            self._count_due(now - STUCK_AFTER),
            self._count({**of_concerts, "status": OrderStatus.REFUND_PENDING}),
            self._count_effects(now),
            self._find_oldest(now),
            asyncio.gather(*[self._count_events(state) for state in SHOWN_STATES]),
        )
        stuck |= {StuckReason.REFUND_PENDING: pending, StuckReason.EFFECTS_DUE: effects}
        return PaymentFigures(stuck, dict(zip(SHOWN_STATES, events, strict=True)), oldest)

    async def _count_due(self, since: datetime) -> dict[StuckReason, int]:
        counts = dict.fromkeys(StuckReason, 0)
        found = self._orders.aggregate(
            [
                {"$match": {"concertId": {"$gt": ""}, "workAt": {"$lte": since}}},
                {"$limit": MAX_COUNT},
                {"$project": {"status": 1, "isOverdue": {"$lte": ["$payment.expiresAt", since]}}},
                {"$group": {"_id": {"status": "$status", "isOverdue": "$isOverdue"}, "count": {"$sum": 1}}},
            ],
            hint=_WORK_INDEX,
            maxTimeMS=READ_WITHIN_MS,
        )
        async for group in found:
            key = (OrderStatus(group["_id"]["status"]), group["_id"]["isOverdue"])
            counts[_REASONS.get(key, StuckReason.REFUND_DUE)] += group["count"]
        return counts

    async def _find_oldest(self, now: datetime) -> datetime | None:
        found = self._orders.aggregate(
            [
                {"$match": {"concertId": {"$gt": ""}, "workAt": {"$lte": now}}},
                {"$group": {"_id": None, "oldest": {"$min": "$workAt"}}},
            ],
            hint=_WORK_INDEX,
            maxTimeMS=READ_WITHIN_MS,
        )
        async for group in found:
            oldest: datetime = group["oldest"]
            return oldest
        return None

    async def _count(self, query: Document) -> int:
        return await self._orders.count_documents(query, limit=MAX_COUNT, maxTimeMS=READ_WITHIN_MS)

    async def _count_effects(self, now: datetime) -> int:
        query = {
            "concertId": {"$gt": ""},
            "effectsAt": {"$exists": True},
            "updatedAt": {"$lte": now - EFFECTS_STUCK_AFTER},
        }
        return await self._orders.count_documents(
            query, limit=MAX_COUNT, maxTimeMS=READ_WITHIN_MS, hint=[("concertId", 1), ("effectsAt", 1)]
        )

    async def _count_events(self, state: InboxState) -> int:
        query = {"state": state, "problem": {"$gt": ""}}
        return await self._events.count_documents(query, limit=MAX_COUNT, maxTimeMS=READ_WITHIN_MS)
