"""How fast a line moves is read once for all who ask within a second."""

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
class Lines:
    """The stores, with `line` answering once the gate is open; `now_s` is the clock."""

    reads: list[ConcertId] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    trouble: Exception | None = None
    detached_tasks: DetachedTasks = field(default_factory=DetachedTasks)
    now_s: float = 100.0

    @property
    def queues(self) -> "Lines":
        return self

    @property
    def stores(self) -> Stores:
        return cast("Stores", self)

    def tables(self) -> WaitTableCache:
        return WaitTableCache(clock=lambda: self.now_s)

    async def read_room(self, concert_id: ConcertId) -> RoomState:
        self.reads.append(concert_id)
        await self.gate.wait()
        if self.trouble is not None:
            raise self.trouble
        return STATE


@pytest.fixture
async def lines() -> Lines:
    return Lines()


def asking(lines: Lines, known: WaitTableCache, count: int) -> list[asyncio.Task[WaitTable]]:
    return [asyncio.create_task(known.get(lines.stores, CONCERT)) for _ in range(count)]


async def test_300_callers_at_once_cost_one_read(lines: Lines) -> None:
    callers = asking(lines, lines.tables(), 300)
    await wait_until(lambda: lines.reads, what="the read")
    lines.gate.set()
    assert await asyncio.gather(*callers) == [TABLE] * 300
    assert lines.reads == [CONCERT.id]


async def test_a_concert_costs_one_read_a_second(lines: Lines) -> None:
    lines.gate.set()
    known = lines.tables()
    for after_s, reads in ((0.0, 1), (MAX_AGE_S / 2, 1), (MAX_AGE_S, 2), (MAX_AGE_S * 1.9, 2), (MAX_AGE_S * 2, 3)):
        lines.now_s = 100.0 + after_s
        await asyncio.gather(*asking(lines, known, 3))
        assert len(lines.reads) == reads, after_s


async def test_a_cancelled_caller_costs_the_others_nothing(lines: Lines) -> None:
    first, *others = asking(lines, lines.tables(), 3)
    await wait_until(lambda: lines.reads, what="the read")
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    lines.gate.set()
    assert await asyncio.gather(*others) == [TABLE] * 2
    assert first.cancelled()
    assert lines.reads == [CONCERT.id]


async def test_a_read_that_failed_is_everyones_and_not_remembered(lines: Lines) -> None:
    known, lines.trouble = lines.tables(), TemporarilyUnavailable("The stock store does not answer")
    lines.gate.set()
    told = await asyncio.gather(*asking(lines, known, 3), return_exceptions=True)
    assert told == [lines.trouble] * 3
    assert len(lines.reads) == 1
    lines.trouble = None
    assert await known.get(lines.stores, CONCERT) == TABLE
    assert len(lines.reads) == 2


async def test_a_full_memory_forgets_the_oldest_alone(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wait_tables, "MAX_TABLES", 2)
    lines.gate.set()
    known, third = lines.tables(), replace(CONCERT, id=ConcertId("third"))
    for concert in (CONCERT, OTHER, third, OTHER, CONCERT):
        await known.get(lines.stores, concert)
    assert lines.reads == [CONCERT.id, OTHER.id, third.id, CONCERT.id]


async def test_a_table_that_the_hub_made_is_read_by_nobody_for_a_second(lines: Lines) -> None:
    lines.gate.set()
    known, made = lines.tables(), replace(TABLE)
    await known.get(lines.stores, CONCERT)
    known.put(CONCERT.id, made)
    lines.now_s += MAX_AGE_S * 0.9
    known.put(OTHER.id, made)
    assert [await known.get(lines.stores, concert) for concert in (CONCERT, OTHER)] == [made, made]
    assert lines.reads == [CONCERT.id]
    lines.now_s += MAX_AGE_S * 0.1
    assert await known.get(lines.stores, CONCERT) is not made
    assert await known.get(lines.stores, OTHER) is made
    assert lines.reads == [CONCERT.id, CONCERT.id]
