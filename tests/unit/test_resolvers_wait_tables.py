"""The cache of wait tables reads each concert at most once a second for all callers."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from domain.errors import TemporarilyUnavailable
from domain.estimates.wait_estimates import WaitTable, build_wait_table
from domain.ids import ConcertId
from domain.queues import RoomStatus
from resolvers import wait_tables
from resolvers.wait_tables import MAX_AGE_S, WaitTableCache
from storage.connect import Stores
from storage.hot.queue_state import RoomState
from storage.sync.detached import DetachedTasks
from tests.support.snapshots import CONCERT, ROOM
from tests.support.waiting import wait_until

STATE = RoomState(
    epoch=1,
    version=1,
    serving_number=40,
    tail=100,
    waiting_count=60,
    slots_taken=3,
    passes_issued=12,
    status=RoomStatus.OPEN,
    flow=ROOM.flow,
)
OTHER = replace(CONCERT, id=ConcertId("other"))
TABLE = build_wait_table(
    ROOM.flow,
    slots_taken=3,
    total_active_users=CONCERT.room.total_active_users,
    new_users_per_minute=CONCERT.room.new_users_per_minute,
)


@dataclass
class FakeStores:
    """Stores whose `read_room` answers once the gate is open; `now_s` is the clock."""

    reads: list[ConcertId] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    failure: Exception | None = None
    detached_tasks: DetachedTasks = field(default_factory=DetachedTasks)
    now_s: float = 100.0

    @property
    def queues(self) -> "FakeStores":
        return self

    @property
    def as_stores(self) -> Stores:
        return cast("Stores", self)

    def tables(self) -> WaitTableCache:
        return WaitTableCache(clock=lambda: self.now_s)

    async def read_room(self, concert_id: ConcertId) -> RoomState:
        self.reads.append(concert_id)
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return STATE


@pytest.fixture
async def stores() -> FakeStores:
    return FakeStores()


def start_gets(stores: FakeStores, cache: WaitTableCache, count: int) -> list[asyncio.Task[WaitTable]]:
    return [asyncio.create_task(cache.get(stores.as_stores, CONCERT)) for _ in range(count)]


async def test_300_concurrent_callers_share_one_read(stores: FakeStores) -> None:
    callers = start_gets(stores, stores.tables(), 300)
    await wait_until(lambda: stores.reads, what="the read")
    stores.gate.set()
    assert await asyncio.gather(*callers) == [TABLE] * 300
    assert stores.reads == [CONCERT.id]


async def test_concert_is_read_at_most_once_a_second(stores: FakeStores) -> None:
    stores.gate.set()
    cache = stores.tables()
    for after_s, reads in ((0.0, 1), (MAX_AGE_S / 2, 1), (MAX_AGE_S, 2), (MAX_AGE_S * 1.9, 2), (MAX_AGE_S * 2, 3)):
        stores.now_s = 100.0 + after_s
        await asyncio.gather(*start_gets(stores, cache, 3))
        assert len(stores.reads) == reads, after_s


async def test_canceled_caller_does_not_affect_the_others(stores: FakeStores) -> None:
    first, *others = start_gets(stores, stores.tables(), 3)
    await wait_until(lambda: stores.reads, what="the read")
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    stores.gate.set()
    assert await asyncio.gather(*others) == [TABLE] * 2
    assert first.cancelled()
    assert stores.reads == [CONCERT.id]


async def test_failed_read_of_a_wait_table_is_not_cached(stores: FakeStores) -> None:
    cache, stores.failure = stores.tables(), TemporarilyUnavailable("The stock store does not answer")
    stores.gate.set()
    results = await asyncio.gather(*start_gets(stores, cache, 3), return_exceptions=True)
    assert results == [stores.failure] * 3
    assert len(stores.reads) == 1
    stores.failure = None
    assert await cache.get(stores.as_stores, CONCERT) == TABLE
    assert len(stores.reads) == 2


async def test_full_cache_drops_only_the_oldest_table(stores: FakeStores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wait_tables, "MAX_TABLES", 2)
    stores.gate.set()
    cache, third = stores.tables(), replace(CONCERT, id=ConcertId("third"))
    for concert in (CONCERT, OTHER, third, OTHER, CONCERT):
        await cache.get(stores.as_stores, concert)
    assert stores.reads == [CONCERT.id, OTHER.id, third.id, CONCERT.id]


async def test_table_from_the_hub_replaces_reads_for_a_second(stores: FakeStores) -> None:
    stores.gate.set()
    cache, made = stores.tables(), replace(TABLE)
    await cache.get(stores.as_stores, CONCERT)
    cache.put(ROOM, made)
    stores.now_s += MAX_AGE_S * 0.9
    cache.put(replace(ROOM, concert_id=OTHER.id), made)
    assert [await cache.get(stores.as_stores, concert) for concert in (CONCERT, OTHER)] == [made, made]
    assert stores.reads == [CONCERT.id]
    stores.now_s += MAX_AGE_S * 0.1
    assert await cache.get(stores.as_stores, CONCERT) is not made
    assert await cache.get(stores.as_stores, OTHER) is made
    assert stores.reads == [CONCERT.id, CONCERT.id]
