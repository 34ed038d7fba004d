"""Takes units off sale or puts them back after a capacity has changed, a few thousand at a time."""

import logging

from domain.errors import TemporarilyUnavailable, describe_cause
from domain.ids import ConcertId
from storage.connect import Stores
from telemetry.outage_log import OutageLog

log = logging.getLogger(__name__)
_outage = OutageLog(log, "moving units after capacity changes")

MAX_ROUNDS_PER_RUN = 10
"""Maximum number of rounds in one run for a concert. The next run moves the rest."""


class CapacityWorker:
    name = "capacity"
    interval_s = 0.5

    async def run_once(self, stores: Stores) -> int:
        concerts = await stores.concert_cache.list_all()
        moving = [concert.id for concert in concerts if any(tier.to_withdraw for tier in concert.tiers)]
        return sum([await self._move(stores, concert_id) for concert_id in moving])

    async def _move(self, stores: Stores, concert_id: ConcertId) -> int:
        """Move units for one concert. A failure does not delay the other concerts."""
        try:
            moved = await stores.house_units.advance(concert_id, rounds=MAX_ROUNDS_PER_RUN)
            concert = await stores.concerts.get(concert_id)
        except TemporarilyUnavailable as error:
            _outage.failed(concert_id, error)
            return 0
        except Exception as error:
            log.warning("units of concert %s cannot be moved yet: %s", concert_id, describe_cause(error))
            return 0
        _outage.succeeded(concert_id)
        if concert is not None:
            stores.concert_cache.put(concert)
        return moved
