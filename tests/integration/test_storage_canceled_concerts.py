"""The cancellation of a concert ends its sale, its queue and its holds, but not its orders."""

from dataclasses import replace

import pytest

from domain.concerts import Concert, ConcertStatus
from domain.errors import HoldEnded, NotOnSale, RoomNotOpen
from domain.holds import EndReason, Hold, HoldState
from domain.ids import HoldId
from domain.orders import OrderStatus
from domain.queues import EntryEnd, EntryState, RoomStatus
from storage.connect import Stores
from storage.hot.hot_state import TakenUnits
from tests.support.queue_steps import admit, hold_with, join, pass_of, records, with_room
from tests.support.sale import buy, check_invariants, hold, on_sale, stock
from tests.support.unpaid_orders import begin, next_version, order_unpaid, store_next
from workers.expiry import ExpiryWorker

CANCELED = (EntryState.EXPIRED, EntryEnd.CONCERT_CANCELLED)


async def cancel(stores: Stores, concert: Concert) -> Concert:
    """Cancel the concert in the hot store, as the copy from MongoDB does."""
    canceled = replace(concert, version=concert.version + 1, status=ConcertStatus.CANCELLED)
    assert await stores.hot_state.apply_concert(canceled) == "APPLIED"
    return canceled


async def read_hold(stores: Stores, concert: Concert, id_: str) -> Hold:
    found = await stores.holds.get(concert.id, HoldId(id_))
    assert found is not None
    return found


async def test_a_cancellation_ends_every_entry_with_its_own_reason(any_stores: Stores) -> None:
    concert = await with_room(any_stores)
    people = ("ann", "ben", "cyd")
    await join(any_stores, concert, *people)
    await admit(any_stores, concert)
    await pass_of(any_stores, concert, "ann")
    await cancel(any_stores, await cancel(any_stores, concert))
    # The first states are derived when read; the second ones are written by the worker.
    for _ in range(2):
        found = await records(any_stores, concert, people)
        assert [(record.state, record.end_reason) for record in found] == [CANCELED] * 3
        assert (await any_stores.queues.read_queue(concert.id)).status is RoomStatus.CLOSED
        with pytest.raises(RoomNotOpen):
            await join(any_stores, concert, "dan")
        await admit(any_stores, concert)


async def test_a_cancellation_does_not_change_why_an_entry_ended(any_stores: Stores) -> None:
    concert = await with_room(any_stores)
    await join(any_stores, concert, "ann", "ben")
    await admit(any_stores, concert)
    closed = replace(concert, version=concert.version + 1, status=ConcertStatus.CLOSED)
    assert await any_stores.hot_state.apply_concert(closed) == "APPLIED"
    canceled = await cancel(any_stores, closed)
    await cancel(any_stores, canceled)
    for _ in range(2):
        found = await records(any_stores, concert, ["ann", "ben"])
        assert [record.end_reason for record in found] == [EntryEnd.SALE_OVER] * 2
        await admit(any_stores, concert)


async def test_a_cancellation_ends_holds_that_are_not_being_bought(any_stores: Stores) -> None:
    concert = await on_sale(any_stores, 10)
    held, begun = [await hold(any_stores, concert, 1) for _ in range(2)]
    await begin(any_stores, begun)
    unpaid = await order_unpaid(any_stores, concert, await hold(any_stores, concert, 1, who="ben"))
    paid = await buy(any_stores, await hold(any_stores, concert, 1, who="cyd"))
    await cancel(any_stores, concert)
    with pytest.raises(HoldEnded, match="was canceled; choose another concert") as refused:
        await begin(any_stores, held)
    assert refused.value.reason is EndReason.CONCERT_CANCELLED
    assert (await read_hold(any_stores, concert, held.id)).state is HoldState.HELD
    with pytest.raises(NotOnSale) as closed:
        await hold(any_stores, concert, 1, who="dan")
    assert closed.value.status is ConcertStatus.CANCELLED
    assert await ExpiryWorker().run_once(any_stores) == 1
    assert await ExpiryWorker().run_once(any_stores) == 0
    ended = await read_hold(any_stores, concert, held.id)
    assert (ended.state, ended.reason) == (HoldState.ENDED, EndReason.CONCERT_CANCELLED)
    for id_, state in [(begun.id, HoldState.BUYING), (unpaid.id, HoldState.BUYING), (paid.id, HoldState.SOLD)]:
        assert (await read_hold(any_stores, concert, id_)).state is state
    assert await stock(any_stores, concert) == [(7, 2, 1)]
    await check_invariants(any_stores, concert)


async def test_orders_of_a_canceled_concert_give_their_units_back(stores: Stores) -> None:
    concert = await on_sale(stores, 10)
    unpaid = await order_unpaid(stores, concert, await hold(stores, concert, 1))
    paid = await buy(stores, await hold(stores, concert, 1, who="cyd"))
    await cancel(stores, concert)
    for order, status in [(unpaid, OrderStatus.CANCELLED), (paid, OrderStatus.REFUNDED)]:
        assert await stores.order_sync.record(await store_next(stores, next_version(order, status, is_living=False)))
    assert await stock(stores, concert) == [(10, 0, 0)]
    await check_invariants(stores, concert)


async def test_a_late_payment_gets_nothing_at_a_canceled_concert(stores: Stores) -> None:
    concert = await on_sale(stores, 10)
    unpaid = await order_unpaid(stores, concert, await hold(stores, concert, 1))
    expired = await store_next(stores, next_version(unpaid, OrderStatus.EXPIRED, is_living=False))
    late = await store_next(stores, next_version(expired, OrderStatus.LATE_PAYMENT))
    await cancel(stores, concert)
    assert await stores.hot_state.take_again(late, starts_at=concert.terms.starts_at) == TakenUnits("OVER")
    assert await stock(stores, concert) == [(9, 1, 0)]
    assert await stores.order_sync.record(late)
    assert await stock(stores, concert) == [(10, 0, 0)]
    await check_invariants(stores, concert)


async def test_a_pass_with_an_unpaid_order_outlives_the_cancellation(stores: Stores) -> None:
    concert = await with_room(stores)
    await join(stores, concert, "ann")
    await admit(stores, concert)
    order = await order_unpaid(
        stores, concert, await hold_with(stores, concert, "ann", await pass_of(stores, concert, "ann"))
    )
    await cancel(stores, concert)
    await admit(stores, concert)
    assert [record.state for record in await records(stores, concert, ["ann"])] == [EntryState.ADMITTED]
    ended = await store_next(stores, next_version(order, OrderStatus.CANCELLED, is_living=False))
    assert await stores.order_sync.record(ended)
    found = await records(stores, concert, ["ann"])
    assert [(record.state, record.end_reason) for record in found] == [CANCELED]
    await check_invariants(stores, concert)
