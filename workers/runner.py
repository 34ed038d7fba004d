"""Runs workers at their intervals until canceled, and backs off after failures."""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

from domain.ids import ConcertId
from mail.mailer import Mailer
from payments.saga.order_payments import OrderPayments
from payments.unreachable import UnreachableProvider
from storage.connect import Stores
from storage.keys import EFFECTS_CHANNEL, PAYMENT_EVENTS_CHANNEL, WORK_CHANNEL
from subscriptions.feed import GAP, Feed
from telemetry.outage_log import OutageLog
from workers.admission import AdmissionWorker
from workers.apply import ApplyWorker
from workers.cancellation import CancellationWorker
from workers.capacity import CapacityWorker
from workers.concert_worker import ConcertWorker, run_due
from workers.documents.sweep import DocumentSweepWorker
from workers.effects.handlers import EffectHandlers
from workers.effects.worker import EffectsWorker
from workers.expiry import ExpiryWorker
from workers.history import HistoryWorker
from workers.images.sweep import ImageSweepWorker
from workers.mail.notices import NoticeWorker
from workers.mail.sending import MailWorker
from workers.opening import OpeningWorker
from workers.orders import OrderWorker
from workers.payment_events import PaymentEventsWorker
from workers.reconcile import ReconcileWorker
from workers.record import RecordWorker
from workers.schedule import Schedule
from workers.settle import SettleWorker

log = logging.getLogger(__name__)

LONGEST_BACK_OFF_S = 2.0
"""The longest back-off.

Deadlines stop taking effect once no worker has run for five seconds. This value is shorter, so a
short outage does not start a grace period.
"""


class Worker(Protocol):
    """A worker that runs once per interval.

    `run_once` does a limited amount of work and returns how much it did; several calls may overlap.
    """

    name: str
    interval_s: float

    async def run_once(self, stores: Stores) -> int: ...


class PaymentWorker(Worker, Protocol):
    """A worker that needs the payments of its process."""

    def __init__(self, payments: OrderPayments) -> None: ...


WORKERS: tuple[type[Worker], ...] = (
    RecordWorker,
    ApplyWorker,
    CapacityWorker,
    OpeningWorker,
    NoticeWorker,
    ImageSweepWorker,
)
CONCERT_WORKERS = (ExpiryWorker, AdmissionWorker, SettleWorker, HistoryWorker)
PAYMENT_WORKERS: tuple[type[PaymentWorker], ...] = (
    OrderWorker,
    PaymentEventsWorker,
    CancellationWorker,
    ReconcileWorker,
)
CALLING_PROVIDER = (OrderWorker.name, PaymentEventsWorker.name, ReconcileWorker.name)
"""The workers that lease work and then call the payment provider. Without one, they would only keep
the work from processes that have one.
"""
ALL = (
    *(worker.name for worker in CONCERT_WORKERS),
    *(worker.name for worker in WORKERS),
    *(worker.name for worker in PAYMENT_WORKERS),
    EffectsWorker.name,
    DocumentSweepWorker.name,
    MailWorker.name,
)

_CHANNELS = {PaymentEventsWorker.name: PAYMENT_EVENTS_CHANNEL, EffectsWorker.name: EFFECTS_CHANNEL}
"""The channels whose hints wake workers, by the name of the worker."""


async def run_workers(
    stores: Stores,
    redis_url: str,
    names: Sequence[str] = ALL,
    *,
    payments: OrderPayments | None = None,
    effect_handlers: EffectHandlers | None = None,
    mailer: Mailer | None = None,
    fonts: str = "",
) -> None:
    """Run the named workers until canceled. Each name must be in `ALL`.

    Without `payments`, no call reaches a payment provider. Effects without a handler stay due.
    Without `mailer`, mails stay in the outbox. `fonts` is the fingerprint of the fonts with which
    documents are made.
    """
    payments = payments or OrderPayments(stores, UnreachableProvider())
    workers: dict[str, Worker] = {worker.name: worker() for worker in WORKERS if worker.name in names}
    workers |= {worker.name: worker(payments) for worker in PAYMENT_WORKERS if worker.name in names}
    if EffectsWorker.name in names:
        workers[EffectsWorker.name] = EffectsWorker(effect_handlers or {}, reached=payments.reached)
    if DocumentSweepWorker.name in names:
        workers[DocumentSweepWorker.name] = DocumentSweepWorker(fonts)
    if mailer is not None and MailWorker.name in names:
        workers[MailWorker.name] = MailWorker(mailer)
    concert_workers = {worker.name: worker for worker in CONCERT_WORKERS}
    async with _listen_for_work(stores, redis_url) as listening, asyncio.TaskGroup() as group:
        schedules = listening.schedules
        for name in names:
            if name == MailWorker.name and mailer is None:
                continue
            if name in workers:
                group.create_task(run_forever(workers[name], stores, woken=listening.events.get(name)))
            else:
                worker = concert_workers[name]()
                schedules.append(Schedule(active_s=worker.active_s, idle_s=worker.idle_s))
                group.create_task(run_schedule_forever(worker, stores, schedules[-1]))


async def run_forever(worker: Worker, stores: Stores, *, woken: asyncio.Event | None = None) -> None:
    """Run the worker forever. `woken` ends the pause after a successful run."""
    woken = woken or asyncio.Event()
    failures, outage = 0, _outage_of(worker.name)
    while True:
        woken.clear()
        failures = await _attempt(worker.name, lambda: worker.run_once(stores), failures, outage)
        pause_s = _pause_s(worker.interval_s, failures)
        if failures:
            await asyncio.sleep(pause_s)
        else:
            # In Python 3.11, `wait_for` loses a cancellation that comes together with a hint.
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await woken.wait()


async def run_schedule_forever(worker: ConcertWorker, stores: Stores, schedule: Schedule) -> None:
    """Run the worker for its due concerts, forever.

    After a failure, the schedule pauses only the concert that failed. Only a failure to list the
    concerts delays all of them.
    """
    failures, outage = 0, _outage_of(worker.name)
    while True:
        failures = await _attempt(worker.name, lambda: run_due(worker, stores, schedule, outage), failures, outage)
        await schedule.wait()


def _outage_of(worker: str) -> OutageLog:
    return OutageLog(log, f"worker {worker}")


async def _attempt(name: str, work: Callable[[], Awaitable[int]], failures: int, outage: OutageLog) -> int:
    """Run the work once, and return how many attempts in a row have failed."""
    started = time.monotonic()
    try:
        done = await work()
    except Exception as error:
        outage.failed(name, error)
        return failures + 1
    outage.succeeded(name)
    if done:
        log.debug("worker %s: %d done in %.0f ms", name, done, (time.monotonic() - started) * 1000)
    return 0


def _pause_s(interval_s: float, failures: int) -> float:
    """Return the pause in seconds, which doubles with each failure up to a limit.

    A jitter of ten percent keeps several hosts from running in lockstep.
    """
    pause_s = interval_s if failures == 0 else min(max(interval_s, 0.1) * 2**failures, LONGEST_BACK_OFF_S)
    return max(pause_s, interval_s) * random.uniform(0.9, 1.1)  # noqa: S311


@dataclass(frozen=True, slots=True)
class _Listening:
    """Objects that messages wake. A missed message delays the work by at most the idle interval."""

    schedules: list[Schedule] = field(default_factory=list)
    """The schedules in which a concert with new work becomes due. The caller adds them."""
    events: dict[str, asyncio.Event] = field(default_factory=lambda: {name: asyncio.Event() for name in _CHANNELS})
    """Set when the worker with this name has new work."""


@asynccontextmanager
async def _listen_for_work(stores: Stores, redis_url: str) -> AsyncIterator[_Listening]:
    listening = _Listening()
    schedules = listening.schedules

    def on_message(message: str) -> None:
        for schedule in schedules:
            if message == GAP:
                schedule.wake_all()
            elif not schedule.wake(ConcertId(message)):
                stores.concert_cache.refresh_for(ConcertId(message))

    async with aclosing(Feed(redis_url)) as feed:
        await feed.start()
        feed.listen(WORK_CHANNEL, on_message)
        for name, channel in _CHANNELS.items():
            feed.listen(channel, _setter(listening.events[name]))
        yield listening


def _setter(event: asyncio.Event) -> Callable[[str], None]:
    return lambda _: event.set()
