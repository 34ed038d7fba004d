"""Cancels or refunds the orders of canceled concerts, page by page.

This worker only records the requests, and the order worker carries them out, so a provider that is
slow or down does not stop the job. The job repeats its pass until no order is open, so the next
pass finds an order that failed or was inserted behind the current one.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from domain.concerts import ConcertStatus
from domain.errors import Refusal, describe_cause
from domain.ids import ConcertId, PersonId, Unit, fingerprint
from domain.orders import Order, OrderStatus
from domain.payments.balances import refundable_units
from domain.payments.cancellations import IDLE_PAUSE, PAUSE, CancellationJob
from domain.payments.payment import RefundReason
from domain.payments.status import is_disputed
from storage.connect import Stores

log = logging.getLogger(__name__)

PAGE_SIZE = 200
MAX_PAGES_PER_RUN = 10
"""Maximum number of pages in one run. The next run does the rest."""


class OrderRequests(Protocol):
    """The requests that this worker makes of the saga. Repeating one changes nothing."""

    async def request_cancel(self, order: Order, reason: str, *, at_once: bool) -> Order: ...

    async def request_refund(
        self,
        order: Order,
        *,
        units: tuple[Unit, ...] | None,
        reason: RefundReason,
        requested_by: PersonId | None,
        request_key: str,
        digest: str,
        at_once: bool,
    ) -> Order: ...


def _now() -> datetime:
    return datetime.now(UTC)


class CancellationWorker:
    name = "cancellation"
    interval_s = 1.0

    def __init__(self, payments: OrderRequests, clock: Callable[[], datetime] = _now) -> None:
        self._payments = payments
        self._clock = clock

    async def run_once(self, stores: Stores) -> int:
        await self._start_missing(stores)
        done = 0
        for _ in range(MAX_PAGES_PER_RUN):
            job = await stores.cancellations.lease_due(self._clock())
            if job is None:
                break
            done += await self._work(stores, job)
        return done

    async def _start_missing(self, stores: Stores) -> None:
        """Create the jobs that `cancelConcert` could not create after changing the status."""
        canceled = {
            concert.id: concert.organizer_id
            for concert in await stores.concert_cache.list_all()
            if concert.status is ConcertStatus.CANCELLED
        }
        for concert_id in await stores.cancellations.find_without_job(canceled) if canceled else ():
            await stores.cancellations.start(concert_id, requested_by=canceled[concert_id], now=self._clock())

    async def _work(self, stores: Stores, job: CancellationJob) -> int:
        """Work on one page of the job, and return how many orders were changed."""
        page = await stores.cancellations.list_orders(job, limit=PAGE_SIZE)
        orders = await stores.orders.get_many(page)
        done = sum(await asyncio.gather(*[self._undo(order, job) for order in orders]))
        now = self._clock()
        if len(page) == PAGE_SIZE:
            await stores.cancellations.put_back(job, due_at=now, after=page[-1], finished_at=None)
        elif await stores.cancellations.count_open(job.concert_id):
            await stores.cancellations.put_back(job, due_at=now + PAUSE, after=None, finished_at=None)
        else:
            due_at = now + IDLE_PAUSE if await _may_get_orders(stores, job.concert_id) else None
            await stores.cancellations.put_back(job, due_at=due_at, after=None, finished_at=job.finished_at or now)
        return done

    async def _undo(self, order: Order, job: CancellationJob) -> bool:
        """Request the cancellation or refund that the order still needs. Return whether the order
        has changed.

        A failure does not delay the other orders; the next pass repeats the request.
        """
        try:
            return (await self._request(order, job)).version != order.version
        except Refusal as refusal:
            log.warning(
                "order %s of a canceled concert is not canceled or refunded yet: %s", order.id, describe_cause(refusal)
            )
            return False

    async def _request(self, order: Order, job: CancellationJob) -> Order:
        if order.status is OrderStatus.PENDING_PAYMENT:
            return await self._payments.request_cancel(order, "CONCERT", at_once=False)
        # The bank decides who gets the money of a disputed payment. If the buyer loses, the next
        # pass refunds it.
        if is_disputed(order) or not refundable_units(order):
            return order
        return await self._payments.request_refund(
            order,
            units=None,
            reason=RefundReason.CONCERT_CANCELLED,
            requested_by=job.requested_by,
            request_key=fingerprint("cancelConcert", order.id),
            digest="",
            at_once=False,
        )


async def _may_get_orders(stores: Stores, concert_id: ConcertId) -> bool:
    """Return whether the concert may still get orders. It may until its hot state has expired."""
    return any(concert.id == concert_id for concert in await stores.concert_cache.list_all())
