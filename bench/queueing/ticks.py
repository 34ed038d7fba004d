"""Measures how much work a tick of one publishing process causes in the store as the queue grows.

The hub, its reader, its sources and its templates are real; only the sockets are left out, because
one machine cannot open 50,000 of them. At every size, each refresh is followed by the same changes:
two called people leave, so two others are called; two waiting people leave; two subscriptions
close; and two people join and subscribe. The process also renews its lease.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from bench.clients.background import run_in_background
from bench.metrics import Metric, growth, median, p99
from bench.queueing.in_process_hub import CountingReader, InProcessHub
from bench.queueing.in_process_queue import InProcessQueue, per_waiter
from domain.ids import ConcertId, PersonId
from settings import Settings
from subscriptions.feed import Feed
from subscriptions.hub import Hub
from subscriptions.publishing.push_intervals import PushIntervals
from workers.concert_worker import ACTIVE_S

CHANGES_OF_EACH_KIND = 2
SLOTS = 50
MIN_REFRESHES = 8
"""The minimum number of refreshes to measure, however long they take."""
SETTLE_S = 0.5
"""Enough time to publish all changes caused by the joins."""
REPORTED_WITHIN_S = 60.0
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Count:
    refreshes: int
    commands: int
    """Script calls by the publishing process."""


async def measure(
    queue: InProcessQueue, sizes: Sequence[int], *, seconds: float, document: str
) -> tuple[dict[int, Metric], list[Metric]]:
    """Return the commands per tick by size, and the other metrics.

    The memory use of the store is measured only at the last size.
    """
    commands: dict[int, Metric] = {}
    others: list[Metric] = []
    for size in sizes:
        concert_id = await queue.open_concert(SLOTS)
        async with _run_workers(queue, concert_id) as worker_calls:
            people = await queue.join(concert_id, size)
            if size == sizes[-1]:
                others += await _measure_joined_bytes(queue, concert_id, size)
            async with _open_hub(queue, concert_id, people, document) as hub:
                if size == sizes[-1]:
                    others.insert(0, await _measure_subscribed_bytes(queue, concert_id, size))
                commands[size] = await _measure_tick(hub, worker_calls, size, seconds)
            others += _refresh_times(hub.reader, size)
    flat = growth("commands_growth", commands, "commands per tick, largest divided by smallest", at_most=1.2)
    return commands, [flat, *others]


async def _measure_tick(hub: InProcessHub, worker_calls: list[int], size: int, seconds: float) -> Metric:
    hub.reader.clear()
    before, refreshes = await _count_commands(hub, worker_calls), hub.reader.refreshes
    began = time.monotonic()
    while time.monotonic() < began + seconds or hub.reader.refreshes - refreshes < MIN_REFRESHES:
        await hub.reader.wait_for_refresh()
        await _change_queue(hub)
    count = Count(hub.reader.refreshes - refreshes, await _count_commands(hub, worker_calls) - before)
    what = "script calls by the publishing process per tick, counted by the store; in-process hub, no sockets"
    return Metric(f"commands_per_tick_{size}", round(count.commands / count.refreshes, 2), what, count.refreshes)


async def _count_commands(hub: InProcessHub, worker_calls: list[int]) -> int:
    return await hub.queue.script_calls() - hub.calls - worker_calls[0]


async def _change_queue(hub: InProcessHub) -> None:
    await asyncio.gather(
        *[hub.leave(person_id) for person_id in hub.take_first(CHANGES_OF_EACH_KIND)],
        *[hub.leave(person_id) for person_id in hub.take_from_back_half(CHANGES_OF_EACH_KIND)],
    )
    for person_id in hub.take_from_back_half(CHANGES_OF_EACH_KIND):
        hub.close(person_id)
    hub.join(CHANGES_OF_EACH_KIND)


def _refresh_times(reader: CountingReader, size: int) -> list[Metric]:
    what = f"from the start of a refresh to its last delivery, with {size:,} people waiting"
    return [
        median(f"tick_{size}_p50_ms", reader.took_ms, what),
        p99(f"tick_{size}_p99_ms", reader.took_ms, "the same"),
    ]


@asynccontextmanager
async def _run_workers(queue: InProcessQueue, concert_id: ConcertId) -> AsyncIterator[list[int]]:
    """Run the workers for a concert; yield a list that holds the number of their script calls."""
    calls = [0]

    async def work() -> None:
        while True:
            calls[0] += await queue.run_workers(concert_id)
            await asyncio.sleep(ACTIVE_S)

    async with run_in_background(work()):
        yield calls


def make_hub(feed: Feed, reader: CountingReader, queue: InProcessQueue) -> Hub:
    """Return a hub with the default settings of a server."""
    settings = Settings()
    return Hub(
        feed,
        reader,
        queue.stores.queues,
        tick_s=settings.push_tick_ms / 1000,
        push_intervals=PushIntervals.from_pairs(settings.push_intervals),
    )


@asynccontextmanager
async def _open_hub(
    queue: InProcessQueue, concert_id: ConcertId, people: Sequence[PersonId], document: str
) -> AsyncIterator[InProcessHub]:
    async with aclosing(Feed(queue.urls.redis)) as feed:
        await feed.start()
        reader = CountingReader(queue)
        hub = make_hub(feed, reader, queue)
        async with (
            aclosing(hub),
            InProcessHub.opened(queue, concert_id, hub, reader, people, document=document) as opened,
        ):
            await _wait_for_presence(queue, concert_id)
            await asyncio.sleep(SETTLE_S)
            yield opened


async def _wait_for_presence(queue: InProcessQueue, concert_id: ConcertId) -> None:
    """Wait until the hub has reported a connection for every waiting person to the store."""
    async with asyncio.timeout(REPORTED_WITHIN_S):
        while True:
            if await queue.count_absent(concert_id) == 0:
                return
            await asyncio.sleep(POLL_S)


async def _measure_joined_bytes(queue: InProcessQueue, concert_id: ConcertId, size: int) -> list[Metric]:
    """Return the memory use of the concert's keys, before and after its events are consumed."""
    before = await queue.bytes_by_kind(concert_id)
    await queue.consume_events(concert_id)
    after = await queue.bytes_by_kind(concert_id)
    return [
        per_waiter("bytes_per_joined_waiter", after, size, "joined, without a socket, events consumed", at_most=400),
        per_waiter("bytes_before_consumed", before, size, "the same, before the events are consumed"),
    ]


async def _measure_subscribed_bytes(queue: InProcessQueue, concert_id: ConcertId, size: int) -> Metric:
    await queue.consume_events(concert_id)
    sizes = await queue.bytes_by_kind(concert_id)
    return per_waiter("bytes_per_waiter", sizes, size, "each person with a subscription, events consumed", at_most=400)
