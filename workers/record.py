"""Records orders that could not be recorded in the hot state when they were placed."""

from datetime import UTC, datetime, timedelta

from domain.ids import ConcertId, OrderId
from storage.connect import Stores
from storage.hot.hot_state import is_history

MAX_DELAY = timedelta(minutes=5)
"""Longest time until queries by timestamp find a changed order.

The clocks of hosts differ, and seconds may pass between the timestamp of an insert and its
acknowledgment by the majority.
"""
BATCH = 500


class RecordWorker:
    """A worker that records missing orders.

    It checks the orders changed in the last five minutes, and older ones until all of them have
    been recorded.
    """

    name = "record"
    interval_s = 10.0

    def __init__(self) -> None:
        self._since = datetime.now(UTC) - MAX_DELAY
        self._recorded: set[tuple[OrderId, int]] = set()

    async def run_once(self, stores: Stores) -> int:
        started = datetime.now(UTC)
        changed = await stores.orders.changed_since(self._since)
        self._recorded &= {order for orders in changed.values() for order in orders}
        recorded = 0
        is_complete = True
        for concert_id, orders in changed.items():
            unchecked = [order for order in orders if order not in self._recorded]
            for first in range(0, len(unchecked), BATCH):
                count = await self._record(stores, concert_id, unchecked[first : first + BATCH])
                is_complete &= count is not None
                recorded += count or 0
        if is_complete:
            self._since = started - MAX_DELAY
        return recorded

    async def _record(self, stores: Stores, concert_id: ConcertId, orders: list[tuple[OrderId, int]]) -> int | None:
        """Return how many orders were missing from the hot state, or None if some could not be
        recorded.
        """
        missing = await stores.hot_state.find_unrecorded(concert_id, orders)
        if missing is None:
            if not await _has_expired(stores, concert_id):
                return None
            missing = set()
        if missing and not await stores.order_sync.sync_all(await stores.orders.get_many(missing)):
            return None
        self._recorded.update(orders)
        return len(missing)


async def _has_expired(stores: Stores, concert_id: ConcertId) -> bool:
    """Return whether the keys of a concert have expired.

    Its orders are then not recorded again: waiting for that would make each run read all orders
    that have changed since.
    """
    concert = await stores.concert_cache.get(concert_id)
    return concert is not None and is_history(concert)
