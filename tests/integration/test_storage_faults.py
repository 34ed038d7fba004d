"""What a reviewer broke once: each test is the way in which it was broken."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from domain.concerts import Concert, ConcertChange, TierChange
from domain.errors import CapacityInUse, HoldEnded, IdempotencyConflict, LimitExceeded, TemporarilyUnavailable
from domain.ids import OrderId, PersonId
from domain.orders import Order
from resolvers import concerts, holds, orders
from resolvers.purchase import Purchase
from storage.connect import Stores
from storage.embedded.process import ServerProcess
from storage.hot import hot_state
from storage.mongo.order_batch import SENDERS
from storage.sync import order_sync as order_sync_module
from tests.integration.test_storage_purchase import failing
from tests.integration.test_storage_recovery import until_trusted
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
from tests.support.waiting import wait_until
from workers.expiry import ExpiryWorker
from workers.record import RecordWorker
from workers.settle import SettleWorker


@pytest_asyncio.fixture
async def own_stores(own_valkey: ServerProcess, mongo_url: str, mongo_database: str) -> AsyncIterator[Stores]:
    async with opened(own_valkey.url, mongo_url, mongo_database) as stores:
        yield stores


async def test_after_a_wiped_store_the_same_key_still_finds_its_order(stores: Stores, mongo_url: str) -> None:
    concert = await on_sale(stores, 10)
    asked = (context(stores), concert.id, lines(concert, 2), CUSTOMER, "k")
    async with failing(mongo_url, 2, writeConcernError={"code": 64, "errmsg": "no majority"}):
        with pytest.raises(TemporarilyUnavailable):
            await orders.purchase_lines(*asked)
    await stores.script_client.run_command("FLUSHALL")
    with pytest.raises(TemporarilyUnavailable):
        await stores.holds.read_stock(concert.id)
    await until_trusted(stores, concert)
    answer = await orders.purchase_lines(*asked)
    assert [order.id for order in await all_orders(stores, concert)] == [answer.id]
    other = (context(stores), concert.id, lines(concert, 3), CUSTOMER, "k")
    with pytest.raises(IdempotencyConflict):
        await orders.purchase_lines(*other)


async def test_an_acknowledged_order_is_answered_though_the_hot_store_is_full(own_stores: Stores) -> None:
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


async def test_a_recovery_longer_than_the_patience_of_others_ends(
    own_stores: Stores, own_valkey: ServerProcess, mongo_url: str, mongo_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    concert = await on_sale(own_stores, 20)
    for number in range(6):
        await buy(own_stores, await hold(own_stores, concert, 1, who=f"buyer{number}"))
    monkeypatch.setattr(hot_state, "RECOVERY_MARK_LIFE_MS", 500)
    monkeypatch.setattr(order_sync_module, "BATCH", 1)
    async with opened(own_valkey.url, mongo_url, mongo_database) as others:
        for one in (own_stores, others):
            _slow_down(one, monkeypatch)
        await own_valkey.kill()
        await own_valkey.start()
        await asyncio.gather(until_trusted(own_stores, concert), until_trusted(others, concert))
    assert await stock(own_stores, concert) == [(14, 0, 6)]


def _slow_down(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    record = stores.hot_state.record_order

    async def slowly(order: Order, *, epoch: int | None = None) -> str:
        await asyncio.sleep(0.2)
        return await record(order, epoch=epoch)

    monkeypatch.setattr(stores.hot_state, "record_order", slowly)


async def test_an_order_recorded_while_a_recovery_runs_counts(
    own_stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    concert = await on_sale(own_stores, 10, limit_per_person=2)
    made = await hold(own_stores, concert, 2)
    sync_concert = own_stores.order_sync.sync_concert

    async def then_sell(under_recovery: Concert) -> int | None:
        count = await sync_concert(under_recovery)
        purchase = Purchase(concert.id, made.id, made.person_id, CUSTOMER, key="k", digest="d")
        order = await purchase._order(own_stores, made)
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


async def test_holds_expire_while_the_database_hangs(stores: Stores, mongo_url: str) -> None:
    concert = await on_sale(stores, 5, hold_duration_ms=1_000)
    await ExpiryWorker().run_once(stores)
    async with failing(mongo_url, 100, commands=("find",), blockConnection=True, blockTimeMS=6_000):
        made = await hold(stores, concert, 1)

        async def is_free() -> bool:
            await ExpiryWorker().run_once(stores)
            return await stock(stores, concert) == [(5, 0, 0)]

        await wait_until(is_free, what="the expiry")
        assert datetime.now(UTC) - made.expires_at < timedelta(seconds=1)


async def test_one_hold_that_cannot_be_settled_keeps_no_other_from_it(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, other = await on_sale(stores, 5), await on_sale(stores, 5)
    made = [await hold(stores, concert, 2) for concert in (stuck, other)]
    for one in made:
        await stores.holds.begin_purchase(
            one.concert_id, one.id, person_id=one.person_id, purchase_key=one.id, digest="d"
        )
        await make_overdue(stores, one)
    fence = stores.orders.find_or_void

    async def failing_for_one(order_id: OrderId, *args: object, **kwargs: object) -> object:
        if order_id == OrderId(made[0].id):
            raise TemporarilyUnavailable("The order database does not answer")
        return await fence(order_id, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(stores.orders, "find_or_void", failing_for_one)
    assert await SettleWorker().run_once(stores) == 1
    assert [await stock(stores, concert) for concert in (stuck, other)] == [[(3, 2, 0)], [(5, 0, 0)]]


async def test_a_lost_commit_is_made_again(stores: Stores, mongo_url: str) -> None:
    concert = await on_sale(stores, 10)
    async with failing(mongo_url, 2, commands=("commitTransaction",), closeConnection=True):
        change = ConcertChange(tiers=(TierChange(concert.tiers[0].id, capacity=6),))
        await concerts.update_concert(organizer(stores), concert.id, change, expected_version=None)
    assert await stock(stores, concert) == [(6, 0, 0)]
    await check_invariants(stores, concert)


async def test_a_purchase_left_open_keeps_its_tickets_as_long_as_its_hold_would_have(stores: Stores) -> None:
    concert = await on_sale(stores, 5, hold_duration_ms=540_000)
    made = await hold(stores, concert, 1)
    begun = await stores.holds.begin_purchase(
        concert.id, made.id, person_id=made.person_id, purchase_key="k", digest="d"
    )
    assert begun.expires_at == made.expires_at
    due = await stores.script_client.run_command("ZSCORE", f"onsale2:{{c:{concert.id}}}:buying", made.id)
    assert float(due) == made.expires_at.timestamp() * 1000


async def test_senders_outlive_whatever_they_meet(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    concert = await on_sale(stores, 20)
    made = [await hold(stores, concert, 1) for _ in range(SENDERS + 1)]

    class Broken:
        async def insert_many(self, *args: object, **kwargs: object) -> None:
            raise RuntimeError("can't start new thread")

    with monkeypatch.context() as broken:
        broken.setattr(stores.orders, "collection", Broken())
        for one in made:
            with pytest.raises(TemporarilyUnavailable):
                await buy(stores, one)
    for one in made:
        assert (await buy(stores, one)).units == one.units


async def test_an_update_said_twice_records_what_the_house_has(stores: Stores) -> None:
    concert = await on_sale(stores, 10)
    call = stores.script_client.call

    async def twice(*args: object) -> object:
        await call(*args)  # type: ignore[arg-type]
        return await call(*args)  # type: ignore[arg-type]

    stores.script_client.call = twice  # type: ignore[method-assign,assignment]
    for capacity in (6, 8, 12, 7):
        change = ConcertChange(tiers=(TierChange(concert.tiers[0].id, capacity=capacity),))
        await concerts.update_concert(organizer(stores), concert.id, change, expected_version=None)
        assert await stock(stores, concert) == [(capacity, 0, 0)]
        await check_invariants(stores, concert)


async def test_the_lowest_capacity_counts_only_what_others_have(stores: Stores) -> None:
    concert = await on_sale(stores, 2_500)
    await buy(stores, await hold(stores, concert, 2))
    change = ConcertChange(tiers=(TierChange(concert.tiers[0].id, capacity=1),))
    with pytest.raises(CapacityInUse) as refusal:
        await concerts.update_concert(organizer(stores), concert.id, change, expected_version=None)
    assert refusal.value.lowest == 2


async def test_holds_are_shown_after_the_music_started(stores: Stores) -> None:
    now = datetime.now(UTC)
    concert = await on_sale(stores, 5, starts_at=now - timedelta(minutes=10), sales_end_at=now + timedelta(hours=1))
    made = await hold(stores, concert, 1)
    assert await holds.list_viewer_holds(context(stores)) == (made,)


async def test_a_key_used_on_a_sold_hold_is_remembered(stores: Stores) -> None:
    concert = await on_sale(stores, 5)
    first, second = await hold(stores, concert, 1), await hold(stores, concert, 1)
    await buy(stores, first, with_key="a")
    await buy(stores, first, with_key="b")
    with pytest.raises(IdempotencyConflict):
        await buy(stores, second, with_key="b")


async def test_many_probes_at_once_agree(stores: Stores) -> None:
    assert await asyncio.gather(*[stores.problems() for _ in range(20)]) == [[]] * 20


async def test_slugs_of_long_and_of_equal_names_do_not_collide(stores: Stores) -> None:
    names = ["long " * 40, "long " * 40, "long " * 40, "!!!"]
    made = [await concerts.create_concert(organizer(stores), draft(5, name=name.strip())) for name in names]
    assert len({concert.slug for concert in made}) == 4
    assert all(len(concert.slug) <= 200 and not concert.slug.startswith("-") for concert in made)


async def test_what_cannot_be_encoded_fails_alone(stores: Stores) -> None:
    concert = await on_sale(stores, 5)
    good = hold(stores, concert, 1)
    bad = stores.holds.list_for_person(concert.id, PersonId("lone \ud800"))
    answers = await asyncio.gather(bad, good, return_exceptions=True)
    assert isinstance(answers[0], UnicodeEncodeError)
    assert not isinstance(answers[1], Exception)


async def test_the_record_worker_forgets_nobody_it_could_not_tell(stores: Stores) -> None:
    concert = await on_sale(stores, 5)
    await buy(stores, await hold(stores, concert, 2))
    worker = RecordWorker()
    worker._since = datetime.now(UTC) - timedelta(seconds=2)
    await stores.script_client.run_command("HSET", f"onsale2:{{c:{concert.id}}}:state", "incarnation", "another")
    since = worker._since
    assert await worker.run_once(stores) == 0
    assert worker._since == since
    await stores.recovery.ensure(concert.id)
    assert await worker.run_once(stores) == 0
    assert worker._since > since - timedelta(minutes=6)
    assert await stock(stores, concert) == [(3, 0, 2)]


async def test_an_ended_hold_is_not_bought(stores: Stores) -> None:
    concert = await on_sale(stores, 5)
    made = await hold(stores, concert, 1)
    await holds.release_hold(context(stores), concert.id, made.id)
    with pytest.raises(HoldEnded):
        await buy(stores, made)
