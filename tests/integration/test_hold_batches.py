"""Concurrent holds of one concert share runs of their script, and race with all that ends holds."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis.asyncio

from domain.concerts import Concert
from domain.errors import (
    IdempotencyConflict,
    LimitExceeded,
    NotOnSale,
    OnsaleError,
    SoldOut,
    TemporarilyUnavailable,
)
from domain.holds import Hold, HoldState, TicketRequest
from domain.ids import HoldId, PersonId
from domain.orders import Order
from resolvers import holds
from storage.connect import Stores
from storage.hot.script_client import MAX_CALLS_PER_RUN, MAX_UNITS
from tests.support.concurrency import gather_results
from tests.support.hot_keys import concert_key, make_due, record_worker_run, replace_incarnation
from tests.support.sale import buy, check_invariants, context, hold, on_sale, opened, stock
from tests.support.store_proxy import StoreProxy
from workers.expiry import ExpiryWorker

WARM_UP = "warm-up"


async def warm_up(stores: Stores, *capacities: int, **changes: Any) -> Concert:
    """Return a concert on sale, after a hold that has loaded the script and connected."""
    concert = await on_sale(stores, *capacities, **changes)
    await hold(stores, concert, 1, who=WARM_UP)
    return concert


async def count_runs(url: str, calls: Callable[[], Awaitable[object]]) -> int:
    """Return how many scripts the calls ran."""
    async with redis.asyncio.Redis.from_url(url) as control:
        await control.config_resetstat()
        await calls()
        return int((await control.info("commandstats"))["cmdstat_evalsha"]["calls"])


async def version_of(stores: Stores, concert: Concert) -> int:
    return (await stores.holds.read_stock(concert)).version


@pytest.mark.parametrize(
    ("batched", "runs"), [(True, -(-200 // MAX_CALLS_PER_RUN)), (False, 200)], ids=["batched", "one by one"]
)
async def test_concurrent_holds_share_runs_unless_switched_off(
    valkey_url: str, mongo_url: str, mongo_database: str, *, batched: bool, runs: int
) -> None:
    async with opened(valkey_url, mongo_url, mongo_database, batched_holds=batched) as stores:
        concert = await warm_up(stores, 300)
        people = [f"buyer{number}" for number in range(200)]
        made: list[Hold] = []

        async def hold_all() -> None:
            made.extend(await asyncio.gather(*[hold(stores, concert, 1, who=who) for who in people]))

        # Each call also adds the concert to the index of its person.
        assert await count_runs(valkey_url, hold_all) == len(people) + runs
        assert len({unit for one in made for unit in one.units}) == 200
        await check_invariants(stores, concert)


async def test_batch_raises_the_version_once_and_shows_it(any_stores: Stores) -> None:
    concert = await warm_up(any_stores, 50)
    before = await version_of(any_stores, concert)
    made = await asyncio.gather(*[hold(any_stores, concert, 1, who=f"buyer{n}", with_key="k") for n in range(10)])
    assert {one.version for one in made} == {before + 1}
    assert await version_of(any_stores, concert) == before + 1
    again = await asyncio.gather(*[hold(any_stores, concert, 1, who=f"buyer{n}", with_key="k") for n in range(10)])
    assert again == made
    assert {one.version for one in again} == {before + 1}
    assert await version_of(any_stores, concert) == before + 1
    changes = (await any_stores.snapshots.read(concert.id, after=before)).changes
    assert (changes.version, changes.is_complete) == (before + 1, True)
    assert set(changes.people) == {one.person_id for one in made}


async def test_batch_of_refusals_does_not_raise_the_version(any_stores: Stores) -> None:
    concert = await warm_up(any_stores, 5)
    before = await version_of(any_stores, concert)
    answers = await gather_results(*[hold(any_stores, concert, 6, who=f"buyer{n}") for n in range(5)])
    assert {type(answer) for answer in answers} == {SoldOut}
    assert await version_of(any_stores, concert) == before


async def test_calls_of_one_batch_see_each_other(any_stores: Stores) -> None:
    concert = await warm_up(any_stores, 9, limit_per_person=3)
    first, twin, other, second, third, late, replay = await gather_results(
        hold(any_stores, concert, 2, who="ann", with_key="k"),
        hold(any_stores, concert, 2, who="ann", with_key="k"),
        hold(any_stores, concert, 1, who="ann", with_key="k"),
        hold(any_stores, concert, 2, who="ann"),
        hold(any_stores, concert, 3, who="ben"),
        hold(any_stores, concert, 3, who="cleo"),
        hold(any_stores, concert, 1, who=WARM_UP, with_key="unknown"),
    )
    assert isinstance(first, Hold)
    assert twin == first
    assert isinstance(other, IdempotencyConflict)
    assert isinstance(second, LimitExceeded)
    assert (second.held, second.owned, second.limit) == (2, 0, 3)
    assert isinstance(third, Hold)
    assert isinstance(late, Hold)
    assert isinstance(replay, SoldOut)
    assert (replay.available, replay.next_release_at) == (0, first.expires_at) or replay.next_release_at is not None
    assert await stock(any_stores, concert) == [(0, 9, 0)]
    await check_invariants(any_stores, concert)


async def test_refusal_and_replay_leave_the_rest_of_a_batch_alone(any_stores: Stores) -> None:
    concert = await warm_up(any_stores, 20, 20)
    known = await hold(any_stores, concert, 2, 1, who="ann", with_key="k")
    new, replay, refused, last = await gather_results(
        hold(any_stores, concert, 1, 2, who="ben"),
        hold(any_stores, concert, 2, 1, who="ann", with_key="k"),
        hold(any_stores, concert, 11, who="cleo"),
        hold(any_stores, concert, 0, 3, who="dan"),
    )
    assert replay == known
    assert isinstance(refused, LimitExceeded)
    assert (len(new.units), len(last.units)) == (3, 3)
    assert new.version == last.version == replay.version
    await check_invariants(any_stores, concert)


async def test_canceled_hold_leaves_the_rest_of_its_batch_alone(stores: Stores) -> None:
    concert = await warm_up(stores, 20)
    calls = [asyncio.create_task(hold(stores, concert, 1, who=f"buyer{n}", with_key="k")) for n in range(5)]
    for _ in range(3):
        await asyncio.sleep(0)
    calls[2].cancel()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(answers.pop(2), asyncio.CancelledError)
    assert all(isinstance(answer, Hold) for answer in answers)
    # The canceled call may have held its ticket; a repetition finds out.
    assert len((await hold(stores, concert, 1, who="buyer2", with_key="k")).units) == 1
    await check_invariants(stores, concert)


async def test_full_batch_of_large_holds_takes_every_unit_once(any_stores: Stores) -> None:
    each = 100
    capacity = MAX_CALLS_PER_RUN * each
    concert = await on_sale(any_stores, capacity, limit_per_order=each, limit_per_person=each)
    # The second time, all units are returned ones.
    for key in ("new", "returned"):
        made = await asyncio.gather(
            *[hold(any_stores, concert, each, who=f"buyer{n}", with_key=key) for n in range(MAX_CALLS_PER_RUN)]
        )
        assert len({one.version for one in made}) == -(-MAX_CALLS_PER_RUN // (MAX_UNITS // each))
        assert len({unit for one in made for unit in one.units}) == capacity
        assert await stock(any_stores, concert) == [(0, capacity, 0)]
        await check_invariants(any_stores, concert)
        await asyncio.gather(
            *[holds.release_hold(context(any_stores, one.person_id), concert.id, one.id) for one in made]
        )


@pytest.mark.parametrize(("each", "runs"), [(1, 1), (MAX_UNITS // 5, 1), (900, 3), (1_000, 3)])
async def test_one_run_takes_a_bounded_number_of_units(valkey_url: str, stores: Stores, each: int, runs: int) -> None:
    concert = await warm_up(stores, 5 * each + 1, limit_per_order=each, limit_per_person=each)
    lines = [TicketRequest(concert.tiers[0].id, each)]

    async def hold_all() -> None:
        held = await asyncio.gather(
            *[
                stores.holds.hold(concert.id, HoldId(f"hold{n}"), lines, person_id=PersonId(f"buyer{n}"), digest="d")
                for n in range(5)
            ]
        )
        assert [len(one.units) for one in held] == [each] * 5

    assert await count_runs(valkey_url, hold_all) == runs
    assert await stock(stores, concert) == [(0, 5 * each + 1, 0)]


async def test_holds_of_many_concerts_at_once_stay_apart(stores: Stores) -> None:
    shops = [await on_sale(stores, 3) for _ in range(12)]
    answers = await gather_results(*[hold(stores, concert, 1, who=f"buyer{n}") for n in range(5) for concert in shops])
    for number, concert in enumerate(shops):
        own = answers[number :: len(shops)]
        assert [type(answer) for answer in own].count(Hold) == 3
        assert {answer.concert_id for answer in own if isinstance(answer, Hold)} == {concert.id}
        await check_invariants(stores, concert)


@pytest.mark.parametrize("cuts", ["cut_replies", "cut_requests"])
async def test_batch_whose_connection_breaks_is_repeated_once(
    valkey_url: str, mongo_url: str, mongo_database: str, cuts: str
) -> None:
    async with (
        StoreProxy(valkey_url).running() as proxy,
        opened(proxy.url, mongo_url, mongo_database) as stores,
    ):
        concert = await warm_up(stores, 200, limit_per_person=2)
        for round_, after_bytes in enumerate((0, 700, 3_000, 5_500)):
            getattr(proxy, cuts)(after_bytes)
            calls = [hold(stores, concert, 1, who=f"buyer{round_}-{n // 2}", with_key=f"k{n % 2}") for n in range(40)]
            refused = [hold(stores, concert, 3, who=f"greedy{n}") for n in range(3)]
            answers = await gather_results(*calls, *refused)
            assert len({unit for one in answers[:40] for unit in one.units}) == 40
            assert {type(answer) for answer in answers[40:]} == {LimitExceeded}
        assert proxy.cuts == 4
        assert await stock(stores, concert) == [(39, 161, 0)]
        await check_invariants(stores, concert)


async def retried(call: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
    """Make a call until it is not refused for the moment, as clients do. Return its answer or
    refusal.
    """
    while True:
        try:
            return await call(*args, **kwargs)
        except TemporarilyUnavailable:
            await asyncio.sleep(0.01)
        except OnsaleError as refusal:
            return refusal


async def test_batches_race_with_all_that_ends_holds(stores: Stores) -> None:
    concert = await warm_up(stores, 12, 8, limit_per_person=4)
    rng = random.Random(18)

    async def expire_some() -> None:
        await record_worker_run(stores, concert.id)
        ids = await stores.script_client.run_command("ZRANGE", concert_key(concert, "deadlines"), "0", "2")
        if ids:
            await make_due(stores, concert, "deadlines", *[id_.decode() for id_ in ids])
        await ExpiryWorker().run_for(stores, concert.id)

    async def live(number: int) -> None:
        who = f"buyer{number}"
        for round_ in range(6):
            quantities = rng.choice([(1, 0), (2, 1), (0, 2)])
            key = f"{round_}-{rng.randrange(2)}"
            made = await retried(hold, stores, concert, *quantities, who=who, with_key=key)
            if isinstance(made, Hold) and made.state is HoldState.HELD:
                end = rng.random()
                if end < 0.5:
                    await retried(holds.release_hold, context(stores, who), concert.id, made.id)
                elif end < 0.6:
                    bought = await retried(buy, stores, made, with_key=key)
                    assert isinstance(bought, Order | OnsaleError)

    async def disturb() -> None:
        for round_ in range(12):
            await expire_some()
            if round_ in (4, 8):
                await replace_incarnation(stores, concert)

    await asyncio.gather(disturb(), *map(live, range(20)))
    await retried(stores.holds.read_stock, concert)
    await check_invariants(stores, concert)
    for available, held, sold in await stock(stores, concert):
        assert available >= 0
        assert held >= 0
        assert sold >= 0


async def test_end_of_the_sale_refuses_the_rest_of_the_batches(stores: Stores) -> None:
    concert = await warm_up(stores, 200)
    over = replace(concert.terms, sales_end_at=datetime.now(UTC) - timedelta(minutes=1))

    async def hold_in_turns(number: int) -> list[Any]:
        return [await retried(hold, stores, concert, 1, who=f"b{number}") for _ in range(3)]

    async def end_the_sale() -> int:
        await asyncio.sleep(0)
        await stores.hot_state.apply_concert(replace(concert, version=concert.version + 1, terms=over))
        return await version_of(stores, concert)

    version, *answers = await asyncio.gather(end_the_sale(), *map(hold_in_turns, range(30)))
    flat = [answer for own in answers for answer in own]
    assert {type(answer) for answer in flat} <= {Hold, NotOnSale}
    assert type(flat[-1]) is NotOnSale
    assert all(answer.version <= version for answer in flat if isinstance(answer, Hold))
    assert (await stock(stores, concert))[0][1] == 1 + sum(isinstance(answer, Hold) for answer in flat)
    await check_invariants(stores, concert)
