"""The store cost of one tick of one publishing process, as a queue has more and more subscribers.

The hub is real, with the real reader, sources and templates; only the sockets are left out, as
one machine cannot open 50,000. The same changes follow each refresh at any size: two called
people leave, so two others are called; two waiting people leave; two sockets close; two people
join and subscribe. Every process renews its lease.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from bench.queueing.background import owned
from bench.queueing.in_process_hub import CountingReader, InProcessHub
from bench.queueing.in_process_queue import InProcessQueue, per_waiter
from bench.queueing.metrics import Metric, growth, median, p99
from domain.ids import ConcertId, PersonId
from settings import Settings
from subscriptions.feed import Feed
from subscriptions.hub import Hub
from subscriptions.publishing.push_intervals import PushIntervals
from workers.concert_worker import ACTIVE_S

OF_EACH = 2
SLOTS = 50
FEWEST = 8
"""Minimum number of refreshes, however long they take: fewer prove nothing."""
SETTLE_S = 0.5
"""Time until the changes caused by all the joins are published."""


@dataclass(frozen=True, slots=True)
class Count:
    looks: int
    commands: int
    """Script calls of the publishing process."""


async def measure(
    queue: InProcessQueue, sizes: Sequence[int], *, seconds: float
) -> tuple[dict[int, Metric], list[Metric]]:
    """Return the commands per tick by size, and the other metrics.

    The bytes in the store are measured at the last size.
    """
    commands: dict[int, Metric] = {}
    others: list[Metric] = []
    for size in sizes:
        concert_id = await queue.concert(SLOTS)
        async with _looked_after(queue, concert_id) as worked:
            people = await queue.join(concert_id, size)
            if size == sizes[-1]:
                others += await _bytes_of_joined(queue, concert_id, size)
            async with _watched(queue, concert_id, people) as line:
                if size == sizes[-1]:
                    others.insert(0, await _bytes_of_watched(queue, concert_id, size))
                commands[size] = await _figure(line, worked, size, seconds)
            others += _per_refresh(line.reader, size)
    flat = growth("commands_growth", commands, "commands per tick, the most over the least", at_most=1.2)
    return commands, [flat, *others]


async def _figure(line: InProcessHub, worked: list[int], size: int, seconds: float) -> Metric:
    line.reader.clear()
    before, looks = await _commands(line, worked), line.reader.looks
    began = time.monotonic()
    while time.monotonic() < began + seconds or line.reader.looks - looks < FEWEST:
        await line.reader.wait_for_refresh()
        await _stir(line)
    count = Count(line.reader.looks - looks, await _commands(line, worked) - before)
    what = "script calls of the watching process a tick, by the store's count; no sockets, an in-process hub"
    return Metric(f"commands_per_tick_{size}", round(count.commands / count.looks, 2), what, count.looks)


async def _commands(line: InProcessHub, worked: list[int]) -> int:
    return await line.queue.script_calls() - line.calls - worked[0]


async def _stir(line: InProcessHub) -> None:
    await asyncio.gather(
        *[line.leave(who) for who in line.called(OF_EACH)],
        *[line.leave(who) for who in line.some_far_behind(OF_EACH)],
    )
    for who in line.some_far_behind(OF_EACH):
        line.close(who)
    line.join(OF_EACH)


def _per_refresh(reader: CountingReader, size: int) -> list[Metric]:
    what = f"from the read of a look to its last delivery, {size:,} waiters"
    return [
        median(f"tick_{size}_p50_ms", reader.took_ms, what),
        p99(f"tick_{size}_p99_ms", reader.took_ms, "the same"),
    ]


@asynccontextmanager
async def _looked_after(queue: InProcessQueue, concert_id: ConcertId) -> AsyncIterator[list[int]]:
    """Run the workers for a concert; yield the list of their script call counts."""
    calls = [0]

    async def work() -> None:
        while True:
            calls[0] += await queue.run_workers(concert_id)
            await asyncio.sleep(ACTIVE_S)

    async with owned(work()):
        yield calls


def server_hub(feed: Feed, reader: CountingReader, queue: InProcessQueue) -> Hub:
    """Return a hub with a server's default settings."""
    settings = Settings()
    return Hub(
        feed,
        reader,
        queue.stores.queues,
        tick_s=settings.push_tick_ms / 1000,
        push_intervals=PushIntervals.from_pairs(settings.push_intervals),
    )


@asynccontextmanager
async def _watched(
    queue: InProcessQueue, concert_id: ConcertId, people: Sequence[PersonId]
) -> AsyncIterator[InProcessHub]:
    async with aclosing(Feed(queue.urls.redis)) as feed:
        await feed.start()
        reader = CountingReader(queue)
        hub = server_hub(feed, reader, queue)
        async with aclosing(hub), InProcessHub.opened(queue, concert_id, hub, reader, people) as line:
            await asyncio.sleep(SETTLE_S)
            yield line


async def _bytes_of_joined(queue: InProcessQueue, concert_id: ConcertId, size: int) -> list[Metric]:
    """Return the memory of all keys of the concert, as the store counts it."""
    before = await queue.bytes_by_kind(concert_id)
    await queue.consume_events(concert_id)
    after = await queue.bytes_by_kind(concert_id)
    return [
        per_waiter("bytes_per_joined_waiter", after, size, "joined, without a socket, events consumed", at_most=400),
        per_waiter("bytes_before_consumed", before, size, "the same, before the events are consumed"),
    ]


async def _bytes_of_watched(queue: InProcessQueue, concert_id: ConcertId, size: int) -> Metric:
    await queue.consume_events(concert_id)
    sizes = await queue.bytes_by_kind(concert_id)
    return per_waiter("bytes_per_waiter", sizes, size, "everybody with a socket, events consumed", at_most=400)
