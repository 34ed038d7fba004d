"""Does the effects of paid orders: documents, mail, sales, and tickets for orders of earlier
versions.

Everything that is due for an order is done, and then one change to the order records what was done.
An effect that fails is tried again later, and delays neither other effects nor other orders. If the
order has changed in the meantime, the effects are done again for the newer version.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.errors import TemporarilyUnavailable, describe_cause
from domain.ids import ConcertId, OrderId
from domain.orders import Order
from domain.payments.effects import TICKETS, due_effects
from domain.payments.transitions import finish_effects, issue_tickets
from payments.saga.crash_points import Reached, ignore
from payments.saga.order_changes import OrderChanges
from payments.saga.order_payments import now_ms
from storage.connect import Stores
from storage.mongo.order_work import LEASE
from telemetry import traces
from telemetry.alarms import Alarm, raise_alarm
from telemetry.outage_log import OutageLog
from workers.effects.handlers import EffectHandlers

log = logging.getLogger(__name__)
_outage = OutageLog(log, "doing the effects of orders")

LANES = 4
"""The number of leases that are processed at the same time."""
ORDERS_PER_LEASE = 25
"""Each handler is called once for all orders of a lease."""
HANDLER_WITHIN = LEASE - timedelta(seconds=5)
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=10)
ALARM_AFTER = timedelta(minutes=10)
FIND_PARKED_EVERY = timedelta(minutes=1)
OVERLAP = timedelta(minutes=1)
"""How far each search for parked orders overlaps the previous one. The clocks of hosts differ by
less.
"""
LONGEST_SEARCH = timedelta(minutes=5)
"""The number of changes in one search. After a long outage, several searches follow one another."""
PARKED_PAGE_SIZE = 2_000
PARKED_PAGES_PER_RUN = 20
"""The number of pages of older orders that a run checks before it does effects. A page can take 20
ms.
"""
MAX_WAITING = 100_000
"""The number of failing orders that a worker remembers. Forgotten ones are tried again sooner."""


class EffectsFailed(Exception):
    """Says which effects of an order failed, and why."""


@dataclass(frozen=True, slots=True)
class _Failing:
    attempts: int
    is_reported: bool


class EffectsWorker:
    name = "effects"
    interval_s = 1.0

    def __init__(
        self, handlers: EffectHandlers, *, clock: Callable[[], datetime] = now_ms, reached: Reached = ignore
    ) -> None:
        self._handlers = handlers
        self._names = (TICKETS, *handlers)
        self._clock = clock
        self._reached = reached
        self._failing: dict[OrderId, _Failing] = {}
        self._looked_at: datetime | None = None
        """Changes up to this time have been checked; None before the first search."""
        self._unsearched = deque[tuple[ConcertId, OrderId | None]]()
        """The concerts whose older orders have not all been checked, each with the last order that
        was.
        """

    async def run_once(self, stores: Stores) -> int:
        """Do every effect that is due, and return the number of orders that changed.

        Raises TemporarilyUnavailable if the order database does not answer.
        """
        await self._find_parked(stores)
        concerts = await stores.effect_work.find_concerts(self._clock())
        lanes = [self._work(stores, concerts, lane) for lane in range(LANES)]
        results = await asyncio.gather(*lanes, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return sum(result for result in results if isinstance(result, int))

    async def _find_parked(self, stores: Stores) -> None:
        """Find the orders of earlier versions, and those whose effects now have a handler.

        All orders are checked once, page by page, so that due effects need not wait for the end.
        After that, only orders that have changed are checked; a process of an earlier version may
        have changed them.
        """
        now = self._clock()
        if self._looked_at is None:
            self._unsearched.extend((concert_id, None) for concert_id in await stores.effect_work.list_concerts())
            self._looked_at = now
        for _ in range(PARKED_PAGES_PER_RUN):
            if self._unsearched:
                await self._search_page(stores, now)
        if now - self._looked_at >= FIND_PARKED_EVERY:
            until = min(now, self._looked_at + LONGEST_SEARCH)
            since = self._looked_at - OVERLAP
            await stores.effect_work.find_parked_between(since, until + OVERLAP, self._names, now)
            self._looked_at = until

    async def _search_page(self, stores: Stores, now: datetime) -> None:
        concert_id, after = self._unsearched[0]
        last = await stores.effect_work.find_parked(concert_id, self._names, now, after=after, limit=PARKED_PAGE_SIZE)
        self._unsearched.popleft()
        if last is not None:
            self._unsearched.append((concert_id, last))

    async def _work(self, stores: Stores, concerts: Sequence[ConcertId], lane: int) -> int:
        """Process leases of the concerts in turn, until no concert has due orders.

        Every lane visits every concert, each starting at a different one, so that all lanes share
        the orders of an especially large sale.
        """
        waiting, changed = deque(concerts), 0
        waiting.rotate(-lane * len(concerts) // LANES)
        while waiting:
            concert_id = waiting.popleft()
            lease = await stores.effect_work.lease_due(concert_id, self._clock(), limit=ORDERS_PER_LEASE)
            if lease.orders or lease.may_have_more:
                waiting.append(concert_id)
            if lease.orders:
                changed += await self._do_effects(stores, lease.orders)
        return changed

    async def _do_effects(self, stores: Stores, leased: Sequence[Order]) -> int:
        """Do the effects of leased orders, and return how many orders changed."""
        issued = await asyncio.gather(*[self._issue_tickets(stores, order) for order in leased])
        orders = [order for order in issued if order is not None]
        names = [name for name in self._handlers if any(name in due_effects(order) for order in orders)]
        answers = await asyncio.gather(*[self._call(stores, name, orders) for name in names])
        results = dict(zip(names, answers, strict=True))
        finished = await asyncio.gather(*[self._finish(stores, order, results) for order in orders])
        versions = {order.id: order.version for order in leased}
        return sum(order.version != versions[order.id] for order in finished)

    async def _issue_tickets(self, stores: Stores, order: Order) -> Order | None:
        """Issue the missing tickets of an order of an earlier version. Return the order, or None if
        it must be tried again.
        """
        if TICKETS not in due_effects(order):
            return order
        try:
            return await self._changes(stores).change(order, lambda current: issue_tickets(current, self._clock()))
        except Exception as error:
            await self._fail(stores, order, {TICKETS: _describe(order, TICKETS, error)})
            return None

    async def _call(self, stores: Stores, name: str, orders: Sequence[Order]) -> Mapping[OrderId, str | None]:
        """Call the handler for the orders for which the effect is due. For each order, return why
        the effect failed, or None if it was done.
        """
        due = [order for order in orders if name in due_effects(order)]
        try:
            with traces.continue_traces(f"effect {name}", [order.traceparent for order in due]) as spans:
                async with asyncio.timeout(HANDLER_WITHIN.total_seconds()):
                    answers = await self._handlers[name](stores, due)
                _mark_failures(answers, due, spans)
            return answers
        except Exception as error:
            if len(due) == 1 or isinstance(error, (TemporarilyUnavailable, TimeoutError)):
                return {order.id: _describe(order, name, error) for order in due}
        # One order that cannot be handled must not stop the others.
        found: dict[OrderId, str | None] = {}
        for order in due:
            found |= await self._call(stores, name, [order])
        return found

    async def _finish(self, stores: Stores, order: Order, results: Mapping[str, Mapping[OrderId, str | None]]) -> Order:
        """Record in the order what was done, and return the stored order."""
        answers = {name: results[name].get(order.id, "no answer") for name in due_effects(order) if name in results}
        failures = {name: why for name, why in answers.items() if why is not None}
        try:
            after = await self._record(stores, order, [name for name in answers if name not in failures])
            if after.effects_at is not None and not failures:
                # The order has changed in the meantime, or the remaining effects have no handler.
                can_go_on = not self._handlers.keys().isdisjoint(due_effects(after))
                await stores.effect_work.postpone(after, self._clock() if can_go_on else None)
        except Exception as error:
            after, failures = order, failures | {"order": _describe(order, "order", error)}
        if failures:
            await self._fail(stores, after, failures)
        else:
            _outage.succeeded(order.id)
            self._failing.pop(order.id, None)
        return after

    async def _record(self, stores: Stores, order: Order, done: Sequence[str]) -> Order:
        """Record that effects were done, unless the order has changed: they were done for this
        version only.
        """

        def decide(current: Order) -> Order:
            return finish_effects(current, done, self._clock()) if current.version == order.version else current

        return await self._changes(stores).change(order, decide) if done else order

    async def _fail(self, stores: Stores, order: Order, failures: Mapping[str, str]) -> None:
        """Make an order wait, longer after each failure, and raise the alarm after ten minutes."""
        why = "; ".join(f"{name}: {reason}" for name, reason in failures.items())
        _outage.failed(order.id, EffectsFailed(why))
        before, now = self._failing.pop(order.id, _Failing(0, is_reported=False)), self._clock()
        since = order.events[-1].at if order.events else order.created_at
        is_late = now - since > ALARM_AFTER
        if is_late and not before.is_reported:
            text = f"effects of order {order.id} have been due since {since.isoformat(timespec='seconds')}: {why}"
            raise_alarm(log, Alarm.EFFECT_WAITS, text)
        if len(self._failing) >= MAX_WAITING:
            self._failing.pop(next(iter(self._failing)))
        self._failing[order.id] = _Failing(before.attempts + 1, is_reported=is_late or before.is_reported)
        pause = min(FIRST_PAUSE * 2 ** min(before.attempts, 10), LONGEST_PAUSE)
        try:
            await stores.effect_work.postpone(order, now + pause)
        except TemporarilyUnavailable as error:
            # The lease ends by itself.
            log.debug("order %s is tried again after its lease: %s", order.id, describe_cause(error))

    def _changes(self, stores: Stores) -> OrderChanges:
        return OrderChanges(stores, self._reached)


def _mark_failures(
    answers: Mapping[OrderId, str | None], orders: Sequence[Order], spans: Sequence[traces.Span | None]
) -> None:
    for order, span in zip(orders, spans, strict=True):
        if span is not None and answers.get(order.id) is not None:
            span.fail("effect failed")


def _describe(order: Order, name: str, error: Exception) -> str:
    """Describe why an effect failed, and log an error that is not an outage with its traceback."""
    if not isinstance(error, (TemporarilyUnavailable, TimeoutError)):
        log.error("the effect %s of order %s cannot be done", name, order.id, exc_info=error)
    return describe_cause(error)
