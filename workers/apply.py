"""Copies changes to concerts from MongoDB into the hot state if the process that made them could
not.

It also settles lower capacities that such a process proposed but never saved.
"""

import asyncio
import logging

from domain.concerts import Concert
from domain.errors import TemporarilyUnavailable, describe_cause
from storage.connect import Stores
from storage.sync.concert_writer import LostKeys
from telemetry.outage_log import OutageLog

log = logging.getLogger(__name__)
_outage = OutageLog(log, "applying changed concerts")


class ApplyWorker:
    name = "apply"
    interval_s = 5.0

    async def run_once(self, stores: Stores) -> int:
        return sum(
            await asyncio.gather(*[self._apply(stores, concert) for concert in await stores.concert_cache.list_all()])
        )

    async def _apply(self, stores: Stores, concert: Concert) -> bool:
        try:
            is_changed = await stores.concert_writer.sync_if_changed(concert)
        except LostKeys:
            return await stores.recovery.rebuild(concert.id, from_scratch=True)
        except TemporarilyUnavailable as error:
            _outage.failed(concert.id, error)
            return False
        except Exception as error:
            log.warning("concert %s cannot be applied yet: %s", concert.id, describe_cause(error))
            return False
        _outage.succeeded(concert.id)
        return is_changed
