"""Gives the stock of holds that are over back, well within a second; and is the first to notice a store that forgot."""

import asyncio

from domain.ids import ConcertId
from storage.connect import Stores

MAX_HOLDS_A_RUN = 500
"""Some 10 ms of script."""


class ExpiryWorker:
    name = "expiry"
    interval_s = 0.2

    async def run_once(self, stores: Stores) -> int:
        concerts = await stores.living.get()
        return sum(await asyncio.gather(*[self._expire(stores, concert.id) for concert in concerts]))

    async def _expire(self, stores: Stores, concert_id: ConcertId) -> int:
        total = 0
        while True:
            word, expired = await stores.hot.expire_holds(concert_id, limit=MAX_HOLDS_A_RUN)
            if word != "EXPIRED":
                stores.recovery.start(concert_id)
            total += expired
            if expired < MAX_HOLDS_A_RUN:
                return total
