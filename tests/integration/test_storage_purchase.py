"""Purchases: the order of steps, a process killed between any two, and a database that answers late, badly or not."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pymongo import MongoClient

from domain.errors import HoldEnded, IdempotencyConflict, InvalidInput, SoldOut, TemporarilyUnavailable
from domain.holds import EndReason, Hold, HoldState
from domain.ids import OrderId
from domain.orders import Customer, Order, OrderStatus
from resolvers import holds, orders
from storage.connect import Stores
from tests.support.dying_purchase import STEPS
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


async def test_a_purchase_records_its_hold(any_stores: Stores) -> None:
    concert = await on_sale(any_stores, 10, 10)
    made = await hold(any_stores, concert, 2, 1)
    order = await buy(any_stores, made)
    assert order.id == OrderId(made.id)
    assert (order.status, order.units, order.lines) == (OrderStatus.PAID, made.units, made.lines)
    assert (order.total.minor, order.total.currency) == (10_000, "EUR")
    assert await orders.get_order(context(any_stores), order.id) == order
    assert (await orders.page_viewer_orders(context(any_stores), first=5, after=None)).items == (order,)
    assert await orders.get_order(context(any_stores, "mallory"), order.id) is None
    assert await stock(any_stores, concert) == [(8, 0, 2), (9, 0, 1)]
    assert await holds.list_viewer_holds(context(any_stores)) == ()
    await check_invariants(any_stores, concert)


async def test_the_same_purchase_again_is_the_same_order(any_stores: Stores) -> None:
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


async def test_one_key_is_for_one_hold(stores: Stores) -> None:
    concert = await on_sale(stores, 10)
    first, second = await hold(stores, concert, 1), await hold(stores, concert, 1)
    await buy(stores, first, with_key="k")
    with pytest.raises(IdempotencyConflict):
        await buy(stores, second, with_key="k")
    with pytest.raises(IdempotencyConflict):
        await orders.purchase_lines(context(stores), concert.id, lines(concert, 1), CUSTOMER, "k")
    assert await stock(stores, concert) == [(8, 1, 1)]


async def test_a_purchase_with_lines_is_one_step_for_its_buyer(any_stores: Stores) -> None:
    concert = await on_sale(any_stores, 3)
    asked = (context(any_stores), concert.id, lines(concert, 2), CUSTOMER)
    twins = await asyncio.gather(*[orders.purchase_lines(*asked, "k") for _ in range(10)])
    assert twins == [twins[0]] * 10
    with pytest.raises(SoldOut):
        await orders.purchase_lines(*asked, "another")
    assert await stock(any_stores, concert) == [(1, 0, 2)]
    await check_invariants(any_stores, concert)


async def test_text_that_cannot_be_stored_is_refused_alone(stores: Stores) -> None:
    """One lone surrogate once had a whole batch refused."""
    concert = await on_sale(stores, 20)
    made = [await hold(stores, concert, 1, who=f"buyer{number}") for number in range(10)]
    asking = context(stores, made[0].person_id)
    bad = orders.purchase_hold(asking, concert.id, made[0].id, Customer("Ada \ud800", "a@example.org"), key())
    answers = await asyncio.gather(bad, *[buy(stores, one) for one in made[1:]], return_exceptions=True)
    assert isinstance(answers[0], InvalidInput)
    assert all(isinstance(answer, Order) for answer in answers[1:])
    assert await stock(stores, concert) == [(10, 1, 9)]


async def test_a_caller_who_hangs_up_has_bought_all_the_same(stores: Stores, mongo_url: str) -> None:
    concert = await on_sale(stores, 5)
    made = await hold(stores, concert, 1)
    async with failing(mongo_url, 1, blockConnection=True, blockTimeMS=300):
        asking = asyncio.create_task(buy(stores, made))
        await asyncio.sleep(0.1)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await stores.detached_tasks.aclose(patience_s=5)
    assert [order.id for order in await all_orders(stores, concert)] == [OrderId(made.id)]
    assert await stock(stores, concert) == [(4, 0, 1)]


@pytest.mark.parametrize("when", STEPS)
async def test_a_process_killed_between_steps_leaks_nothing(
    stores: Stores, valkey_url: str, mongo_url: str, mongo_database: str, when: str
) -> None:
    concert = await on_sale(stores, 5)
    made = await hold(stores, concert, 2)
    arguments = (valkey_url, mongo_url, mongo_database, concert.id, made.id, made.person_id, when)
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.support.dying_purchase", *arguments)
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


async def test_the_record_worker_tells_of_an_order_nobody_told_of(
    stores: Stores, valkey_url: str, mongo_url: str, mongo_database: str
) -> None:
    concert = await on_sale(stores, 5)
    made = await hold(stores, concert, 2)
    arguments = (valkey_url, mongo_url, mongo_database, concert.id, made.id, made.person_id, "after-insert")
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.support.dying_purchase", *arguments)
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
async def test_whatever_the_insert_answers_the_same_key_finds_out(
    stores: Stores, mongo_url: str, failure: dict[str, Any]
) -> None:
    concert = await on_sale(stores, 5)
    made = await hold(stores, concert, 2)
    # The driver repeats a write once by itself, so both are to fail.
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
async def test_an_insert_of_unknown_end_is_settled(stores: Stores, mongo_url: str, failure: dict[str, Any]) -> None:
    """The buyer never comes back. The units end up free, or in exactly one order."""
    concert = await on_sale(stores, 5)
    made = await hold(stores, concert, 2)
    async with failing(mongo_url, 2, **failure):
        await asyncio.gather(buy(stores, made), return_exceptions=True)
    await finish(stores, made)
    recorded = await all_orders(stores, concert)
    assert await stock(stores, concert) == [(3, 0, 2) if recorded else (5, 0, 0)]
    await check_invariants(stores, concert)


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
async def test_a_settlement_that_fails_is_made_again(stores: Stores, mongo_url: str, failure: dict[str, Any]) -> None:
    concert = await on_sale(stores, 5)
    made = await begun(stores, await hold(stores, concert, 2))
    await make_overdue(stores, made)
    async with failing(mongo_url, 2, **failure):
        await asyncio.gather(SettleWorker().run_once(stores), return_exceptions=True)
    await finish(stores, made)
    assert await stock(stores, concert) == [(5, 0, 0)]
    await check_invariants(stores, concert)


async def test_an_insert_later_than_its_settlement_never_counts(stores: Stores, mongo_url: str) -> None:
    concert = await on_sale(stores, 5)
    made = await hold(stores, concert, 2)
    async with failing(mongo_url, 1, blockConnection=True, blockTimeMS=1_000):
        buying = asyncio.create_task(buy(stores, made))
        await asyncio.sleep(0.3)
        await make_overdue(stores, made)
        assert await SettleWorker().run_once(stores) == 1
        assert await stock(stores, concert) == [(5, 0, 0)]
        with pytest.raises(HoldEnded) as ended:
            await buying
    assert ended.value.reason is EndReason.NOT_RECORDED
    assert await all_orders(stores, concert) == []
    await check_invariants(stores, concert)


async def test_after_a_duplicate_a_read_that_fails_leaves_the_purchase_open(stores: Stores, mongo_url: str) -> None:
    concert = await on_sale(stores, 5)
    made = await begun(stores, await hold(stores, concert, 2))
    order = await buy(stores, made, with_key="first")
    # As if the hot state had never been told.
    tag = f"onsale2:{{c:{concert.id}}}"
    record = (await stores.script_client.run_command("HGET", f"{tag}:holds", made.id)).decode()
    await stores.script_client.run_command("HSET", f"{tag}:holds", made.id, record.replace('"SOLD"', '"BUYING"'))
    async with failing(mongo_url, 2, commands=("find",), errorCode=91):
        with pytest.raises(TemporarilyUnavailable):
            await buy(stores, made, with_key="second")
    assert await until_answered(lambda: buy(stores, made, with_key="second")) == order


async def until_answered(ask: Callable[[], Awaitable[Order]]) -> Order:
    """What a client does with a retryable answer."""
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
    """Lets a minute pass for the purchase, and the settle worker see it, once the database is back."""
    await make_overdue(stores, made)
    await wait_until(lambda: _is_settled(stores), what="the settlement")


async def _is_settled(stores: Stores) -> bool:
    try:
        return await SettleWorker().run_once(stores) >= 0
    except TemporarilyUnavailable:
        return False


@asynccontextmanager
async def failing(
    mongo_url: str, times: int, *, commands: tuple[str, ...] = ("insert",), **failure: Any
) -> AsyncIterator[None]:
    """MongoDB's own fail point, for the connections of this test's process."""
    data = {"failCommands": list(commands), "appName": "onsale", **failure}
    with MongoClient[dict[str, Any]](mongo_url) as control:
        control.admin.command("configureFailPoint", "failCommand", mode={"times": times}, data=data)
        try:
            yield
        finally:
            control.admin.command("configureFailPoint", "failCommand", mode="off")
