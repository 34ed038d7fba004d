"""Tells the hot state of orders that it could not be told of when they were recorded."""

from datetime import UTC, datetime, timedelta

from domain.ids import ConcertId, OrderId
from storage.connect import Stores

FIRST_LOOK_BACK = timedelta(minutes=5)
OVERLAP = timedelta(minutes=1)
"""Clocks of hosts differ, and an insert may take seconds from its time stamp to its majority."""
BATCH = 500


class RecordWorker:
    name = "record"
    interval_s = 10.0

    def __init__(self) -> None:
        self._since = datetime.now(UTC) - FIRST_LOOK_BACK

    async def run_once(self, stores: Stores) -> int:
        started = datetime.now(UTC)
        recorded = 0
        for concert_id, orders in (await stores.orders.changed_since(self._since)).items():
            for first in range(0, len(orders), BATCH):
                recorded += await self._record(stores, concert_id, orders[first : first + BATCH])
        self._since = started - OVERLAP
        return recorded

    async def _record(self, stores: Stores, concert_id: ConcertId, orders: list[tuple[OrderId, int]]) -> int:
        missing = await stores.hot.find_unrecorded(concert_id, orders)
        await stores.recorder.record_all(await stores.orders.get_many(missing) if missing else ())
        return len(missing)
