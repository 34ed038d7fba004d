"""A payment that arrives after its units were released gets units again, or nothing changes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.concerts import Concert
from domain.errors import PurchaseInProgress
from domain.holds import EndReason, Hold, HoldState
from domain.ids import HoldId
from domain.orders import Order, OrderStatus
from resolvers import concerts, holds, queues
from storage.connect import Stores
from storage.hot.hot_state import TakenUnits
from tests.support.hold_orders import order_of
from tests.support.hot_keys import make_due, replace_incarnation
from tests.support.queue_steps import admit, hold_with_pass, join, with_room
from tests.support.sale import buy, check_invariants, context, hold, make_overdue, on_sale, organizer, stock
from tests.support.script_calls import repeated_calls
from tests.support.store_copies import ConcertCopy
from tests.support.unpaid_orders import begin, insert, next_version, order_unpaid, store_next
from tests.support.waiting import wait_until
from workers.expiry import ExpiryWorker
from workers.record import RecordWorker
from workers.settle import SettleWorker


async def take_again(stores: Stores, concert: Concert, order: Order) -> TakenUnits:
    return await stores.hot_state.take_again(order, starts_at=concert.terms.starts_at)


async def expire(stores: Stores, order: Order) -> Order:
    """End an unpaid order in both stores, and return it."""
    expired = await store_next(stores, next_version(order, OrderStatus.EXPIRED, is_living=False))
    assert await stores.order_sync.record(expired)
    return expired


async def pay_late(stores: Stores, order: Order) -> Order:
    """Store the late payment of an order that has ended, but not in the hot store."""
    return await store_next(stores, next_version(order, OrderStatus.LATE_PAYMENT))


async def order_late(stores: Stores, concert: Concert, *quantities: int, who: str = "ann") -> Order:
    """Return an order that was paid after its units had been released."""
    unpaid = await order_unpaid(stores, concert, await hold(stores, concert, *quantities, who=who))
    return await pay_late(stores, await expire(stores, unpaid))


def paid_with(order: Order, taken: TakenUnits) -> Order:
    return replace(next_version(order, OrderStatus.PAID), units=taken.units)


async def read_hold(stores: Stores, order: Order) -> Hold:
    found = await stores.holds.get(order.concert_id, HoldId(order.id))
    assert found is not None
    return found


async def refuse(stores: Stores, concert: Concert, order: Order, word: str) -> None:
    """Check that no units can be taken, and that the attempt changes nothing."""
    before = await stock(stores, concert), await stores.holds.get(concert.id, HoldId(order.id))
    for _ in range(2):
        assert await take_again(stores, concert, order) == TakenUnits(word)
        assert (await stock(stores, concert), await stores.holds.get(concert.id, HoldId(order.id))) == before
        await check_invariants(stores, concert)


async def test_a_late_payment_gets_free_units_of_every_line(any_stores: Stores) -> None:
    concert = await on_sale(any_stores, 4, 3)
    order = await order_late(any_stores, concert, 2, 1)
    await buy(any_stores, await hold(any_stores, concert, 2, 1, who="ben"))
    taken = await take_again(any_stores, concert, order)
    assert taken.word == "TAKEN"
    assert sorted(unit.split(":")[0] for unit in taken.units) == [concert.tiers[0].id] * 2 + [concert.tiers[1].id]
    assert await take_again(any_stores, concert, order) == taken
    assert await stock(any_stores, concert) == [(0, 2, 2), (1, 1, 1)]
    assert (await read_hold(any_stores, order)).state is HoldState.BUYING
    await check_invariants(any_stores, concert)
    paid = await store_next(any_stores, paid_with(order, taken))
    for _ in range(2):
        assert await any_stores.order_sync.record(paid)
        assert await stock(any_stores, concert) == [(0, 0, 4), (1, 0, 2)]
        await check_invariants(any_stores, concert)
    assert await take_again(any_stores, concert, order) == TakenUnits("STALE")


async def test_a_late_payment_keeps_the_units_its_hold_still_has(any_stores: Stores) -> None:
    """The hot store has not been told that the order expired."""
    concert = await on_sale(any_stores, 2)
    unpaid = await order_unpaid(any_stores, concert, await hold(any_stores, concert, 2))
    expired = await store_next(any_stores, next_version(unpaid, OrderStatus.EXPIRED, is_living=False))
    order = await pay_late(any_stores, expired)
    assert await take_again(any_stores, concert, order) == TakenUnits("TAKEN", unpaid.units)
    assert await stock(any_stores, concert) == [(0, 2, 0)]
    assert await any_stores.hot_state.record_order(expired) == "KNOWN"
    assert await any_stores.hot_state.record_order(unpaid) == "KNOWN"
    await check_invariants(any_stores, concert)
    assert await any_stores.order_sync.record(
        await store_next(any_stores, next_version(order, OrderStatus.REFUND_PENDING))
    )
    assert await stock(any_stores, concert) == [(2, 0, 0)]
    await check_invariants(any_stores, concert)


async def test_a_late_payment_gets_all_lines_or_none(any_stores: Stores) -> None:
    concert = await on_sale(any_stores, 4, 2)
    order = await order_late(any_stores, concert, 2, 2)
    await hold(any_stores, concert, 0, 1, who="ben")
    await refuse(any_stores, concert, order, "SOLD_OUT")


async def test_a_late_payment_respects_the_limit_per_person(any_stores: Stores) -> None:
    concert = await on_sale(any_stores, 10, limit_per_person=4)
    order = await order_late(any_stores, concert, 3)
    second = await hold(any_stores, concert, 2, who="ann")
    await refuse(any_stores, concert, order, "PERSON_LIMIT")
    await holds.release_hold(context(any_stores, "ann"), concert.id, second.id)
    assert (await take_again(any_stores, concert, order)).word == "TAKEN"
    await check_invariants(any_stores, concert)


async def test_a_late_payment_needs_no_pass_and_no_open_sale(any_stores: Stores) -> None:
    concert = await with_room(any_stores, 10)
    await join(any_stores, concert, "ann")
    await admit(any_stores, concert)
    await queues.claim_pass(context(any_stores, "ann"), concert.id)
    unpaid = await order_unpaid(any_stores, concert, await hold_with_pass(any_stores, concert, "ann", 2))
    order = await pay_late(any_stores, await expire(any_stores, unpaid))
    await queues.leave_queue(context(any_stores, "ann"), concert.id)
    await concerts.close_concert(organizer(any_stores), concert.id)
    taken = await take_again(any_stores, concert, order)
    assert await any_stores.order_sync.record(await store_next(any_stores, paid_with(order, taken)))
    assert await stock(any_stores, concert) == [(8, 0, 2)]
    await check_invariants(any_stores, concert)


async def test_a_late_payment_gets_nothing_once_the_concert_has_started(any_stores: Stores) -> None:
    concert = await on_sale(any_stores, 10)
    order = await order_late(any_stores, concert, 2)
    started = replace(concert, terms=replace(concert.terms, starts_at=datetime.now(UTC) - timedelta(seconds=1)))
    await refuse(any_stores, started, order, "OVER")


async def test_only_the_next_version_of_its_order_ends_a_late_hold(stores: Stores) -> None:
    concert = await on_sale(stores, 10)
    order = await order_late(stores, concert, 2)
    taken = await take_again(stores, concert, order)
    await make_due(stores, concert, "deadlines", order.id)
    await make_overdue(stores, await read_hold(stores, order))
    assert await ExpiryWorker().run_once(stores) == 0
    assert await SettleWorker().run_once(stores) == 0
    await RecordWorker().run_once(stores)
    await stores.order_sync.sync(order)
    await stores.order_sync.settle(concert.id, HoldId(order.id))
    await stores.hot_state.void_hold(concert.id, HoldId(order.id))
    with pytest.raises(PurchaseInProgress):
        await holds.release_hold(context(stores, "ann"), concert.id, HoldId(order.id))
    assert (await read_hold(stores, order)).units == taken.units
    refused = await store_next(stores, next_version(order, OrderStatus.REFUND_PENDING))
    assert await RecordWorker().run_once(stores) == 1
    assert (await read_hold(stores, order)).reason is EndReason.ORDER_ENDED
    assert await stock(stores, concert) == [(10, 0, 0)]
    assert await take_again(stores, concert, order) == TakenUnits("STALE")
    assert await stores.hot_state.record_order(refused) == "KNOWN"
    await check_invariants(stores, concert)


async def test_another_fact_about_a_late_order_does_not_take_units_twice(stores: Stores) -> None:
    """The order gets a new version without units while the worker holds units for the old one."""
    concert = await on_sale(stores, 10)
    order = await order_late(stores, concert, 2)
    await take_again(stores, concert, order)
    newer = await store_next(stores, next_version(order, OrderStatus.LATE_PAYMENT))
    taken = await take_again(stores, concert, newer)
    assert await take_again(stores, concert, order) == TakenUnits("STALE")
    assert await stores.hot_state.record_order(newer) == "KNOWN"
    assert await stock(stores, concert) == [(8, 2, 0)]
    newest = await store_next(stores, next_version(newer, OrderStatus.LATE_PAYMENT))
    assert await stores.hot_state.record_order(newest) == "RECORDED"
    assert await stock(stores, concert) == [(10, 0, 0)]
    again = await take_again(stores, concert, newest)
    assert len(again.units) == len(taken.units) == 2
    await check_invariants(stores, concert)


async def test_a_late_payment_survives_the_loss_of_the_hot_store(stores: Stores) -> None:
    concert = await on_sale(stores, 10)
    order = await order_late(stores, concert, 2)
    await take_again(stores, concert, order)
    await ConcertCopy(stores, concert).wipe()
    await wait_until(lambda: stores.recovery.recover(concert.id), what="the recovery")
    assert await stock(stores, concert) == [(10, 0, 0)]
    taken = await take_again(stores, concert, order)
    # A recovery of a store that lost nothing keeps what was taken.
    await replace_incarnation(stores, concert)
    assert await take_again(stores, concert, order) == TakenUnits("RECOVERING")
    await wait_until(lambda: stores.recovery.recover(concert.id), what="the recovery")
    assert await take_again(stores, concert, order) == taken
    assert await stores.order_sync.record(await store_next(stores, paid_with(order, taken)))
    assert await stock(stores, concert) == [(8, 0, 2)]
    await check_invariants(stores, concert)


async def test_a_late_payment_takes_other_units_after_a_conflict(stores: Stores) -> None:
    """An order that the store does not know owns a unit that was taken."""
    concert = await on_sale(stores, 3)
    order = await order_late(stores, concert, 1)
    taken = await take_again(stores, concert, order)
    made = await begin(stores, await hold(stores, concert, 1, who="ben"))
    await insert(stores, order_of(concert, made, units=taken.units))
    assert await stores.order_sync.sync_owners(taken.units)
    again = await take_again(stores, concert, order)
    assert (again.word, len(again.units)) == ("TAKEN", 1)
    assert again.units != taken.units
    assert await stores.order_sync.record(await store_next(stores, paid_with(order, again)))
    assert await stock(stores, concert) == [(1, 0, 2)]
    await check_invariants(stores, concert)


async def test_a_late_payment_that_loses_the_last_unit_is_refused(stores: Stores) -> None:
    concert = await on_sale(stores, 3)
    order = await order_late(stores, concert, 2)
    taken = await take_again(stores, concert, order)
    made = await begin(stores, await hold(stores, concert, 1, who="ben"))
    await insert(stores, order_of(concert, made, units=(*made.units, taken.units[0])))
    assert await stores.order_sync.sync_owners(taken.units)
    assert (await read_hold(stores, order)).reason is EndReason.UNITS_LOST
    assert await stock(stores, concert) == [(1, 0, 2)]
    await refuse(stores, concert, order, "SOLD_OUT")


async def test_concurrent_calls_take_the_units_only_once(any_stores: Stores) -> None:
    with repeated_calls(any_stores):
        concert = await on_sale(any_stores, 10)
        order = await order_late(any_stores, concert, 2)
        taken = await take_again(any_stores, concert, order)
        assert await stock(any_stores, concert) == [(8, 2, 0)]
        assert await any_stores.order_sync.record(await store_next(any_stores, paid_with(order, taken)))
        assert await stock(any_stores, concert) == [(8, 0, 2)]
        await check_invariants(any_stores, concert)
