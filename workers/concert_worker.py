"""Shared parts of the workers that process each concert separately: the protocol, the intervals,
and the functions that run one round.

A failure for one concert does not delay the others.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from math import isfinite
from typing import Protocol

from domain.ids import ConcertId
from storage.connect import Stores
from telemetry import metrics
from telemetry.outage_log import OutageLog
from workers.schedule import Schedule

ACTIVE_S = 0.2
"""Interval for active concerts. Freed slots and stock become available well within a second."""
IDLE_S = 2.0
"""Interval for idle concerts. It must be shorter than five seconds: if no worker runs for
that long, deadlines no longer take effect.
"""
MAX_REPEATS = 5
"""Maximum number of batches in one run for a concert.

The next run does the rest, so the other concerts get their turn in between.
"""


@dataclass(frozen=True, slots=True)
class RunResult:
    done: int
    is_active: bool
    """True if the concert has work in progress and is due again soon."""


class ConcertWorker(Protocol):
    """A worker that processes each concert separately.

    `run_for` does a limited amount of work for one concert; calls for the same concert may overlap.
    `run_once` calls it for every concert.
    """

    name: str
    active_s: float
    idle_s: float

    async def run_for(self, stores: Stores, concert_id: ConcertId) -> RunResult: ...

    async def run_once(self, stores: Stores) -> int: ...


async def run_for_all(worker: ConcertWorker, stores: Stores) -> int:
    """Run the worker for every concert, and return how much was done.

    Raises the first failure, after the worker has run for all concerts.
    """
    concerts = [concert.id for concert in await stores.concert_cache.list_all()]
    results = (await _run_each(worker, stores, concerts)).values()
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return sum(result.done for result in results if isinstance(result, RunResult))


async def run_due(worker: ConcertWorker, stores: Stores, schedule: Schedule, outage: OutageLog) -> int:
    """Run the worker for the concerts that are due, and return how much was done.

    The failures for concerts are recorded in `outage`.
    """
    due = schedule.due([concert.id for concert in await stores.concert_cache.list_all()])
    done = 0
    for concert_id, result in (await _run_each(worker, stores, due)).items():
        if isinstance(result, RunResult):
            if result.done and isfinite(delay_s := schedule.longest_delay_s(concert_id)):
                metrics.worker_delay_seconds.observe(delay_s, worker.name)
            schedule.completed(concert_id, is_active=result.is_active)
            done += result.done
            outage.succeeded(concert_id)
        else:
            schedule.failed(concert_id)
            outage.failed(concert_id, result, about=f"concert {concert_id}")
    return done


async def _run_each(
    worker: ConcertWorker, stores: Stores, concerts: Collection[ConcertId]
) -> dict[ConcertId, RunResult | BaseException]:
    results = await asyncio.gather(*[worker.run_for(stores, id_) for id_ in concerts], return_exceptions=True)
    return dict(zip(concerts, results, strict=True))
