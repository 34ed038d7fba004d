"""Concerts in MongoDB, which owns all their fields. Each change is a compare-and-set on `version`.

Two fields change independently of it: each recovery raises `epoch`, and each move of units updates
`toWithdraw`, the number of units per tier that the house must still take.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta

from pymongo import ASCENDING, DESCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError

from domain.concerts import DEFAULT_PAYMENT_MS, Concert, ConcertFilter, ConcertStatus, ConcertTerms, Tier, Venue
from domain.errors import NotFound
from domain.ids import ConcertId, PersonId, TierId
from domain.money import CurrencyCode
from domain.page import Page
from domain.queues import QueueingMethod, RoomSettings
from storage.mongo.client import Database, Document, Session, raises_unavailable
from storage.mongo.concert_search import INDEX, WITHOUT_SEARCH, backfill, search_conditions, search_fields
from storage.mongo.cursors import ListPlace, list_place_of, start_of_list

MAX_CURRENCIES = 10_000
PAST_AFTER = timedelta(days=1)
"""A concert counts as past a day after its start. One that takes place tonight or in another time
zone still belongs at the top of the list.
"""


@dataclass(frozen=True, slots=True)
class SlugTaken(Exception):
    slug: str


class ConcertStore:
    def __init__(self, database: Database) -> None:
        self._concerts = database["concerts"]
        self._currencies: dict[ConcertId, CurrencyCode] = {}

    async def create_indexes(self) -> None:
        """Create the indexes for unique slugs, for lists sorted by start time (of all concerts or
        those with one status), and for search words.
        """
        await self._concerts.create_index([("slug", ASCENDING)], unique=True)
        await self._concerts.create_index([("startsAt", ASCENDING), ("_id", ASCENDING)])
        await self._concerts.create_index([("status", ASCENDING), ("startsAt", ASCENDING), ("_id", ASCENDING)])

        await self._concerts.create_index(INDEX)

    async def backfill_search(self) -> int:
        """Write search fields that are missing or outdated. Return how many were written."""
        return await backfill(self._concerts)

    @raises_unavailable
    async def insert(self, concert: Concert) -> None:
        """Insert a new concert.

        Raises SlugTaken; the id is new, so only the slug can be a duplicate.
        """
        try:
            await self._concerts.insert_one(_document(concert))
        except DuplicateKeyError as error:
            raise SlugTaken(concert.slug) from error

    @raises_unavailable
    async def get(self, concert_id: ConcertId) -> Concert | None:
        return _concert_or_none(await self._concerts.find_one({"_id": concert_id}, WITHOUT_SEARCH))

    async def currency_of(self, concert_id: ConcertId) -> CurrencyCode:
        """Return the currency of a concert. Raises NotFound.

        The currency is cached, because it never changes and every purchase needs it.
        """
        if concert_id not in self._currencies:
            concert = await self.get(concert_id)
            if concert is None:
                raise NotFound("Concert", concert_id)
            if len(self._currencies) >= MAX_CURRENCIES:
                self._currencies.clear()
            self._currencies[concert_id] = concert.currency
        return self._currencies[concert_id]

    @raises_unavailable
    async def get_by_slug(self, slug: str) -> Concert | None:
        return _concert_or_none(await self._concerts.find_one({"slug": slug}, WITHOUT_SEARCH))

    @raises_unavailable
    async def page(self, filter_: ConcertFilter, *, first: int, after: str | None) -> Page[Concert]:
        """Return a page of concerts: upcoming ones by start, then past ones, latest first.

        Raises BadUserInput for an invalid cursor.
        """
        place = start_of_list(datetime.now(UTC) - PAST_AFTER) if after is None else list_place_of(after)
        query = _query(filter_)
        documents: list[Document] = []
        if not place.is_past:
            documents = await self._find_after(query, place, limit=first + 1)
        if len(documents) <= first:
            documents += await self._find_past(query, place, limit=first + 1 - len(documents))
        shown = documents[:first]
        return Page(
            tuple(_concert(document) for document in shown),
            tuple(place.move_to(document["startsAt"], document["_id"]).cursor for document in shown),
            has_next_page=len(documents) > first,
            has_previous_page=after is not None,
        )

    async def _find_after(self, query: Document, place: ListPlace, *, limit: int) -> list[Document]:
        """Return the upcoming concerts after a position, earliest first."""
        behind = [{"startsAt": {"$gt": place.starts_at}}, {"startsAt": place.starts_at, "_id": {"$gt": place.id}}]
        found = self._concerts.find({**query, "$or": behind}, WITHOUT_SEARCH).limit(limit)
        return list(await found.sort([("startsAt", ASCENDING), ("_id", ASCENDING)]).to_list(limit))

    async def _find_past(self, query: Document, place: ListPlace, *, limit: int) -> list[Document]:
        """Return the past concerts after a position, latest first."""
        behind: Document = {"startsAt": {"$lt": place.past_before}}
        if place.is_past:
            before = [{"startsAt": {"$lt": place.starts_at}}, {"startsAt": place.starts_at, "_id": {"$lt": place.id}}]
            behind = {"$or": before}
        found = self._concerts.find({**query, **behind}, WITHOUT_SEARCH).limit(limit)
        return list(await found.sort([("startsAt", DESCENDING), ("_id", DESCENDING)]).to_list(limit))

    @raises_unavailable
    async def list_active(self, *, starts_after: datetime) -> tuple[Concert, ...]:
        """Return every published or closed concert that starts after `starts_after`.

        That time may be in the past.
        """
        query = {"status": {"$ne": ConcertStatus.DRAFT}, "startsAt": {"$gt": starts_after}}
        return tuple([_concert(document) async for document in self._concerts.find(query, WITHOUT_SEARCH)])

    async def replace_in_transaction(
        self, concert: Concert, session: Session, *, to_withdraw: Mapping[TierId, int], epoch: int | None = None
    ) -> Concert | None:
        """Write `concert` if the stored concert has the previous version and, if `epoch` is given,
        that epoch. Add `to_withdraw` to the units that the house must still take.

        Return the concert as it is stored now, or None if it was not written.
        """
        fields = _document(concert)
        del fields["_id"], fields["epoch"]
        update: Document = {"$set": fields}
        if to_withdraw:
            update["$inc"] = {f"toWithdraw.{tier_id}": count for tier_id, count in to_withdraw.items()}
        query: Document = {"_id": concert.id, "version": concert.version - 1}
        if epoch is not None:
            query["epoch"] = epoch
        return _concert_or_none(
            await self._concerts.find_one_and_update(
                query, update, return_document=ReturnDocument.AFTER, session=session
            )
        )

    async def get_in_transaction(self, concert_id: ConcertId, session: Session) -> Concert | None:
        """Return the concert as seen by this transaction."""
        return _concert_or_none(await self._concerts.find_one({"_id": concert_id}, WITHOUT_SEARCH, session=session))

    async def count_moved_in_transaction(
        self, concert_id: ConcertId, tier_id: TierId, count: int, session: Session
    ) -> bool:
        """Count units that the house has taken, or returned if `count` is negative.

        Return False if fewer units remain to be moved.
        """
        field = f"toWithdraw.{tier_id}"
        enough = {"$gte": count} if count > 0 else {"$lte": count}
        result = await self._concerts.update_one(
            {"_id": concert_id, field: enough}, {"$inc": {field: -count}}, session=session
        )
        return bool(result.matched_count)

    @raises_unavailable
    async def raise_epoch(self, concert_id: ConcertId) -> Concert | None:
        """Raise the epoch of a concert.

        Return the concert with its new epoch, or None for an unknown id or a draft.
        """
        return _concert_or_none(
            await self._concerts.find_one_and_update(
                {"_id": concert_id, "status": {"$ne": ConcertStatus.DRAFT}},
                {"$inc": {"epoch": 1}},
                return_document=ReturnDocument.AFTER,
            )
        )


def _query(filter_: ConcertFilter) -> Document:
    query: Document = {}
    if filter_.statuses is not None:
        query["status"] = {"$in": list(filter_.statuses)}
    if conditions := search_conditions(filter_):
        query["$and"] = conditions
    if filter_.drafts_of is not None:
        is_own = [{"organizerId": filter_.drafts_of}, {"organizerId": None, "createdBy": filter_.drafts_of}]
        query.setdefault("$and", []).append({"$or": [{"status": {"$ne": ConcertStatus.DRAFT}}, *is_own]})
    if filter_.on_sale_at:
        query["salesStartAt"] = {"$lte": filter_.on_sale_at}
        query["salesEndAt"] = {"$gt": filter_.on_sale_at}
        query.setdefault("$and", []).append({"status": ConcertStatus.PUBLISHED})
    return query


def _document(concert: Concert) -> Document:
    terms = concert.terms
    return {
        "_id": concert.id,
        "slug": concert.slug,
        "name": terms.name,
        "venue": {"name": terms.venue.name, "city": terms.venue.city, "country": terms.venue.country},
        "description": terms.description,
        "startsAt": terms.starts_at,
        "salesStartAt": terms.sales_start_at,
        "salesEndAt": terms.sales_end_at,
        "currency": concert.currency,
        "limitPerOrder": terms.limit_per_order,
        "limitPerPerson": terms.limit_per_person,
        "holdDurationMs": terms.hold_duration_ms,
        "paymentDurationMs": terms.payment_duration_ms,
        "refundsUntil": terms.refunds_until,
        "tiers": [
            {"id": t.id, "name": t.name, "priceMinor": t.price_minor, "capacity": t.capacity, "top": t.top}
            for t in concert.tiers
        ],
        "status": concert.status,
        "version": concert.version,
        "epoch": concert.epoch,
        "createdBy": concert.created_by,
        "createdAt": concert.created_at,
        "organizerId": concert.organizer_id,
        "gatePeople": list(concert.gate_people),
        "room": asdict(concert.room),
        "search": search_fields(terms.name, terms.venue, concert.version),
    }


def _concert_or_none(document: Document | None) -> Concert | None:
    return _concert(document) if document else None


def _concert(document: Document) -> Concert:
    # This field is missing from documents that earlier versions of Onsale wrote. Those versions
    # changed capacities immediately.
    to_withdraw: Mapping[str, int] = document.get("toWithdraw", {})
    return Concert(
        id=ConcertId(document["_id"]),
        slug=document["slug"],
        terms=ConcertTerms(
            name=document["name"],
            venue=Venue(**document["venue"]),
            description=document["description"],
            starts_at=document["startsAt"],
            sales_start_at=document["salesStartAt"],
            sales_end_at=document["salesEndAt"],
            limit_per_order=document["limitPerOrder"],
            limit_per_person=document["limitPerPerson"],
            hold_duration_ms=document["holdDurationMs"],
            # Documents from earlier versions of Onsale lack both fields.
            payment_duration_ms=document.get("paymentDurationMs", DEFAULT_PAYMENT_MS),
            refunds_until=document.get("refundsUntil"),
        ),
        currency=CurrencyCode(document["currency"]),
        tiers=tuple(
            Tier(
                TierId(t["id"]),
                t["name"],
                t["priceMinor"],
                capacity=t["capacity"],
                top=t["top"],
                to_withdraw=to_withdraw.get(t["id"], 0),
            )
            for t in document["tiers"]
        ),
        status=ConcertStatus(document["status"]),
        version=document["version"],
        epoch=document["epoch"],
        created_by=PersonId(document["createdBy"]),
        created_at=document["createdAt"],
        # Documents from earlier versions of Onsale lack both fields; the creator is the organizer.
        organizer_id=PersonId(document.get("organizerId") or document["createdBy"]),
        gate_people=tuple(PersonId(person_id) for person_id in document.get("gatePeople", ())),
        room=_room(document["room"]),
    )


def _room(document: Document) -> RoomSettings:
    """Return the room settings.

    A document from an earlier version of Onsale lacks newer fields, and has `is_on` in place of
    `suspended`.
    """
    known = {field.name for field in fields(RoomSettings)}
    given = {name: value for name, value in document.items() if name in known}
    if "is_on" in document:
        given["suspended"] = not document["is_on"]
    given["queueing_method"] = QueueingMethod(given.get("queueing_method", QueueingMethod.FIFO))
    return RoomSettings(**given)
