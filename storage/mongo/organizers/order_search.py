"""Pages of a concert's orders for its organizer, newest first, filtered by status and by words.

Each order has its words in `search`. An earlier version of Onsale did not write them; `prepare`
writes them for a concert before it is searched. One lookup shows whether any are missing, because
the index has a null for each.
"""

from pymongo import ASCENDING, DESCENDING, UpdateOne

from domain.ids import ConcertId, PersonId
from domain.orders import Customer, Order, OrderStatus
from domain.organizers.order_search import OrderFilter
from domain.page import Page, PageRequest
from storage.mongo.client import Database, Document, raises_unavailable
from storage.mongo.cursors import find_page
from storage.mongo.order_documents import order_from_document, search_words

_LAST = "\U0010ffff"
_HIDDEN = (OrderStatus.VOID, OrderStatus.WITHDRAWN)
"""Bookkeeping, not a person's purchase."""


class OrderSearchStore:
    def __init__(self, database: Database) -> None:
        self._orders = database["orders"]

    async def create_indexes(self) -> None:
        """Create the indexes for pages of a concert's orders and for words."""
        # The status is in the index, so that orders with other statuses are skipped without a read.
        by_time = [("concertId", ASCENDING), ("createdAt", DESCENDING), ("_id", ASCENDING), ("status", ASCENDING)]
        await self._orders.create_index(by_time)
        await self._orders.create_index([("concertId", ASCENDING), ("search", ASCENDING)])

    @raises_unavailable
    async def page(self, concert_id: ConcertId, filter_: OrderFilter, request: PageRequest) -> Page[Order]:
        """Return a page of orders. Raises BadUserInput for an invalid cursor."""
        query: Document = {"concertId": concert_id, "status": _status_condition(filter_), **_search_condition(filter_)}
        return await find_page(self._orders, query, order_from_document, request, sort_field="createdAt")

    @raises_unavailable
    async def prepare(self, concert_id: ConcertId, *, limit: int) -> int:
        """Write the missing words of at most `limit` orders of a concert. Return how many were
        written.
        """
        shown = {"personId": 1, "customer": 1}
        found = self._orders.find({"concertId": concert_id, "search": None}, shown).limit(limit)
        updates = [_set_words(document) async for document in found]
        if updates:
            await self._orders.bulk_write(updates, ordered=False)
        return len(updates)


def _status_condition(filter_: OrderFilter) -> Document:
    return {"$in": list(filter_.statuses)} if filter_.statuses else {"$nin": list(_HIDDEN)}


def _search_condition(filter_: OrderFilter) -> Document:
    """Return the condition on the number or the words. Text from clients is compared literally."""
    words = [{"search": {"$elemMatch": {"$gte": word, "$lt": word + _LAST}}} for word in filter_.words]
    if (numbers := filter_.number_range) is not None:
        is_number = {"_id": {"$gte": numbers[0], "$lte": numbers[1]}}
        return {"$and": [{"$or": [is_number, {"$and": words}]}]}
    return {"$and": words} if words else {}


def _set_words(document: Document) -> UpdateOne:
    # A VOID order has neither person nor customer, and is never found.
    person_id, customer = PersonId(document.get("personId", "")), document.get("customer")
    words = search_words(person_id, Customer(**customer) if customer else None)
    return UpdateOne({"_id": document["_id"], "search": None}, {"$set": {"search": words}})
