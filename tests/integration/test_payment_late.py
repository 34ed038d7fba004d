"""Money that arrives after the order's units were released."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
import pytest_asyncio

from domain.concerts import Concert
from domain.holds import Hold
from domain.ids import PersonId
from domain.orders import Order, OrderStatus
from domain.payments.payment import EffectState, LateOutcome, RefundReason
from payments.saga.crash_points import CrashPoint
from storage.hot.hot_state import TakenUnits
from tests.support.payment_saga import Crashed, Till, concert_for_sale, crash_at, opened_till
from tests.support.sale import check_invariants, hold, stock

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def till(valkey_url: str, mongo_url: str, mongo_database: str) -> AsyncIterator[Till]:
    async with opened_till(valkey_url, mongo_url, mongo_database) as made:
        yield made


async def expired_order(till: Till, concert: Concert, quantity: int, *, who: str = "alice") -> Order:
    order = await till.order(concert, quantity, who=who)
    assert order.payment is not None
    till.ahead = order.payment.expires_at - order.created_at
    ended = await till.advance(order)
    assert ended.status is OrderStatus.EXPIRED
    return ended


async def test_late_payment_gets_free_units_and_pays_for_the_order(till: Till) -> None:
    concert = await concert_for_sale(till, 3)
    order = await expired_order(till, concert, 2)
    late = await till.pay(order)
    assert (late.status, late.units) == (OrderStatus.LATE_PAYMENT, ())
    paid = await till.advance(order)
    assert (paid.status, len(paid.units), paid.work_at) == (OrderStatus.PAID, 2, None)
    assert paid.effects.states["tickets"] is EffectState.DONE
    assert paid.payment is not None
    assert paid.payment.late is LateOutcome.TAKEN
    assert await stock(till.stores, concert) == [(1, 0, 2)]
    await check_invariants(till.stores, concert)


async def test_late_payment_is_refunded_if_the_units_are_sold(till: Till) -> None:
    concert = await concert_for_sale(till, 2)
    order = await expired_order(till, concert, 2)
    await till.paid_order(concert, 2, who="bob")
    await till.pay(order)
    refunded = await till.advance(order)
    assert refunded.status is OrderStatus.REFUNDED
    assert refunded.payment is not None
    assert [one.reason for one in refunded.payment.refunds] == [RefundReason.HOLD_EXPIRED]
    assert till.intent(order).refunded == order.total.minor
    assert await stock(till.stores, concert) == [(0, 0, 2)]
    await check_invariants(till.stores, concert)


async def test_late_payment_respects_the_limit_per_person(till: Till) -> None:
    concert = await concert_for_sale(till, 10, limit_per_person=2)
    order = await expired_order(till, concert, 2)
    await hold(till.stores, concert, 1)
    await till.pay(order)
    assert (await till.advance(order)).status is OrderStatus.REFUNDED
    assert await stock(till.stores, concert) == [(9, 1, 0)]


async def test_late_payment_after_the_start_is_refunded(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    order = await expired_order(till, concert, 1)
    await till.pay(order)
    till.ahead = concert.terms.starts_at - order.created_at + timedelta(seconds=1)
    assert (await till.advance(order)).status is OrderStatus.REFUNDED
    assert await stock(till.stores, concert) == [(10, 0, 0)]


async def test_late_payment_for_a_canceled_order_is_refunded(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.order(concert, 1)
    assert (await till.payments.request_cancel(order, "BUYER")).status is OrderStatus.CANCELLED
    late = await till.pay(order)
    assert (late.status, late.units) == (OrderStatus.REFUND_PENDING, ())
    assert (await till.advance(order)).status is OrderStatus.REFUNDED
    assert await stock(till.stores, concert) == [(10, 0, 0)]


async def test_late_payment_survives_a_crash_after_the_units_are_taken(till: Till) -> None:
    concert = await concert_for_sale(till, 3)
    order = await expired_order(till, concert, 2)
    await till.pay(order)
    till.reached = crash_at(CrashPoint.UNITS_TAKEN)
    with pytest.raises(Crashed):
        await till.advance(order)
    assert await stock(till.stores, concert) == [(1, 2, 0)]
    till.reached = crash_at(None)
    assert (await till.advance(order)).status is OrderStatus.PAID
    assert await stock(till.stores, concert) == [(1, 0, 2)]
    await check_invariants(till.stores, concert)


async def test_units_freed_during_a_late_payment_are_not_taken_from_a_hold(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    concert = await concert_for_sale(till, 2)
    order = await expired_order(till, concert, 2)
    await till.pay(order)
    take_again, others = till.stores.hot_state.take_again, list[Hold]()

    async def take_and_be_interrupted(late: Order, *, starts_at: datetime) -> TakenUnits:
        taken = await take_again(late, starts_at=starts_at)
        if not others:
            goodwill = till.provider.refund_in_dashboard(till.intent(order), 100)
            await till.payments.apply(order.id, concert.id, [goodwill])
            others.append(await hold(till.stores, concert, 2, who="bob"))
        return taken

    monkeypatch.setattr(till.stores.hot_state, "take_again", take_and_be_interrupted)
    assert (await till.advance(order)).status is OrderStatus.REFUNDED
    (kept,) = await till.stores.holds.list_for_person(concert.id, PersonId("bob"))
    assert (kept.id, kept.units) == (others[0].id, others[0].units)
    assert await stock(till.stores, concert) == [(0, 2, 0)]
    await check_invariants(till.stores, concert)
