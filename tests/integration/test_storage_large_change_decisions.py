"""A large capacity change is either stored or undone, despite crashes, races and data losses."""

import json
import logging
from collections.abc import Awaitable, Callable

import pytest

from domain.concerts import Concert, ConcertChange, TierChange
from domain.errors import CapacityInUse, SoldOut, TemporarilyUnavailable, VersionConflict
from domain.holds import Hold
from domain.orders import Order, OrderStatus
from resolvers import concerts, holds
from storage.connect import Stores
from storage.keys import KINDS, concert_keys
from storage.mongo.concert_transaction import ConcertTransaction, ConcertWrite
from storage.mongo.order_batch import Outcome
from tests.support.capacity_steps import read_capacities, resize
from tests.support.hold_orders import order_of
from tests.support.sale import all_orders, buy, check_invariants, context, hold, on_sale, organizer, stock
from workers.apply import ApplyWorker
from workers.capacity import CapacityWorker


class Killed(BaseException):
    """A process crash. No exception handler in the product catches it."""


def run_before_commit(stores: Stores, monkeypatch: pytest.MonkeyPatch, action: Callable[[], Awaitable[object]]) -> None:
    """Run `action` after a lower capacity has been decided on, but before it is stored."""
    commit = ConcertTransaction.commit

    async def act_then_commit(self: ConcertTransaction, write: ConcertWrite) -> Concert:
        monkeypatch.setattr(ConcertTransaction, "commit", commit)
        await action()
        return await commit(self, write)

    monkeypatch.setattr(ConcertTransaction, "commit", act_then_commit)


async def crash() -> None:
    raise Killed


async def set_state(stores: Stores, concert: Concert, name: str, value: str) -> None:
    key = concert_keys(concert.id)[KINDS.index("state")]
    await stores.script_client.run_command("HSET", key, name, value)


async def let_proposal_age(stores: Stores, concert: Concert) -> None:
    """Backdate the proposal, so it is old enough to be settled."""
    key = concert_keys(concert.id)[KINDS.index("state")]
    text = await stores.script_client.run_command("HGET", key, "proposed")
    await set_state(stores, concert, "proposed", json.dumps(json.loads(text) | {"at_ms": 1}))


async def begin_purchase_only(stores: Stores, made: Hold) -> Order:
    """Begin a purchase whose process stops before the order is inserted."""
    begun = await stores.holds.begin_purchase(
        made.concert_id, made.id, person_id=made.person_id, purchase_key=made.id, digest=""
    )
    concert = await stores.concerts.get(made.concert_id)
    assert concert is not None
    return order_of(concert, begun)


async def lose_everything(stores: Stores, concert: Concert) -> None:
    await stores.script_client.run_command("FLUSHALL")
    assert await stores.recovery.recover(concert.id)


async def sell_out(stores: Stores, concert: Concert) -> int:
    """Sell tickets one by one. Return how many were sold."""
    for number in range(100):
        try:
            await buy(stores, await hold(stores, concert, 1, who=f"late{number}"))
        except SoldOut:
            return number
    raise AssertionError("the concert did not sell out")


async def sold(stores: Stores, concert: Concert) -> int:
    orders = await all_orders(stores, concert)
    return sum(len(order.units) for order in orders if order.status is OrderStatus.PAID)


async def test_a_cap_is_lifted_if_a_crash_prevents_storing_the_change(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    concert = await on_sale(stores, 10)
    run_before_commit(stores, monkeypatch, crash)
    with pytest.raises(Killed):
        await resize(stores, concert, 2)
    assert await stock(stores, concert) == [(2, 0, 0)]
    assert await ApplyWorker().run_once(stores) == 0
    await let_proposal_age(stores, concert)
    assert await ApplyWorker().run_once(stores) == 1
    assert await stock(stores, concert) == [(10, 0, 0)]
    assert await read_capacities(stores, concert) == (10, 10, None)
    await check_invariants(stores, concert)


@pytest.mark.usefixtures("small_transactions")
async def test_a_change_that_was_already_undone_is_not_stored(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    concert = await on_sale(stores, 10)

    async def settle() -> None:
        await let_proposal_age(stores, concert)
        assert await ApplyWorker().run_once(stores) == 1
        await hold(stores, concert, 10)

    run_before_commit(stores, monkeypatch, settle)
    with pytest.raises(TemporarilyUnavailable):
        await resize(stores, concert, 2)
    assert await stock(stores, concert) == [(0, 10, 0)]
    assert await read_capacities(stores, concert) == (10, 10, None)
    with pytest.raises(CapacityInUse):
        await resize(stores, concert, 2)


async def test_a_change_decided_before_a_data_loss_is_not_stored(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    concert = await on_sale(stores, 10)

    async def lose_data() -> None:
        await lose_everything(stores, concert)
        await hold(stores, concert, 10)

    run_before_commit(stores, monkeypatch, lose_data)
    with pytest.raises(TemporarilyUnavailable):
        await resize(stores, concert, 2)
    assert (await read_capacities(stores, concert), await stock(stores, concert)) == ((10, 10, None), [(0, 10, 0)])


async def test_a_change_that_lost_a_race_leaves_no_cap(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    concert = await on_sale(stores, 10)

    async def rename() -> None:
        change = ConcertChange(name="Another name")
        await concerts.update_concert(organizer(stores), concert.id, change, expected_version=None)

    run_before_commit(stores, monkeypatch, rename)
    change = ConcertChange(tiers=(TierChange(concert.tiers[0].id, capacity=2),))
    with pytest.raises(VersionConflict):
        await concerts.update_concert(organizer(stores), concert.id, change, expected_version=concert.version)
    assert await stock(stores, concert) == [(10, 0, 0)]


async def test_dropping_an_earlier_proposal_keeps_the_later_one(stores: Stores) -> None:
    concert = await on_sale(stores, 10)
    lowered = [concert.tiers[0].__class__(concert.tiers[0].id, "Floor", 1, capacity=c, top=10) for c in (4, 6)]
    for name, tier in zip(("first", "second"), lowered, strict=True):
        decision = await stores.hot_state.lower_capacity(concert, [tier], proposal=name, is_large=False)
        assert decision.word == "CAPPED"
    assert await stores.hot_state.drop_proposal(concert.id, "first") == "NO_PROPOSAL"
    assert await stock(stores, concert) == [(4, 0, 0)]
    assert await stores.hot_state.drop_proposal(concert.id, "second") == "DROPPED"
    assert await stock(stores, concert) == [(10, 0, 0)]


@pytest.mark.usefixtures("small_transactions")
async def test_sales_stay_within_the_target_after_the_store_loses_a_purchase(stores: Stores) -> None:
    """Before the store is trusted again, every unit above the capacity has an owner in MongoDB."""
    concert = await on_sale(stores, 20)
    first = await hold(stores, concert, 10)
    order = await begin_purchase_only(stores, await hold(stores, concert, 2, who="slow"))
    await holds.release_hold(context(stores), concert.id, first.id)
    await resize(stores, concert, 4)
    await lose_everything(stores, concert)
    assert await read_capacities(stores, concert) == (4, 4, None)
    assert await sell_out(stores, concert) == 4
    assert await stores.order_batch.insert(order) is not Outcome.RECORDED
    assert await sold(stores, concert) == 4
    await check_invariants(stores, concert)


@pytest.mark.usefixtures("small_transactions")
async def test_holds_above_the_target_end_after_a_rollback(stores: Stores) -> None:
    concert = await on_sale(stores, 8)
    made = [await hold(stores, concert, 4, who=who) for who in ("ann", "ben")]
    names = concert_keys(concert.id)
    copy = [await stores.script_client.run_command("DUMP", name) for name in names]
    for one in made:
        await holds.release_hold(context(stores, one.person_id), concert.id, one.id)
    await resize(stores, concert, 1)
    await stores.script_client.run_command("DEL", *names)
    for name, content in zip(names, copy, strict=True):
        if content is not None:
            await stores.script_client.run_command("RESTORE", name, "0", content)
    await set_state(stores, concert, "incarnation", "older")
    assert await stores.recovery.recover(concert.id)
    assert await stock(stores, concert) == [(1, 0, 0)]
    assert await read_capacities(stores, concert) == (1, 1, None)
    await check_invariants(stores, concert)


@pytest.mark.usefixtures("small_transactions")
async def test_a_large_reduction_is_refused_for_a_minute_after_a_loss(stores: Stores) -> None:
    """A purchase that began before the loss may still arrive, unknown to the store."""
    concert = await on_sale(stores, 20)
    order = await begin_purchase_only(stores, await hold(stores, concert, 10))
    await lose_everything(stores, concert)
    with pytest.raises(TemporarilyUnavailable) as refusal:
        await resize(stores, concert, 4)
    assert refusal.value.retry_after_s is not None
    assert 0 < refusal.value.retry_after_s <= 60
    assert (await resize(stores, concert, 17)).tiers[0].capacity_target is None
    assert await stores.order_batch.insert(order) is Outcome.RECORDED
    await stores.order_sync.sync(order)
    await set_state(stores, concert, "recovered_ms", "1")
    with pytest.raises(CapacityInUse):
        await resize(stores, concert, 4)
    assert (await resize(stores, concert, 12)).tiers[0].capacity_target == 12


@pytest.mark.usefixtures("small_transactions")
async def test_the_log_says_why_units_cannot_be_moved(stores: Stores, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    concert = await on_sale(stores, 10)
    await resize(stores, concert, 2)
    await set_state(stores, concert, "incarnation", "older")
    assert await CapacityWorker().run_once(stores) == 0
    assert "cannot be moved now: the stock store is being checked (RECOVERING)" in caplog.text
    assert await stores.recovery.recover(concert.id)
    assert await read_capacities(stores, concert) == (2, 2, None)


async def test_data_from_earlier_versions_has_no_target(stores: Stores) -> None:
    concert = await on_sale(stores, 10)
    await resize(stores, concert, 8)
    await stores.mongo["concerts"].update_one({"_id": concert.id}, {"$unset": {"toWithdraw": 1}})
    tiers = concert_keys(concert.id)[KINDS.index("tiers")]
    await stores.script_client.run_command("HDEL", tiers, f"{concert.tiers[0].id}|capacity")
    assert await read_capacities(stores, concert) == (8, 8, None)
    assert await stock(stores, concert) == [(8, 0, 0)]
    await hold(stores, concert, 3)
    await resize(stores, concert, 4)
    assert await stock(stores, concert) == [(1, 3, 0)]
    await check_invariants(stores, concert)
