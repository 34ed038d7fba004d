"""Decides purchases that were begun and never recorded: an order, or no order ever."""

import asyncio
import logging

from domain.ids import ConcertId, HoldId
from storage.connect import Stores

log = logging.getLogger(__name__)

MAX_HOLDS_A_RUN = 100


class SettleWorker:
    name = "settle"
    interval_s = 1.0

    async def run_once(self, stores: Stores) -> int:
        settled = await asyncio.gather(*[self._settle_concert(stores, c.id) for c in await stores.living.get()])
        return sum(settled)

    async def _settle_concert(self, stores: Stores, concert_id: ConcertId) -> int:
        overdue = await stores.hot.find_overdue(concert_id, limit=MAX_HOLDS_A_RUN)
        return sum(await asyncio.gather(*[self._settle(stores, concert_id, hold_id) for hold_id in overdue]))

    async def _settle(self, stores: Stores, concert_id: ConcertId, hold_id: HoldId) -> bool:
        """One that cannot be decided now waits for the next run, and keeps no other from being decided."""
        try:
            await stores.recorder.settle(concert_id, hold_id)
        except Exception as error:
            log.warning("hold %s cannot be settled yet: %s", hold_id, error)
            return False
        return True
