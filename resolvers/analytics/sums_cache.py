"""The figures that a process has summed recently, shared by all requests and subscriptions.

Dashboards ask for the same figures again and again, and each sum reads all rows of a concert. Equal
requests share one read, only a few reads run at the same time, and figures that took long to read
are kept longer. A slow read moves to separate slots, so that it does not delay the others. A
request waits only a few seconds. The read then continues without it, and the next request finds the
result.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Hashable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from domain.errors import TemporarilyUnavailable
from storage.connect import Stores
from storage.sync.single_flight import SingleFlight

Figures = TypeVar("Figures")

MAX_KEPT = 1_000
MAX_READS = 4
MAX_SLOW_READS = 2
SLOW_AFTER_S = 1.0
"""Figures whose last read took longer are read in the slots for slow reads."""
KEPT_PER_READ = 20
"""The minimum time for which figures are kept, as a multiple of the time it took to read them."""
WAIT_S = 5.0
STALE_WAIT_S = 1.0
"""How long a request waits before it gets older figures. A subscription needs its figures sooner.
"""


@dataclass(frozen=True, slots=True)
class Question(Generic[Figures]):
    """A sum to read, and how old it may be."""

    key: Hashable
    """Everything on which the figures depend, such as the concert."""
    read: Callable[[], Coroutine[Any, Any, Figures]]
    max_age_s: float
    max_stale_s: float = 0.0
    """How old figures may be if newer ones cannot be read within a second."""


@dataclass(frozen=True, slots=True)
class _Kept:
    read_at: float
    took_s: float
    result: object


@dataclass(slots=True)
class SumsCache:
    """A cache of figures, which are read in detached tasks of the stores."""

    clock: Callable[[], float] = time.monotonic
    wait_s: float = WAIT_S
    stale_wait_s: float = STALE_WAIT_S
    slow_after_s: float = SLOW_AFTER_S
    _kept: dict[Hashable, _Kept] = field(default_factory=dict)
    """Oldest first."""
    _reads: SingleFlight[Hashable, _Kept] = field(default_factory=SingleFlight)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_READS))
    _slow_slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_SLOW_READS))

    async def get(self, stores: Stores, question: Question[Figures]) -> Figures:
        """Return the figures.

        Raises TemporarilyUnavailable if they cannot be read, or not in time.
        """
        kept, now = self._kept.get(question.key), self.clock()
        if kept is not None and now - kept.read_at <= max(question.max_age_s, KEPT_PER_READ * kept.took_s):
            return cast("Figures", kept.result)
        reading = self._reads.start(question.key, lambda: self._read(question), owner=stores.detached_tasks)
        may_be_stale = kept is not None and now - kept.read_at <= question.max_stale_s
        await asyncio.wait({reading}, timeout=self.stale_wait_s if may_be_stale else self.wait_s)
        if reading.done():
            return cast("Figures", reading.result().result)
        if kept is not None and may_be_stale:
            return cast("Figures", kept.result)
        raise TemporarilyUnavailable("The figures of this concert are still being summed", retry_after_s=2)

    async def _read(self, question: Question[Any]) -> _Kept:
        before = self._kept.get(question.key)
        if before is not None and before.took_s > self.slow_after_s:
            async with self._slow_slots:
                kept = await self._time(question.read())
        else:
            kept = await self._read_fast(question)
        self._kept.pop(question.key, None)
        if len(self._kept) >= MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[question.key] = kept
        return kept

    async def _read_fast(self, question: Question[Any]) -> _Kept:
        """Read in one of the usual slots, and move to a slot for slow reads when the read is slow.
        If none is free, the read keeps its slot.
        """
        async with AsyncExitStack() as slot:
            await slot.enter_async_context(self._slots)
            reading = asyncio.create_task(self._time(question.read()))
            try:
                await asyncio.wait({reading}, timeout=self.slow_after_s)
                if not reading.done() and not self._slow_slots.locked():
                    async with self._slow_slots:
                        await slot.aclose()
                        return await reading
                return await reading
            finally:
                reading.cancel()
                await asyncio.wait({reading})

    async def _time(self, read: Coroutine[Any, Any, Any]) -> _Kept:
        read_at = self.clock()
        result = await read
        return _Kept(read_at, self.clock() - read_at, result)
