"""The queries behind lists of concerts, and the indexes that serve them.

MongoDB reads a list by its most selective condition. The status, city, country, genre, currency and
organizer each have an index that continues with the start, so that a page reads little more than it
shows; prices and search words have indexes of their own. The other conditions are checked on the
documents found. A time limit protects against very large catalogs.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pymongo import ASCENDING

from domain.catalog.listing import MAX_COUNT, PAST_AFTER, ConcertSort, MatchCount, PriceFilter
from domain.concerts import ConcertFilter, ConcertStatus
from domain.page import PageRequest
from storage.mongo.catalog.list_places import ListPart, ListPlace, edge_of_list, list_place_of
from storage.mongo.client import ANSWER_WITHIN_MS, Collection, Document
from storage.mongo.concert_search import WITHOUT_SEARCH, search_conditions
from storage.mongo.cursors import name_list

INDEXES: Sequence[Sequence[str]] = (
    ("startsAt", "_id"),
    ("status", "startsAt", "_id"),
    ("search.city", "startsAt", "_id"),
    ("venue.country", "startsAt", "_id"),
    ("details.genre", "startsAt", "_id"),
    ("currency", "startsAt", "_id"),
    ("currency", "tiers.priceMinor"),
    ("organizerId", "startsAt", "_id"),
    ("salesStartAt", "_id"),
    ("search.words",),
)
_FIELDS = {ConcertSort.STARTS_AT: "startsAt", ConcertSort.SALES_START_AT: "salesStartAt"}
_SALE_OUTLASTS_START = timedelta(days=1)
"""A sale ends at most a day after the start of its concert, so the start limits the read."""


async def create_list_indexes(concerts: Collection) -> None:
    for fields in INDEXES:
        await concerts.create_index([(field, ASCENDING) for field in fields])


async def find_concerts(
    concerts: Collection, filter_: ConcertFilter, request: PageRequest, sort: ConcertSort
) -> list[tuple[str, Document]]:
    """Return the documents of a page, each with its cursor, in the order of reading.

    Raises BadUserInput for an invalid cursor.
    """
    place = _place_of(filter_, request, sort)
    query = _query(filter_, is_past_before=datetime.now(UTC) - PAST_AFTER)
    documents: list[Document] = []
    for part in place.parts_ahead(is_backward=request.is_backward):
        limit = request.limit - len(documents)
        is_empty = filter_.upcoming and sort is ConcertSort.STARTS_AT and part.is_over
        if limit > 0 and not is_empty:
            documents += await _find(concerts, query, place.field, part, limit=limit)
    return [(place.move_to(document).cursor, document) for document in documents]


async def count_concerts(concerts: Collection, filter_: ConcertFilter) -> MatchCount:
    query = _query(filter_, is_past_before=datetime.now(UTC) - PAST_AFTER)
    found = await concerts.count_documents(query, limit=MAX_COUNT + 1, maxTimeMS=ANSWER_WITHIN_MS)
    return MatchCount(min(found, MAX_COUNT), is_exact=found <= MAX_COUNT)


async def _find(concerts: Collection, query: Document, field: str, part: ListPart, *, limit: int) -> list[Document]:
    found = concerts.find({"$and": [query, part.condition]}, WITHOUT_SEARCH).limit(limit).max_time_ms(ANSWER_WITHIN_MS)
    return list(await found.sort([(field, part.direction), ("_id", part.direction)]).to_list(limit))


def _place_of(filter_: ConcertFilter, request: PageRequest, sort: ConcertSort) -> ListPlace:
    # Clients send the current time as `onSaleAt`, which moves on while they page.
    moves_on = None if filter_.on_sale_at is None else "onSaleAt"
    list_name = name_list("concerts", replace(filter_, on_sale_at=None), moves_on, sort)
    if request.cursor is not None:
        return list_place_of(request.cursor, list_name, _FIELDS[sort])
    now = datetime.now(UTC)
    divider = now - PAST_AFTER if sort is ConcertSort.STARTS_AT else now
    return edge_of_list(list_name, _FIELDS[sort], divider, is_backward=request.is_backward)


def _query(filter_: ConcertFilter, *, is_past_before: datetime) -> Document:
    conditions = [*search_conditions(filter_), *_time_conditions(filter_, is_past_before)]
    if filter_.wanted_statuses is not None:
        conditions.append({"status": {"$in": list(filter_.wanted_statuses)}})
    if filter_.country is not None:
        conditions.append({"venue.country": filter_.country})
    if filter_.genres is not None:
        conditions.append({"details.genre": {"$in": list(filter_.genres)}})
    if filter_.price is not None:
        conditions += _price_conditions(filter_.price)
    if filter_.organizer_id is not None:
        conditions.append({"$or": _organized_by(filter_.organizer_id)})
    if filter_.drafts_of is not None:
        conditions.append({"$or": [{"status": {"$ne": ConcertStatus.DRAFT}}, *_organized_by(filter_.drafts_of)]})
    return {"$and": conditions} if conditions else {}


def _time_conditions(filter_: ConcertFilter, is_past_before: datetime) -> list[Document]:
    found: list[Document] = []
    if filter_.upcoming:
        found.append({"startsAt": {"$gte": is_past_before}})
    if filter_.starts_after is not None:
        found.append({"startsAt": {"$gte": filter_.starts_after}})
    if filter_.starts_before is not None:
        found.append({"startsAt": {"$lt": filter_.starts_before}})
    if (moment := filter_.on_sale_at) is not None:
        found.append({"salesStartAt": {"$lte": moment}, "salesEndAt": {"$gt": moment}})
        found.append({"status": ConcertStatus.PUBLISHED, "startsAt": {"$gte": moment - _SALE_OUTLASTS_START}})
    return found


def _price_conditions(price: PriceFilter) -> list[Document]:
    bounds = {"$gte": price.lowest_minor, "$lte": price.highest_minor}
    given = {operator: bound for operator, bound in bounds.items() if bound is not None}
    tier = {"isHidden": {"$ne": True}} | ({"priceMinor": given} if given else {})
    return [{"currency": price.currency, "tiers": {"$elemMatch": tier}}]


def _organized_by(person_id: str) -> list[Document]:
    """Return conditions, one of which must be met. An earlier version stored only the creator."""
    return [{"organizerId": person_id}, {"organizerId": None, "createdBy": person_id}]
