"""Moves the units of changed capacities off sale or back, a few thousand at a time."""

import logging

from domain.errors import TemporarilyUnavailable, describe_cause
from domain.ids import ConcertId
from storage.connect import Stores
from storage.outage_log import OutageLog

log = logging.getLogger(__name__)
_outage = OutageLog(log, "moving the units of changed capacities")

ROUNDS_A_RUN = 10
"""A concert with more to move continues after the others."""


class CapacityWorker:
    name = "capacity"
    interval_s = 0.5

    async def run_once(self, stores: Stores) -> int:
        concerts = await stores.concert_cache.list_all()
        moving = [concert.id for concert in concerts if any(tier.to_withdraw for tier in concert.tiers)]
        return sum([await self._move(stores, concert_id) for concert_id in moving])

    async def _move(self, stores: Stores, concert_id: ConcertId) -> int:
        """Move units of one concert. A concert that fails does not delay the others."""
        try:
            moved = await stores.house_units.advance(concert_id, rounds=ROUNDS_A_RUN)
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
