"""The worker that applies payment events: late, early, repeated, foreign, and after failures."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from prometheus_client import REGISTRY

from domain.errors import TemporarilyUnavailable
from domain.holds import Hold
from domain.ids import ConcertId, OrderId
from domain.orders import Order, OrderStatus
from domain.payments.facts import FactState, ProviderFact
from domain.payments.inbox import PARKED_FOR, InboxEvent, InboxState
from payments.provider import OrderReference, ProviderUnavailable
from payments.saga.order_payments import now_ms
from storage.mongo.payment_inbox import LEASE
from tests.support.mongo_failures import failing
from tests.support.payment_events import inbox_event, payment_fact
from tests.support.payment_saga import Till, concert_for_sale, opened_till
from tests.support.provider_double import StoredIntent
from tests.support.sale import hold
from tests.support.waiting import wait_until
from tests.support.worker_steps import running_workers
from workers.payment_events import MAX_CLAIMED, PaymentEventsWorker


@dataclass
class InboxSteps:
    """An inbox, its worker, and the time that both see."""

    till: Till
    now: datetime

    def __post_init__(self) -> None:
        self.worker = PaymentEventsWorker(self.till.payments, now=lambda: self.now)

    async def receive(self, order: Order | Hold | None, *facts: ProviderFact, id_: str = "evt_1", **more: Any) -> None:
        order_id, concert_id = (None, None) if order is None else (OrderId(order.id), order.concert_id)
        event = inbox_event(
            id_,
            intent_id=facts[0].intent_id,
            order_id=order_id,
            concert_id=concert_id,
            facts=facts,
            received_at=self.now,
            due_at=self.now,
            **more,
        )
        assert await self.till.stores.payment_inbox.insert(event)

    async def run(self, *, after: timedelta = timedelta()) -> int:
        self.now += after
        return await self.worker.run_once(self.till.stores)

    async def event(self, id_: str = "evt_1") -> InboxEvent:
        found = await self.till.stores.payment_inbox.get(id_)
        assert found is not None
        return found

    async def state(self, id_: str = "evt_1") -> InboxState:
        return (await self.event(id_)).state

    async def status(self, order: Order) -> OrderStatus:
        return (await self.till.read(order)).status


@pytest_asyncio.fixture
async def inbox(valkey_url: str, mongo_url: str, mongo_database: str) -> AsyncIterator[InboxSteps]:
    async with opened_till(valkey_url, mongo_url, mongo_database) as till:
        yield InboxSteps(till, now_ms())


def count(outcome: str) -> float:
    return REGISTRY.get_sample_value("onsale_payment_events_total", {"outcome": outcome}) or 0


async def unpaid_order(inbox: InboxSteps) -> Order:
    return await inbox.till.order(await concert_for_sale(inbox.till, 10), 2)


async def test_successful_payment_makes_its_order_paid(inbox: InboxSteps) -> None:
    order, before = await unpaid_order(inbox), count("applied")
    await inbox.receive(order, inbox.till.provider.pay(inbox.till.intent(order)))
    assert await inbox.run() == 1
    assert await inbox.status(order) is OrderStatus.PAID
    assert (await inbox.state(), count("applied")) == (InboxState.APPLIED, before + 1)
    assert await inbox.run(after=timedelta(days=4)) == 0


async def test_events_of_an_order_that_arrive_together_change_it_once(inbox: InboxSteps) -> None:
    order = await unpaid_order(inbox)
    intent = inbox.till.intent(order)
    decline = inbox.till.provider.decline(intent)
    await inbox.receive(order, inbox.till.provider.pay(intent), id_="evt_paid")
    await inbox.receive(order, decline, id_="evt_declined")
    assert await inbox.run() == 2
    paid = await inbox.till.read(order)
    assert (paid.status, paid.version) == (OrderStatus.PAID, order.version + 1)


async def test_decline_after_a_success_leaves_the_order_paid(inbox: InboxSteps) -> None:
    order = await unpaid_order(inbox)
    intent = inbox.till.intent(order)
    decline = inbox.till.provider.decline(intent)
    await inbox.receive(order, inbox.till.provider.pay(intent), id_="evt_paid")
    await inbox.run()
    await inbox.receive(order, decline, id_="evt_declined")
    await inbox.run()
    assert await inbox.status(order) is OrderStatus.PAID


async def test_event_before_our_own_order_is_parked_and_applied_later(inbox: InboxSteps) -> None:
    made = await hold(inbox.till.stores, await concert_for_sale(inbox.till, 10), 2)
    before = count("parked")
    await inbox.receive(made, payment_fact("pi_1"))
    assert await inbox.run() == 0
    parked = await inbox.event()
    assert (parked.state, parked.problem) == (InboxState.PARKED, "the order is unknown")
    assert (parked.due_at, count("parked")) == (inbox.now + timedelta(seconds=1), before + 1)
    order = await inbox.till.buy(made)
    assert await inbox.run(after=timedelta(seconds=1)) == 1
    assert await inbox.status(order) is OrderStatus.PAID
    assert (await inbox.event()).problem == ""


async def test_event_before_the_intent_is_recorded_makes_the_order_paid(inbox: InboxSteps) -> None:
    order, intent = await unrecorded_intent(inbox)
    assert order.payment is not None
    assert order.payment.attempt.intent_id is None
    await inbox.receive(order, inbox.till.provider.pay(intent))
    await inbox.run()
    paid = await inbox.till.read(order)
    assert paid.status is OrderStatus.PAID
    assert paid.payment is not None
    assert [attempt.intent_id for attempt in paid.payment.attempts] == [intent.id]


async def test_event_for_an_unknown_order_is_reported_after_72_hours(
    inbox: InboxSteps, caplog: pytest.LogCaptureFixture
) -> None:
    made = await hold(inbox.till.stores, await concert_for_sale(inbox.till, 10), 2)
    await inbox.receive(made, payment_fact())
    before = count("reported")
    await inbox.run()
    await inbox.run(after=PARKED_FOR - timedelta(seconds=1))
    assert await inbox.state() is InboxState.PARKED
    assert await inbox.run(after=timedelta(minutes=10)) == 1
    assert (await inbox.state(), count("reported")) == (InboxState.REPORTED, before + 1)
    assert [record.getMessage() for record in caplog.records if record.name == "workers.payment_events"] == [
        f"payment event evt_1 about order {made.id} is tried again later: the order is unknown",
        f"ALARM event_reported: payment event evt_1 about order {made.id}"
        " could not be applied for 72 h: the order is unknown",
    ]
    assert await inbox.run(after=timedelta(days=10)) == 0


async def unrecorded_intent(inbox: InboxSteps) -> tuple[Order, StoredIntent]:
    """Return an order that has not recorded the intent that the provider created for it."""
    inbox.till.provider.fail_after["create_intent"] = [ProviderUnavailable("timeout")]
    order = await unpaid_order(inbox)
    return order, inbox.till.intent(order)


async def test_dispute_without_our_metadata_finds_its_order(inbox: InboxSteps) -> None:
    order = await inbox.till.paid_order(await concert_for_sale(inbox.till, 10), 2)
    await inbox.receive(None, inbox.till.provider.dispute(inbox.till.intent(order), FactState.LOST))
    inbox.till.provider.is_down = True
    assert await inbox.run() == 1
    assert await inbox.status(order) is OrderStatus.DISPUTE_LOST


async def test_order_of_an_unrecorded_intent_is_found_at_the_provider(inbox: InboxSteps) -> None:
    order, intent = await unrecorded_intent(inbox)
    dispute = inbox.till.provider.dispute(intent, FactState.OPEN)
    await inbox.receive(None, dispute)
    assert await inbox.run() == 1
    changed = await inbox.till.read(order)
    assert changed.payment is not None
    assert dispute in changed.payment.facts


async def test_dispute_from_another_installation_is_dropped(inbox: InboxSteps) -> None:
    order, intent = await unrecorded_intent(inbox)
    before = count("dropped")
    intent.reference = OrderReference(order.id, order.concert_id, "another-installation")
    await inbox.receive(None, inbox.till.provider.dispute(intent, FactState.LOST))
    assert await inbox.run() == 1
    assert (await inbox.state(), count("dropped")) == (InboxState.DROPPED, before + 1)
    assert await inbox.till.read(order) == order


async def test_event_waits_until_the_provider_names_its_order(inbox: InboxSteps) -> None:
    _, intent = await unrecorded_intent(inbox)
    await inbox.receive(None, inbox.till.provider.dispute(intent, FactState.LOST))
    inbox.till.provider.is_down = True
    for _ in range(2):
        assert await inbox.run(after=PARKED_FOR) == 0
        assert await inbox.state() is InboxState.NEW
    inbox.till.provider.is_down = False
    assert await inbox.run(after=timedelta(seconds=10)) == 1
    assert await inbox.state() is InboxState.APPLIED


async def test_order_that_cannot_be_changed_does_not_stop_others(
    inbox: InboxSteps, monkeypatch: pytest.MonkeyPatch
) -> None:
    concert = await concert_for_sale(inbox.till, 10)
    broken, order = await inbox.till.order(concert, 1), await inbox.till.order(concert, 1, who="ben")
    apply = inbox.till.payments.apply

    async def failing_apply(
        order_id: OrderId, concert_id: ConcertId, facts: Sequence[ProviderFact], *, known: Order | None
    ) -> Order | None:
        if order_id == broken.id:
            raise RuntimeError("a fault")
        return await apply(order_id, concert_id, facts, known=known)

    with monkeypatch.context() as patched:
        patched.setattr(inbox.till.payments, "apply", failing_apply)
        await inbox.receive(broken, inbox.till.provider.pay(inbox.till.intent(broken)), id_="evt_broken")
        await inbox.receive(order, inbox.till.provider.pay(inbox.till.intent(order)))
        assert await inbox.run() == 1
    assert (await inbox.event("evt_broken")).problem == "a fault"
    assert await inbox.status(order) is OrderStatus.PAID
    assert await inbox.run(after=timedelta(seconds=1)) == 1
    assert await inbox.status(broken) is OrderStatus.PAID


async def test_database_outage_only_delays_an_event(
    inbox: InboxSteps, mongo_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await unpaid_order(inbox)
    await inbox.receive(order, inbox.till.provider.pay(inbox.till.intent(order)))

    async def unavailable(*args: object, known: Order | None) -> None:
        raise TemporarilyUnavailable("The order database does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(inbox.till.payments, "apply", unavailable)
        assert await inbox.run() == 0
    assert await inbox.state() is InboxState.NEW
    async with failing(mongo_url, 2, commands=("find",), errorCode=189):
        with pytest.raises(TemporarilyUnavailable):
            await inbox.run(after=timedelta(seconds=1))
    await inbox.run()
    assert await inbox.state() is InboxState.APPLIED
    assert await inbox.status(order) is OrderStatus.PAID


async def test_event_is_applied_after_its_worker_died(inbox: InboxSteps) -> None:
    order = await unpaid_order(inbox)
    await inbox.receive(order, inbox.till.provider.pay(inbox.till.intent(order)))
    await inbox.till.stores.payment_inbox.claim(now=inbox.now, limit=1)
    assert await inbox.run() == 0
    assert await inbox.run(after=LEASE) == 1
    assert await inbox.status(order) is OrderStatus.PAID


async def test_event_is_applied_again_if_its_result_was_lost(inbox: InboxSteps) -> None:
    order = await unpaid_order(inbox)
    await inbox.receive(order, inbox.till.provider.pay(inbox.till.intent(order)))
    paid = await inbox.till.payments.apply(order.id, order.concert_id, (await inbox.event()).facts)
    assert await inbox.run() == 1
    assert await inbox.till.read(order) == paid


async def test_more_events_than_one_claim_holds_are_applied_in_one_run(inbox: InboxSteps) -> None:
    order = await unpaid_order(inbox)
    fact = inbox.till.provider.pay(inbox.till.intent(order))
    for number in range(MAX_CLAIMED + 5):
        await inbox.receive(order, fact, id_=f"evt_{number}")
    assert await inbox.run() == MAX_CLAIMED + 5
    assert await inbox.status(order) is OrderStatus.PAID


async def test_new_event_is_applied_without_waiting_for_the_interval(
    inbox: InboxSteps, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PaymentEventsWorker, "interval_s", 3_600.0)
    runs = list[int]()
    run_once = PaymentEventsWorker.run_once

    async def counted(worker: PaymentEventsWorker, stores: Any) -> int:
        done = await run_once(worker, stores)
        runs.append(done)
        return done

    monkeypatch.setattr(PaymentEventsWorker, "run_once", counted)
    order = await unpaid_order(inbox)
    async with running_workers(inbox.till.stores, valkey_url, PaymentEventsWorker.name, payments=inbox.till.payments):
        # Starting the subscription wakes the worker, but it does so before the event arrives.
        await wait_until(lambda: len(runs) >= 2, what="the first runs")
        await inbox.receive(order, inbox.till.provider.pay(inbox.till.intent(order)))
        await wait_until(lambda: sum(runs) == 1, what="the event")
    assert await inbox.status(order) is OrderStatus.PAID
