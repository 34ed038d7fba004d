"""Subscribers that come and go while the hub reads and delivers: none gets an older state."""

import asyncio
import random
from collections.abc import Iterable, Sized
from functools import partial
from typing import Any

import pytest

from domain.topics import StockSnapshot, StockTopic
from resolvers.snapshots import StoreSnapshotReader
from resolvers.wait_tables import WaitTableCache
from storage.connect import Stores
from subscriptions.hub import Hub
from subscriptions.interfaces import Rendered
from tests.support.hub_recorder import SnapshotRecorder, check_rising, open_hub, subscribe
from tests.support.sale import PASSES, hold, on_sale
from tests.support.waiting import wait_until

COUNT = 450
"""More than two slices of a fan-out."""


class HeldSnapshots:
    """Holds back a snapshot that has been read, until the test releases it."""

    def __init__(self, reader: StoreSnapshotReader, monkeypatch: pytest.MonkeyPatch) -> None:
        self.was_read, self.may_go = asyncio.Event(), asyncio.Event()
        self.may_go.set()
        self._read = reader.read_snapshot
        monkeypatch.setattr(reader, "read_snapshot", self._read_and_keep)

    def keep(self) -> None:
        self.was_read.clear()
        self.may_go.clear()

    async def _read_and_keep(self, *args: Any, **options: Any) -> object:
        snapshot = await self._read(*args, **options)
        self.was_read.set()
        await self.may_go.wait()
        return snapshot


async def test_first_snapshot_is_read_after_the_subscription(
    stores: Stores, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The snapshot under way is older than what the subscriber did before subscribing."""
    reader = StoreSnapshotReader(stores, PASSES, WaitTableCache())
    snapshots = HeldSnapshots(reader, monkeypatch)
    async with open_hub(stores, valkey_url, reader=reader) as (hub, _):
        concert = await on_sale(stores, 10)
        early = await subscribe(hub, StockTopic(concert.id))
        snapshots.keep()
        await hold(stores, concert, 1)
        await snapshots.was_read.wait()
        await hold(stores, concert, 1)
        joining = asyncio.create_task(subscribe(hub, StockTopic(concert.id)))
        await asyncio.sleep(0)
        snapshots.may_go.set()
        late = await joining
        assert late.stock() == [(8, 2, 0)]
        assert len(late.snapshots) == 1
        await wait_until(lambda: early.stock() == [(8, 2, 0)], what="the second hold")
        check_rising(early)


async def test_versions_rise_for_subscribers_that_come_and_go(stores: Stores, hub: Hub) -> None:
    """Each subscriber begins with a state no older than the last hold before it subscribed."""
    concert, chance = await on_sale(stores, 100), random.Random(16)
    topic, last_hold = StockTopic(concert.id), 0
    staying = [await subscribe(hub, topic)]
    gone: list[SnapshotRecorder] = []

    async def come_and_go() -> None:
        while last_hold < 40:
            seen, held_before = SnapshotRecorder(topic), last_hold
            handle = await hub.subscribe(seen, seen.deliver)
            assert held_in(seen.snapshots[:1])[0] >= held_before
            if chance.random() < 0.1:
                staying.append(seen)
                continue
            await asyncio.sleep(chance.choice([0, 0.001, 0.03]))
            handle.close()
            gone.append(seen)

    visitors = [asyncio.create_task(come_and_go()) for _ in range(15)]
    for number in range(1, 41):
        await hold(stores, concert, 1, who=f"buyer{number}")
        last_hold = number
        await wait_until(partial(has_at_least, gone, number), what="a visit during this hold")
    await asyncio.gather(*visitors)
    await wait_until(partial(all_show, staying, 40), what="the last hold")
    for seen in [*staying, *gone]:
        assert held_in(seen.snapshots) == sorted(set(held_in(seen.snapshots)))
    assert len(gone) >= 40


async def test_subscribers_may_come_and_go_during_a_fan_out(stores: Stores, hub: Hub) -> None:
    """A delivery closes other subscriptions and adds new ones, as a socket that closes does."""
    concert = await on_sale(stores, 10)
    topic = StockTopic(concert.id)
    added: list[asyncio.Task[SnapshotRecorder]] = []
    recorders = [SnapshotRecorder(topic) for _ in range(COUNT)]

    def deliver_to(number: int, rendered: Rendered) -> None:
        recorders[number].deliver(rendered)
        if number % 50 == 0 and len(recorders[number].snapshots) == 2:
            for other in closed_by(number):
                handles[other].close()
            added.append(asyncio.create_task(subscribe(hub, topic)))

    handles = await asyncio.gather(
        *[hub.subscribe(seen, partial(deliver_to, number)) for number, seen in enumerate(recorders)]
    )
    closed = {other for number in range(0, COUNT, 50) for other in closed_by(number)}
    kept = [seen for number, seen in enumerate(recorders) if number not in closed]
    for held in (1, 2):
        await hold(stores, concert, 1)
        await wait_until(partial(all_show, kept, held), what="a push to all that stayed")
    late = await asyncio.gather(*added)
    assert len(late) == COUNT // 50
    await wait_until(partial(all_show, late, 2), what="a push to all that came")
    assert [held_in(seen.snapshots) for seen in kept] == [[0, 1, 2]] * len(kept)
    assert {held_in(recorders[number].snapshots)[-1] for number in closed} <= {0, 1}


def closed_by(number: int) -> set[int]:
    """Return the neighbors of a subscriber, itself, and one that is far behind or ahead."""
    return {(number + step) % COUNT for step in (-1, 0, 1, COUNT // 2)}


def all_show(seen: Iterable[SnapshotRecorder], held: int) -> bool:
    return {held_in(one.snapshots)[-1] for one in seen} == {held}


def held_in(snapshots: Iterable[object]) -> list[int]:
    return [snapshot.stock.tiers[0].held for snapshot in snapshots if isinstance(snapshot, StockSnapshot)]


def has_at_least(recorders: Sized, count: int) -> bool:
    return len(recorders) >= count
