"""Purchases: repeated requests, crashes between steps, and a slow or failing database."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from domain.errors import HoldEnded, IdempotencyConflict, InvalidInput, SoldOut, TemporarilyUnavailable
from domain.holds import EndReason, Hold, HoldState
from domain.ids import OrderId
from domain.orders import Customer, Order, OrderStatus
from domain.page import PageRequest
from resolvers import holds, orders
from storage.connect import Stores
from storage.mongo.order_batch import Outcome
from tests.support.crashing_purchase import STEPS
from tests.support.hot_keys import concert_key
from tests.support.mongo_failures import failing
from tests.support.sale import (
    CUSTOMER,
    all_orders,
    buy,
    check_invariants,
    context,
    hold,
    key,
    lines,
    make_overdue,
    on_sale,
    stock,
)
from tests.support.waiting import wait_until
from workers.record import RecordWorker
from workers.settle import SettleWorker


async def test_a_purchase_turns_its_hold_into_an_order(any_stores: Stores) -> None:
    concert = await on_sale(any_stores, 10, 10)
    made = await hold(any_stores, concert, 2, 1)
    order = await buy(any_stores, made)
    assert order.id == OrderId(made.id)
    assert (order.status, order.units, order.lines) == (OrderStatus.PAID, made.units, made.lines)
    assert (order.total.minor, order.total.currency) == (0, "EUR")
    assert await orders.get_order(context(any_stores), order.id) == order
    assert (await orders.page_viewer_orders(context(any_stores), PageRequest(5))).items == (order,)
    assert await orders.get_order(context(any_stores, "mallory"), order.id) is None
    assert await stock(any_stores, concert) == [(8, 0, 2), (9, 0, 1)]
    assert await holds.list_viewer_holds(context(any_stores)) == ()
    await check_invariants(any_stores, concert)


async def test_a_repeated_purchase_returns_the_same_order(any_stores: Stores) -> None:
    concert = await on_sale(any_stores, 10)
    made = await hold(any_stores, concert, 2)
    answers = await asyncio.gather(*[buy(any_stores, made, with_key="k") for _ in range(20)])
    assert answers == [answers[0]] * 20
    assert await buy(any_stores, made, with_key="other") == answers[0]
    other = Customer("Grace Hopper", "grace@example.org")
    with pytest.raises(IdempotencyConflict):
        await orders.purchase_hold(context(any_stores), concert.id, made.id, other, "k")
    assert await all_orders(any_stores, concert) == [answers[0]]
    await check_invariants(any_stores, concert)


async def test_an_idempotency_key_belongs_to_one_hold(stores: Stores) -> None:
    concert = await on_sale(stores, 10)
    first, second = await hold(stores, concert, 1), await hold(stores, concert, 1)
    await buy(stores, first, with_key="k")
    with pytest.raises(IdempotencyConflict):
        await buy(stores, second, with_key="k")
    with pytest.raises(IdempotencyConflict):
        await orders.purchase_lines(context(stores), concert.id, lines(concert, 1), CUSTOMER, "k")
    assert await stock(stores, concert) == [(8, 1, 1)]


async def test_a_purchase_with_lines_holds_and_buys_in_one_request(any_stores: Stores) -> None:
    concert = await on_sale(any_stores, 3)
    arguments = (context(any_stores), concert.id, lines(concert, 2), CUSTOMER)
    twins = await asyncio.gather(*[orders.purchase_lines(*arguments, "k") for _ in range(10)])
    assert twins == [twins[0]] * 10
    with pytest.raises(SoldOut):
        await orders.purchase_lines(*arguments, "another")
    assert await stock(any_stores, concert) == [(1, 0, 2)]
    await check_invariants(any_stores, concert)


async def test_text_that_cannot_be_stored_fails_only_one_purchase(stores: Stores) -> None:
    """A lone surrogate must not make the whole batch fail."""
    concert = await on_sale(stores, 20)
    made = [await hold(stores, concert, 1, who=f"buyer{number}") for number in range(10)]
    asking = context(stores, made[0].person_id)
    bad = orders.purchase_hold(asking, concert.id, made[0].id, Customer("Ada \ud800", "a@example.org"), key())
    answers = await asyncio.gather(bad, *[buy(stores, one) for one in made[1:]], return_exceptions=True)
    assert isinstance(answers[0], InvalidInput)
    assert all(isinstance(answer, Order) for answer in answers[1:])
    assert await stock(stores, concert) == [(10, 1, 9)]


def delay_insert(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> tuple[asyncio.Event, asyncio.Event]:
    """Return two events: one is set when an insert begins, and the other lets it continue."""
    insert, has_begun, may_continue = stores.order_batch.insert, asyncio.Event(), asyncio.Event()

    async def delayed(order: Order) -> Outcome:
        has_begun.set()
        await may_continue.wait()
        return await insert(order)

    monkeypatch.setattr(stores.order_batch, "insert", delayed)
    return has_begun, may_continue


async def test_a_purchase_continues_after_its_caller_disconnects(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    concert = await on_sale(stores, 5)
    made = await hold(stores, concert, 1)
    has_begun, may_continue = delay_insert(stores, monkeypatch)
    asking = asyncio.create_task(buy(stores, made))
    await has_begun.wait()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    may_continue.set()
    await stores.detached_tasks.aclose(patience_s=60)
    assert [order.id for order in await all_orders(stores, concert)] == [OrderId(made.id)]
    assert await stock(stores, concert) == [(4, 0, 1)]


@pytest.mark.parametrize("when", STEPS)
async def test_a_crash_between_steps_loses_no_units(
    stores: Stores, valkey_url: str, mongo_url: str, mongo_database: str, when: str
) -> None:
    concert = await on_sale(stores, 5)
    made = await hold(stores, concert, 2)
    arguments = (valkey_url, mongo_url, mongo_database, concert.id, made.id, made.person_id, when)
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.support.crashing_purchase", *arguments)
    assert await process.wait() == -signal.SIGKILL
    await check_held_or_sold(stores, made)
    recorded = await all_orders(stores, concert)
    await finish(stores, made)
    if when in ("after-insert", "after-record"):
        assert [order.units for order in recorded] == [made.units]
        assert await stock(stores, concert) == [(3, 0, 2)]
    else:
        assert recorded == []
        assert await stock(stores, concert) == [(3, 2, 0) if when == "before-begin" else (5, 0, 0)]
    await check_invariants(stores, concert)


async def test_the_record_worker_records_an_order_after_a_crash(
    stores: Stores, valkey_url: str, mongo_url: str, mongo_database: str
) -> None:
    concert = await on_sale(stores, 5)
    made = await hold(stores, concert, 2)
    arguments = (valkey_url, mongo_url, mongo_database, concert.id, made.id, made.person_id, "after-insert")
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.support.crashing_purchase", *arguments)
    await process.wait()
    worker = RecordWorker()
    assert [await worker.run_once(stores), await worker.run_once(stores)] == [1, 0]
    assert await stock(stores, concert) == [(3, 0, 2)]
    assert (await buy(stores, made)).units == made.units


FAILURES: dict[str, dict[str, Any]] = {
    "connection lost": {"closeConnection": True},
    "no majority": {"writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"}},
    "stepped down": {"errorCode": 189},
    "shut down": {"errorCode": 91},
    "late": {"blockConnection": True, "blockTimeMS": 500},
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
async def test_a_repeated_purchase_finds_the_outcome_of_a_failed_insert(
    stores: Stores, mongo_url: str, failure: dict[str, Any]
) -> None:
    concert = await on_sale(stores, 5)
    made = await hold(stores, concert, 2)
    # The driver retries a write once, so two writes must fail.
    async with failing(mongo_url, 2, **failure):
        answer = (await asyncio.gather(buy(stores, made, with_key="k"), return_exceptions=True))[0]
    if isinstance(answer, BaseException):
        assert isinstance(answer, TemporarilyUnavailable)
        await check_held_or_sold(stores, made)
        answer = await until_answered(lambda: buy(stores, made, with_key="k"))
    assert answer.units == made.units
    assert [order.id for order in await all_orders(stores, concert)] == [OrderId(made.id)]
    assert await stock(stores, concert) == [(3, 0, 2)]
    await check_invariants(stores, concert)


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
async def test_a_purchase_is_settled_if_its_insert_has_an_unknown_outcome(
    stores: Stores, mongo_url: str, failure: dict[str, Any]
) -> None:
    """The buyer does not repeat the request. The units end up free or in exactly one order."""
    concert = await on_sale(stores, 5)
    made = await hold(stores, concert, 2)
    async with failing(mongo_url, 2, **failure):
        await asyncio.gather(buy(stores, made), return_exceptions=True)
    await finish(stores, made)
    recorded = await all_orders(stores, concert)
    assert await stock(stores, concert) == [(3, 0, 2) if recorded else (5, 0, 0)]
    await check_invariants(stores, concert)


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
async def test_a_failed_settlement_is_retried(stores: Stores, mongo_url: str, failure: dict[str, Any]) -> None:
    concert = await on_sale(stores, 5)
    made = await begun(stores, await hold(stores, concert, 2))
    await make_overdue(stores, made)
    async with failing(mongo_url, 2, **failure):
        await asyncio.gather(SettleWorker().run_once(stores), return_exceptions=True)
    await finish(stores, made)
    assert await stock(stores, concert) == [(5, 0, 0)]
    await check_invariants(stores, concert)


async def test_an_order_cannot_be_inserted_after_its_purchase_is_settled(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    concert = await on_sale(stores, 5)
    made = await hold(stores, concert, 2)
    has_begun, may_continue = delay_insert(stores, monkeypatch)
    buying = asyncio.create_task(buy(stores, made))
    await has_begun.wait()
    await make_overdue(stores, made)
    assert await SettleWorker().run_once(stores) == 1
    assert await stock(stores, concert) == [(5, 0, 0)]
    may_continue.set()
    with pytest.raises(HoldEnded) as ended:
        await buying
    assert ended.value.reason is EndReason.NOT_RECORDED
    assert await all_orders(stores, concert) == []
    await check_invariants(stores, concert)


async def test_a_failed_read_after_a_duplicate_key_leaves_the_purchase_open(stores: Stores, mongo_url: str) -> None:
    concert = await on_sale(stores, 5)
    made = await begun(stores, await hold(stores, concert, 2))
    order = await buy(stores, made, with_key="first")
    # Make the hot store look as if the order had never been recorded.
    holds_key = concert_key(concert, "holds")
    record = (await stores.script_client.run_command("HGET", holds_key, made.id)).decode()
    await stores.script_client.run_command("HSET", holds_key, made.id, record.replace('"SOLD"', '"BUYING"'))
    async with failing(mongo_url, 2, commands=("find",), errorCode=91):
        with pytest.raises(TemporarilyUnavailable):
            await buy(stores, made, with_key="second")
    assert await until_answered(lambda: buy(stores, made, with_key="second")) == order


async def until_answered(ask: Callable[[], Awaitable[Order]]) -> Order:
    """Repeat the request after each retryable error, as a client does."""
    answers: list[Order] = []

    async def is_answered() -> bool:
        try:
            answers.append(await ask())
        except TemporarilyUnavailable:
            return False
        return True

    await wait_until(is_answered, what="the answer")
    return answers[0]


async def begun(stores: Stores, made: Hold) -> Hold:
    return await stores.holds.begin_purchase(
        made.concert_id, made.id, person_id=made.person_id, purchase_key="begun", digest="d"
    )


async def check_held_or_sold(stores: Stores, made: Hold) -> None:
    seen = await stores.holds.get(made.concert_id, made.id)
    assert seen is not None
    assert seen.state in (HoldState.HELD, HoldState.BUYING, HoldState.SOLD)
    assert set(seen.units) == set(made.units)


async def finish(stores: Stores, made: Hold) -> None:
    """Make the purchase overdue, and run the settle worker until the database answers."""
    await make_overdue(stores, made)
    await wait_until(lambda: _is_settled(stores, made), what="the settlement")


async def _is_settled(stores: Stores, made: Hold) -> bool:
    """Run the worker, which only logs what it cannot settle yet. Return whether it left nothing."""
    try:
        await SettleWorker().run_once(stores)
        return not await stores.hot_state.find_overdue_purchases(made.concert_id, limit=1)
    except TemporarilyUnavailable:
        return False
