"""The concert cache: concurrent callers share a read, and no concert is older than allowed."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar, cast

import pytest

from domain.concerts import Concert, ConcertStatus
from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId
from storage.mongo.concerts import ConcertStore
from storage.sync import concert_cache as cache_module
from storage.sync.concert_cache import REFRESH_S, ConcertCache
from tests.support.snapshots import CONCERT, NOW
from tests.support.waiting import wait_until

R = TypeVar("R")

ID = CONCERT.id
UNAVAILABLE = TemporarilyUnavailable("The order database does not answer")
DRAFT = replace(CONCERT, status=ConcertStatus.DRAFT)
PAST = replace(
    CONCERT, terms=replace(CONCERT.terms, starts_at=NOW - timedelta(days=60), sales_end_at=NOW - timedelta(days=60))
)
SECOND = replace(CONCERT, version=2)


@dataclass
class FakeConcerts:
    """A database whose reads return the state as of their start, but only once `gate` is set."""

    concerts: dict[ConcertId, Concert] = field(default_factory=dict)
    reads: Counter[str] = field(default_factory=Counter)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    failure: Exception | None = None
    now_s: float = 100.0

    def store(self, *concerts: Concert) -> None:
        self.concerts |= {concert.id: concert for concert in concerts}

    async def list_active(self, *, starts_after: datetime) -> tuple[Concert, ...]:
        found = [concert for concert in self.concerts.values() if concert.terms.starts_at > starts_after]
        return await self._read("list", tuple(c for c in found if c.status is not ConcertStatus.DRAFT))

    async def get(self, concert_id: ConcertId) -> Concert | None:
        return await self._read(concert_id, self.concerts.get(concert_id))

    async def _read(self, what: str, found: R) -> R:
        self.reads[what] += 1
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return found


@pytest.fixture
async def concerts_store() -> FakeConcerts:
    return FakeConcerts()


@pytest.fixture
async def cache(concerts_store: FakeConcerts) -> ConcertCache:
    """Return a cache that has not read the list yet."""
    return ConcertCache(cast("ConcertStore", concerts_store), clock=lambda: concerts_store.now_s)


async def read_list(concerts_store: FakeConcerts, cache: ConcertCache) -> ConcertCache:
    """Make the cache read the list, and reset the count of reads."""
    concerts_store.gate.set()
    await cache.list_all()
    concerts_store.reads.clear()
    return cache


def start_gets(cache: ConcertCache, count: int = 1, *, version: int = 0) -> list[asyncio.Task[Concert | None]]:
    return [asyncio.create_task(cache.get(ID, version=version)) for _ in range(count)]


async def wait_for_read(concerts_store: FakeConcerts, what: str, count: int = 1) -> None:
    await wait_until(lambda: concerts_store.reads[what] == count, what=f"read {count} of {what}")


async def test_first_callers_share_one_read_of_the_list(concerts_store: FakeConcerts, cache: ConcertCache) -> None:
    concerts_store.store(CONCERT)
    lists = [asyncio.create_task(cache.list_all()) for _ in range(100)]
    found = start_gets(cache, 100)
    await wait_for_read(concerts_store, "list")
    concerts_store.gate.set()
    assert await asyncio.gather(*lists) == [(CONCERT,)] * 100
    assert await asyncio.gather(*found) == [CONCERT] * 100
    assert concerts_store.reads == {"list": 1}


async def test_failed_first_read_of_the_list_is_tried_again(concerts_store: FakeConcerts, cache: ConcertCache) -> None:
    concerts_store.store(CONCERT)
    concerts_store.failure = UNAVAILABLE
    concerts_store.gate.set()
    results = await asyncio.gather(*[cache.list_all() for _ in range(3)], return_exceptions=True)
    assert results == [UNAVAILABLE] * 3
    assert concerts_store.reads == {"list": 1}
    concerts_store.failure = None
    assert await cache.list_all() == (CONCERT,)


@pytest.mark.parametrize(("stored", "reads"), [(DRAFT, 3), (None, 3), (PAST, 1)], ids=["draft", "missing", "past"])
async def test_concurrent_calls_share_the_reads_of_an_unlisted_concert(
    concerts_store: FakeConcerts, cache: ConcertCache, stored: Concert | None, reads: int
) -> None:
    """For a draft or missing concert, callers that joined a read share a second, newer one."""
    concerts_store.store(*[stored] if stored else [])
    await read_list(concerts_store, cache)
    concerts_store.gate.clear()
    callers = start_gets(cache, 100)
    await wait_for_read(concerts_store, ID)
    callers[0].cancel()
    concerts_store.gate.set()
    assert await asyncio.gather(*callers[1:]) == [stored] * 99
    assert await cache.get(ID) == stored
    assert concerts_store.reads == {ID: reads}


async def test_past_concert_is_cached_for_two_seconds(concerts_store: FakeConcerts, cache: ConcertCache) -> None:
    concerts_store.store(PAST)
    await read_list(concerts_store, cache)
    for after_s, reads in ((0.0, 1), (REFRESH_S * 0.9, 1), (REFRESH_S, 2), (REFRESH_S * 1.9, 2)):
        concerts_store.now_s = 100.0 + after_s
        assert await cache.get(ID) == PAST
        assert concerts_store.reads[ID] == reads, after_s


@pytest.mark.parametrize("before", [DRAFT, None], ids=["draft", "missing"])
async def test_concert_published_elsewhere_is_found_immediately(
    concerts_store: FakeConcerts, cache: ConcertCache, before: Concert | None
) -> None:
    concerts_store.store(*[before] if before else [])
    await read_list(concerts_store, cache)
    assert await cache.get(ID) == before
    concerts_store.store(SECOND)
    assert await cache.get(ID) == SECOND


@pytest.mark.parametrize("before", [DRAFT, None], ids=["draft", "missing"])
async def test_call_after_a_publication_does_not_join_an_earlier_read(
    concerts_store: FakeConcerts, cache: ConcertCache, before: Concert | None
) -> None:
    concerts_store.store(*[before] if before else [])
    await read_list(concerts_store, cache)
    concerts_store.gate.clear()
    (early,) = start_gets(cache)
    await wait_for_read(concerts_store, ID)
    concerts_store.store(SECOND)
    late = start_gets(cache, 3)
    await asyncio.sleep(0)
    concerts_store.gate.set()
    assert await early == before
    assert await asyncio.gather(*late) == [SECOND] * 3
    assert concerts_store.reads == {ID: 2}


async def test_concert_published_elsewhere_is_listed_once_found(
    concerts_store: FakeConcerts, cache: ConcertCache
) -> None:
    await read_list(concerts_store, cache)
    concerts_store.store(CONCERT)
    assert await cache.get(ID) == CONCERT
    concerts_store.now_s += REFRESH_S
    assert await cache.get(ID) == CONCERT
    assert await cache.list_all() == (CONCERT,)
    assert concerts_store.reads == {ID: 1}


@pytest.mark.parametrize(
    ("before", "after"),
    [(None, DRAFT), (None, SECOND), (DRAFT, replace(DRAFT, version=2)), (DRAFT, SECOND), (CONCERT, SECOND)],
    ids=["created", "appeared", "draft changed", "published", "changed"],
)
async def test_change_by_this_process_is_found_immediately(
    concerts_store: FakeConcerts, cache: ConcertCache, before: Concert | None, after: Concert
) -> None:
    concerts_store.store(*[before] if before else [])
    await read_list(concerts_store, cache)
    assert await cache.get(ID) == before
    concerts_store.reads.clear()
    concerts_store.store(after)
    cache.put(after)
    assert await cache.get(ID) == after
    assert concerts_store.reads == ({ID: 1} if after.status is ConcertStatus.DRAFT else {})


@pytest.mark.parametrize("after", [replace(DRAFT, version=2), SECOND], ids=["draft changed", "published"])
async def test_read_that_began_before_a_change_does_not_undo_it(
    concerts_store: FakeConcerts, cache: ConcertCache, after: Concert
) -> None:
    concerts_store.store(DRAFT)
    await read_list(concerts_store, cache)
    concerts_store.gate.clear()
    (early,) = start_gets(cache)
    await wait_for_read(concerts_store, ID)
    cache.put(after)
    concerts_store.gate.set()
    assert await early == after
    concerts_store.store(after)
    assert await cache.get(ID) == after


@pytest.mark.parametrize("before", [DRAFT, CONCERT], ids=["published", "changed"])
@pytest.mark.parametrize("is_first", [True, False], ids=["first read", "later read"])
async def test_list_read_that_began_before_a_change_does_not_undo_it(
    concerts_store: FakeConcerts, cache: ConcertCache, before: Concert, is_first: bool
) -> None:
    concerts_store.store(before)
    if not is_first:
        await read_list(concerts_store, cache)
        concerts_store.now_s += REFRESH_S + 1
    concerts_store.gate.clear()
    reading = asyncio.create_task(cache.list_all())
    await wait_for_read(concerts_store, "list")
    cache.put(SECOND)
    concerts_store.gate.set()
    await wait_until(lambda: reading.done() and asyncio.all_tasks() == {asyncio.current_task()}, what="the list")
    assert await cache.list_all() == (SECOND,)
    assert await cache.get(ID) == SECOND
    assert concerts_store.reads == {"list": 1}


async def test_read_for_an_earlier_version_does_not_serve_a_later_one(
    concerts_store: FakeConcerts, cache: ConcertCache
) -> None:
    concerts_store.store(CONCERT)
    await read_list(concerts_store, cache)
    third = replace(CONCERT, version=3)
    concerts_store.store(SECOND)
    concerts_store.gate.clear()
    early = start_gets(cache, 2, version=2)
    await wait_for_read(concerts_store, ID)
    concerts_store.store(third)
    later = start_gets(cache, 2, version=3)
    await wait_for_read(concerts_store, ID, 2)
    concerts_store.gate.set()
    assert await asyncio.gather(*early, *later) == [SECOND, SECOND, third, third]
    assert await cache.get(ID) == third
    assert concerts_store.reads == {ID: 2}


async def test_unlisted_concert_is_read_for_a_later_version(concerts_store: FakeConcerts, cache: ConcertCache) -> None:
    concerts_store.store(DRAFT)
    await read_list(concerts_store, cache)
    assert await cache.get(ID) == DRAFT
    concerts_store.store(SECOND)
    assert await cache.get(ID, version=2) == SECOND


async def test_failed_read_reaches_every_caller_and_is_not_cached(
    concerts_store: FakeConcerts, cache: ConcertCache
) -> None:
    concerts_store.store(DRAFT)
    await read_list(concerts_store, cache)
    concerts_store.failure = UNAVAILABLE
    assert await asyncio.gather(*start_gets(cache, 3), return_exceptions=True) == [UNAVAILABLE] * 3
    assert concerts_store.reads == {ID: 1}
    concerts_store.failure = None
    assert await cache.get(ID) == DRAFT


async def test_listed_version_is_returned_if_a_later_one_cannot_be_read(
    concerts_store: FakeConcerts, cache: ConcertCache
) -> None:
    concerts_store.store(CONCERT)
    await read_list(concerts_store, cache)
    concerts_store.failure = UNAVAILABLE
    assert await asyncio.gather(*start_gets(cache, 3, version=2)) == [CONCERT] * 3
    assert concerts_store.reads == {ID: 1}


async def test_database_restored_from_a_copy_is_trusted(concerts_store: FakeConcerts, cache: ConcertCache) -> None:
    concerts_store.store(SECOND)
    await read_list(concerts_store, cache)
    cache.put(SECOND)
    concerts_store.store(CONCERT)
    concerts_store.now_s += REFRESH_S + 1
    await cache.list_all()
    await wait_for_read(concerts_store, "list")
    await wait_until(lambda: _is_listed(cache, CONCERT), what="the older version")


async def _is_listed(cache: ConcertCache, concert: Concert) -> bool:
    return concert in await cache.list_all()


async def test_unreadable_list_is_retried_at_the_usual_interval(
    concerts_store: FakeConcerts, cache: ConcertCache
) -> None:
    """A document that cannot be parsed has the same effect as a database that does not answer."""
    concerts_store.store(CONCERT)
    await read_list(concerts_store, cache)
    concerts_store.failure = ValueError("a document that cannot be parsed")
    concerts_store.now_s += REFRESH_S + 1
    for _ in range(50):
        assert await cache.list_all() == (CONCERT,)
        await asyncio.sleep(0)
    await wait_for_read(concerts_store, "list")
    concerts_store.now_s += REFRESH_S + 1
    assert await cache.list_all() == (CONCERT,)
    await wait_for_read(concerts_store, "list", 2)
    await cache.aclose()


async def test_full_cache_drops_only_the_oldest_concert(
    concerts_store: FakeConcerts, cache: ConcertCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "MAX_SEEN", 2)
    past = {name: replace(PAST, id=ConcertId(name)) for name in ("first", "second", "third")}
    concerts_store.store(*past.values())
    await read_list(concerts_store, cache)
    for name in ("first", "second", "third", "second", "first"):
        assert await cache.get(ConcertId(name)) == past[name]
    assert concerts_store.reads == {"first": 2, "second": 1, "third": 1}


async def test_closing_cancels_the_reads_in_progress(concerts_store: FakeConcerts, cache: ConcertCache) -> None:
    await read_list(concerts_store, cache)
    concerts_store.gate.clear()
    (caller,) = start_gets(cache)
    await wait_for_read(concerts_store, ID)
    await cache.aclose()
    await asyncio.wait([caller])
    assert caller.cancelled()
