"""Removes what is no longer needed: documents whose tickets, concert or template have changed,
documents of concerts long past, and parts left behind by a process that died.

A document that is removed too early is made again when it is requested.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from domain.concerts import Concert
from domain.ids import ConcertId, OrderId
from domain.orders import Order
from domain.tickets.documents import DocumentEntry, DocumentId
from payments.saga.order_payments import now_ms
from storage.connect import Stores
from storage.time_slice import TimeSlice
from tickets.documents.library import current_document_ids

PER_RUN = 100
"""The number of documents to check. With one run per minute, that is 144,000 a day."""
KEPT_AT_LEAST = timedelta(minutes=10)
"""Longer than any process keeps an older version of an order or a concert in memory."""
KEPT_AFTER_START = timedelta(days=30)
LOST_AFTER = timedelta(hours=1)
"""Longer than a process takes to store a document."""


class DocumentSweepWorker:
    name = "documents"
    interval_s = 60.0

    def __init__(self, fonts: str = "", *, clock: Callable[[], datetime] = now_ms) -> None:
        """`fonts` is the fingerprint of the fonts with which documents are made."""
        self._fonts = fonts
        self._clock = clock
        self._last_document: DocumentId | None = None
        self._last_part: str | None = None

    async def run_once(self, stores: Stores) -> int:
        """Check the next documents and parts, and return how many were removed."""
        now = self._clock()
        entries = await stores.ticket_documents.list_after(self._last_document, limit=PER_RUN)
        older = [entry for entry in entries if entry.stored_at < now - KEPT_AT_LEAST]
        orphans = await _find_orphans(stores, older, self._fonts, now)
        if orphans:
            await stores.ticket_documents.remove(orphans)
        self._last_document = entries[-1].id if len(entries) == PER_RUN else None
        self._last_part, lost = await stores.ticket_documents.remove_lost_parts(
            self._last_part, stored_before=now - LOST_AFTER, limit=PER_RUN
        )
        return len(orphans) + lost


async def _find_orphans(
    stores: Stores, entries: Sequence[DocumentEntry], fonts: str, now: datetime
) -> list[DocumentId]:
    orders = {order.id: order for order in await stores.orders.get_many({entry.owner.order_id for entry in entries})}
    concert_ids = {entry.owner.concert_id for entry in entries}
    concerts = {concert_id: await stores.concert_cache.get(concert_id) for concert_id in concert_ids}
    needed = await _find_needed(orders, concerts, fonts, now)
    return [entry.id for entry in entries if entry.id not in needed]


async def _find_needed(
    orders: Mapping[OrderId, Order], concerts: Mapping[ConcertId, Concert | None], fonts: str, now: datetime
) -> set[DocumentId]:
    needed, time_slice = set[DocumentId](), TimeSlice()
    for order in orders.values():
        await time_slice.checkpoint()
        concert = concerts[order.concert_id]
        if concert is not None and now - concert.terms.starts_at < KEPT_AFTER_START:
            needed |= current_document_ids(order, concert, fonts=fonts)
    return needed
