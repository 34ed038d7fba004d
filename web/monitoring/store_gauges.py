"""Gauges that are read from the stores when they are scraped, so every process shows the same ones.

While a store does not answer, or its gauges cannot be computed, they are missing, because an old
value would look like a current one.
"""

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from domain.errors import TemporarilyUnavailable
from storage.connect import Stores
from telemetry.counters import metrics_left_out
from telemetry.outage_log import OutageLog

log = logging.getLogger(__name__)

REFRESH_S = 10.0
"""The shortest time between two reads by a process, however often it is scraped."""
WITHIN_S = 5.0


class StoreGauges(ABC):
    name: str
    """The gauge `onsale_<name>_gauges_read` is 1 if the store answered."""
    store: str

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._clock = clock
        self._now = now
        self._reading = asyncio.Lock()
        self._read_at = float("-inf")
        self._shown = b""
        self._outage = OutageLog(log, f"reading the {self.name} gauges")

    @abstractmethod
    async def fill(self, registry: CollectorRegistry, stores: Stores, now: datetime) -> None:
        """Read the gauges and add them to the registry. Raises TemporarilyUnavailable."""

    async def show(self, stores: Stores) -> bytes:
        """Return the gauges in Prometheus format."""
        async with self._reading:
            if self._clock() - self._read_at >= REFRESH_S:
                self._shown = await self._read(stores)
                self._read_at = self._clock()
            return self._shown

    async def _read(self, stores: Stores) -> bytes:
        """Return the gauges, or only that they could not be read."""
        registry = CollectorRegistry()
        try:
            async with asyncio.timeout(WITHIN_S):
                await self.fill(registry, stores, self._now())
            self._add_read(registry, 1)
            shown = generate_latest(registry)
        except Exception as error:
            if not isinstance(error, (TemporarilyUnavailable, TimeoutError)):
                metrics_left_out.labels(f"onsale_{self.name}_gauges").inc()
            self._outage.failed("gauges", error)
        else:
            self._outage.succeeded("gauges")
            return shown
        registry = CollectorRegistry()
        self._add_read(registry, 0)
        return generate_latest(registry)

    def _add_read(self, registry: CollectorRegistry, value: int) -> None:
        about = f"1 if {self.store} answered, otherwise 0."
        Gauge(f"onsale_{self.name}_gauges_read", about, registry=registry).set(value)
