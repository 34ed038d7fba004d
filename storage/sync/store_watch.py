"""Watches the stores of a process even if it has no calls, so that a process that was taken out of
rotation notices when it is at the right store again, and others notice that it uses its store.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from typing import Protocol

from domain.errors import TemporarilyUnavailable
from storage.hot.hot_state import HotState
from storage.mongo.installation import StoreLeases
from storage.sync.concert_cache import REFRESH_S, ConcertCache
from telemetry.outage_log import OutageLog

log = logging.getLogger(__name__)
_outage = OutageLog(log, "watching the stores")

RENEW_EVERY_S = 10.0
"""A sixth of the time after which another store takes concerts back."""


COMPARE_EVERY_S = 10.0


class Check(Protocol):
    async def check(self) -> None: ...


class StoreWatch:
    def __init__(
        self,
        concert_cache: ConcertCache,
        hot_state: HotState,
        leases: StoreLeases,
        *,
        layout: Check,
        clocks: Check,
        address: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`address` is how operators know the stock store."""
        self._concert_cache = concert_cache
        self._hot_state = hot_state
        self._leases = leases
        self._layout = layout
        self._clocks = clocks
        self._address = address
        self._clock = clock
        self._renewed_s = self._compared_s = float("-inf")

    async def run_forever(self) -> None:
        while True:
            await self.run_once()
            await asyncio.sleep(REFRESH_S)

    async def run_once(self) -> None:
        """Check the layout, read the list of concerts, which also compares it with the store, and
        in longer intervals renew the lease and compare the clocks.
        """
        try:
            await self._layout.check()
            await self._concert_cache.list_all()
            if self._clock() - self._compared_s >= COMPARE_EVERY_S:
                self._compared_s = self._clock()
                await self._clocks.check()
            if self._clock() - self._renewed_s >= RENEW_EVERY_S:
                await self.renew()
        except TemporarilyUnavailable as error:
            _outage.failed("lease", error)
        except Exception:
            log.exception("the stores could not be watched")
        else:
            _outage.succeeded("lease")

    async def renew(self) -> None:
        """Renew the lease of the stock store if it accepts writes.

        Raises TemporarilyUnavailable.
        """
        await self._hot_state.require_writes()
        await self._leases.renew(self._hot_state.incarnation, address=self._address, host=socket.gethostname())
        self._renewed_s = self._clock()
