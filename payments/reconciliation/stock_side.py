"""Compares the orders of the live concerts with the hot state, concert by concert, page by page.

Recording an order changes nothing if its hold matches; otherwise it repairs the hold.
"""

import asyncio
import logging
from collections.abc import Sequence

from domain.ids import ConcertId
from storage.connect import Stores
from storage.hot.replies import is_recorded
from storage.mongo.payments.reconciliations import StockCursor
from telemetry import counters

log = logging.getLogger(__name__)

PAGE_SIZE = 500
CONCURRENT = 50
"""The number of orders recorded at the same time, so that sales are not delayed."""


async def compare_page(stores: Stores, cursor: StockCursor) -> StockCursor:
    """Record orders of the next page again if their holds do not match. Return where to
    continue.
    """
    concerts = sorted(concert.id for concert in await stores.concert_cache.list_all())
    concert_id = next((id_ for id_ in concerts if cursor.concert_id is not None and id_ >= cursor.concert_id), None)
    if concert_id is None:
        return StockCursor(concerts[0]) if concerts else StockCursor()
    after = cursor.after if concert_id == cursor.concert_id else None
    page = await stores.orders.page_of_concert(concert_id, after=after, limit=PAGE_SIZE)
    words: list[str] = []
    for first in range(0, len(page), CONCURRENT):
        chunk = page[first : first + CONCURRENT]
        words += await asyncio.gather(*[stores.hot_state.record_order(order) for order in chunk])
    counters.reconciled.labels("orders").inc(len(page))
    repaired = words.count("RECORDED")
    if repaired:
        counters.reconciled.labels("repaired_holds").inc(repaired)
        log.warning("%d orders of concert %s did not match their holds and were recorded again", repaired, concert_id)
    # An untrusted store is rebuilt by its recovery; there is nothing to compare.
    is_done = len(page) < PAGE_SIZE or not all(is_recorded(word) for word in words)
    return StockCursor(_next(concerts, concert_id)) if is_done else StockCursor(concert_id, page[-1].id)


def _next(concerts: Sequence[ConcertId], present: ConcertId) -> ConcertId | None:
    """Return the next concert, or None after the last one, so that the next run starts over."""
    return next((id_ for id_ in concerts if id_ > present), None)
