"""Orders in MongoDB.

The unique index ensures that a unit is in at most one order, whatever the state of Redis. It begins
with the concert, which a unit names, so that the collection can be sharded by concert.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.errors import CollectionInvalid, DuplicateKeyError, OperationFailure

from domain.errors import TemporarilyUnavailable
from domain.ids import (
    ConcertId,
    OrderId,
    PersonId,
    TierId,
    Unit,
    concert_of,
    order_ids_of_number,
    tier_of,
)
from domain.orders import Order, OrderStatus
from domain.page import Page, PageRequest
from storage.mongo.client import Database, Document, Session, raises_unavailable
from storage.mongo.cursors import find_page
from storage.mongo.order_documents import order_document, order_from_document

NAMESPACE_EXISTS = 48
_INDEX_NOT_FOUND = 27
UNITS_INDEX = "concert_units_recorded_once"
_OLD_INDEXES = ("units_recorded_once", "concertId_1_status_1")
"""Indexes of earlier versions, which newer ones replace."""
_UNIQUE_ITEMS = {"$jsonSchema": {"properties": {"units": {"bsonType": "array", "uniqueItems": True}}}}


class OrderStore:
    def __init__(self, database: Database) -> None:
        self._database = database
        self.collection = database["orders"]

    async def create_indexes(self) -> None:
        """Create the collection with its validator and its indexes.

        The index on units is a partial index with a `$gt` filter: a plain unique index would reject
        the second document without units, and with a `$type` filter, lookups would scan the
        collection.
        """
        try:
            await self._database.create_collection("orders", validator=_UNIQUE_ITEMS)
        except (CollectionInvalid, OperationFailure) as error:
            # Another process created the collection. The driver and the server report this with
            # different errors.
            if isinstance(error, OperationFailure) and error.code != NAMESPACE_EXISTS:
                raise
            await self._database.command("collMod", "orders", validator=_UNIQUE_ITEMS)
        await self._create_index("concertId", "_id")
        await self._create_index("concertId", "status", "_id")
        await self._create_index("concertId", "workAt", only={"workAt": {"$exists": True}})
        await self._create_index("concertId", "effectsAt", only={"effectsAt": {"$exists": True}})
        await self._create_index("concertId", "tickets.id", only={"tickets.id": {"$gt": ""}})
        await self.collection.create_index(
            [("tickets.holderId", ASCENDING), ("createdAt", DESCENDING), ("_id", ASCENDING)],
            partialFilterExpression={"tickets.holderId": {"$gt": ""}},
        )
        await self._create_index("concertId", "revocations.at", only={"revocations.at": {"$exists": True}})
        await self._create_index("payment.attempts.intentId", only={"payment.attempts.intentId": {"$gt": ""}})
        await self._create_index("updatedAt")
        await self.collection.create_index([("personId", ASCENDING), ("createdAt", DESCENDING), ("_id", ASCENDING)])
        # The readiness check depends on this index, so it is created last.
        await self._create_index("concertId", "units", name=UNITS_INDEX, unique=True, only={"units": {"$gt": ""}})
        await self._drop_old_indexes()

    async def _create_index(self, *fields: str, only: Document | None = None, **options: Any) -> None:
        if only is not None:
            options["partialFilterExpression"] = only
        await self.collection.create_index([(field, ASCENDING) for field in fields], **options)

    async def _drop_old_indexes(self) -> None:
        """Drop the indexes of earlier versions, after those that replace them have been created."""
        for name in set(_OLD_INDEXES) & set(await self.collection.index_information()):
            try:
                await self.collection.drop_index(name)
            except OperationFailure as error:
                # Another process that has just started may have dropped it.
                if error.code != _INDEX_NOT_FOUND:
                    raise

    async def has_unit_guards(self) -> bool:
        """Return whether both guards on units exist: the unique index, and the validator that
        forbids the same unit twice in one order.
        """
        if UNITS_INDEX not in await self.collection.index_information():
            return False
        options = await self.collection.options()
        return bool(options.get("validator") == _UNIQUE_ITEMS)

    @raises_unavailable
    async def get(self, order_id: OrderId) -> Order | None:
        document = await self.collection.find_one({"_id": order_id, "status": {"$ne": OrderStatus.VOID}})
        return order_from_document(document) if document else None

    @raises_unavailable
    async def get_many(self, order_ids: Collection[OrderId]) -> tuple[Order, ...]:
        """Return the orders that exist. A VOID order does not count."""
        found = self.collection.find({"_id": {"$in": list(order_ids)}, "status": {"$ne": OrderStatus.VOID}})
        return tuple([order_from_document(document) async for document in found])

    @raises_unavailable
    async def find_owners(self, units: Sequence[Unit]) -> tuple[Order, ...]:
        """Return every order that has one of these units."""
        concerts = {concert_of(tier_of(unit)) for unit in units}
        # An additional condition, such as `$gt`, would make MongoDB read all units of the concerts.
        query = {"concertId": {"$in": list(concerts)}, "units": {"$in": list(units)}}
        return tuple([order_from_document(document) async for document in self.collection.find(query)])

    @raises_unavailable
    async def page_of_person(self, person_id: PersonId, request: PageRequest) -> Page[Order]:
        """Return a page of a person's orders, newest first.

        Raises BadUserInput for an invalid cursor.
        """
        query: Document = {"personId": person_id, "status": {"$ne": OrderStatus.VOID}}
        return await find_page(self.collection, query, order_from_document, request, sort_field="createdAt")

    @raises_unavailable
    async def page_of_concert(self, concert_id: ConcertId, *, after: OrderId | None, limit: int) -> tuple[Order, ...]:
        """Return the next orders of a concert by id, without VOID orders."""
        query = {"concertId": concert_id, "_id": {"$gt": after or ""}, "status": {"$ne": OrderStatus.VOID}}
        found = self.collection.find(query).sort("_id", ASCENDING).limit(limit)
        return tuple([order_from_document(document) async for document in found])

    @raises_unavailable
    async def find_by_number(self, concert_id: ConcertId, number: str) -> tuple[Order, ...]:
        """Return the orders of a concert with this number, usually one.

        Raises ValueError if the text is not an order number.
        """
        lowest, highest = order_ids_of_number(number)
        query = {
            "concertId": concert_id,
            "_id": {"$gte": lowest, "$lte": highest},
            "status": {"$ne": OrderStatus.VOID},
        }
        return tuple([order_from_document(document) async for document in self.collection.find(query)])

    @raises_unavailable
    async def find_by_intent(self, intent_id: str) -> tuple[Order, ...]:
        """Return the orders that recorded this payment intent, for an event that names no order."""
        query = {"payment.attempts.intentId": intent_id}
        return tuple([order_from_document(document) async for document in self.collection.find(query)])

    async def iterate_concert(self, concert_id: ConcertId) -> AsyncIterator[Order]:
        """Yield every order that a recovery records.

        These are people's orders, house orders, and ended orders whose units were returned.
        """
        query = {"concertId": concert_id, "status": {"$ne": OrderStatus.VOID}}
        async for document in self.collection.find(query, batch_size=1000):
            yield order_from_document(document)

    @raises_unavailable
    async def changed_since(self, moment: datetime) -> dict[ConcertId, list[tuple[OrderId, int]]]:
        """Return the id and version of each order changed since `moment`, by concert, except VOID
        orders.
        """
        query = {"updatedAt": {"$gte": moment}, "status": {"$ne": OrderStatus.VOID}}
        changed: dict[ConcertId, list[tuple[OrderId, int]]] = {}
        async for document in self.collection.find(query, {"version": 1, "concertId": 1}):
            changed.setdefault(ConcertId(document["concertId"]), []).append(
                (OrderId(document["_id"]), document["version"])
            )
        return changed

    @raises_unavailable
    async def list_withdrawn(self, concert_id: ConcertId, tier_id: TierId, *, limit: int) -> tuple[Order, ...]:
        """Return house orders that have units of the tier."""
        query = {
            "concertId": concert_id,
            "status": OrderStatus.WITHDRAWN,
            "lines.tierId": tier_id,
            "units": {"$gt": ""},
        }
        found = self.collection.find(query).limit(limit)
        return tuple([order_from_document(document) async for document in found])

    @raises_unavailable
    async def list_units(self, concert_id: ConcertId, tier_id: TierId) -> set[Unit]:
        """Return every unit of the tier that is in an order."""
        query = {"concertId": concert_id, "lines.tierId": tier_id, "units": {"$gt": ""}}
        units = [unit async for document in self.collection.find(query, {"units": 1}) for unit in document["units"]]
        return {unit for unit in units if tier_of(unit) == tier_id}

    @raises_unavailable
    async def count_sold(self, concert_ids: Collection[ConcertId]) -> dict[ConcertId, dict[TierId, int]]:
        """Return the number of units that people have bought by concert and tier, with one
        aggregation. Units that wait for a payment are not counted.
        """
        is_sold = {"$nin": [OrderStatus.VOID, OrderStatus.WITHDRAWN, OrderStatus.PENDING_PAYMENT]}
        tier = {"$arrayElemAt": [{"$split": ["$units", ":"]}, 0]}
        found = self.collection.aggregate(
            [
                {"$match": {"concertId": {"$in": list(concert_ids)}, "status": is_sold}},
                {"$project": {"_id": 0, "concertId": 1, "units": 1}},
                {"$unwind": "$units"},
                {"$group": {"_id": {"concert": "$concertId", "tier": tier}, "sold": {"$sum": 1}}},
            ]
        )
        sold: dict[ConcertId, dict[TierId, int]] = {}
        async for group in found:
            key = group["_id"]
            sold.setdefault(ConcertId(key["concert"]), {})[TierId(key["tier"])] = group["sold"]
        return sold

    @raises_unavailable
    async def find_or_void(self, order_id: OrderId, concert_id: ConcertId, *, now: datetime) -> Order | None:
        """Return the order with this id, or None if it is a VOID order. If the id is unused, a VOID
        order is inserted, so that no other order with this id can ever exist.

        Raises TemporarilyUnavailable if there is an order that a majority has not confirmed yet.
        """
        void: Document = {
            "_id": order_id,
            "concertId": concert_id,
            "status": OrderStatus.VOID,
            "createdAt": now,
            "updatedAt": now,
        }
        try:
            await self.collection.insert_one(void)
        except DuplicateKeyError:
            existing = await self.collection.find_one({"_id": order_id})
            if existing is None:
                raise TemporarilyUnavailable("The order database has not confirmed this order yet") from None
            return None if existing["status"] == OrderStatus.VOID else order_from_document(existing)
        return None

    async def put_in_transaction(self, order: Order, session: Session) -> None:
        await self.collection.insert_one(order_document(order), session=session)

    async def shrink_in_transaction(self, order: Order, session: Session) -> bool:
        """Write a house order that has returned units, if the stored version is the previous one.

        Return whether it was written.
        """
        result = await self.collection.replace_one(
            {"_id": order.id, "version": order.version - 1}, order_document(order), session=session
        )
        return bool(result.matched_count)
