"""Calls people in order as slots and the minute allow, and ends calls, passes and absences that are over."""

import asyncio

from domain.ids import ConcertId
from storage.connect import Stores

BOUND = 1_000


class AdmissionWorker:
    name = "admission"
    interval_s = 0.2

    async def run_once(self, stores: Stores) -> int:
        rooms = [concert.id for concert in await stores.living.get() if concert.room.is_on]
        return sum(await asyncio.gather(*[self._admit(stores, concert_id) for concert_id in rooms]))

    async def _admit(self, stores: Stores, concert_id: ConcertId) -> int:
        total = 0
        while True:
            word, called, is_bounded = await stores.hot.admit(concert_id, bound=BOUND)
            if word != "RAN":
                stores.recovery.start(concert_id)
            total += called
            if not is_bounded:
                return total
