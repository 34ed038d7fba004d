"""The concert types of the schema and their queries."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Self

import strawberry

import domain.concerts
import domain.stock
from domain.errors import BadUserInput
from domain.ids import ConcertId
from domain.page import DEFAULT_PAGE_SIZE
from domain.payments.cancellations import CancellationProgress
from resolvers import concerts as resolve
from resolvers.context import Context
from resolvers.history import is_past
from resolvers.load_once import NowOrLater
from resolvers.rooms import load_waiting_rooms
from schema import ids
from schema.connection import After, Connection, First, page_size
from schema.enums import ConcertStatus, CurrencyCode
from schema.ids import Kind
from schema.rooms import WaitingRoom, show_room
from schema.scalars import Money
from schema.strawberry_fixes import ID, Info, computed, selects


@strawberry.type(description="Where a concert takes place.")
class Venue:
    name: str = strawberry.field(description="The name of the venue.")
    city: str = strawberry.field(description="The city of the venue.")
    country: str = strawberry.field(description="An ISO 3166-1 alpha-2 code, such as `DE`.")


@strawberry.type(
    description=(
        "The stock of one tier. `available` + `held` + `sold` equals `capacity` until thirty days after the concert."
        " After that, `available` is 0, except for the organizer and admins, who still see how many tickets were left."
    )
)
class TierStock:
    tier_id: strawberry.ID = strawberry.field(description="The id of the tier.")
    capacity: int = strawberry.field(description="The total number of tickets on sale.")
    available: int = strawberry.field(description="Tickets available now.")
    held: int = strawberry.field(description="Tickets in active holds.")
    sold: int = strawberry.field(description="Tickets in orders.")

    @classmethod
    def of(cls, tier: domain.stock.TierStock) -> Self:
        return cls(
            tier_id=ids.of_tier(tier.tier_id),
            capacity=tier.capacity,
            available=tier.available,
            held=tier.held,
            sold=tier.sold,
        )


@strawberry.type(description="The stock of a concert at one moment.")
class Stock:
    version: int = strawberry.field(
        description="Increases with every change within an epoch. Discard payloads with a lower version."
    )
    epoch: int = strawberry.field(
        description="A new epoch means that the stock was rebuilt. Accept it regardless of its version."
    )
    tiers: list[TierStock] = strawberry.field(description="The stock of each tier.")
    sold_out: bool = strawberry.field(
        description="Whether no tickets are available in any tier. Holds may still return some."
    )

    @classmethod
    def of(cls, stock: domain.stock.Stock) -> Self:
        return cls(
            version=stock.version,
            epoch=stock.epoch,
            tiers=[TierStock.of(tier) for tier in stock.tiers],
            sold_out=stock.is_sold_out,
        )


TIER_STOCK = frozenset({"available", "held", "sold"})
"""The fields of a tier that show its stock."""


@strawberry.type(description="A price category of a concert.")
class Tier(ids.Node):
    concert: strawberry.Private[domain.concerts.Concert]
    tier: strawberry.Private[domain.concerts.Tier]
    name: str = strawberry.field(description="The name of the tier.")
    price: Money = strawberry.field(description="The price of one ticket.")
    capacity: int = strawberry.field(
        description="The total number of tickets on sale. A large increase takes effect in steps."
    )
    capacity_target: int | None = strawberry.field(
        description=(
            "The new capacity, while many tickets are being put on sale or taken off sale. Null afterward."
            " A lower capacity limits sales immediately."
        )
    )

    @classmethod
    def of(cls, concert: domain.concerts.Concert, tier: domain.concerts.Tier) -> Self:
        can_move = not is_past(concert)
        return cls(
            concert=concert,
            tier=tier,
            id=ids.of_tier(tier.id),
            name=tier.name,
            price=Money.of(tier.price_minor, concert.currency),
            capacity=tier.on_sale if can_move else tier.capacity,
            capacity_target=tier.capacity_target if can_move else None,
        )

    @computed(
        "Tickets available now. Null with a top-level error if the store is unavailable.", graphql_type=int | None
    )
    def available(self, info: Info) -> NowOrLater[int | None]:
        return self._stock(info, lambda stock: stock.available)

    @computed("Tickets in active holds. Null if the store is unavailable.", graphql_type=int | None)
    def held(self, info: Info) -> NowOrLater[int | None]:
        return self._stock(info, lambda stock: stock.held)

    @computed("Tickets in orders. Null if the store is unavailable.", graphql_type=int | None)
    def sold(self, info: Info) -> NowOrLater[int | None]:
        return self._stock(info, lambda stock: stock.sold)

    def _stock(self, info: Info, show: Callable[[domain.stock.TierStock], int]) -> NowOrLater[int | None]:
        return resolve.show_stock(
            info.context,
            self.concert,
            lambda stock: show(next(tier for tier in stock.tiers if tier.tier_id == self.tier.id)),
        )


@strawberry.type(description="How far the orders of a canceled concert have been canceled or refunded.")
class ConcertCancellation:
    started_at: datetime = strawberry.field(description="When the concert was canceled.")
    finished_at: datetime | None = strawberry.field(
        description="When all orders were settled. Null while some of them are open."
    )
    open_orders: int = strawberry.field(description="Orders that have not been canceled or refunded yet.")
    refunded_orders: int = strawberry.field(description="Orders whose whole price was returned.")

    @classmethod
    def of(cls, progress: CancellationProgress) -> Self:
        return cls(
            started_at=progress.started_at,
            finished_at=progress.finished_at,
            open_orders=progress.open_orders,
            refunded_orders=progress.refunded_orders,
        )


@strawberry.type(description="A concert with its tiers, purchase limits and sale window.")
class Concert(ids.Node):
    concert: strawberry.Private[domain.concerts.Concert]
    slug: str = strawberry.field(description="The name of the concert in URLs. It never changes.")
    name: str = strawberry.field(description="The name of the concert.")
    venue: Venue = strawberry.field(description="Where the concert takes place.")
    description: str = strawberry.field(description="A description for buyers.")
    starts_at: datetime = strawberry.field(description="When the concert starts.")
    sales_start_at: datetime = strawberry.field(description="When the sale starts.")
    sales_end_at: datetime = strawberry.field(description="When the sale ends.")
    is_on_sale: bool = strawberry.field(description="Whether the concert is published and inside its sale window.")
    currency: CurrencyCode = strawberry.field(
        description="The currency of all prices of this concert. It never changes."
    )
    limit_per_order: int = strawberry.field(
        description="The maximum number of tickets in one request, across all tiers."
    )
    limit_per_person: int = strawberry.field(
        description="The maximum number of tickets one person may hold and own, across all tiers."
    )
    hold_duration_seconds: int = strawberry.field(description="How long a hold lasts, in seconds.")
    payment_duration_seconds: int = strawberry.field(description="The time to pay an order, in seconds.")
    refunds_until: datetime | None = strawberry.field(
        description=(
            "Until this time, buyers can return their orders themselves. If null or over, only the organizer and"
            " admins can refund an order."
        )
    )
    status: ConcertStatus = strawberry.field(description="The status of the concert.")
    version: int = strawberry.field(
        description="Increases with every change. Pass it to `updateConcert` as `expectedVersion`."
    )
    organizer_id: str | None = strawberry.field(
        description=(
            "The `sub` of the organizer who owns the concert: its creator, until an admin changes it. For this"
            " organizer and admins; null with a top-level error for others."
        )
    )
    gate_people: list[str] | None = strawberry.field(
        description=(
            "The `sub` of each person who may check tickets at this concert. For its organizer and admins; null with a"
            " top-level error for others."
        )
    )

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
            payment_duration_seconds=terms.payment_duration_ms // 1000,
            refunds_until=terms.refunds_until,
            status=concert.status,
            version=concert.version,
            organizer_id=concert.organizer_id,
            gate_people=list(concert.gate_people),
        )

    @computed(
        "How far the cancellation has come. Null unless the concert is canceled. For its organizer and admins; null"
        " with a top-level error for others."
    )
    async def cancellation(self, info: Info) -> ConcertCancellation | None:
        progress = await resolve.read_cancellation(info.context, self.concert)
        return ConcertCancellation.of(progress) if progress else None

    @computed("The tiers, in the order the organizer chose.", graphql_type=list[Tier])
    def tiers(self, info: Info) -> NowOrLater[list[Tier]]:
        if selects(info, TIER_STOCK):
            # Once the stock is loaded, no tier needs its own task.
            return resolve.after_stock(info.context, self.concert, self._tiers)
        return self._tiers()

    def _tiers(self) -> list[Tier]:
        return [Tier.of(self.concert, tier) for tier in self.concert.tiers]

    @computed(
        "The stock of all tiers at one moment. Null with a top-level error if the store is unavailable.",
        graphql_type=Stock | None,
    )
    def stock(self, info: Info) -> NowOrLater[Stock | None]:
        return resolve.show_stock(info.context, self.concert, Stock.of)

    @computed(
        "The current state of the waiting room. Null with a top-level error if the store is unavailable.",
        graphql_type=WaitingRoom | None,
    )
    def waiting_room(self, info: Info) -> NowOrLater[WaitingRoom | None]:
        return show_room(info.context, self.concert.id)


def _is_on_sale(concert: domain.concerts.Concert, now: datetime) -> bool:
    return (
        concert.status is ConcertStatus.PUBLISHED and concert.terms.sales_start_at <= now < concert.terms.sales_end_at
    )


@strawberry.input(description="A filter for concerts. A concert must match every given field.")
class ConcertFilter:
    status: list[ConcertStatus] | None = strawberry.field(
        default=None,
        description=(
            "The concert has one of these statuses; null or an empty list allows all. Organizers see their own drafts,"
            " and admins see all; for everyone else, DRAFT matches no concert."
        ),
    )
    search: str | None = strawberry.field(
        default=None,
        description=(
            "Words, or beginnings of words, from the name, the venue or the city, in any order. Case,"
            " accents and punctuation around words are ignored. At most 10 words and 200 characters."
        ),
    )
    city: str | None = strawberry.field(
        default=None,
        description="The full name of the venue's city. Case, accents, punctuation and spaces are ignored.",
    )
    on_sale_at: datetime | None = strawberry.field(
        default=None, description="The concert is published, and this time is inside its sale window."
    )

    def read(self) -> domain.concerts.ConcertFilter:
        return domain.concerts.ConcertFilter(
            statuses=tuple(self.status) if self.status else None,
            search=self.search,
            city=self.city,
            on_sale_at=self.on_sale_at,
        )


async def load_concert(context: Context, concert_id: ConcertId) -> Concert | None:
    found = await resolve.load_concert(context, concert_id)
    return Concert.of(found) if found else None


async def list_concerts(
    info: Info,
    first: First = DEFAULT_PAGE_SIZE,
    after: After = None,
    filter_: Annotated[
        ConcertFilter | None, strawberry.argument(name="filter", description="Which concerts to list.")
    ] = None,
) -> Connection[Concert]:
    wanted = filter_.read() if filter_ else domain.concerts.ConcertFilter()
    page = await resolve.list_concerts(info.context, wanted, first=page_size(first), after=after)
    await asyncio.gather(
        resolve.load_stocks(info.context, page.items if selects(info, {"stock", *TIER_STOCK}) else ()),
        load_waiting_rooms(info.context, [c.id for c in page.items] if selects(info, {"waitingRoom"}) else ()),
    )
    return Connection[Concert].of(page, Concert.of)


async def find_concert(
    info: Info,
    id_: Annotated[strawberry.ID | None, ID] = None,
    slug: Annotated[str | None, strawberry.argument(description="The slug of the concert.")] = None,
) -> Concert | None:
    if id_ is not None and slug is None:
        return await load_concert(info.context, ConcertId(ids.argument("id", id_, Kind.CONCERT).parts[0]))
    if slug is not None and id_ is None:
        found = await resolve.get_concert_by_slug(info.context, slug)
        return Concert.of(found) if found else None
    raise BadUserInput("Send exactly one of `id` and `slug`.")
