"""Resolvers for the sales of a concert and the conversion of its queue.

Only the organizer of the concert and admins may call them; `find_sales` and the permissions of the
schema check it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from domain.analytics.queue_conversion import QueueConversion, QueueSteps
from domain.analytics.sales import NO_SALES, ConcertSales, SalesFigures
from domain.analytics.time_ranges import TimeInterval, TimeRange, make_time_range
from domain.concerts import Concert
from domain.errors import NotFound
from domain.ids import ConcertId
from resolvers.analytics.sums_cache import Question
from resolvers.concerts import get_cached_concert
from resolvers.context import Context
from resolvers.permissions import require_organizer

SALES_AGE_S = 1.0
BUCKETS_AGE_S = 60.0
"""The buckets of one version of the sales do not change."""
QUEUE_AGE_S = 10.0
"""The events of a queue are archived within seconds, and there may be millions of them."""
QUEUE_STALE_S = 600.0


@dataclass(frozen=True, slots=True)
class SalesBucket:
    start: datetime
    end: datetime
    sales: SalesFigures


@dataclass(frozen=True, slots=True)
class ConversionAt:
    at: datetime
    """When the events were read."""
    conversion: QueueConversion


async def find_concert(context: Context, concert_id: ConcertId) -> Concert:
    """Return a concert whose sales the viewer may see.

    Raises Forbidden, or NotFound if the viewer may not see the concert at all.
    """
    concert = await get_cached_concert(context, concert_id)
    if concert is None:
        raise NotFound("Concert", concert_id)
    require_organizer(context, concert)
    return concert


async def read_sales(context: Context, concert_id: ConcertId) -> ConcertSales:
    """Return the sales, at most about a second old. Raises TemporarilyUnavailable."""
    stores = context.stores
    return await context.sums.get(
        stores, Question(("sales", concert_id), lambda: stores.sales.read(concert_id), max_age_s=SALES_AGE_S)
    )


async def read_sales_over_time(context: Context, sales: ConcertSales, range_: TimeRange) -> tuple[SalesBucket, ...]:
    """Return all buckets of the range, in order, including those without sales.

    Raises TemporarilyUnavailable.
    """
    stores, concert_id = context.stores, sales.concert_id
    question = Question(
        ("sales over time", concert_id, sales.version, range_),
        lambda: stores.sales.read_over_time(concert_id, range_),
        max_age_s=BUCKETS_AGE_S,
    )
    found = await context.sums.get(stores, question)
    buckets = zip(range_.starts, range_.ends, strict=True)
    return tuple(SalesBucket(start, end, found.get(start, NO_SALES)) for start, end in buckets)


async def read_queue_conversion(context: Context, concert_id: ConcertId) -> ConversionAt:
    """Return the conversion of the queue. Raises TemporarilyUnavailable."""
    stores = context.stores

    async def read() -> ConversionAt:
        now = datetime.now(UTC)
        return ConversionAt(now, await stores.queue_conversions.read(concert_id))

    return await context.sums.get(
        stores, Question(("queue", concert_id), read, max_age_s=QUEUE_AGE_S, max_stale_s=QUEUE_STALE_S)
    )


async def read_queue_over_time(context: Context, concert_id: ConcertId, range_: TimeRange) -> tuple[QueueSteps, ...]:
    """Return all buckets of the range, in order, including those without events.

    Raises TemporarilyUnavailable.
    """
    stores = context.stores
    question = Question(
        ("queue over time", concert_id, range_),
        lambda: stores.queue_conversions.read_over_time(concert_id, range_),
        max_age_s=QUEUE_AGE_S,
        max_stale_s=QUEUE_STALE_S,
    )
    by_start = {steps.start: steps for steps in await context.sums.get(stores, question)}
    return tuple(by_start.get(start, QueueSteps(start)) for start in range_.starts)


def choose_range(
    interval: TimeInterval | None, start: datetime | None, end: datetime | None, *, time_zone: str | None
) -> TimeRange:
    """Return the range of a request. Raises BadUserInput."""
    return make_time_range(
        interval or TimeInterval.HOUR, start=start, end=end, now=datetime.now(UTC), time_zone=time_zone
    )
