"""Copies what changed of a concert in MongoDB into the hot state, for whoever could not do so at the time."""

from storage.connect import Stores
from workers.living import LivingConcerts


class ApplyWorker:
    name = "apply"
    interval_s = 5.0

    def __init__(self) -> None:
        self._living = LivingConcerts()

    async def run_once(self, stores: Stores) -> int:
        concerts = await self._living.get(stores)
        return sum([await stores.capacity.tell(concert) for concert in concerts])
