"""Joins, holds and purchases are limited per person and per address, by the scripts themselves."""

import asyncio
from typing import Any

import pytest

from domain.concerts import Concert
from domain.errors import IdempotencyConflict, RoomNotOpen, SoldOut
from domain.holds import Hold, HoldState
from domain.ids import PersonId
from domain.limits.errors import RateLimited
from domain.limits.rates import CallRates, LimitedCall, Rate, RateLimits, RateScope
from domain.queues import QueueEntry, QueueingMethod
from resolvers import holds, orders, queues
from resolvers.call_limits import CallLimits
from resolvers.context import Context
from storage.connect import Stores
from tests.support.hot_keys import advance_clock, concert_key
from tests.support.queue_steps import with_room
from tests.support.sale import (
    CUSTOMER,
    PASSES,
    all_orders,
    check_invariants,
    key,
    lines,
    on_sale,
    stock,
    viewer,
)
from workers.expiry import MAX_HOLDS_PER_CALL, ExpiryWorker

pytestmark = pytest.mark.each_hold_mode

ONE, THREE = Rate(1, 600), Rate(3, 600)
OFFICE, HOME = "203.0.113.7", "198.51.100.1"
MAX_RATES, RATES_DROPPED = 100_000, 1_000
FAR_US = 9_000_000_000_000_000


def limited(stores: Stores, who: str = "ann", address: str | None = OFFICE, **rates: CallRates) -> Context:
    limits = CallLimits(RateLimits(**rates))
    return Context(stores, PASSES, viewer(who), "test-request", address, call_limits=limits)


async def join(
    stores: Stores, concert: Concert, rates: CallRates, who: str, address: str | None = OFFICE
) -> QueueEntry:
    return await queues.join_queue(limited(stores, who, address, joins=rates), concert.id)


async def rejoin(stores: Stores, concert: Concert, rates: CallRates, who: str = "ann") -> QueueEntry:
    """Leave the queue and join it again."""
    await stores.queues.leave(concert.id, PersonId(who))
    return await join(stores, concert, rates, who)


async def hold(asking: Context, concert: Concert, with_key: str = "", quantity: int = 1) -> Hold:
    return await holds.hold_tickets(asking, concert.id, lines(concert, quantity), with_key or key())


async def run(stores: Stores, *command: str) -> Any:
    return await stores.script_client.run_command(*command)


async def test_joins_by_a_person_are_refused_above_the_rate(any_stores: Stores) -> None:
    concert, rates = await with_room(any_stores), CallRates(per_person=THREE)
    await join(any_stores, concert, rates, "ann")
    numbers = [(await rejoin(any_stores, concert, rates)).number for _ in range(2)]
    assert numbers == [2, 3]
    with pytest.raises(RateLimited) as refused:
        await rejoin(any_stores, concert, rates)
    error = refused.value
    assert (error.call, error.scope, error.rate) == (LimitedCall.JOIN_QUEUE, RateScope.PERSON, THREE)
    assert error.retryable
    assert error.retry_after_s is not None
    assert 1 <= error.retry_after_s <= 200
    assert str(error).startswith("The limit for joining this queue is 3 in 600 s per person; repeat the request in ")
    assert (await join(any_stores, concert, rates, "ben")).number == 4


async def test_refused_join_changes_nothing(any_stores: Stores) -> None:
    concert, rates = await with_room(any_stores), CallRates(ONE, THREE)
    await join(any_stores, concert, rates, "ann")
    await any_stores.queues.leave(concert.id, PersonId("ann"))
    before = await run(any_stores, "HGETALL", concert_key(concert, "state"))
    kept = await run(any_stores, "ZRANGE", concert_key(concert, "rates"), "0", "-1", "WITHSCORES")
    for _ in range(20):
        with pytest.raises(RateLimited):
            await join(any_stores, concert, rates, "ann")
    assert await run(any_stores, "HGETALL", concert_key(concert, "state")) == before
    assert await run(any_stores, "ZRANGE", concert_key(concert, "rates"), "0", "-1", "WITHSCORES") == kept
    # A person's refused calls do not count toward the rate of their address.
    for who in ("ben", "cyd"):
        await join(any_stores, concert, rates, who)


async def test_one_call_is_allowed_again_after_each_interval(any_stores: Stores) -> None:
    concert, rates = await with_room(any_stores), CallRates(per_person=THREE)
    await join(any_stores, concert, rates, "ann")
    for _ in range(2):
        await rejoin(any_stores, concert, rates)
    for _ in range(2):
        with pytest.raises(RateLimited):
            await rejoin(any_stores, concert, rates)
        await advance_clock(any_stores, concert, 200_000)
        await rejoin(any_stores, concert, rates)


async def test_joining_again_with_an_active_entry_is_not_counted(any_stores: Stores) -> None:
    concert, rates = await with_room(any_stores), CallRates(ONE, ONE)
    answers = await asyncio.gather(*[join(any_stores, concert, rates, "ann") for _ in range(100)])
    assert {entry.number for entry in answers} == {1}
    assert (await any_stores.queues.read_queue(concert.id)).positions.tail == 1


async def test_joins_from_an_address_are_refused_above_the_rate(any_stores: Stores) -> None:
    concert, rates = await with_room(any_stores), CallRates(per_address=THREE)
    joins = [join(any_stores, concert, rates, f"person{number}") for number in range(100)]
    answers = await asyncio.gather(*joins, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, RateLimited)]
    assert (len(refused), {error.scope for error in refused}) == (97, {RateScope.ADDRESS})
    assert (await any_stores.queues.read_queue(concert.id)).positions.tail == 3
    assert (await join(any_stores, concert, rates, "ann", HOME)).number == 4
    for who in ("ben", "cyd", "dan", "eve"):
        await join(any_stores, concert, rates, who, None)


async def test_joining_a_closed_room_is_not_counted(stores: Stores) -> None:
    concert, rates = await with_room(stores, queueing_method=QueueingMethod.REJECT), CallRates(ONE, ONE)
    for _ in range(3):
        with pytest.raises(RoomNotOpen):
            await join(stores, concert, rates, "ann")


async def test_joins_are_counted_separately_for_each_concert(stores: Stores) -> None:
    rates = CallRates(ONE, ONE)
    for concert in (await with_room(stores), await with_room(stores)):
        assert (await join(stores, concert, rates, "ann")).number == 1


async def test_repeated_hold_is_answered_before_the_rate_is_checked(any_stores: Stores) -> None:
    concert, again = await on_sale(any_stores, 10), key()
    asking = limited(any_stores, holds=CallRates(ONE, ONE))
    held = [await hold(asking, concert, again) for _ in range(5)]
    assert {made.id for made in held} == {held[0].id}
    with pytest.raises(IdempotencyConflict):
        await hold(asking, concert, again, quantity=2)
    with pytest.raises(RateLimited) as refused:
        await hold(asking, concert)
    assert (refused.value.call, refused.value.scope) == (LimitedCall.HOLD_TICKETS, RateScope.PERSON)
    assert await stock(any_stores, concert) == [(9, 1, 0)]
    assert await hold(asking, concert, again) == held[0]


async def test_refused_holds_count_toward_the_rate(stores: Stores) -> None:
    """Counting them keeps a bot from asking for returned tickets as often as it likes."""
    concert = await on_sale(stores, 1)
    asking = limited(stores, holds=CallRates(per_person=THREE))
    for _ in range(3):
        with pytest.raises(SoldOut):
            await hold(asking, concert, quantity=2)
    with pytest.raises(RateLimited):
        await hold(asking, concert)
    assert await stock(stores, concert) == [(1, 0, 0)]


async def test_exactly_the_allowed_number_of_holds_per_address_succeeds(any_stores: Stores) -> None:
    concert, rates = await on_sale(any_stores, 100), CallRates(per_address=THREE)
    asking = [limited(any_stores, f"person{number}", holds=rates) for number in range(100)]
    answers = await asyncio.gather(*[hold(one, concert) for one in asking], return_exceptions=True)
    assert sum(isinstance(answer, RateLimited) for answer in answers) == 97
    assert await stock(any_stores, concert) == [(97, 3, 0)]
    await check_invariants(any_stores, concert)


async def test_repeated_purchase_is_answered_before_the_rate_is_checked(any_stores: Stores) -> None:
    concert, again = await on_sale(any_stores, 10), key()
    asking = limited(any_stores, purchases=CallRates(ONE, ONE))
    first, second = await hold(asking, concert), await hold(asking, concert)
    bought = [await orders.purchase_hold(asking, concert.id, first.id, CUSTOMER, again) for _ in range(5)]
    assert len({order.id for order in bought}) == 1
    for _ in range(3):
        with pytest.raises(RateLimited) as refused:
            await orders.purchase_hold(asking, concert.id, second.id, CUSTOMER, "second")
        assert refused.value.call is LimitedCall.PURCHASE_TICKETS
    kept = await any_stores.holds.get(concert.id, second.id)
    assert kept is not None
    assert kept.state is HoldState.HELD
    assert len(await all_orders(any_stores, concert)) == 1
    await check_invariants(any_stores, concert)


async def test_refused_one_step_purchase_keeps_its_tickets_on_hold(stores: Stores) -> None:
    concert = await on_sale(stores, 10)
    asking = limited(stores, purchases=CallRates(per_person=ONE))
    await orders.purchase_lines(asking, concert.id, lines(concert, 1), CUSTOMER, "first")
    with pytest.raises(RateLimited):
        await orders.purchase_lines(asking, concert.id, lines(concert, 1), CUSTOMER, "second")
    assert await stock(stores, concert) == [(8, 1, 1)]
    await advance_clock(stores, concert, 600_000 - 1_000)
    await run(stores, "DEL", concert_key(concert, "rates"))
    await orders.purchase_lines(asking, concert.id, lines(concert, 1), CUSTOMER, "second")
    assert await stock(stores, concert) == [(8, 0, 2)]
    await check_invariants(stores, concert)


async def test_times_written_before_the_clock_was_set_back_are_ignored(stores: Stores) -> None:
    concert, asking = await on_sale(stores, 10), limited(stores, holds=CallRates(ONE, THREE))
    far = str(FAR_US)
    await run(stores, "ZADD", concert_key(concert, "rates"), far, "hold|p|ann", far, f"hold|a|{OFFICE}")
    await hold(asking, concert)
    with pytest.raises(RateLimited) as refused:
        await hold(asking, concert)
    assert refused.value.retry_after_s is not None
    assert refused.value.retry_after_s <= 600
    assert await stock(stores, concert) == [(9, 1, 0)]


async def fill_rates(stores: Stores, concert: Concert, count: int, first_us: int) -> None:
    """Write `count` members with increasing times, starting at `first_us`."""
    for first in range(0, count, 5_000):
        numbers = range(first, min(first + 5_000, count))
        pairs = [word for number in numbers for word in (str(first_us + number), f"member{number}")]
        await run(stores, "ZADD", concert_key(concert, "rates"), *pairs)


async def test_rates_that_expire_first_are_dropped_above_the_limit(stores: Stores) -> None:
    concert, asking = await on_sale(stores, 10), limited(stores, holds=CallRates(ONE, ONE))
    rates = concert_key(concert, "rates")
    await fill_rates(stores, concert, MAX_RATES - 2, FAR_US)
    await hold(asking, concert)
    assert await run(stores, "ZCARD", rates) == MAX_RATES
    await hold(limited(stores, "ben", None, holds=CallRates(ONE, ONE)), concert)
    assert await run(stores, "ZCARD", rates) == MAX_RATES + 1 - RATES_DROPPED
    # The rates just written allow a full burst again sooner than all others, so they are dropped.
    assert await run(stores, "ZSCORE", rates, "hold|p|ann") is None
    assert await run(stores, "ZSCORE", rates, f"member{MAX_RATES - 3}") is not None


async def test_worker_removes_rates_that_no_longer_limit_a_call(stores: Stores) -> None:
    concert, asking = await on_sale(stores, 10), limited(stores, holds=CallRates(ONE, ONE))
    rates = concert_key(concert, "rates")
    await hold(asking, concert)
    await fill_rates(stores, concert, 2_500, 1)
    await ExpiryWorker().run_for(stores, concert.id)
    assert await run(stores, "ZCARD", rates) == 502
    await ExpiryWorker().run_for(stores, concert.id)
    assert await run(stores, "ZRANGE", rates, "0", "-1") == [f"hold|a|{OFFICE}".encode(), b"hold|p|ann"]
    with pytest.raises(RateLimited):
        await hold(asking, concert)
    assert MAX_HOLDS_PER_CALL < 2_000


async def test_calls_outside_concerts_are_counted_across_all_processes(any_stores: Stores) -> None:
    counts = [any_stores.call_counter.count("logins", OFFICE, THREE) for _ in range(100)]
    waits = await asyncio.gather(*counts)
    assert waits.count(0) == 3
    assert all(1 <= wait_s <= 200 for wait_s in waits if wait_s)
    assert await any_stores.call_counter.count("logins", HOME, THREE) == 0
