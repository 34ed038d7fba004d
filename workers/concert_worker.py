"""What workers share that look at one concert after the other: their protocol, their pace, and a turn of theirs.

A concert that cannot be looked at keeps no other from it.
"""

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from domain.ids import ConcertId
from storage.connect import Stores
from workers.schedule import Schedule

log = logging.getLogger(__name__)

ACTIVE_S = 0.2
"""A freed slot and an ended hold are to be used again well within a second."""
IDLE_S = 2.0
"""Below the five seconds after which a concert counts as not looked after."""
MAX_REPEATS = 5
"""Runs of one look: a concert with more to do goes on at its next turn, and the others have theirs in between."""


@dataclass(frozen=True, slots=True)
class RunResult:
    done: int
    is_active: bool
    """Something is under way there, so it is looked at again soon."""


class ConcertWorker(Protocol):
    """`look` does one bounded piece of work and may run twice at once; `run_once` is a look at every concert."""

    name: str
    active_s: float
    idle_s: float

    async def run_for(self, stores: Stores, concert_id: ConcertId) -> RunResult: ...

    async def run_once(self, stores: Stores) -> int: ...


async def run_for_all(worker: ConcertWorker, stores: Stores) -> int:
    """How much was done. Raises what went wrong first, after everything else was done."""
    concerts = [concert.id for concert in await stores.concert_cache.list_all()]
    results = (await _run_each(worker, stores, concerts)).values()
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return sum(result.done for result in results if isinstance(result, RunResult))


async def run_due(worker: ConcertWorker, stores: Stores, schedule: Schedule) -> int:
    """`run_for_all` for the concerts whose time has come. What goes wrong at one is logged when it begins."""
    due = schedule.due([concert.id for concert in await stores.concert_cache.list_all()])
    failures: list[tuple[ConcertId, BaseException]] = []
    done = 0
    for concert_id, result in (await _run_each(worker, stores, due)).items():
        if isinstance(result, RunResult):
            schedule.completed(concert_id, is_active=result.is_active)
            done += result.done
        elif schedule.failed(concert_id):
            failures.append((concert_id, result))
    if failures:
        log.warning("worker %s failed for %d concerts, first for %s with: %s", worker.name, len(failures), *failures[0])
    return done


async def _run_each(
    worker: ConcertWorker, stores: Stores, concerts: Collection[ConcertId]
) -> dict[ConcertId, RunResult | BaseException]:
    results = await asyncio.gather(*[worker.run_for(stores, id_) for id_ in concerts], return_exceptions=True)
    return dict(zip(concerts, results, strict=True))
