"""Does what is due for orders: creates missing intents, closes unpaid orders, takes units for late
payments, and sends refunds.

A lease ensures that only one worker at a time works on an order. An order whose step fails, or must
wait for the provider, stays leased for a while, and is then tried again.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from domain.errors import TemporarilyUnavailable, describe_cause
from domain.ids import ConcertId, OrderId
from domain.orders import Order
from domain.payments.steps import Step, StepKind, next_step
from payments.provider import ProviderRefused, ProviderUnavailable
from payments.saga.order_payments import OrderPayments, now_ms
from storage.connect import Stores
from storage.mongo.order_work import Lease
from telemetry.alarms import Alarm, raise_alarm
from telemetry.outage_log import OutageLog

log = logging.getLogger(__name__)
_outage = OutageLog(log, "working on orders")

LANES = 8
"""The number of leases that are processed at the same time, so that a provider that is slow for
some orders does not stop the others.
"""
ORDERS_PER_LEASE = 10
"""Eight lanes make at most 80 calls at a time, fewer than our client for Stripe allows."""
STEPS_WITHIN_S = 25.0
"""Shorter than a lease."""
BEAT_EVERY_S = 1.0
ALARM_AFTER = timedelta(minutes=2)
LONGEST_PAUSES = {StepKind.SEND_REFUND: timedelta(hours=1)}
"""The longest time between two attempts at a step, by its kind; a minute for other kinds."""
LONGEST_PAUSE = timedelta(minutes=1)
FIRST_PAUSE = timedelta(seconds=15)
MAX_WAITING = 100_000
"""The number of waiting orders that a worker remembers. It tries forgotten ones again sooner."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A step that could not be done. It belongs to one version of its order."""

    version: int
    attempts: int
    try_at: datetime
    is_reported: bool


class OrderWorker:
    name = "orders"
    interval_s = 1.0

    def __init__(self, payments: OrderPayments, *, clock: Callable[[], datetime] = now_ms) -> None:
        self._payments = payments
        self._clock = clock
        self._waiting: dict[OrderId, _Waiting] = {}

    async def run_once(self, stores: Stores) -> int:
        """Do one round of due steps, and return the number of orders that made progress.

        Raises TemporarilyUnavailable if the order database does not answer.
        """
        async with self._beating(stores) as resumed_at:
            concerts = deque(await stores.order_work.find_concerts(self._clock()))
            stopped = set[ConcertId]()
            lanes = [self._work(stores, concerts, stopped, resumed_at=resumed_at) for _ in range(LANES)]
            results = await asyncio.gather(*lanes, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return sum(result for result in results if isinstance(result, int))

    @asynccontextmanager
    async def _beating(self, stores: Stores) -> AsyncIterator[datetime]:
        """Record heartbeats during the block, so that slow calls do not look like a gap. Yield the
        time at which the workers last resumed after a gap.
        """
        resumed_at = await stores.worker_heartbeats.beat(self.name, self._clock())
        beating = asyncio.create_task(self._beat(stores))
        try:
            yield resumed_at
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    async def _beat(self, stores: Stores) -> None:
        while True:
            await asyncio.sleep(BEAT_EVERY_S)
            try:
                await stores.worker_heartbeats.beat(self.name, self._clock())
            except TemporarilyUnavailable as error:
                # A gap delays deadlines, which harms no one.
                log.debug("a heartbeat was not recorded: %s", describe_cause(error))

    async def _work(
        self, stores: Stores, concerts: deque[ConcertId], stopped: set[ConcertId], *, resumed_at: datetime
    ) -> int:
        """Process one lease of each concert in turn, until no concert has due orders.

        A concert for which a store does not answer is stopped until the next run: its orders stay
        due, and would otherwise be leased again and again in this run.
        """
        moved = 0
        while concerts:
            concert_id = concerts.popleft()
            if concert_id in stopped:
                continue
            grace_until = resumed_at + await _grace(stores, concert_id)
            lease = await stores.order_work.lease_due(concert_id, self._clock(), limit=ORDERS_PER_LEASE)
            if lease.may_have_more:
                concerts.append(concert_id)
            results = await asyncio.gather(*[self._advance(order, grace_until) for order in lease.orders])
            await _release(stores, lease, [order.id for order in results if order is not None])
            if any(after is before for before, after in zip(lease.orders, results, strict=True)):
                stopped.add(concert_id)
            moved += sum(order is not None for order in results)
        return moved

    async def _advance(self, order: Order, grace_until: datetime) -> Order | None:
        """Do what is due for an order, and return its new version. Return None if the order must
        wait and keeps its lease, or `order` itself if a store does not answer.
        """
        now = self._clock()
        step = next_step(order, now, grace_until=grace_until)
        waiting = self._waiting.get(order.id)
        if step is None or (waiting and waiting.version == order.version and waiting.try_at > now):
            return None
        try:
            async with asyncio.timeout(STEPS_WITHIN_S):
                advanced = await self._payments.advance(order, now, grace_until=grace_until)
        except TemporarilyUnavailable as error:
            # A store does not answer. The next run tries it again.
            _outage.failed(order.id, error)
            return order
        except (ProviderUnavailable, ProviderRefused, TimeoutError) as error:
            _outage.failed(order.id, error)
            await self._wait(order, step, describe_cause(error))
            return None
        except Exception as error:
            # One order that cannot be processed must not stop the others.
            log.exception("order %s cannot be processed", order.id)
            await self._wait(order, step, describe_cause(error))
            return None
        _outage.succeeded(order.id)
        if advanced.version == order.version:
            await self._wait(order, step, "the provider has not decided yet")
            return None
        self._waiting.pop(order.id, None)
        return advanced

    async def _wait(self, order: Order, step: Step, why: str) -> None:
        """Choose when to try again, tell the buyer, and raise the alarm after two minutes."""
        before, now = self._waiting.pop(order.id, None), self._clock()
        attempts = 1 if before is None else before.attempts + 1
        is_late = now - step.due_at > ALARM_AFTER
        if is_late and not (before and before.is_reported):
            since = step.due_at.isoformat(timespec="seconds")
            text = f"order {order.id} waits for the provider: {step.kind} has been due since {since}: {why}"
            raise_alarm(log, Alarm.ORDER_WAITS, text)
        version = order.version
        if step.kind is StepKind.CLOSE:
            version = await self._tell_buyer(order)
        pause = min(FIRST_PAUSE * 2 ** min(attempts - 1, 10), LONGEST_PAUSES.get(step.kind, LONGEST_PAUSE))
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.pop(next(iter(self._waiting)))
        is_reported = is_late or (before is not None and before.is_reported)
        self._waiting[order.id] = _Waiting(version, attempts, now + pause, is_reported)

    async def _tell_buyer(self, order: Order) -> int:
        """Note in the order that it is waiting for the provider, and return its version."""
        try:
            return (await self._payments.tell_that_order_waits(order)).version
        except TemporarilyUnavailable as error:
            log.debug("the history of order %s does not say that it is waiting: %s", order.id, describe_cause(error))
            return order.version


async def _grace(stores: Stores, concert_id: ConcertId) -> timedelta:
    """Return how much extra time people get at a concert after a gap in the workers' heartbeats."""
    concert = await stores.concert_cache.get(concert_id)
    return timedelta() if concert is None else timedelta(milliseconds=concert.room.disconnect_grace_ms)


async def _release(stores: Stores, lease: Lease, moved: list[OrderId]) -> None:
    """Release the orders that made progress. The others stay leased, and are tried again
    afterward.
    """
    orders = tuple(order for order in lease.orders if order.id in moved)
    await stores.order_work.release(replace(lease, orders=orders))
