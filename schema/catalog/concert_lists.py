"""Lists of concerts: their filter, their order, their connection and the query."""

import asyncio
from datetime import datetime
from typing import Annotated

import strawberry

import domain.catalog.listing
import domain.concerts
from domain.catalog.listing import MAX_COUNT, MatchCount
from resolvers import concerts as resolve
from resolvers import holds
from resolvers.load_once import LoadOnce, NowOrLater
from resolvers.rooms import load_waiting_rooms
from schema.catalog.tiers import TIER_STOCK
from schema.concerts import Concert
from schema.connection import After, Before, Connection, First, Last, read_page_request
from schema.enums import ConcertSort, ConcertStatus, CurrencyCode, Genre
from schema.scalars import SafeInt
from schema.strawberry_fixes import Info, computed, selects

_COUNT = "count"
"""The only key in a connection's memo."""


@strawberry.input(
    description=(
        "Tickets in this currency whose price is in a range, including both ends. A null bound does not restrict it."
    )
)
class PriceFilter:
    currency: CurrencyCode = strawberry.field(description="The currency of the concert.")
    lowest_minor: SafeInt | None = strawberry.field(
        default=None, description="The lowest price, in the smallest unit of the currency."
    )
    highest_minor: SafeInt | None = strawberry.field(
        default=None, description="The highest price, in the smallest unit of the currency."
    )

    def read(self) -> domain.catalog.listing.PriceFilter:
        return domain.catalog.listing.PriceFilter(self.currency, self.lowest_minor, self.highest_minor)


@strawberry.input(description="A filter for concerts. A concert must match every given field.")
class ConcertFilter:
    status: list[ConcertStatus] | None = strawberry.field(
        default=None,
        description=(
            "The concert has one of these statuses; null or an empty list allows all. Organizers see their own drafts,"
            " and admins see all; for everyone else, DRAFT matches no concert."
        ),
    )
    upcoming: bool | None = strawberry.field(
        default=None,
        description=(
            "If true, the concert has not started yet or started at most a day ago, and unless `status` is given, it"
            " is PUBLISHED or a DRAFT, which leaves out closed and canceled concerts. If false, every concert"
            " matches. Null means true, or false if `status` or `mine` is given."
        ),
    )
    search: str | None = strawberry.field(
        default=None,
        description=(
            "Words, or beginnings of words, from the name, the artist, the venue or the city, in any order. Case,"
            " accents and punctuation around words are ignored. At most 10 words and 200 characters; an empty text"
            " matches every concert."
        ),
    )
    city: str | None = strawberry.field(
        default=None,
        description=(
            "The full name of the venue's city. Case, accents, punctuation and spaces are ignored; an empty text"
            " matches every concert."
        ),
    )
    country: str | None = strawberry.field(
        default=None, description="The country of the venue: an ISO 3166-1 alpha-2 code, such as `DE`."
    )
    genre: list[Genre] | None = strawberry.field(
        default=None,
        description=(
            "The concert has one of these genres; null or an empty list allows all genres, and concerts without one."
        ),
    )
    starts_after: datetime | None = strawberry.field(
        default=None, description="The concert starts at this time or later."
    )
    starts_before: datetime | None = strawberry.field(
        default=None, description="The concert starts before this time, which must be later than `startsAfter`."
    )
    on_sale_at: datetime | None = strawberry.field(
        default=None,
        description=(
            "The concert is published, and this time is inside its sale window. The time may differ from page to page."
        ),
    )
    price: PriceFilter | None = strawberry.field(
        default=None, description="The concert has a tier with a price in this range. Hidden tiers do not count."
    )
    mine: bool | None = strawberry.field(
        default=None,
        description="If true, you are the organizer of the concert. No concert matches if you are signed out.",
    )

    def read(self) -> domain.concerts.ConcertFilter:
        statuses = tuple(self.status) if self.status else None
        is_default = self.upcoming is None and statuses is None and not self.mine
        return domain.concerts.ConcertFilter(
            statuses=statuses,
            upcoming=is_default or bool(self.upcoming),
            search=self.search,
            city=self.city,
            country=self.country,
            genres=tuple(self.genre) if self.genre else None,
            starts_after=self.starts_after,
            starts_before=self.starts_before,
            on_sale_at=self.on_sale_at,
            price=self.price.read() if self.price else None,
            mine=bool(self.mine),
        )


@strawberry.type(description="One page of a list. Select `nodes`, or `edges` if you need the cursor of each item.")
class ConcertConnection(Connection[Concert]):
    wanted: strawberry.Private[domain.concerts.ConcertFilter]
    counts: strawberry.Private[LoadOnce[str, MatchCount]]

    @computed(
        f"How many concerts match the filter, on all pages, counted up to {MAX_COUNT:,}. It is counted only if you"
        " select it. Null with a top-level error if counting takes too long.",
        graphql_type=int | None,
    )
    def total_count(self, info: Info) -> NowOrLater[int | None]:
        return self.counts.get_now_or_later(_COUNT, lambda: self._count(info), lambda found: found.count)

    @computed(
        f"Whether `totalCount` is exact. If false, more than {MAX_COUNT:,} concerts match. Null with a top-level error"
        " if counting takes too long.",
        graphql_type=bool | None,
    )
    def is_total_count_exact(self, info: Info) -> NowOrLater[bool | None]:
        return self.counts.get_now_or_later(_COUNT, lambda: self._count(info), lambda found: found.is_exact)

    async def _count(self, info: Info) -> MatchCount:
        return await resolve.count_concerts(info.context, self.wanted)


async def list_concerts(
    info: Info,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
    filter_: Annotated[
        ConcertFilter | None,
        strawberry.argument(name="filter", description="Which concerts to list. Null lists the upcoming ones."),
    ] = None,
    sort: Annotated[
        ConcertSort | None, strawberry.argument(description="The order of the list. Null for STARTS_AT.")
    ] = None,
) -> ConcertConnection:
    wanted = (filter_ or ConcertFilter()).read()
    request = read_page_request(first=first, after=after, last=last, before=before)
    page = await resolve.list_concerts(info.context, wanted, request, sort or ConcertSort.STARTS_AT)
    shown_ids = [concert.id for concert in page.items]
    await asyncio.gather(
        resolve.load_stocks(info.context, page.items if selects(info, {"stock", *TIER_STOCK}) else ()),
        load_waiting_rooms(info.context, shown_ids if selects(info, {"waitingRoom"}) else ()),
        holds.load_viewer_state(
            info.context,
            shown_ids,
            with_holds=selects(info, {"myHold"}),
            with_entries=selects(info, {"myQueueEntry"}),
        ),
    )
    shown = Connection[Concert].of(page, Concert.of)
    return ConcertConnection(
        edges=shown.edges, nodes=shown.nodes, page_info=shown.page_info, wanted=wanted, counts=LoadOnce()
    )
