"""Owns what all workers share: the loop, its pace, back-off after a failure, and the stop."""

import asyncio
import logging
import random
import time
from collections.abc import Sequence
from typing import Protocol

from storage.connect import Stores
from workers.admission import AdmissionWorker
from workers.apply import ApplyWorker
from workers.expiry import ExpiryWorker
from workers.record import RecordWorker
from workers.settle import SettleWorker

log = logging.getLogger(__name__)

LONGEST_BACK_OFF_S = 2.0
"""Below the five seconds after which deadlines stop to count, so that a short outage costs no grace."""


class Worker(Protocol):
    """`run_once` does one bounded piece of work, may run twice at once, and says how much it did."""

    name: str
    interval_s: float

    async def run_once(self, stores: Stores) -> int: ...


WORKERS = (ExpiryWorker, AdmissionWorker, SettleWorker, RecordWorker, ApplyWorker)
ALL = tuple(worker.name for worker in WORKERS)


async def run_workers(stores: Stores, names: Sequence[str] = ALL) -> None:
    """Runs the named workers until cancelled. Raises KeyError for a name that is none."""
    made = {worker.name: worker for worker in WORKERS}
    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(run_for_ever(made[name](), stores))


async def run_for_ever(worker: Worker, stores: Stores) -> None:
    failures = 0
    while True:
        started = time.monotonic()
        try:
            done = await worker.run_once(stores)
            if done:
                log.debug("worker %s: %d done in %.0f ms", worker.name, done, (time.monotonic() - started) * 1000)
            failures = 0
        except Exception as error:
            failures += 1
            # The first of a row tells the story; the rest would bury it.
            level = logging.WARNING if failures == 1 else logging.DEBUG
            log.log(level, "worker %s failed: %s", worker.name, error)
        await asyncio.sleep(_pause_s(worker.interval_s, failures))


def _pause_s(interval_s: float, failures: int) -> float:
    """Doubles with each failure up to a bound; a tenth of jitter keeps several hosts from marching in step."""
    pause_s = interval_s if failures == 0 else min(max(interval_s, 0.1) * 2**failures, LONGEST_BACK_OFF_S)
    return max(pause_s, interval_s) * random.uniform(0.9, 1.1)
