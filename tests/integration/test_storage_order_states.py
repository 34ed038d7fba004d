"""An order's status alone decides what the hot store shows, for every caller that records it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from domain.concerts import Concert
from domain.errors import HoldEnded, PurchaseInProgress
from domain.holds import EndReason, Hold, HoldState
from domain.ids import HoldId
from domain.orders import Order, OrderStatus
from domain.queues import EntryState
from resolvers import holds, queues
from storage.connect import Stores
from storage.hot.holds import OrderExists
from tests.support.hold_orders import order_of
from tests.support.hot_keys import concert_key, make_due, replace_incarnation
from tests.support.queue_steps import admit, hold_with_pass, join, states, with_room
from tests.support.sale import check_invariants, context, hold, make_overdue, on_sale, stock
from tests.support.store_copies import ConcertCopy
from tests.support.unpaid_orders import (
    begin,
    insert,
    next_version,
    order_unpaid,
    pay_until,
    store_next,
    unpaid_order_of,
)
from tests.support.waiting import wait_until
from workers.expiry import ExpiryWorker
from workers.record import RecordWorker
from workers.settle import SettleWorker


@dataclass(frozen=True)
class Seen:
    """The state that the hot store shows for an order of two tickets in a tier of ten."""

    stock: tuple[int, int, int]
    """Available, held, sold."""
    hold: HoldState
    reason: EndReason | None
    entry: EntryState


UNPAID = Seen((8, 2, 0), HoldState.BUYING, None, EntryState.ADMITTED)
SOLD = Seen((8, 0, 2), HoldState.SOLD, None, EntryState.COMPLETED)
ENDED = Seen((10, 0, 0), HoldState.ENDED, EndReason.ORDER_ENDED, EntryState.ADMITTED)

EXPECTED: dict[tuple[OrderStatus, bool], Seen] = {
    (OrderStatus.PENDING_PAYMENT, True): UNPAID,
    (OrderStatus.PAID, True): SOLD,
    (OrderStatus.FULFILLED, True): SOLD,
    (OrderStatus.REFUND_PENDING, True): SOLD,
    (OrderStatus.REFUND_PENDING, False): ENDED,
    (OrderStatus.PAYMENT_FAILED, False): ENDED,
    (OrderStatus.EXPIRED, False): ENDED,
    (OrderStatus.CANCELLED, False): ENDED,
    (OrderStatus.LATE_PAYMENT, False): ENDED,
    (OrderStatus.REFUNDED, False): ENDED,
    (OrderStatus.DISPUTE_LOST, False): ENDED,
}
"""By status, and whether the order has units."""


async def settle(stores: Stores, concert: Concert, order: Order) -> None:
    await stores.order_sync.settle(concert.id, HoldId(order.id))


async def run_settle_worker(stores: Stores, concert: Concert, order: Order) -> None:
    await make_overdue(stores, await read_hold(stores, order))
    await SettleWorker().run_once(stores)


async def recover(stores: Stores, concert: Concert, order: Order) -> None:
    await replace_incarnation(stores, concert)
    await wait_until(lambda: stores.recovery.recover(concert.id), what="the recovery")


async def resolve_conflict(stores: Stores, concert: Concert, order: Order) -> None:
    """Record the owners of the order's units. An order without units is never in a conflict."""
    assert await stores.order_sync.sync_owners(order.units) or await stores.order_sync.sync(order)


CALLERS: dict[str, Callable[[Stores, Concert, Order], Awaitable[Any]]] = {
    "purchase": lambda stores, _, order: stores.order_sync.record(order),
    "sync": lambda stores, _, order: stores.order_sync.sync(order),
    "settlement": settle,
    "settle worker": run_settle_worker,
    "record worker": lambda stores, _, order: RecordWorker().run_once(stores),
    "conflict": resolve_conflict,
    "recovery": recover,
}
SETTLES_UNRECORDED_ONLY = {"settlement", "settle worker"}


async def read_hold(stores: Stores, order: Order) -> Hold:
    found = await stores.holds.get(order.concert_id, HoldId(order.id))
    assert found is not None
    return found


async def read_state(stores: Stores, concert: Concert, order: Order) -> Seen:
    seen = await read_hold(stores, order)
    (counted,) = await stock(stores, concert)
    (entry,) = await states(stores, concert, "ann")
    return Seen(counted, seen.state, seen.reason, entry)


async def hold_as_ann(stores: Stores, **settings: Any) -> tuple[Concert, Hold]:
    """Return a concert with a waiting room, and two tickets that ann holds under her pass."""
    concert = await with_room(stores, 10, **settings)
    await join(stores, concert, "ann")
    await admit(stores, concert)
    await queues.claim_pass(context(stores, "ann"), concert.id)
    return concert, await hold_with_pass(stores, concert, "ann", 2)


@pytest.mark.parametrize("caller", CALLERS)
async def test_an_unrecorded_order_is_recorded_by_its_status(stores: Stores, caller: str) -> None:
    for (status, has_units), expected in EXPECTED.items():
        concert, made = await hold_as_ann(stores)
        order = replace(unpaid_order_of(concert, await begin(stores, made)), status=status)
        if not has_units:
            order = replace(order, units=(), released_units=order.units)
        await insert(stores, order)
        for _ in range(2):
            await CALLERS[caller](stores, concert, order)
            assert await read_state(stores, concert, order) == expected, status
            await check_invariants(stores, concert)


@pytest.mark.parametrize("caller", sorted(CALLERS.keys() - SETTLES_UNRECORDED_ONLY))
async def test_an_unpaid_order_changes_with_its_status(stores: Stores, caller: str) -> None:
    for (status, has_units), expected in EXPECTED.items():
        concert, made = await hold_as_ann(stores)
        unpaid = await order_unpaid(stores, concert, made)
        order = await store_next(stores, next_version(unpaid, status, is_living=has_units))
        for _ in range(2):
            await CALLERS[caller](stores, concert, order)
            assert await read_state(stores, concert, order) == expected, status
            assert await stores.hot_state.record_order(unpaid) == "KNOWN"
            await check_invariants(stores, concert)


async def test_a_wiped_store_gets_the_hold_of_an_unpaid_order_back(stores: Stores) -> None:
    concert, made = await hold_as_ann(stores)
    order = await order_unpaid(stores, concert, made)
    await ConcertCopy(stores, concert).wipe()
    await wait_until(lambda: stores.recovery.recover(concert.id), what="the recovery")
    assert await stock(stores, concert) == [(8, 2, 0)]
    found = await read_hold(stores, order)
    assert (found.state, found.units, found.lines) == (HoldState.BUYING, made.units, made.lines)
    assert await stores.holds.list_for_person(concert.id, made.person_id) == (found,)
    assert await stores.hot_state.find_overdue_purchases(concert.id, limit=10) == ()
    await check_invariants(stores, concert)
    assert await stores.order_sync.record(await store_next(stores, next_version(order, OrderStatus.PAID)))
    assert await stock(stores, concert) == [(8, 0, 2)]
    await check_invariants(stores, concert)


async def test_a_hold_shows_the_deadline_of_its_payment(any_stores: Stores) -> None:
    concert = await on_sale(any_stores, 10)
    made = await hold(any_stores, concert, 2)
    order = await order_unpaid(any_stores, concert, made)
    assert (await read_hold(any_stores, order)).expires_at == pay_until(order)
    # A repeated purchase, a grace period and a newer version leave it as it is.
    with pytest.raises(OrderExists):
        await begin(any_stores, made, with_key="another")
    await any_stores.script_client.run_command(
        "HSET", concert_key(concert, "state"), "grace_until_ms", str(int(pay_until(order).timestamp() * 1_000) + 1)
    )
    assert await any_stores.order_sync.record(next_version(order, OrderStatus.PENDING_PAYMENT))
    assert (await read_hold(any_stores, order)).expires_at == pay_until(order)


async def test_a_purchase_with_another_key_finds_the_one_order(any_stores: Stores) -> None:
    """Once the order has ended, only the keys that it was bought with find it."""
    concert = await on_sale(any_stores, 10)
    made = await hold(any_stores, concert, 2)
    order = await order_unpaid(any_stores, concert, made)
    for status, is_living in [(OrderStatus.PAID, True), (OrderStatus.REFUNDED, False)]:
        before = await read_hold(any_stores, order)
        for key in (made.id, "another"):
            with pytest.raises(OrderExists):
                await begin(any_stores, made, with_key=key)
        assert await read_hold(any_stores, order) == before
        order = next_version(order, status, is_living=is_living)
        assert await any_stores.hot_state.record_order(order) == "RECORDED"
    with pytest.raises(OrderExists):
        await begin(any_stores, made, with_key="another")
    with pytest.raises(HoldEnded):
        await begin(any_stores, made, with_key="a third")


async def test_the_hold_of_an_unpaid_order_cannot_be_released(any_stores: Stores) -> None:
    concert = await on_sale(any_stores, 10)
    order = await order_unpaid(any_stores, concert, await hold(any_stores, concert, 2))
    with pytest.raises(PurchaseInProgress, match=r"awaits payment; .* cancel the order with cancelOrder\."):
        await holds.release_hold(context(any_stores), concert.id, HoldId(order.id))
    assert await any_stores.order_sync.record(await store_next(any_stores, next_version(order, OrderStatus.PAID)))
    with pytest.raises(PurchaseInProgress, match="check your orders"):
        await holds.release_hold(context(any_stores), concert.id, HoldId(order.id))
    assert await stock(any_stores, concert) == [(8, 0, 2)]
    await check_invariants(any_stores, concert)


async def test_no_worker_ends_the_hold_of_an_unpaid_order(stores: Stores) -> None:
    """Only the order worker does, because it knows the deadline and the payment."""
    concert = await on_sale(stores, 10)
    made = await hold(stores, concert, 2)
    order = await order_unpaid(stores, concert, made)
    await make_due(stores, concert, "deadlines", made.id)
    await make_overdue(stores, made)
    assert await ExpiryWorker().run_once(stores) == 0
    assert await SettleWorker().run_once(stores) == 0
    assert await stores.hot_state.void_hold(concert.id, made.id) == "VOIDED"
    assert (await read_hold(stores, order)).state is HoldState.BUYING
    assert await stock(stores, concert) == [(8, 2, 0)]
    await check_invariants(stores, concert)


async def test_unpaid_orders_do_not_delay_the_settling_of_others(stores: Stores) -> None:
    concert = await on_sale(stores, 10)
    unpaid = [await hold(stores, concert, 1) for _ in range(3)]
    for made in unpaid:
        await order_unpaid(stores, concert, made)
    crashed = await begin(stores, await hold(stores, concert, 1))
    for made in [*unpaid, crashed]:
        await make_overdue(stores, made)
    assert await stores.hot_state.find_overdue_purchases(concert.id, limit=1) == (crashed.id,)
    assert await SettleWorker().run_once(stores) == 1
    assert await stock(stores, concert) == [(7, 3, 0)]
    await check_invariants(stores, concert)


async def test_a_pass_is_bound_until_its_order_is_paid_or_ends(any_stores: Stores) -> None:
    concert, one = await hold_as_ann(any_stores)
    other = await hold_with_pass(any_stores, concert, "ann", 1)
    order = await order_unpaid(any_stores, concert, one)
    with pytest.raises(PurchaseInProgress):
        await begin(any_stores, other)
    await make_due(any_stores, concert, "slots", "ann")
    assert await admit(any_stores, concert) == 0
    assert await states(any_stores, concert, "ann") == [EntryState.ADMITTED]
    # The payment is declined until the deadline passes: the place is kept.
    ended = await store_next(any_stores, next_version(order, OrderStatus.PAYMENT_FAILED, is_living=False))
    assert await any_stores.order_sync.record(ended)
    second = await order_unpaid(any_stores, concert, other)
    assert await states(any_stores, concert, "ann") == [EntryState.ADMITTED]
    assert await any_stores.order_sync.record(await store_next(any_stores, next_version(second, OrderStatus.PAID)))
    assert await states(any_stores, concert, "ann") == [EntryState.COMPLETED]
    assert await stock(any_stores, concert) == [(9, 0, 1)]
    await check_invariants(any_stores, concert)


async def test_an_ending_order_frees_its_units_once(any_stores: Stores) -> None:
    concert = await on_sale(any_stores, 2)
    order = await order_unpaid(any_stores, concert, await hold(any_stores, concert, 2))
    ended = await store_next(any_stores, next_version(order, OrderStatus.EXPIRED, is_living=False))
    assert await any_stores.hot_state.record_order(ended) == "RECORDED"
    await order_unpaid(any_stores, concert, await hold(any_stores, concert, 2, who="ben"))
    for late in (ended, order, replace(ended, version=3), replace(ended, version=3)):
        await any_stores.hot_state.record_order(late)
        assert await stock(any_stores, concert) == [(0, 2, 0)]
    await check_invariants(any_stores, concert)


async def test_an_order_that_returns_some_units_keeps_the_others(any_stores: Stores) -> None:
    concert = await on_sale(any_stores, 10)
    order = await order_unpaid(any_stores, concert, await hold(any_stores, concert, 3))
    paid = await store_next(any_stores, next_version(order, OrderStatus.PAID))
    assert await any_stores.order_sync.record(paid)
    rest = replace(next_version(paid, OrderStatus.PAID), units=paid.units[1:], released_units=paid.units[:1])
    await store_next(any_stores, rest)
    for _ in range(2):
        assert await any_stores.order_sync.record(rest)
        assert await stock(any_stores, concert) == [(8, 0, 2)]
        assert (await read_hold(any_stores, order)).units == rest.units
        await check_invariants(any_stores, concert)


async def test_a_version_is_known_only_if_the_hold_agrees(stores: Stores) -> None:
    """A hold that disagrees with its order is corrected."""
    concert = await on_sale(stores, 10)
    order = await insert(stores, unpaid_order_of(concert, await begin(stores, await hold(stores, concert, 2))))
    assert await stores.hot_state.record_order(replace(order, status=OrderStatus.PAID)) == "RECORDED"
    assert await stores.hot_state.record_order(order) == "RECORDED"
    assert await stores.hot_state.record_order(order) == "KNOWN"
    assert await stock(stores, concert) == [(8, 2, 0)]
    await check_invariants(stores, concert)


async def test_an_order_takes_units_from_an_unpaid_order_that_lost_them(stores: Stores) -> None:
    """MongoDB has already given the unit to the other order, whose record came first."""
    concert = await on_sale(stores, 3)
    order = await order_unpaid(stores, concert, await hold(stores, concert, 2))
    ended = await store_next(stores, next_version(order, OrderStatus.EXPIRED, is_living=False))
    other = await begin(stores, await hold(stores, concert, 1, who="ben"))
    winner = await insert(stores, order_of(concert, other, units=order.units[:1]))
    assert await stores.order_sync.record(winner)
    assert await stock(stores, concert) == [(1, 1, 1)]
    assert (await read_hold(stores, order)).units == order.units[1:]
    assert await stores.order_sync.record(ended)
    assert await stock(stores, concert) == [(2, 0, 1)]
    await check_invariants(stores, concert)
