"""The orders with an effect that is due, each leased by one effects worker at a time.

`effectsAt` of an order says when an effect is due. It is missing if none is, and also if no worker
can do the effects that are due: such an order is parked until a worker that can do them finds it.
"""

from collections.abc import Collection
from datetime import datetime

from pymongo import ASCENDING

from domain.ids import ConcertId, OrderId
from domain.orders import Order, OrderStatus
from domain.payments.payment import EffectState
from storage.mongo.client import Database, Document, raises_unavailable
from storage.mongo.order_work import EFFECTS, OrderWork


class EffectWork(OrderWork):
    def __init__(self, database: Database) -> None:
        super().__init__(database, EFFECTS)

    @raises_unavailable
    async def list_concerts(self) -> tuple[ConcertId, ...]:
        return tuple(ConcertId(found) for found in await self._orders.distinct("concertId"))

    @raises_unavailable
    async def find_parked(
        self, concert_id: ConcertId, names: Collection[str], now: datetime, *, after: OrderId | None, limit: int
    ) -> OrderId | None:
        """Check the next `limit` orders of a concert for these effects. Those that are parked, or
        were written by a version without effects, become due.

        Return the order after which to continue, or None at the end.
        """
        place: Document = {"concertId": concert_id, "_id": {"$gt": after or ""}}
        # The index has both fields, so the last order of the page is found without reading any
        # order.
        ids = [one["_id"] async for one in self._orders.find(place, {"_id": 1}).sort("_id", ASCENDING).limit(limit)]
        if not ids:
            return None
        page: Document = {"concertId": concert_id, "_id": {"$gt": after or "", "$lte": ids[-1]}}
        await self._orders.update_many({**page, **_parked(names)}, {"$set": {EFFECTS.at: now}})
        return OrderId(ids[-1]) if len(ids) == limit else None

    @raises_unavailable
    async def find_parked_between(self, since: datetime, until: datetime, names: Collection[str], now: datetime) -> int:
        """Do the same for orders of any concert whose last change was in this time. Return how many
        became due.
        """
        result = await self._orders.update_many(
            {"updatedAt": {"$gte": since, "$lte": until}, **_parked(names)}, {"$set": {EFFECTS.at: now}}
        )
        return result.modified_count

    @raises_unavailable
    async def postpone(self, order: Order, until: datetime | None) -> None:
        """Make an order wait until this time, or park it, unless it has changed. Its lease ends."""
        unset = {EFFECTS.lease_id: "", EFFECTS.lease_until: ""}
        change: Document = {"$unset": unset} if until else {"$unset": unset | {EFFECTS.at: ""}}
        if until:
            change["$set"] = {EFFECTS.at: until}
        await self._orders.update_one(
            {"_id": order.id, "concertId": order.concert_id, "version": order.version}, change
        )


def _parked(names: Collection[str]) -> Document:
    is_due = [{f"effects.{name}": EffectState.DUE} for name in names]
    is_old = {
        "status": {"$in": [OrderStatus.PAID, OrderStatus.FULFILLED]},
        "effects.tickets": {"$exists": False},
    }
    return {EFFECTS.at: {"$exists": False}, "$or": [*is_due, is_old]}
