"""Regression tests for faults that a review found in sales and their recovery."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from domain.concerts import Concert, ConcertChange, TierChange
from domain.errors import CapacityInUse, HoldEnded, IdempotencyConflict, LimitExceeded, TemporarilyUnavailable
from domain.ids import OrderId, PersonId
from domain.orders import Order
from resolvers import concerts, holds, orders
from storage.connect import Stores
from storage.embedded.process import ServerProcess
from storage.mongo.order_batch import SENDERS
from storage.sync import concert_cache
from storage.sync import order_sync as order_sync_module
from tests.support.hold_orders import order_of
from tests.support.hot_keys import advance_clock, concert_key, record_worker_run, replace_incarnation
from tests.support.mongo_failures import failing
from tests.support.sale import (
    CUSTOMER,
    all_orders,
    buy,
    check_invariants,
    context,
    draft,
    hold,
    lines,
    make_overdue,
    on_sale,
    opened,
    organizer,
    stock,
)
from tests.support.script_calls import repeated_calls
from tests.support.store_copies import restart, until_trusted
from tests.support.waiting import wait_until
from workers.expiry import ExpiryWorker
from workers.record import RecordWorker
from workers.settle import SettleWorker


async def test_an_idempotency_key_finds_its_order_after_a_wipe(stores: Stores, mongo_url: str) -> None:
    concert = await on_sale(stores, 10)
    arguments = (context(stores), concert.id, lines(concert, 2), CUSTOMER, "k")
    async with failing(mongo_url, 2, writeConcernError={"code": 64, "errmsg": "no majority"}):
        with pytest.raises(TemporarilyUnavailable):
            await orders.purchase_lines(*arguments)
    await stores.script_client.run_command("FLUSHALL")
    with pytest.raises(TemporarilyUnavailable):
        await stores.holds.read_stock(concert)
    await until_trusted(stores, concert.id)
    answer = await orders.purchase_lines(*arguments)
    assert [order.id for order in await all_orders(stores, concert)] == [answer.id]
    other = (context(stores), concert.id, lines(concert, 3), CUSTOMER, "k")
    with pytest.raises(IdempotencyConflict):
        await orders.purchase_lines(*other)


async def test_a_recorded_order_is_returned_while_the_hot_store_is_full(own_stores: Stores) -> None:
    concert = await on_sale(own_stores, 10)
    made, other = await hold(own_stores, concert, 2), await hold(own_stores, concert, 1)
    insert = own_stores.order_batch.insert

    async def then_full(order: Order) -> object:
        outcome = await insert(order)
        await own_stores.script_client.run_command("CONFIG", "SET", "maxmemory", "1")
        return outcome

    own_stores.order_batch.insert = then_full  # type: ignore[method-assign,assignment]
    assert (await buy(own_stores, made)).units == made.units
    with pytest.raises(TemporarilyUnavailable):
        await buy(own_stores, other)
    await own_stores.script_client.run_command("CONFIG", "SET", "maxmemory", "0")
    assert await RecordWorker().run_once(own_stores) == 1
    assert await stock(own_stores, concert) == [(7, 1, 2)]
    await check_invariants(own_stores, concert)


async def test_a_recovery_that_outlasts_its_mark_is_finished(
    own_stores: Stores, own_valkey: ServerProcess, mongo_url: str, mongo_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each recorded order renews the mark, so no other process restarts the recovery."""
    concert = await on_sale(own_stores, 20)
    for number in range(6):
        await buy(own_stores, await hold(own_stores, concert, 1, who=f"buyer{number}"))
    epoch = (await own_stores.holds.read_stock(concert)).epoch
    monkeypatch.setattr(order_sync_module, "BATCH", 1)
    async with opened(own_valkey.url, mongo_url, mongo_database) as others:
        for one in (own_stores, others):
            _age_mark_before_each_record(one, concert, monkeypatch)
        await restart(own_valkey)
        await asyncio.gather(until_trusted(own_stores, concert.id), until_trusted(others, concert.id))
    assert await stock(own_stores, concert) == [(14, 0, 6)]
    assert (await own_stores.holds.read_stock(concert)).epoch > epoch


def _age_mark_before_each_record(stores: Stores, concert: Concert, monkeypatch: pytest.MonkeyPatch) -> None:
    """Age the mark by four seconds before each order, so six orders outlast it."""
    record = stores.hot_state.record_order

    async def record_later(order: Order, *, epoch: int | None = None) -> str:
        if epoch is not None:
            command = ("HINCRBY", concert_key(concert, "state"), "mark_ms", "-4000")
            await stores.script_client.run_command(*command)
        return await record(order, epoch=epoch)

    monkeypatch.setattr(stores.hot_state, "record_order", record_later)


async def test_an_order_inserted_during_a_recovery_is_counted(
    own_stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    concert = await on_sale(own_stores, 10, limit_per_person=2)
    made = await hold(own_stores, concert, 2)
    sync_concert = own_stores.order_sync.sync_concert

    async def then_sell(under_recovery: Concert) -> int | None:
        count = await sync_concert(under_recovery)
        order = order_of(concert, made)
        await own_stores.order_batch.insert(order)
        assert not await own_stores.order_sync.sync(order)
        return count

    monkeypatch.setattr(own_stores.order_sync, "sync_concert", then_sell)
    await own_stores.script_client.run_command("FLUSHALL")
    assert await own_stores.recovery.recover(concert.id)
    assert await stock(own_stores, concert) == [(8, 0, 2)]
    with pytest.raises(LimitExceeded):
        await hold(own_stores, concert, 1)
    await check_invariants(own_stores, concert)


async def test_holds_expire_while_the_database_hangs(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    concert = await on_sale(stores, 5, hold_duration_ms=1_000)
    await ExpiryWorker().run_once(stores)
    read, hang, started, ended = stores.concerts.list_active, asyncio.Event(), [False], [False]

    async def hanging(**after: datetime) -> Sequence[Concert]:
        started[0] = True
        await hang.wait()
        found = await read(**after)
        ended[0] = True
        return found

    monkeypatch.setattr(stores.concerts, "list_active", hanging)
    # Each run finds that the list of concerts is outdated and starts to read it again.
    monkeypatch.setattr(concert_cache, "REFRESH_S", 0.0)
    await hold(stores, concert, 1)
    await advance_clock(stores, concert, 1_001)
    await record_worker_run(stores, concert.id)
    assert await ExpiryWorker().run_once(stores) == 1
    assert await stock(stores, concert) == [(5, 0, 0)]
    assert (started, ended) == ([True], [False])
    hang.set()
    await wait_until(lambda: ended[0], what="the end of the read")


async def test_a_failed_settlement_does_not_stop_others(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck, other = await on_sale(stores, 5), await on_sale(stores, 5)
    made = [await hold(stores, concert, 2) for concert in (stuck, other)]
    for one in made:
        await stores.holds.begin_purchase(
            one.concert_id, one.id, person_id=one.person_id, purchase_key=one.id, digest="d"
        )
        await make_overdue(stores, one)
    find_or_void = stores.orders.find_or_void

    async def failing_for_one(order_id: OrderId, *args: object, **kwargs: object) -> object:
        if order_id == OrderId(made[0].id):
            raise TemporarilyUnavailable("The order database does not answer")
        return await find_or_void(order_id, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(stores.orders, "find_or_void", failing_for_one)
    assert await SettleWorker().run_once(stores) == 1
    assert [await stock(stores, concert) for concert in (stuck, other)] == [[(3, 2, 0)], [(5, 0, 0)]]


async def test_a_lost_commit_is_retried(stores: Stores, mongo_url: str) -> None:
    concert = await on_sale(stores, 10)
    async with failing(mongo_url, 2, commands=("commitTransaction",), closeConnection=True):
        change = ConcertChange(tiers=(TierChange(concert.tiers[0].id, capacity=6),))
        await concerts.update_concert(organizer(stores), concert.id, change, expected_version=None)
    assert await stock(stores, concert) == [(6, 0, 0)]
    await check_invariants(stores, concert)


async def test_an_open_purchase_keeps_its_holds_deadline(stores: Stores) -> None:
    concert = await on_sale(stores, 5, hold_duration_ms=540_000)
    made = await hold(stores, concert, 1)
    begun = await stores.holds.begin_purchase(
        concert.id, made.id, person_id=made.person_id, purchase_key="k", digest="d"
    )
    assert begun.expires_at == made.expires_at
    due = await stores.script_client.run_command("ZSCORE", concert_key(concert, "buying"), made.id)
    assert float(due) == made.expires_at.timestamp() * 1000


async def test_senders_continue_after_an_unexpected_error(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    concert = await on_sale(stores, 20)
    made = [await hold(stores, concert, 1) for _ in range(SENDERS + 1)]

    class FailingCollection:
        async def insert_many(self, *args: object, **kwargs: object) -> None:
            raise RuntimeError("can't start new thread")

    with monkeypatch.context() as broken:
        broken.setattr(stores.orders, "collection", FailingCollection())
        for one in made:
            with pytest.raises(TemporarilyUnavailable):
                await buy(stores, one)
    for one in made:
        assert (await buy(stores, one)).units == one.units


async def test_a_repeated_capacity_change_is_applied_once(stores: Stores) -> None:
    concert = await on_sale(stores, 10)
    with repeated_calls(stores):
        for capacity in (6, 8, 12, 7):
            change = ConcertChange(tiers=(TierChange(concert.tiers[0].id, capacity=capacity),))
            await concerts.update_concert(organizer(stores), concert.id, change, expected_version=None)
            assert await stock(stores, concert) == [(capacity, 0, 0)]
            await check_invariants(stores, concert)


async def test_lowest_allowed_capacity_counts_only_sold_and_held_units(stores: Stores) -> None:
    concert = await on_sale(stores, 2_500)
    await buy(stores, await hold(stores, concert, 2))
    change = ConcertChange(tiers=(TierChange(concert.tiers[0].id, capacity=1),))
    with pytest.raises(CapacityInUse) as refusal:
        await concerts.update_concert(organizer(stores), concert.id, change, expected_version=None)
    assert refusal.value.lowest == 2


async def test_holds_are_shown_after_the_concert_starts(stores: Stores) -> None:
    now = datetime.now(UTC)
    concert = await on_sale(stores, 5, starts_at=now - timedelta(minutes=10), sales_end_at=now + timedelta(hours=1))
    made = await hold(stores, concert, 1)
    assert await holds.list_viewer_holds(context(stores)) == (made,)


async def test_a_second_key_for_a_sold_hold_is_recorded(stores: Stores) -> None:
    concert = await on_sale(stores, 5)
    first, second = await hold(stores, concert, 1), await hold(stores, concert, 1)
    await buy(stores, first, with_key="a")
    await buy(stores, first, with_key="b")
    with pytest.raises(IdempotencyConflict):
        await buy(stores, second, with_key="b")


async def test_concurrent_readiness_checks_agree(stores: Stores) -> None:
    assert await asyncio.gather(*[stores.problems() for _ in range(20)]) == [[]] * 20


async def test_slugs_of_long_or_identical_names_are_unique(stores: Stores) -> None:
    names = ["long " * 40, "long " * 40, "long " * 40, "!!!"]
    made = [await concerts.create_concert(organizer(stores), draft(5, name=name.strip())) for name in names]
    assert len({concert.slug for concert in made}) == 4
    assert all(len(concert.slug) <= 200 and not concert.slug.startswith("-") for concert in made)


async def test_a_call_that_cannot_be_encoded_makes_no_other_call_fail(stores: Stores) -> None:
    concert = await on_sale(stores, 5)
    good = hold(stores, concert, 1)
    bad = stores.holds.list_for_person(concert.id, PersonId("lone \ud800"))
    answers = await asyncio.gather(bad, good, return_exceptions=True)
    assert isinstance(answers[0], UnicodeEncodeError)
    assert not isinstance(answers[1], Exception)


async def test_the_record_worker_retries_unrecorded_orders(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker rereads orders changed since the same time until all of them are recorded."""
    concert = await on_sale(stores, 5)
    await buy(stores, await hold(stores, concert, 2))
    changed_since, times = stores.orders.changed_since, list[datetime]()

    async def recorded(since: datetime) -> object:
        times.append(since)
        return await changed_since(since)

    monkeypatch.setattr(stores.orders, "changed_since", recorded)
    worker = RecordWorker()

    async def run() -> datetime:
        times.clear()
        assert await worker.run_once(stores) == 0
        return times[0]

    await replace_incarnation(stores, concert)
    first = await run()
    await stores.recovery.ensure(concert.id)
    assert await run() == first
    assert await run() > first
    assert await stock(stores, concert) == [(3, 0, 2)]


async def test_an_ended_hold_cannot_be_bought(stores: Stores) -> None:
    concert = await on_sale(stores, 5)
    made = await hold(stores, concert, 1)
    await holds.release_hold(context(stores), concert.id, made.id)
    with pytest.raises(HoldEnded):
        await buy(stores, made)
