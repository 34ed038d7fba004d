"""The concert types of the schema and their queries."""

from datetime import UTC, datetime
from typing import Self

import strawberry

import domain.concerts
import domain.stock
from domain.ids import ConcertId
from domain.payments.cancellations import CancellationProgress
from domain.validation import unset_problems
from domain.venues.time_zones import local_time
from resolvers import concerts as resolve
from resolvers import holds, queues
from resolvers.analytics.sales import read_sales
from resolvers.context import Context
from resolvers.load_once import NowOrLater
from resolvers.organizers.orders import page_order_exports
from resolvers.permissions import visible_tiers
from schema import ids
from schema.analytics.sales import ConcertSales
from schema.catalog.details import ConcertLink, Coordinates
from schema.catalog.images import Image
from schema.catalog.tiers import Tier, with_stock
from schema.connection import After, Before, Connection, First, Last, read_page_request
from schema.enums import ConcertStatus, CurrencyCode, Genre
from schema.organizers.order_exports import OrderExport
from schema.rooms import WaitingRoom, show_room
from schema.scalars import OffsetDateTime
from schema.stock.stock import Stock
from schema.strawberry_fixes import Info, computed


@strawberry.type(description="Where a concert takes place.")
class Venue:
    name: str = strawberry.field(description="The name of the venue.")
    city: str = strawberry.field(description="The city of the venue.")
    country: str = strawberry.field(description="An ISO 3166-1 alpha-2 code, such as `DE`.")
    time_zone: str | None = strawberry.field(
        description=(
            "The IANA time zone of the venue, such as `Europe/Berlin`. Null only if an earlier version of Onsale"
            " created the concert, its country has several time zones, and the organizer has not set one yet."
        )
    )
    address: str | None = strawberry.field(description="The postal address of the venue. Null if it is not known.")
    coordinates: Coordinates | None = strawberry.field(
        description="Where the venue is on the map. Null if it is not known."
    )

    @classmethod
    def of(cls, venue: domain.concerts.Venue) -> Self:
        return cls(
            name=venue.name,
            city=venue.city,
            country=venue.country,
            time_zone=venue.time_zone,
            address=venue.address,
            coordinates=Coordinates.of(venue.coordinates) if venue.coordinates else None,
        )


@strawberry.type(description="Progress in canceling and refunding the orders of a canceled concert.")
class ConcertCancellation:
    started_at: datetime = strawberry.field(description="When the concert was canceled.")
    finished_at: datetime | None = strawberry.field(
        description="When all orders were settled. Null while some orders are still open."
    )
    open_orders: int = strawberry.field(description="Orders that have not been canceled or refunded yet.")
    refunded_orders: int = strawberry.field(description="Orders that were refunded in full.")

    @classmethod
    def of(cls, progress: CancellationProgress) -> Self:
        return cls(
            started_at=progress.started_at,
            finished_at=progress.finished_at,
            open_orders=progress.open_orders,
            refunded_orders=progress.refunded_orders,
        )


@strawberry.type(description="A problem with a concert that its organizer should solve with `updateConcert`.")
class ConcertProblem:
    path: str = strawberry.field(description="The path of the field in `UpdateConcertInput`, such as `venue.timeZone`.")
    message: str = strawberry.field(description="What is wrong, and what to do.")


@strawberry.type(description="A concert with its tiers, purchase limits and sale window.")
class Concert(ids.Node):
    concert: strawberry.Private[domain.concerts.Concert]
    slug: str = strawberry.field(description="The name of the concert in URLs. It never changes.")
    name: str = strawberry.field(description="The name of the concert.")
    venue: Venue = strawberry.field(description="Where the concert takes place.")
    description: str = strawberry.field(description="A description for buyers.")
    artist: str | None = strawberry.field(
        description="The person, band or ensemble that plays. Null if it is not known."
    )
    genre: Genre | None = strawberry.field(description="The kind of music. Null if it is not known.")
    minimum_age: int | None = strawberry.field(
        description="The age, in years, from which people are admitted. Null if people of any age are admitted."
    )
    links: list[ConcertLink] = strawberry.field(
        description=("Links for further reading, in the order the organizer chose.")
    )
    doors_at: datetime | None = strawberry.field(description="When the doors open. Null if it is not known.")
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
            "The time until which buyers can refund their orders themselves. If it is null or has "
            "passed, only the organizer and"
            " admins can refund an order."
        )
    )
    status: ConcertStatus = strawberry.field(description="The status of the concert.")
    version: int = strawberry.field(
        description="Increases with every change. Pass it to `updateConcert` as `expectedVersion`."
    )
    epoch: int = strawberry.field(description="See `Order.epoch`.")
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
        terms = concert.terms
        return cls(
            concert=concert,
            id=ids.of_concert(concert.id),
            slug=concert.slug,
            name=terms.name,
            venue=Venue.of(terms.venue),
            description=terms.description,
            artist=terms.details.artist,
            genre=terms.details.genre,
            minimum_age=terms.details.minimum_age,
            links=[ConcertLink.of(link) for link in terms.details.links],
            doors_at=terms.details.doors_at,
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
            epoch=ids.DATABASE_EPOCH,
            organizer_id=concert.organizer_id,
            gate_people=list(concert.gate_people),
        )

    @computed("`doorsAt` as the clocks at the venue show it. Null if `doorsAt` or `venue.timeZone` is null.")
    def doors_at_local(self) -> OffsetDateTime | None:
        return None if self.doors_at is None else self._local(self.doors_at)

    @computed("`startsAt` as the clocks at the venue show it. Null if `venue.timeZone` is null.")
    def starts_at_local(self) -> OffsetDateTime | None:
        return self._local(self.starts_at)

    @computed("`salesStartAt` as the clocks at the venue show it. Null if `venue.timeZone` is null.")
    def sales_start_at_local(self) -> OffsetDateTime | None:
        return self._local(self.sales_start_at)

    @computed("`salesEndAt` as the clocks at the venue show it. Null if `venue.timeZone` is null.")
    def sales_end_at_local(self) -> OffsetDateTime | None:
        return self._local(self.sales_end_at)

    @computed("`refundsUntil` as the clocks at the venue show it. Null if `refundsUntil` or `venue.timeZone` is null.")
    def refunds_until_local(self) -> OffsetDateTime | None:
        return None if self.refunds_until is None else self._local(self.refunds_until)

    def _local(self, moment: datetime) -> OffsetDateTime | None:
        local = local_time(moment, self.concert.terms.venue.time_zone)
        return None if local is None else OffsetDateTime(local)

    @computed(
        "Problems that the organizer should solve. A draft that has one cannot be published; a "
        "canceled concert has none. For"
        " the concert's organizer and admins; null with a top-level error for others."
    )
    def problems(self) -> list[ConcertProblem] | None:
        if self.concert.status is ConcertStatus.CANCELLED:
            return []
        found = unset_problems(self.concert.terms)
        return [ConcertProblem(path=problem.path, message=problem.message) for problem in found]

    @computed(
        "The progress of the cancellation. Null unless the concert is canceled. For its organizer and admins; null"
        " with a top-level error for others."
    )
    async def cancellation(self, info: Info) -> ConcertCancellation | None:
        progress = await resolve.read_cancellation(info.context, self.concert)
        return ConcertCancellation.of(progress) if progress else None

    @computed(
        "The sales and the conversion of the queue, as `concertSales` returns them. For the concert's organizer and"
        " admins; null with a top-level error for others."
    )
    async def sales(self, info: Info) -> ConcertSales | None:
        return ConcertSales.of(await read_sales(info.context, self.concert.id), self.concert)

    @computed(
        "The exports of the orders of the concert (`GET /concerts/<id>/orders.csv`), newest first. For the"
        " concert's organizer and admins; null with a top-level error for others."
    )
    async def order_exports(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[OrderExport] | None:
        request = read_page_request(first=first, after=after, last=last, before=before)
        found = await page_order_exports(info.context, self.concert.id, request)
        return Connection[OrderExport].of(found, OrderExport.of)

    @computed("The image of the concert. Null if the organizer has not chosen one.")
    def image(self, info: Info) -> Image | None:
        image = self.concert.image
        return Image.of(image, info.context.site_url) if image else None

    @computed(
        "The tiers, in the order the organizer chose. Hidden tiers are listed only for the organizer and admins.",
        graphql_type=list[Tier],
    )
    def tiers(self, info: Info) -> NowOrLater[list[Tier]]:
        return with_stock(info, self.concert, lambda stock: self._tiers(info.context, stock))

    def _tiers(self, context: Context, stock: domain.stock.Stock | None) -> list[Tier]:
        return [Tier.of(self.concert, tier, stock) for tier in visible_tiers(context, self.concert)]

    @computed(
        "The stock of all tiers at one moment. Null with a top-level error if the store is unavailable.",
        graphql_type=Stock | None,
    )
    def stock(self, info: Info) -> NowOrLater[Stock | None]:
        return resolve.show_stock(info.context, self.concert, lambda stock: Stock.of(stock, self.concert.id))

    @computed(
        "The current state of the waiting room. Null with a top-level error if the store is unavailable.",
        graphql_type=WaitingRoom | None,
    )
    def waiting_room(self, info: Info) -> NowOrLater[WaitingRoom | None]:
        return show_room(info.context, self.concert.id)

    @computed(
        "Your newest active hold at this concert; `me.holds` lists all of them. Null if there is none or you are"
        " signed out, and with a top-level error if the store is unavailable.",
        graphql_type=strawberry.LazyType("Hold", "schema.holds") | None,
    )
    def my_hold(self, info: Info) -> NowOrLater[object]:
        # `schema.holds` imports this module, because a hold has a concert.
        from schema.holds import Hold

        currency = self.concert.currency
        return holds.show_viewer_hold(info.context, self.concert.id, lambda hold: hold and Hold.of(hold, currency))

    @computed(
        "Your queue entry at this concert, even after it has ended. Null if you never joined or are signed out, and"
        " with a top-level error if the store is unavailable.",
        graphql_type=strawberry.LazyType("QueueEntry", "schema.queues") | None,
    )
    def my_queue_entry(self, info: Info) -> NowOrLater[object]:
        # `schema.queues` imports this module, because an entry has a concert.
        from schema.queues import QueueEntry

        return queues.show_viewer_entry(info.context, self.concert.id, lambda entry: entry and QueueEntry.of(entry))


def _is_on_sale(concert: domain.concerts.Concert, now: datetime) -> bool:
    return (
        concert.status is ConcertStatus.PUBLISHED and concert.terms.sales_start_at <= now < concert.terms.sales_end_at
    )


async def load_concert(context: Context, concert_id: ConcertId) -> Concert | None:
    found = await resolve.load_concert(context, concert_id)
    return Concert.of(found) if found else None
