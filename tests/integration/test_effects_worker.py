"""The effects worker, with paid orders, failing effects, and orders of the previous version."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
import pytest_asyncio

from domain.errors import TemporarilyUnavailable
from domain.ids import OrderId
from domain.orders import Order, OrderStatus
from domain.payments.effects import EFFECTS, due_effects
from domain.payments.payment import EffectState, RefundReason
from domain.payments.transitions import add_refund
from domain.tickets.ticket import Ticket
from payments.saga.crash_points import CrashPoint, ignore
from payments.saga.order_changes import OrderChanges
from storage.connect import Stores
from storage.mongo.order_work import LEASE
from tests.support.mongo_failures import failing
from tests.support.payment_saga import Crashed, Till, concert_for_sale, crash_at, opened_till
from workers.effects.handlers import EffectHandlers
from workers.effects.worker import FIND_PARKED_EVERY, FIRST_PAUSE, LONGEST_PAUSE, ORDERS_PER_LEASE, EffectsWorker

pytestmark = pytest.mark.asyncio

HANDLED = ("document", "mail", "sales")


@pytest_asyncio.fixture
async def till(valkey_url: str, mongo_url: str, mongo_database: str) -> AsyncIterator[Till]:
    async with opened_till(valkey_url, mongo_url, mongo_database) as made:
        yield made


@dataclass
class RecordingHandler:
    """A handler that records the versions it was called for, and fails as a test demands."""

    calls: list[tuple[OrderId, int]] = field(default_factory=list)
    failing: set[OrderId] = field(default_factory=set)
    breaking: set[OrderId] = field(default_factory=set)
    is_down: bool = False

    async def __call__(self, stores: Stores, orders: Sequence[Order]) -> Mapping[OrderId, str | None]:
        if self.is_down:
            raise TemporarilyUnavailable("the printer is out of paper")
        if self.breaking & {order.id for order in orders}:
            raise ValueError("no such glyph")
        self.calls += [(order.id, order.version) for order in orders]
        return {order.id: "no ink" if order.id in self.failing else None for order in orders}


def recording_handlers() -> dict[str, RecordingHandler]:
    return {name: RecordingHandler() for name in HANDLED}


def worker_of(till: Till, handlers: EffectHandlers) -> EffectsWorker:
    return EffectsWorker(handlers, clock=till.now)


async def as_old_version(till: Till, order: Order, *, effects: dict[str, str] | None = None) -> Order:
    """Store the order as a version without tickets wrote it."""
    written: dict[str, object] = {"effects": effects} if effects else {}
    unset = dict.fromkeys(("tickets", "revocations", "effectsAt", *(() if effects else ("effects",))), "")
    await till.stores.orders.collection.update_one(
        {"_id": order.id}, {"$unset": unset, "$set": {"version": order.version, **written}}
    )
    return await till.read(order)


async def test_order_is_fulfilled_when_its_document_is_ready(till: Till) -> None:
    order = await till.paid_order(await concert_for_sale(till, 10), 2)
    handlers = recording_handlers()
    assert (order.status, due_effects(order)) == (OrderStatus.PAID, HANDLED)
    assert await worker_of(till, handlers).run_once(till.stores) == 1
    done = await till.read(order)
    assert done.effects.states == dict.fromkeys(EFFECTS, EffectState.DONE)
    assert (done.status, done.effects_at, done.version) == (OrderStatus.FULFILLED, None, order.version + 1)
    assert all(handler.calls == [(order.id, order.version)] for handler in handlers.values())
    assert await worker_of(till, handlers).run_once(till.stores) == 0


async def test_effect_without_a_handler_stays_due_and_is_not_leased_again(till: Till) -> None:
    order = await till.paid_order(await concert_for_sale(till, 10), 1)
    worker = worker_of(till, {"document": RecordingHandler()})
    assert await worker.run_once(till.stores) == 1
    parked = await till.read(order)
    assert (due_effects(parked), parked.effects_at) == (("mail", "sales"), None)
    assert await till.stores.effect_work.find_concerts(till.now() + timedelta(days=1)) == ()
    assert await worker.run_once(till.stores) == 0


async def test_parked_order_is_found_by_a_worker_with_the_handler(till: Till) -> None:
    order = await till.paid_order(await concert_for_sale(till, 10), 1)
    await worker_of(till, {}).run_once(till.stores)
    assert (await till.read(order)).effects_at is None
    handlers = recording_handlers()
    await worker_of(till, handlers).run_once(till.stores)
    assert due_effects(await till.read(order)) == ()


async def test_failing_effect_delays_no_other_effect_and_no_other_order(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    failing, other = await till.paid_order(concert, 1), await till.paid_order(concert, 1, who="bob")
    handlers = recording_handlers()
    handlers["document"].failing.add(failing.id)
    worker = worker_of(till, handlers)
    assert await worker.run_once(till.stores) == 2
    assert due_effects(await till.read(failing)) == ("document",)
    assert (await till.read(other)).status is OrderStatus.FULFILLED
    handlers["document"].failing.clear()
    assert await worker.run_once(till.stores) == 0
    till.ahead += FIRST_PAUSE
    assert await worker.run_once(till.stores) == 1
    assert (await till.read(failing)).status is OrderStatus.FULFILLED
    assert len(handlers["mail"].calls) == 2


async def test_pause_doubles_with_each_failure_until_an_alarm_is_raised(
    till: Till, caplog: pytest.LogCaptureFixture
) -> None:
    order = await till.paid_order(await concert_for_sale(till, 10), 1)
    handler = RecordingHandler(is_down=True)
    worker = worker_of(till, {"document": handler})
    with caplog.at_level(logging.ERROR):
        for attempt in range(8):
            before = till.now()
            await worker.run_once(till.stores)
            waits_until = (await till.read(order)).effects_at
            assert waits_until is not None
            assert waits_until - before >= min(FIRST_PAUSE * 2**attempt, LONGEST_PAUSE)
            till.ahead += waits_until - till.now()
    alarms = [line for line in caplog.messages if line.startswith("ALARM effect_waits")]
    assert len(alarms) == 1
    assert f"order {order.id}" in alarms[0]
    assert "document: the printer is out of paper" in alarms[0]


async def test_order_that_breaks_a_handler_does_not_stop_the_others(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    orders = [await till.paid_order(concert, 1, who=who) for who in ("alice", "bob", "carol")]
    handlers = recording_handlers()
    handlers["document"].breaking.add(orders[1].id)
    await worker_of(till, handlers).run_once(till.stores)
    assert [due_effects(await till.read(order)) for order in orders] == [(), ("document",), ()]


async def test_effect_is_done_again_if_its_order_changes_in_the_meantime(till: Till) -> None:
    order = await till.paid_order(await concert_for_sale(till, 10), 2)
    handlers: dict[str, RecordingHandler] = recording_handlers()
    changes = OrderChanges(till.stores, ignore)

    async def refund_meanwhile(stores: Stores, orders: Sequence[Order]) -> Mapping[OrderId, str | None]:
        if not handlers["mail"].calls:
            reason = RefundReason.REQUESTED
            await changes.change(order, lambda one: add_refund(one, one.units[:1], reason=reason, now=till.now()))
        return await handlers["mail"](stores, orders)

    await worker_of(till, {**handlers, "mail": refund_meanwhile}).run_once(till.stores)
    done = await till.read(order)
    assert (due_effects(done), done.version) == ((), order.version + 2)
    assert handlers["mail"].calls == [(order.id, order.version), (order.id, order.version + 1)]


async def test_refund_makes_the_mail_and_the_sales_due_again(till: Till) -> None:
    order = await till.paid_order(await concert_for_sale(till, 10), 2)
    worker = worker_of(till, recording_handlers())
    await worker.run_once(till.stores)
    done = await till.read(order)
    changes = OrderChanges(till.stores, ignore)
    reason = RefundReason.REQUESTED
    asked = await changes.change(done, lambda one: add_refund(one, one.units[:1], reason=reason, now=till.now()))
    assert due_effects(asked) == ("mail", "sales")
    assert await worker.run_once(till.stores) == 1
    assert due_effects(await till.read(order)) == ()


async def test_orders_of_the_previous_version_get_their_tickets(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    with_effects = await till.paid_order(concert, 2)
    without_effects = await till.paid_order(concert, 1, who="bob")
    await as_old_version(till, with_effects, effects=dict.fromkeys(EFFECTS, "DUE"))
    await as_old_version(till, without_effects)
    await worker_of(till, recording_handlers()).run_once(till.stores)
    for order in (with_effects, without_effects):
        done = await till.read(order)
        assert done.tickets == tuple(Ticket(unit, 1, order.person_id, order.customer.name) for unit in order.units)
        assert (done.status, done.revocations) == (OrderStatus.FULFILLED, ())


async def test_orders_paid_by_an_old_process_are_found_within_a_minute(till: Till) -> None:
    worker = worker_of(till, recording_handlers())
    await worker.run_once(till.stores)
    order = await till.paid_order(await concert_for_sale(till, 10), 1)
    await as_old_version(till, order, effects=dict.fromkeys(EFFECTS, "DUE"))
    assert await worker.run_once(till.stores) == 0
    till.ahead += FIND_PARKED_EVERY
    assert await worker.run_once(till.stores) == 1
    assert (await till.read(order)).status is OrderStatus.FULFILLED


async def test_two_workers_share_the_orders(till: Till) -> None:
    concert = await concert_for_sale(till, 100, limit_per_person=100)
    count = ORDERS_PER_LEASE + 5
    orders = [await till.paid_order(concert, 1, who=f"p{number}") for number in range(count)]
    first, second = recording_handlers(), recording_handlers()
    done = await asyncio.gather(*[worker_of(till, handlers).run_once(till.stores) for handlers in (first, second)])
    assert sum(done) == count
    called = [*first["document"].calls, *second["document"].calls]
    assert sorted(called) == sorted((order.id, order.version) for order in orders)


async def test_lease_of_a_dead_worker_ends(till: Till) -> None:
    order = await till.paid_order(await concert_for_sale(till, 10), 1)
    lease = await till.stores.effect_work.lease_due(order.concert_id, till.now(), limit=10)
    assert [one.id for one in lease.orders] == [order.id]
    worker = worker_of(till, recording_handlers())
    assert await worker.run_once(till.stores) == 0
    till.ahead += LEASE
    assert await worker.run_once(till.stores) == 1


async def test_postponing_does_not_undo_a_newer_version(till: Till) -> None:
    order = await till.paid_order(await concert_for_sale(till, 10), 1)
    older = replace(order, version=order.version - 1)
    await till.stores.effect_work.postpone(older, None)
    assert (await till.read(order)).effects_at == order.effects_at


@pytest.mark.parametrize("point", [CrashPoint.ORDER_UPDATED, CrashPoint.STOCK_UPDATED])
async def test_worker_that_dies_while_recording_repeats_nothing(till: Till, point: CrashPoint) -> None:
    order = await till.paid_order(await concert_for_sale(till, 10), 1)
    handlers = recording_handlers()
    with pytest.raises(Crashed):
        await EffectsWorker(handlers, clock=till.now, reached=crash_at(point)).run_once(till.stores)
    till.ahead += LEASE
    assert await worker_of(till, handlers).run_once(till.stores) == 0
    assert (await till.read(order)).status is OrderStatus.FULFILLED
    assert all(handler.calls == [(order.id, order.version)] for handler in handlers.values())


async def test_case_12_effects_are_done_again_after_a_crash_before_the_record(till: Till) -> None:
    order = await till.paid_order(await concert_for_sale(till, 10), 1)
    handlers = recording_handlers()

    async def die(stores: Stores, orders: Sequence[Order]) -> Mapping[OrderId, str | None]:
        await handlers["mail"](stores, orders)
        raise Crashed

    with pytest.raises(Crashed):
        await worker_of(till, {**handlers, "mail": die}).run_once(till.stores)
    assert await till.read(order) == order
    till.ahead += LEASE
    assert await worker_of(till, handlers).run_once(till.stores) == 1
    assert (await till.read(order)).status is OrderStatus.FULFILLED
    assert handlers["mail"].calls == [(order.id, order.version)] * 2


@pytest.mark.parametrize("command", ["update", "find"])
async def test_effects_continue_after_an_outage_of_mongodb(till: Till, mongo_url: str, command: str) -> None:
    order = await till.paid_order(await concert_for_sale(till, 10), 1)
    worker = worker_of(till, recording_handlers())
    await till.stores.effect_work.list_concerts()
    async with failing(mongo_url, 3, commands=(command,), errorCode=11600):
        with suppress(TemporarilyUnavailable):
            await worker.run_once(till.stores)
    till.ahead += LEASE
    await worker.run_once(till.stores)
    assert (await till.read(order)).status is OrderStatus.FULFILLED
