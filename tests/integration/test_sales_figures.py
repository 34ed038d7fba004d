"""The sales of a concert: recorded once by the effects worker, summed, and summed over time."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from domain.analytics.sales import ConcertSales, SalesFigures, SalesKind, SalesLine, SalesRow
from domain.analytics.time_ranges import TimeInterval, make_time_range
from domain.concerts import Concert
from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId, OrderId, tier_id
from domain.orders import Order
from domain.payments.effects import SALES, due_effects
from domain.payments.payment import RefundReason
from domain.payments.transitions import add_refund
from payments.saga.crash_points import ignore
from payments.saga.order_changes import OrderChanges
from storage.connect import Stores
from tests.support.mongo_failures import failing
from tests.support.payment_saga import Crashed, Till, concert_for_sale, opened_till
from workers.effects.sales import record_sales
from workers.effects.worker import EffectsWorker

pytestmark = pytest.mark.asyncio

CONCERT = ConcertId("abcdefghjkmn")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PRICE = 2_500
HOUR = timedelta(hours=1)


@pytest_asyncio.fixture
async def till(valkey_url: str, mongo_url: str, mongo_database: str) -> AsyncIterator[Till]:
    async with opened_till(valkey_url, mongo_url, mongo_database) as made:
        yield made


async def record(till: Till) -> None:
    await EffectsWorker({SALES: record_sales}, clock=till.now).run_once(till.stores)


async def refund(till: Till, order: Order, count: int) -> Order:
    """Refund some tickets of a paid order, and let the provider return the money."""
    reason = RefundReason.REQUESTED
    await OrderChanges(till.stores, ignore).change(
        await till.read(order), lambda one: add_refund(one, one.units[:count], reason=reason, now=till.now())
    )
    return await till.advance(order)


def row(name: str, at: datetime, *, kind: SalesKind = SalesKind.SALE, tickets: int = 1) -> SalesRow:
    lines = (SalesLine(tier_id(CONCERT, 1), tickets, tickets * PRICE),)
    return SalesRow(name, CONCERT, OrderId(name), kind, at, lines)


async def read(till: Till, concert: Concert) -> ConcertSales:
    return await till.stores.sales.read(concert.id)


async def test_sale_and_refund_are_recorded_by_the_effects_worker(till: Till) -> None:
    concert = await concert_for_sale(till, 10, 10)
    order, _ = await till.paid_order(concert, 2, 1), await till.order(concert, 1, who="bob")
    await record(till)
    sold = await read(till, concert)
    assert (sold.version, sold.total) == (1, SalesFigures(1, 3, 3 * PRICE))
    assert SALES not in due_effects(await till.read(order))
    await refund(till, order, 1)
    await record(till)
    first, second = concert.tiers
    assert await read(till, concert) == ConcertSales(
        concert.id,
        2,
        SalesFigures(1, 3, 3 * PRICE, 1, PRICE),
        {
            first.id: SalesFigures(0, 2, 2 * PRICE, 1, PRICE),
            second.id: SalesFigures(0, 1, PRICE),
        },
    )


async def test_rows_are_recorded_once_by_concurrent_and_repeated_workers(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    orders = [await till.paid_order(concert, 1, who=who) for who in ("alice", "bob")]
    await asyncio.gather(*[record_sales(till.stores, orders) for _ in range(5)])
    await record(till)
    found = await read(till, concert)
    assert (found.version, found.total) == (2, SalesFigures(2, 2, 2 * PRICE))


async def test_effect_stays_due_until_a_majority_has_the_rows(till: Till, mongo_url: str) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.paid_order(concert, 1)
    failure: Any = {"writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"}}
    async with failing(mongo_url, 1, **failure):
        await record(till)
    assert SALES in due_effects(await till.read(order))
    till.ahead += timedelta(minutes=1)
    await record(till)
    assert SALES not in due_effects(await till.read(order))
    assert (await read(till, concert)).version == 1


async def test_rows_are_recorded_once_if_the_worker_dies_after_recording_them(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.paid_order(concert, 1)

    async def record_and_die(stores: Stores, orders: Sequence[Order]) -> Mapping[OrderId, str | None]:
        await record_sales(stores, orders)
        raise Crashed

    with pytest.raises(Crashed):
        await EffectsWorker({SALES: record_and_die}, clock=till.now).run_once(till.stores)
    assert SALES in due_effects(await till.read(order))
    # The lease of the dead worker ends.
    till.ahead += timedelta(minutes=1)
    await record(till)
    found = await read(till, concert)
    assert (found.version, found.total) == (1, SalesFigures(1, 1, PRICE))


async def test_sales_of_the_previous_version_are_recorded(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.paid_order(concert, 2)
    fields = dict.fromkeys(("effects", "effectsAt", "tickets", "revocations"), "")
    await till.stores.orders.collection.update_one({"_id": order.id}, {"$unset": fields})
    await record(till)
    assert (await read(till, concert)).total == SalesFigures(1, 2, 2 * PRICE)


async def test_lost_rows_can_be_derived_again_as_documented(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.paid_order(concert, 2)
    await refund(till, order, 1)
    await record(till)
    before = await read(till, concert)
    await till.stores.mongo["sales_rows"].delete_many({"concertId": concert.id})
    assert (await read(till, concert)).version == 0
    await till.stores.orders.collection.update_many(
        {"concertId": concert.id, "effects.sales": "DONE"},
        {"$set": {"effects.sales": "DUE", "updatedAt": till.now()}, "$inc": {"version": 1}},
    )
    await record(till)
    assert await read(till, concert) == before


async def test_stored_row_is_never_changed(stores: Stores) -> None:
    await stores.sales.add([row("a", NOON)])
    await stores.sales.add([row("a", NOON, tickets=5), row("b", NOON)])
    assert (await stores.sales.read(CONCERT)).total == SalesFigures(2, 2, 2 * PRICE)


async def test_concert_without_sales_has_zeros(stores: Stores) -> None:
    await stores.sales.add([])
    assert await stores.sales.read(CONCERT) == ConcertSales(CONCERT, 0, SalesFigures(), {})


async def test_sales_are_summed_by_period(stores: Stores) -> None:
    moment = timedelta(milliseconds=1)
    rows = [
        row("before", NOON - moment),
        row("first", NOON),
        row("refund", NOON + timedelta(minutes=59), kind=SalesKind.REFUND, tickets=-1),
        row("last", NOON + timedelta(hours=1) - moment, tickets=2),
        row("second", NOON + timedelta(hours=1), tickets=4),
        row("after", NOON + timedelta(hours=2)),
    ]
    await stores.sales.add([*rows, replace(rows[1], id="other", concert_id=ConcertId("nmkjhgfedcba"))])
    range_ = make_time_range(TimeInterval.HOUR, start=NOON, end=NOON + timedelta(hours=2), now=NOON, time_zone=None)
    assert await stores.sales.read_over_time(CONCERT, range_) == {
        NOON: SalesFigures(2, 3, 3 * PRICE, 1, PRICE),
        NOON + timedelta(hours=1): SalesFigures(1, 4, 4 * PRICE),
    }


@pytest.mark.parametrize(
    ("interval", "start"),
    [
        (TimeInterval.MINUTE, datetime(2026, 11, 20, 12, 34, tzinfo=UTC)),
        (TimeInterval.FIVE_MINUTES, datetime(2026, 11, 20, 12, 30, tzinfo=UTC)),
        (TimeInterval.HOUR, NOON),
        (TimeInterval.DAY, datetime(2026, 11, 20, tzinfo=UTC)),
    ],
)
async def test_mongodb_and_ranges_agree_on_periods(stores: Stores, interval: TimeInterval, start: datetime) -> None:
    at = datetime(2026, 11, 20, 12, 34, 56, tzinfo=UTC)
    await stores.sales.add([row("one", at)])
    range_ = make_time_range(interval, start=at, end=None, now=at, time_zone=None)
    assert range_.starts == (start,)
    assert set(await stores.sales.read_over_time(CONCERT, range_)) == {start}


async def test_sales_are_summed_by_the_days_of_the_venue(stores: Stores) -> None:
    midnight = datetime(2027, 3, 27, 23, tzinfo=UTC)
    moments = [midnight - timedelta(milliseconds=1), midnight, midnight + timedelta(hours=23)]
    await stores.sales.add([row(f"row {number}", moment) for number, moment in enumerate(moments)])
    range_ = make_time_range(
        TimeInterval.DAY, start=moments[0], end=moments[2] + HOUR, now=NOON, time_zone="Europe/Berlin"
    )
    found = await stores.sales.read_over_time(CONCERT, range_)
    assert {start: sales.orders for start, sales in found.items()} == dict.fromkeys(range_.starts, 1)
    assert range_.starts == (midnight - timedelta(days=1), midnight, midnight + timedelta(hours=23))


async def test_sum_that_takes_too_long_is_refused(stores: Stores, mongo_url: str) -> None:
    await stores.sales.add([row("one", NOON)])
    async with failing(mongo_url, 1, commands=("aggregate",), errorCode=50):
        with pytest.raises(TemporarilyUnavailable, match="could not be summed within 5 seconds"):
            await stores.sales.read(CONCERT)
    assert (await stores.sales.read(CONCERT)).version == 1


async def test_rows_are_read_through_an_index(stores: Stores) -> None:
    indexes = await stores.mongo["sales_rows"].index_information()
    assert [("concertId", 1), ("at", 1)] in [index["key"] for index in indexes.values()]
