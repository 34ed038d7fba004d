"""Queues a mail for each buyer of a concert that was moved or canceled, page by page.

The job stores its progress, and each mail has a fixed id, so processing a page twice queues nothing
twice.
"""

from collections.abc import Callable
from datetime import datetime

from domain.mails.mail import notices_of
from domain.mails.notices import ConcertNotice, concerns
from payments.saga.order_payments import now_ms
from storage.connect import Stores

PAGE_SIZE = 200
MAX_PAGES_PER_RUN = 10
"""Maximum number of pages in one run. The next run does the rest."""


class NoticeWorker:
    name = "notices"
    interval_s = 1.0

    def __init__(self, *, clock: Callable[[], datetime] = now_ms) -> None:
        self._clock = clock

    async def run_once(self, stores: Stores) -> int:
        queued = 0
        for _ in range(MAX_PAGES_PER_RUN):
            notice = await stores.notices.lease_due(self._clock())
            if notice is None:
                break
            queued += await self._work(stores, notice)
        return queued

    async def _work(self, stores: Stores, notice: ConcertNotice) -> int:
        """Process one page of the job, and return how many mails were queued."""
        page, now = await stores.notices.list_orders(notice, limit=PAGE_SIZE), self._clock()
        orders = await stores.orders.get_many(page)
        told = [order for order in orders if concerns(notice, order)]
        mails = [mail for order in told for mail in notices_of(order, notice.kind, notice.version, now)]
        queued = await stores.mails.insert(mails)
        if len(page) == PAGE_SIZE:
            await stores.notices.put_back(notice, after=page[-1], due_at=now)
        else:
            await stores.notices.finish(notice)
        return queued
