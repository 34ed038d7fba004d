"""Equal requests share one read of figures, and only a few reads run at a time."""

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

import pytest

from domain.errors import TemporarilyUnavailable
from resolvers.analytics import sums_cache
from resolvers.analytics.sums_cache import KEPT_PER_READ, Question, SumsCache
from storage.connect import Stores
from storage.sync.detached import DetachedTasks
from tests.support.waiting import wait_until


@dataclass
class Reads:
    """Reads that can be counted and held back."""

    count: int = 0
    running: int = 0
    most: int = 0
    may_end: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self) -> int:
        self.count += 1
        number = self.count
        self.running += 1
        self.most = max(self.most, self.running)
        await self.may_end.wait()
        self.running -= 1
        return number


def stores() -> Stores:
    return cast("Stores", SimpleNamespace(detached_tasks=DetachedTasks()))


def ask(reads: Reads, key: str = "sales", *, max_age_s: float = 1.0, max_stale_s: float = 0.0) -> Question[int]:
    return Question(key, reads.read, max_age_s=max_age_s, max_stale_s=max_stale_s)


async def test_figures_are_kept_for_their_age() -> None:
    now, reads, opened = [100.0], Reads(), stores()
    reads.may_end.set()
    cache = SumsCache(clock=lambda: now[0])
    found = []
    for moment in (100.0, 101.0, 101.5, 102.5):
        now[0] = moment
        found.append(await cache.get(opened, ask(reads)))
    assert found == [1, 1, 2, 2]
    assert await cache.get(opened, ask(reads, "other")) == 3


async def test_figures_that_took_long_to_read_are_kept_longer() -> None:
    now, reads, opened = [100.0], Reads(), stores()
    cache = SumsCache(clock=lambda: now[0])
    asking = asyncio.create_task(cache.get(opened, ask(reads)))
    await wait_until(lambda: reads.running, what="the read")
    now[0] = 103.0
    reads.may_end.set()
    assert await asking == 1
    now[0] = 100.0 + 3.0 * KEPT_PER_READ
    assert await cache.get(opened, ask(reads)) == 1
    now[0] += 0.5
    assert await cache.get(opened, ask(reads)) == 2


async def test_equal_requests_share_one_read() -> None:
    cache, reads, opened = SumsCache(), Reads(), stores()
    asking = [asyncio.create_task(cache.get(opened, ask(reads))) for _ in range(10)]
    await asyncio.sleep(0)
    asking.pop().cancel()
    reads.may_end.set()
    assert await asyncio.gather(*asking) == [1] * 9


async def test_few_reads_run_at_the_same_time() -> None:
    cache, reads, opened = SumsCache(), Reads(), stores()
    asking = [asyncio.create_task(cache.get(opened, ask(reads, f"concert {number}"))) for number in range(10)]
    await wait_until(lambda: reads.running == sums_cache.MAX_READS, what="the first reads")
    reads.may_end.set()
    await asyncio.gather(*asking)
    assert (reads.count, reads.most) == (10, sums_cache.MAX_READS)


async def test_slow_reads_do_not_delay_the_others() -> None:
    cache, slow, fast, opened = SumsCache(wait_s=0.01, slow_after_s=0.01), Reads(), Reads(), stores()
    fast.may_end.set()
    for number in range(sums_cache.MAX_READS):
        with pytest.raises(TemporarilyUnavailable):
            await cache.get(opened, ask(slow, f"concert {number}"))
    await wait_until(lambda: slow.running == sums_cache.MAX_READS, what="the slow reads")
    cache.wait_s = 60.0
    assert await cache.get(opened, ask(fast)) == 1
    slow.may_end.set()
    await opened.detached_tasks.aclose(patience_s=60)


async def test_read_that_was_slow_before_uses_the_slots_for_slow_reads() -> None:
    now, cache, slow, opened = [100.0], SumsCache(wait_s=0.01), Reads(), stores()
    cache.clock = lambda: now[0]
    keys = [f"concert {number}" for number in range(sums_cache.MAX_READS)]
    asking = [asyncio.create_task(cache.get(opened, ask(slow, key))) for key in keys]
    await wait_until(lambda: slow.running == len(keys), what="the slow reads")
    now[0] += 10.0
    slow.may_end.set()
    await asyncio.gather(*asking, return_exceptions=True)
    await opened.detached_tasks.aclose(patience_s=60)
    now[0] += 10.0 * KEPT_PER_READ + 1.0
    slow.may_end.clear()
    slow.most, opened = 0, stores()
    for key in keys:
        with pytest.raises(TemporarilyUnavailable):
            await cache.get(opened, ask(slow, key))
    slow.may_end.set()
    await opened.detached_tasks.aclose(patience_s=60)
    assert slow.most == sums_cache.MAX_SLOW_READS


async def test_request_does_not_wait_for_a_long_read_whose_result_is_kept() -> None:
    cache, reads, opened = SumsCache(wait_s=0.01), Reads(), stores()
    for _ in range(2):
        with pytest.raises(TemporarilyUnavailable, match="still being summed"):
            await cache.get(opened, ask(reads))
    reads.may_end.set()
    await opened.detached_tasks.aclose(patience_s=60)
    assert (await cache.get(opened, ask(reads, max_age_s=600.0)), reads.count) == (1, 1)


async def test_older_figures_are_returned_during_a_long_read_if_allowed() -> None:
    now, reads, opened = [100.0], Reads(), stores()
    cache = SumsCache(clock=lambda: now[0], wait_s=0.01, stale_wait_s=0.01)
    reads.may_end.set()
    assert await cache.get(opened, ask(reads)) == 1
    reads.may_end.clear()
    now[0] = 700.0
    assert await cache.get(opened, ask(reads, max_stale_s=600.0)) == 1
    now[0] = 700.1
    with pytest.raises(TemporarilyUnavailable):
        await cache.get(opened, ask(reads, max_stale_s=600.0))
    reads.may_end.set()
    await opened.detached_tasks.aclose(patience_s=60)
    assert await cache.get(opened, ask(reads)) == 2


async def test_failed_read_is_not_kept() -> None:
    cache, reads, opened = SumsCache(), Reads(), stores()

    async def fail() -> int:
        raise ValueError("no figures")

    with pytest.raises(ValueError, match="no figures"):
        await cache.get(opened, Question("sales", fail, max_age_s=1.0))
    reads.may_end.set()
    assert await cache.get(opened, ask(reads)) == 1


async def test_oldest_figures_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums_cache, "MAX_KEPT", 2)
    cache, reads, opened = SumsCache(), Reads(), stores()
    reads.may_end.set()
    keys = ("a", "b", "c", "b", "a")
    assert [await cache.get(opened, ask(reads, key, max_age_s=60.0)) for key in keys] == [1, 2, 3, 2, 4]
