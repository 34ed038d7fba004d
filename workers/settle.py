"""Decides purchases that were begun and never recorded: an order, or no order ever."""

from storage.connect import Stores
from workers.living import LivingConcerts

MAX_HOLDS_A_RUN = 100


class SettleWorker:
    name = "settle"
    interval_s = 1.0

    def __init__(self) -> None:
        self._living = LivingConcerts()

    async def run_once(self, stores: Stores) -> int:
        settled = 0
        for concert in await self._living.get(stores):
            for hold_id in await stores.hot.find_overdue(concert.id, limit=MAX_HOLDS_A_RUN):
                await stores.recorder.settle(concert.id, hold_id)
                settled += 1
        return settled
