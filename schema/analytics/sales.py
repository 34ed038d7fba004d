"""The sales of a concert, for its organizer and admins."""

from datetime import datetime
from typing import Annotated, Self, TypeAlias

import strawberry

import domain.analytics.queue_conversion
import domain.analytics.sales
import domain.concerts
from domain.analytics.time_ranges import DEFAULT_BUCKETS, MAX_BUCKETS
from domain.errors import NotFound
from domain.ids import PersonId
from domain.money import CurrencyCode
from resolvers.analytics import sales as resolve
from resolvers.context import Context
from schema import ids
from schema.enums import TimeInterval
from schema.scalars import Money
from schema.strawberry_fixes import ConcertIdArgument, Info, computed

From: TypeAlias = Annotated[
    datetime | None,
    strawberry.argument(
        name="from",
        description=(
            f"A time in the first bucket. If null, {DEFAULT_BUCKETS} buckets are returned; at most "
            f"{MAX_BUCKETS} are allowed."
        ),
    ),
]
Until: TypeAlias = Annotated[
    datetime | None,
    strawberry.argument(description="The end of the last bucket, or a time in it. Null for the current time."),
]
Interval: TypeAlias = Annotated[
    TimeInterval | None, strawberry.argument(description="The length of each bucket. Null for HOUR.")
]


@strawberry.type(description="The sales of one tier.")
class TierSales:
    tier_id: strawberry.ID = strawberry.field(description="The id of the tier.")
    tickets_sold: int = strawberry.field(description="Tickets in paid orders, including refunded ones.")
    gross: Money = strawberry.field(description="The total price of these tickets.")
    tickets_refunded: int = strawberry.field(description="Tickets that were refunded.")
    refunded: Money = strawberry.field(description="The money that was returned for tickets of this tier.")

    @classmethod
    def of(
        cls, tier: domain.concerts.Tier, figures: domain.analytics.sales.SalesFigures, currency: CurrencyCode
    ) -> Self:
        return cls(
            tier_id=ids.of_tier(tier.id),
            tickets_sold=figures.tickets_sold,
            gross=Money.of(figures.gross_minor, currency),
            tickets_refunded=figures.tickets_refunded,
            refunded=Money.of(figures.refunded_minor, currency),
        )


@strawberry.type(description="The sales in one period.")
class SalesBucket:
    start: datetime = strawberry.field(description="The start of the period.")
    end: datetime = strawberry.field(description="The end of the period, exclusive.")
    orders: int = strawberry.field(description="Orders that were paid in the period.")
    tickets_sold: int = strawberry.field(description="Tickets in these orders.")
    gross: Money = strawberry.field(description="The total price of these tickets.")
    tickets_refunded: int = strawberry.field(description="Tickets that were refunded in the period.")
    refunded: Money = strawberry.field(description="The money that was returned in the period.")

    @classmethod
    def of(cls, bucket: resolve.SalesBucket, currency: CurrencyCode) -> Self:
        figures = bucket.sales
        return cls(
            start=bucket.start,
            end=bucket.end,
            orders=figures.orders,
            tickets_sold=figures.tickets_sold,
            gross=Money.of(figures.gross_minor, currency),
            tickets_refunded=figures.tickets_refunded,
            refunded=Money.of(figures.refunded_minor, currency),
        )


@strawberry.type(
    description=(
        "How many people reached each step of the queue, and where the others dropped out, across "
        "all rounds. It covers the events of the last ninety days, and counts each entry once."
    )
)
class QueueConversion:
    as_of: datetime = strawberry.field(description="When the events were read.")
    joined: int = strawberry.field(description="People who joined.")
    called: int = strawberry.field(description="People who were called.")
    claimed: int = strawberry.field(description="People who claimed their pass.")
    completed: int = strawberry.field(description="People who spent their pass on an order.")
    left_waiting: int = strawberry.field(description="People who left while they waited.")
    absent: int = strawberry.field(description="People whose connection and heartbeats ended while they waited.")
    left_called: int = strawberry.field(description="People who gave up their call.")
    not_claimed: int = strawberry.field(description="People who did not claim their pass in time.")
    left_admitted: int = strawberry.field(description="People who gave up their pass.")
    session_over: int = strawberry.field(description="People whose pass was not used in time.")
    rate: float | None = strawberry.field(
        description="`completed` divided by `joined`, from 0 to 1. Null if no one joined."
    )

    @classmethod
    def of(cls, found_at: resolve.ConversionAt) -> Self:
        found = found_at.conversion
        return cls(
            as_of=found_at.at,
            joined=found.joined,
            called=found.called,
            claimed=found.claimed,
            completed=found.completed,
            left_waiting=found.left_waiting,
            absent=found.absent,
            left_called=found.left_called,
            not_claimed=found.not_claimed,
            left_admitted=found.left_admitted,
            session_over=found.session_over,
            rate=found.rate,
        )


@strawberry.type(description="How many people reached each step of the queue in one period.")
class QueueBucket:
    start: datetime = strawberry.field(description="The start of the period.")
    end: datetime = strawberry.field(description="The end of the period, exclusive.")
    joined: int = strawberry.field(description="People who joined in the period.")
    called: int = strawberry.field(description="People who were called in the period.")
    claimed: int = strawberry.field(description="People who claimed their pass in the period.")
    completed: int = strawberry.field(description="People who spent their pass on an order in the period.")
    dropped_out: int = strawberry.field(
        description="People who left, were absent, or did not use their call or pass in time."
    )

    @classmethod
    def of(cls, steps: domain.analytics.queue_conversion.QueueSteps, end: datetime) -> Self:
        return cls(
            start=steps.start,
            end=end,
            joined=steps.joined,
            called=steps.called,
            claimed=steps.claimed,
            completed=steps.completed,
            dropped_out=steps.dropped_out,
        )


@strawberry.type(
    description=(
        "The sales of a concert. An order is counted within seconds of its payment, and a refund "
        "within seconds of the return of its money. Lost disputes and money returned directly at "
        "the payment provider count as refunds."
    )
)
class ConcertSales:
    sales: strawberry.Private[domain.analytics.sales.ConcertSales]
    currency: strawberry.Private[CurrencyCode]
    time_zone: strawberry.Private[str | None]
    organizer_id: strawberry.Private[PersonId]
    orders: int = strawberry.field(description="Orders that were paid, including refunded ones.")
    tickets_sold: int = strawberry.field(description="Tickets in these orders.")
    gross: Money = strawberry.field(description="The total price of these tickets.")
    tickets_refunded: int = strawberry.field(description="Tickets that were refunded.")
    refunded: Money = strawberry.field(description="The money that was returned.")
    net: Money = strawberry.field(description="`gross` minus `refunded`.")
    tiers: list[TierSales] = strawberry.field(
        description=(
            "The sales of each tier, in the order of the concert. Money that was not returned for "
            "particular tickets is not part of any tier."
        )
    )
    version: int = strawberry.field(
        description="Increases with every sale and refund. Discard payloads with a lower version."
    )
    epoch: int = strawberry.field(description="See `Order.epoch`.")

    @classmethod
    def of(cls, sales: domain.analytics.sales.ConcertSales, concert: domain.concerts.Concert) -> Self:
        total, currency = sales.total, concert.currency
        no_sales = domain.analytics.sales.NO_SALES
        return cls(
            sales=sales,
            currency=currency,
            time_zone=concert.terms.venue.time_zone,
            organizer_id=concert.organizer_id,
            orders=total.orders,
            tickets_sold=total.tickets_sold,
            gross=Money.of(total.gross_minor, currency),
            tickets_refunded=total.tickets_refunded,
            refunded=Money.of(total.refunded_minor, currency),
            net=Money.of(total.gross_minor - total.refunded_minor, currency),
            tiers=[TierSales.of(tier, sales.tiers.get(tier.id, no_sales), currency) for tier in concert.tiers],
            version=sales.version,
            epoch=ids.DATABASE_EPOCH,
        )

    @computed(
        "The sales over time, with an item for each period of the range, even if it had no sales. "
        "Null with a top-level"
        " error if they cannot be read in time."
    )
    async def over_time(
        self, info: Info, from_: From = None, until: Until = None, interval: Interval = None
    ) -> list[SalesBucket] | None:
        range_ = resolve.choose_range(interval, from_, until, time_zone=self.time_zone)
        buckets = await resolve.read_sales_over_time(info.context, self.sales, range_)
        return [SalesBucket.of(bucket, self.currency) for bucket in buckets]

    @computed(
        "The conversion of the queue, at most ten seconds old, or up to ten minutes for a very large queue. Null with a"
        " top-level error if the events cannot be read in time."
    )
    async def queue(self, info: Info) -> QueueConversion | None:
        return QueueConversion.of(await resolve.read_queue_conversion(info.context, self.sales.concert_id))

    @computed(
        "The steps of the queue over time, with an item for each period of the range. They may be "
        "as old as `queue`. Null with a"
        " top-level error if the events cannot be read in time."
    )
    async def queue_over_time(
        self, info: Info, from_: From = None, until: Until = None, interval: Interval = None
    ) -> list[QueueBucket] | None:
        range_ = resolve.choose_range(interval, from_, until, time_zone=self.time_zone)
        found = await resolve.read_queue_over_time(info.context, self.sales.concert_id, range_)
        return [QueueBucket.of(steps, end) for steps, end in zip(found, range_.ends, strict=True)]


async def find_concert_sales(info: Info, concert_id: ConcertIdArgument) -> ConcertSales | None:
    concert = await resolve.find_concert(info.context, ids.concert_argument(concert_id))
    return ConcertSales.of(await resolve.read_sales(info.context, concert.id), concert)


async def build_concert_sales(context: Context, sales: domain.analytics.sales.ConcertSales) -> ConcertSales:
    """Return the sales, visible to the current organizer of the concert. Raises NotFound."""
    concert = await context.stores.concert_cache.get(sales.concert_id)
    if concert is None:
        raise NotFound("Concert", sales.concert_id)
    return ConcertSales.of(sales, concert)
