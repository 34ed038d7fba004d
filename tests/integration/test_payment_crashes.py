"""A process that ends between any two steps of the saga loses neither money nor tickets."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest
import pytest_asyncio

from domain.concerts import Concert
from domain.holds import Hold
from domain.ids import OrderId
from domain.orders import Order, OrderStatus
from domain.payments.facts import FactState
from domain.payments.payment import RefundReason
from payments.saga.crash_points import CrashPoint, ignore
from tests.support.payment_saga import Crashed, Till, concert_for_sale, opened_till
from tests.support.sale import check_invariants, hold
from workers.record import RecordWorker

pytestmark = pytest.mark.asyncio

Scenario = Callable[[Till, Hold], Awaitable[None]]


@pytest_asyncio.fixture
async def till(valkey_url: str, mongo_url: str, mongo_database: str) -> AsyncIterator[Till]:
    async with opened_till(valkey_url, mongo_url, mongo_database) as made:
        yield made


async def pay(till: Till, made: Hold) -> None:
    await till.pay(await till.buy(made))


async def expire(till: Till, made: Hold) -> None:
    await till.buy(made)
    till.ahead = timedelta(minutes=11)
    await finish(till, made)


async def cancel(till: Till, made: Hold) -> None:
    await till.payments.request_cancel(await till.buy(made), "BUYER")


async def refund(till: Till, made: Hold) -> None:
    order = await till.pay(await till.buy(made))
    await till.payments.request_refund(
        order, units=order.units[:1], reason=RefundReason.REQUESTED, requested_by=None, request_key="k", digest="d"
    )


async def pay_late(till: Till, made: Hold) -> None:
    order = await till.buy(made)
    await till.payments.request_cancel(order, "BUYER")
    await till.pay(order)
    await finish(till, made)


async def pay_late_with_units_left(till: Till, made: Hold) -> None:
    await expire(till, made)
    await till.pay(await stored(till, made))
    await finish(till, made)


async def stored(till: Till, made: Hold) -> Order:
    found = await till.stores.orders.get(OrderId(made.id))
    assert found is not None
    return found


async def finish(till: Till, made: Hold) -> None:
    """Do what the workers do: deliver the provider's messages, take due steps, sync the stock."""
    order = await till.stores.orders.get(OrderId(made.id))
    if order is not None:
        for intent in till.provider.intents_of(order.id):
            await till.payments.apply(order.id, order.concert_id, [intent.fact, *intent.refunds])
        await till.advance(order)
    await RecordWorker().run_once(till.stores)


async def check_ledger(till: Till, concert: Concert, made: Hold) -> None:
    order = await stored(till, made)
    await check_invariants(till.stores, concert)
    intents = till.provider.intents_of(OrderId(made.id))
    assert len(intents) <= 1
    succeeded = sum(one.amount.minor for one in intents if one.state is FactState.SUCCEEDED)
    kept = succeeded - sum(one.refunded for one in intents)
    assert kept == 2_500 * len(order.units)


def crash_at_nth(number: int) -> Callable[[CrashPoint], None]:
    left = [number]

    def reached(point: CrashPoint) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Crashed(point)

    return reached


@pytest.mark.parametrize("scenario", [pay, expire, cancel, refund, pay_late, pay_late_with_units_left])
async def test_crash_between_any_two_steps_is_repaired(till: Till, scenario: Scenario) -> None:
    concert = await concert_for_sale(till, 200)
    number, has_crashed = 0, True
    while has_crashed:
        number, has_crashed, till.ahead = number + 1, False, timedelta()
        made = await hold(till.stores, concert, 2, who=f"p{number}")
        till.reached = crash_at_nth(number)
        try:
            await scenario(till, made)
        except Crashed:
            has_crashed = True
        till.reached = ignore
        till.ahead = timedelta(minutes=11)
        for _ in range(3):
            await finish(till, made)
        order = await stored(till, made)
        assert order.work_at is None
        assert order.status is not OrderStatus.PENDING_PAYMENT
        await check_ledger(till, concert, made)
    assert number > 3
