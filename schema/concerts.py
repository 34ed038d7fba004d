"""Concerts as the schema shows them, and the queries about them."""

from datetime import UTC, datetime
from typing import Annotated, Self

import strawberry

import domain.concerts
import domain.stock
from domain.errors import BadUserInput
from domain.ids import ConcertId
from resolvers import concerts as resolve
from resolvers.context import Context
from schema import ids
from schema.connection import DEFAULT_PAGE_SIZE, After, Connection, First, page_size
from schema.enums import ConcertStatus, CurrencyCode
from schema.ids import Kind
from schema.rooms import WaitingRoom, load_room
from schema.scalars import Money
from schema.strawberry_fixes import ID, Info, computed


@strawberry.type(description="Where a concert takes place.")
class Venue:
    name: str
    city: str
    country: str = strawberry.field(description="ISO 3166-1 alpha-2, like `DE`.")


@strawberry.type(description="Stock of one tier: available + held + sold = capacity, always.")
class TierStock:
    tier_id: strawberry.ID
    capacity: int
    available: int
    held: int = strawberry.field(description="In holds that may still become orders.")
    sold: int

    @classmethod
    def of(cls, tier: domain.stock.TierStock) -> Self:
        return cls(
            tier_id=ids.of_tier(tier.tier_id),
            capacity=tier.capacity,
            available=tier.available,
            held=tier.held,
            sold=tier.sold,
        )


@strawberry.type(description="Stock of a concert at one moment.")
class Stock:
    version: int = strawberry.field(description="Rises with every change inside an epoch; forget what has a lower one.")
    epoch: int = strawberry.field(description="A new epoch means the stock was rebuilt: take it whatever its version.")
    tiers: list[TierStock]
    sold_out: bool = strawberry.field(description="Nothing is available in any tier; holds may still come back.")

    @classmethod
    def of(cls, stock: domain.stock.Stock) -> Self:
        return cls(
            version=stock.version,
            epoch=stock.epoch,
            tiers=[TierStock.of(tier) for tier in stock.tiers],
            sold_out=stock.is_sold_out,
        )


@strawberry.type(description="A price and a capacity inside a concert.")
class Tier(ids.Node):
    concert: strawberry.Private[domain.concerts.Concert]
    tier: strawberry.Private[domain.concerts.Tier]
    name: str
    price: Money
    capacity: int

    @classmethod
    def of(cls, concert: domain.concerts.Concert, tier: domain.concerts.Tier) -> Self:
        return cls(
            concert=concert,
            tier=tier,
            id=ids.of_tier(tier.id),
            name=tier.name,
            price=Money.of(tier.price_minor, concert.currency),
            capacity=tier.capacity,
        )

    @computed("Tickets you can hold now. Null with a top-level error while the store is away.")
    async def available(self, info: Info) -> int | None:
        return (await self._stock(info)).available

    @computed("Tickets in holds that may still become orders. Null while the store is away.")
    async def held(self, info: Info) -> int | None:
        return (await self._stock(info)).held

    @computed("Tickets in orders. Null while the store is away.")
    async def sold(self, info: Info) -> int | None:
        return (await self._stock(info)).sold

    async def _stock(self, info: Info) -> domain.stock.TierStock:
        stock = await resolve.load_stock(info.context, self.concert)
        return next(tier for tier in stock.tiers if tier.tier_id == self.tier.id)


@strawberry.type(description="What is sold: a concert with its tiers, its limits and its sale window.")
class Concert(ids.Node):
    concert: strawberry.Private[domain.concerts.Concert]
    slug: str = strawberry.field(description="Its name in addresses; never changes.")
    name: str
    venue: Venue
    description: str
    starts_at: datetime = strawberry.field(description="When the music starts.")
    sales_start_at: datetime
    sales_end_at: datetime
    is_on_sale: bool = strawberry.field(description="Published, and now is inside its sale window.")
    currency: CurrencyCode = strawberry.field(description="Of every price of this concert; never changes.")
    limit_per_order: int = strawberry.field(description="Most tickets in one request, over all tiers.")
    limit_per_person: int = strawberry.field(description="Most tickets one person holds and owns, over all tiers.")
    hold_duration_seconds: int = strawberry.field(description="How long a hold lasts.")
    status: ConcertStatus
    version: int = strawberry.field(description="Rises with every change; `updateConcert` can insist on it.")
    tiers: list[Tier]

    @classmethod
    def of(cls, concert: domain.concerts.Concert) -> Self:
        terms, venue = concert.terms, concert.terms.venue
        return cls(
            concert=concert,
            id=ids.of_concert(concert.id),
            slug=concert.slug,
            name=terms.name,
            venue=Venue(name=venue.name, city=venue.city, country=venue.country),
            description=terms.description,
            starts_at=terms.starts_at,
            sales_start_at=terms.sales_start_at,
            sales_end_at=terms.sales_end_at,
            is_on_sale=_is_on_sale(concert, datetime.now(UTC)),
            currency=concert.currency,
            limit_per_order=terms.limit_per_order,
            limit_per_person=terms.limit_per_person,
            hold_duration_seconds=terms.hold_duration_ms // 1000,
            status=concert.status,
            version=concert.version,
            tiers=[Tier.of(concert, tier) for tier in concert.tiers],
        )

    @computed("Stock of all tiers at one moment. Null with a top-level error while the store is away.")
    async def stock(self, info: Info) -> Stock | None:
        return Stock.of(await resolve.load_stock(info.context, self.concert))

    @computed("The gate of this concert as it is now. Null with a top-level error while the store is away.")
    async def waiting_room(self, info: Info) -> WaitingRoom | None:
        return await load_room(info.context, self.concert.id)


def _is_on_sale(concert: domain.concerts.Concert, now: datetime) -> bool:
    return (
        concert.status is ConcertStatus.PUBLISHED and concert.terms.sales_start_at <= now < concert.terms.sales_end_at
    )


@strawberry.input(description="Every field that is given must match.")
class ConcertFilter:
    status: list[ConcertStatus] | None = strawberry.field(
        default=None, description="Any of these. Drafts are shown to organizers only."
    )
    search: str | None = strawberry.field(default=None, description="Words of the name, the venue or the city.")
    city: str | None = None
    on_sale_at: datetime | None = strawberry.field(
        default=None, description="Published, and inside its sale window at this time."
    )

    def read(self) -> domain.concerts.ConcertFilter:
        return domain.concerts.ConcertFilter(
            statuses=tuple(self.status or ()), search=self.search, city=self.city, on_sale_at=self.on_sale_at
        )


async def load_concert(context: Context, concert_id: ConcertId) -> Concert | None:
    found = await resolve.load_concert(context, concert_id)
    return Concert.of(found) if found else None


async def list_concerts(
    info: Info,
    first: First = DEFAULT_PAGE_SIZE,
    after: After = None,
    filter_: Annotated[ConcertFilter | None, strawberry.argument(name="filter")] = None,
) -> Connection[Concert]:
    wanted = filter_.read() if filter_ else domain.concerts.ConcertFilter()
    page = await resolve.list_concerts(info.context, wanted, first=page_size(first), after=after)
    return Connection[Concert].of(page, Concert.of)


async def find_concert(
    info: Info, id_: Annotated[strawberry.ID | None, ID] = None, slug: str | None = None
) -> Concert | None:
    if id_ is not None and slug is None:
        return await load_concert(info.context, ConcertId(ids.argument("id", id_, Kind.CONCERT).parts[0]))
    if slug is not None and id_ is None:
        found = await resolve.get_concert_by_slug(info.context, slug)
        return Concert.of(found) if found else None
    raise BadUserInput("Send exactly one of `id` and `slug`.")
