"""Concerts in MongoDB, which owns all their fields. Each change is a compare-and-set on `version`.

Two fields change independently of it: each recovery raises `epoch`, and each move of units updates
`toWithdraw`, the number of units per tier that the house must still take.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime

from pymongo import ASCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError

from domain.catalog.listing import ConcertSort, MatchCount
from domain.concerts import DEFAULT_PAYMENT_MS, Concert, ConcertFilter, ConcertStatus, ConcertTerms, Venue
from domain.errors import NotFound
from domain.ids import ConcertId, PersonId, TierId
from domain.images.image import ConcertImage, ImageId
from domain.money import CurrencyCode
from domain.page import Page, PageRequest
from domain.queues import QueueingMethod, RoomSettings
from domain.venues.time_zones import only_time_zone_of
from storage.mongo.catalog.details import place_venue, read_details, write_details
from storage.mongo.catalog.listing import count_concerts, create_list_indexes, find_concerts
from storage.mongo.client import Database, Document, Session, raises_unavailable
from storage.mongo.concert_search import WITHOUT_SEARCH, backfill, search_fields
from storage.mongo.files.images import sizes_document, sizes_from
from storage.mongo.tiers.tier_documents import read_tier, tier_document

MAX_CURRENCIES = 10_000


@dataclass(frozen=True, slots=True)
class SlugTaken(Exception):
    slug: str


@dataclass(frozen=True, slots=True)
class ConcertCopy:
    concert: Concert
    digest: str
    """The digest of the request that copied the concert."""


class ConcertStore:
    def __init__(self, database: Database) -> None:
        self._concerts = database["concerts"]
        self._currencies: dict[ConcertId, CurrencyCode] = {}

    async def create_indexes(self) -> None:
        """Create the indexes for unique slugs and for lists."""
        await self._concerts.create_index([("slug", ASCENDING)], unique=True)
        await create_list_indexes(self._concerts)

    async def backfill_search(self) -> int:
        """Write search fields that are missing or outdated. Return how many were written."""
        return await backfill(self._concerts)

    @raises_unavailable
    async def insert(self, concert: Concert, *, copy_digest: str | None = None) -> None:
        """Insert a new concert; `copy_digest` identifies the request if the concert is a copy.

        Raises SlugTaken. The id is new, so only the slug can be a duplicate, except that a repeated
        copy request has a duplicate id; see `find_copy`.
        """
        try:
            await self._concerts.insert_one(_document(concert) | ({"copyDigest": copy_digest} if copy_digest else {}))
        except DuplicateKeyError as error:
            raise SlugTaken(concert.slug) from error

    @raises_unavailable
    async def get(self, concert_id: ConcertId) -> Concert | None:
        return _concert_or_none(await self._concerts.find_one({"_id": concert_id}, WITHOUT_SEARCH))

    @raises_unavailable
    async def find_copy(self, concert_id: ConcertId) -> ConcertCopy | None:
        """Return the concert with this id and the digest of the request that copied it."""
        document = await self._concerts.find_one({"_id": concert_id}, WITHOUT_SEARCH)
        return ConcertCopy(_concert(document), document.get("copyDigest", "")) if document else None

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
    async def page(
        self, filter_: ConcertFilter, request: PageRequest, sort: ConcertSort = ConcertSort.STARTS_AT
    ) -> Page[Concert]:
        """Return a page of concerts: first those whose time is in the future, earliest first, then
        the others, latest first.

        Raises BadUserInput for an invalid cursor.
        """
        found = await find_concerts(self._concerts, filter_, request, sort)
        return request.build([(cursor, _concert(document)) for cursor, document in found])

    @raises_unavailable
    async def count(self, filter_: ConcertFilter) -> MatchCount:
        return await count_concerts(self._concerts, filter_)

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

    async def delete_draft_in_transaction(self, concert_id: ConcertId, version: int, session: Session) -> bool:
        """Delete a draft at this version. Return False if it does not exist."""
        query = {"_id": concert_id, "version": version, "status": ConcertStatus.DRAFT}
        return bool((await self._concerts.delete_one(query, session=session)).deleted_count)

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

    @raises_unavailable
    async def record_store(self, concert_id: ConcertId, incarnation: str) -> None:
        """Record the incarnation of the store in which a concert is recovered."""
        await self._concerts.update_one({"_id": concert_id}, {"$set": {"recoveredIn": incarnation}})

    @raises_unavailable
    async def read_recorded_stores(self, concert_ids: Collection[ConcertId]) -> dict[ConcertId, str]:
        """Return for each of these concerts the incarnation that `record_store` has recorded."""
        found = self._concerts.find({"_id": {"$in": list(concert_ids)}}, {"recoveredIn": 1})
        return {ConcertId(row["_id"]): row.get("recoveredIn", "") async for row in found}


def _document(concert: Concert) -> Document:
    terms = concert.terms
    return {
        "_id": concert.id,
        "slug": concert.slug,
        "name": terms.name,
        "venue": {"name": terms.venue.name, "city": terms.venue.city, "country": terms.venue.country},
        # Stored outside `venue`, where earlier versions of Onsale would not expect it.
        "timeZone": terms.venue.time_zone,
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
        "details": write_details(terms),
        "tiers": [tier_document(tier) for tier in concert.tiers],
        "highestOrdinal": concert.highest_ordinal,
        "status": concert.status,
        "version": concert.version,
        "epoch": concert.epoch,
        "createdBy": concert.created_by,
        "createdAt": concert.created_at,
        "organizerId": concert.organizer_id,
        "gatePeople": list(concert.gate_people),
        "room": asdict(concert.room),
        "image": _image_document(concert.image),
        "search": search_fields(terms.name, terms.details.artist, terms.venue, version=concert.version),
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
            venue=place_venue(Venue(**document["venue"], time_zone=_time_zone(document)), document),
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
            details=read_details(document),
        ),
        currency=CurrencyCode(document["currency"]),
        tiers=tuple(read_tier(tier, to_withdraw.get(tier["id"], 0)) for tier in document["tiers"]),
        highest_ordinal=document.get("highestOrdinal", 0),
        status=ConcertStatus(document["status"]),
        version=document["version"],
        epoch=document["epoch"],
        created_by=PersonId(document["createdBy"]),
        created_at=document["createdAt"],
        # Documents from earlier versions of Onsale lack both fields; the creator is the organizer.
        organizer_id=PersonId(document.get("organizerId") or document["createdBy"]),
        gate_people=tuple(PersonId(person_id) for person_id in document.get("gatePeople", ())),
        room=_room(document["room"]),
        image=_image(document.get("image")),
        recovered_in=document.get("recoveredIn", ""),
    )


def _image_document(image: ConcertImage | None) -> Document | None:
    if image is None:
        return None
    return {"id": image.image_id, "alt": image.alt, "sizes": sizes_document(image.sizes)}


def _image(document: Document | None) -> ConcertImage | None:
    if document is None:
        return None
    return ConcertImage(ImageId(document["id"]), document["alt"], sizes_from(document["sizes"]))


def _time_zone(document: Document) -> str | None:
    """Return the time zone of the venue.

    A document from an earlier version of Onsale has no time zone until the concert is changed. If
    the country has only one time zone, that one is returned. Nothing is written, so no update can
    be overwritten.
    """
    if "timeZone" in document:
        zone: str | None = document["timeZone"]
        return zone
    return only_time_zone_of(document["venue"]["country"], document["startsAt"].year)


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
