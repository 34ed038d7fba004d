"""Applies the events in the payment inbox to their orders.

Events of one order that are claimed together are applied together. Applying an event again changes
nothing, so a worker that dies leaves only a delay: its events are due again when its lease ends.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime

from domain.errors import TemporarilyUnavailable, describe_cause
from domain.ids import ConcertId, OrderId
from domain.orders import Order
from domain.payments.inbox import InboxEvent, InboxState
from payments.provider import ProviderUnavailable
from payments.saga.order_payments import OrderPayments
from storage.connect import Stores
from storage.mongo.payment_inbox import Claim
from telemetry import counters, traces
from telemetry.alarms import Alarm, raise_alarm
from telemetry.outage_log import OutageLog

log = logging.getLogger(__name__)
_outage = OutageLog(log, "applying payment events")

LANES = 4
"""The number of claims that may be processed at the same time, so that a slow order delays only the
events claimed with it.
"""
NEXT_LANE_AFTER_S = 0.25
"""How long a claim is processed alone. Processing several at once would take time from the requests
of this process, and would finish no sooner unless one of them is slow.
"""
MAX_CLAIMED = 100
ORDERS_PER_TURN = 5
"""The number of orders whose events a lane starts to apply in one turn of the event loop. Starting
all orders of a claim at once would stop the requests of this process for tens of milliseconds.
"""
APPLY_WITHIN_S = 20.0
"""Shorter than the lease, so that an order that hangs is usually tried by one worker at a time."""


class PaymentEventsWorker:
    name = "payment-events"
    interval_s = 1.0
    """A hint wakes the worker earlier. Parked events are first tried again after a second."""

    def __init__(self, payments: OrderPayments, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._payments = payments
        self._now = now

    async def run_once(self, stores: Stores) -> int:
        """Process all events that are due, and return how many were finished.

        Raises TemporarilyUnavailable if the inbox does not answer.
        """
        run = _Run(stores, self._payments, self._now)
        finished = await asyncio.gather(*[run.work() for _ in range(LANES)], return_exceptions=True)
        for result in finished:
            if isinstance(result, BaseException):
                raise result
        return sum(result for result in finished if isinstance(result, int))


class _Run:
    """One run, whose lanes claim events in turn."""

    def __init__(self, stores: Stores, payments: OrderPayments, now: Callable[[], datetime]) -> None:
        self._inbox = stores.payment_inbox
        self._orders = stores.orders
        self._payments = payments
        self._now = now
        self._claiming = asyncio.Lock()
        self._has_more = True

    async def work(self) -> int:
        """Claim and apply events until none is due, and return how many were finished."""
        finished = 0
        while True:
            async with self._claiming:
                if not self._has_more:
                    return finished
                claim = await self._inbox.claim(now=self._now(), limit=MAX_CLAIMED)
                self._has_more = claim.has_more
                working = asyncio.create_task(self._work_off(claim))
                try:
                    await asyncio.wait([working], timeout=NEXT_LANE_AFTER_S)
                except asyncio.CancelledError:
                    working.cancel()
                    await asyncio.gather(working, return_exceptions=True)
                    raise
            finished += await working

    async def _work_off(self, claim: Claim) -> int:
        results = await self._apply_all(claim.events)
        await self._inbox.finish(claim, results)
        return sum(event.due_at is None for event in results)

    async def _apply_all(self, events: Sequence[InboxEvent]) -> list[InboxEvent]:
        """Return the events with their new states."""
        groups: defaultdict[tuple[str | None, ...], list[InboxEvent]] = defaultdict(list)
        for event in events:
            is_known = event.order_id is not None
            groups[event.order_id, event.concert_id, None if is_known else event.intent_id].append(event)
        orders = await self._read_orders({event.order_id for event in events if event.order_id is not None})
        applying = list[asyncio.Future[list[InboxEvent]]]()
        async with asyncio.TaskGroup() as tasks:
            for number, group in enumerate(groups.values(), start=1):
                applying.append(tasks.create_task(self._apply(group, orders)))
                if number % ORDERS_PER_TURN == 0:
                    await asyncio.sleep(0)
        return [event for applied in applying for event in applied.result()]

    async def _read_orders(self, order_ids: Collection[OrderId]) -> Mapping[OrderId, Order]:
        """Read the orders in one command, which costs a fraction of one command per order.

        Orders that are missing from the result (all of them after a failure) are read one by one,
        so that an order that cannot be read does not stop the others.
        """
        try:
            found = await self._orders.get_many(order_ids)
        except Exception as error:
            log.debug("the orders of %d events are read one by one: %s", len(order_ids), describe_cause(error))
            return {}
        return {order.id: order for order in found}

    async def _apply(self, events: Sequence[InboxEvent], orders: Mapping[OrderId, Order]) -> list[InboxEvent]:
        """Apply events about one order, and return them with their new states."""
        try:
            async with asyncio.timeout(APPLY_WITHIN_S):
                order_id, concert_id = await self._find_order(events[0])
                facts = [fact for event in events for fact in event.facts]
                known = orders.get(order_id)
                with _traced(events, known):
                    order = await self._payments.apply(order_id, concert_id, facts, known=known)
        except _Foreign as foreign:
            return _ended(events, InboxState.DROPPED, str(foreign))
        except (ProviderUnavailable, TemporarilyUnavailable, TimeoutError) as error:
            return self._postpone(events, error)
        except Exception as error:
            # One order that cannot be changed must not stop the others.
            return self._park(events, describe_cause(error))
        _outage.succeeded(self._payments)
        return _ended(events, InboxState.APPLIED) if order else self._park(events, "the order is unknown")

    async def _find_order(self, event: InboxEvent) -> tuple[OrderId, ConcertId]:
        """Return the order of an event.

        Our metadata is not copied to disputes, nor to refunds made in the provider's dashboard. For
        those, the order is the one that recorded the intent, or else the one that the intent's
        metadata names. Raises _Foreign, and the provider's errors.
        """
        if event.order_id is not None and event.concert_id is not None:
            return event.order_id, event.concert_id
        if event.intent_id is None:
            raise _Foreign("it names no payment")
        for order in await self._orders.find_by_intent(event.intent_id):
            return order.id, order.concert_id
        reference = (await self._payments.provider.get_intent(event.intent_id)).reference
        if reference is None or reference.installation != await self._payments.installation():
            raise _Foreign("its payment belongs to another installation or program")
        return reference.order_id, reference.concert_id

    def _postpone(self, events: Sequence[InboxEvent], error: BaseException) -> list[InboxEvent]:
        _outage.failed(self._payments, error)
        counters.payment_events.labels("postponed").inc(len(events))
        return [event.postponed(now=self._now()) for event in events]

    def _park(self, events: Sequence[InboxEvent], problem: str) -> list[InboxEvent]:
        """Park the events. The first attempt and the last one are logged."""
        parked = [event.parked(problem, now=self._now()) for event in events]
        for before, after in zip(events, parked, strict=True):
            counters.payment_events.labels(after.state.lower()).inc()
            about = f"order {after.order_id}" if after.order_id else f"intent {after.intent_id}"
            if after.state is InboxState.REPORTED:
                text = f"payment event {after.id} about {about} could not be applied for 72 h: {problem}"
                raise_alarm(log, Alarm.EVENT_REPORTED, text)
            elif before.state is InboxState.NEW:
                log.warning("payment event %s about %s is tried again later: %s", after.id, about, problem)
        return parked


class _Foreign(Exception):
    """The event is about a payment that this installation did not create."""


def _traced(events: Sequence[InboxEvent], order: Order | None) -> AbstractContextManager[object]:
    """Trace the application of events in the trace of the order, with links to the webhooks. If the
    order was not read before, it belongs to the trace of the first webhook.
    """
    webhooks = [event.traceparent for event in events]
    stored = webhooks[0] if order is None else order.traceparent
    about: traces.Attributes = {"onsale.events": [event.kind for event in events]}
    return traces.continue_trace("apply payment events", stored, about, links=webhooks)


def _ended(events: Sequence[InboxEvent], state: InboxState, problem: str = "") -> list[InboxEvent]:
    counters.payment_events.labels(state.lower()).inc(len(events))
    return [event.ended(state, problem) for event in events]
