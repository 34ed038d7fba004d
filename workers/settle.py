"""Settles purchases that were begun but never recorded: afterward, each one either has an order or
can never get one.
"""

import asyncio
import logging

from domain.errors import TemporarilyUnavailable, describe_cause
from domain.ids import ConcertId, HoldId
from storage.connect import Stores
from telemetry.outage_log import OutageLog
from workers.concert_worker import RunResult, run_for_all

log = logging.getLogger(__name__)
_outage = OutageLog(log, "settling purchases")

MAX_HOLDS_PER_RUN = 100


class SettleWorker:
    name = "settle"
    active_s = 1.0
    idle_s = 5.0
    """Interval for idle concerts.

    A purchase is settled at the deadline of its hold, and at least a minute after it began (ADR
    11), so a few more seconds do not matter.
    """

    async def run_once(self, stores: Stores) -> int:
        return await run_for_all(self, stores)

    async def run_for(self, stores: Stores, concert_id: ConcertId) -> RunResult:
        overdue = await stores.hot_state.find_overdue_purchases(concert_id, limit=MAX_HOLDS_PER_RUN)
        settled = sum(await asyncio.gather(*[self._settle(stores, concert_id, hold_id) for hold_id in overdue]))
        return RunResult(settled, is_active=bool(overdue))

    async def _settle(self, stores: Stores, concert_id: ConcertId, hold_id: HoldId) -> bool:
        """Settle one purchase, and return whether it could be settled.

        A purchase that cannot be settled now is tried again in the next run, and does not delay the
        others.
        """
        try:
            await stores.order_sync.settle(concert_id, hold_id)
            _outage.succeeded(concert_id)
        except TemporarilyUnavailable as error:
            _outage.failed(concert_id, error)
            return False
        except Exception as error:
            log.warning("hold %s cannot be settled yet: %s", hold_id, describe_cause(error))
            return False
        return True
