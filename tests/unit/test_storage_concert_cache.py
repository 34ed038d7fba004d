"""What a process remembers of concerts: one read for all who ask at once, never older than it says."""

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
from storage.sync import concert_cache as living_module
from storage.sync.concert_cache import REFRESH_S, ConcertCache
from tests.support.snapshots import CONCERT, NOW
from tests.support.waiting import wait_until

R = TypeVar("R")

ID = CONCERT.id
AWAY = TemporarilyUnavailable("The order database does not answer")
DRAFT = replace(CONCERT, status=ConcertStatus.DRAFT)
PAST = replace(
    CONCERT, terms=replace(CONCERT.terms, starts_at=NOW - timedelta(days=60), sales_end_at=NOW - timedelta(days=60))
)
SECOND = replace(CONCERT, version=2)


@dataclass
class Catalogue:
    """A database: a read finds what is stored when it begins, and answers once `gate` is open."""

    concerts: dict[ConcertId, Concert] = field(default_factory=dict)
    reads: Counter[str] = field(default_factory=Counter)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    trouble: Exception | None = None
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
        if self.trouble is not None:
            raise self.trouble
        return found


@pytest.fixture
async def catalogue() -> Catalogue:
    return Catalogue()


@pytest.fixture
async def cache(catalogue: Catalogue) -> ConcertCache:
    """Without a list yet."""
    return ConcertCache(cast("ConcertStore", catalogue), clock=lambda: catalogue.now_s)


async def filled(catalogue: Catalogue, cache: ConcertCache) -> ConcertCache:
    """With the list as the catalogue has it now, whose reads are counted from here on."""
    catalogue.gate.set()
    await cache.list_all()
    catalogue.reads.clear()
    return cache


def find(cache: ConcertCache, count: int = 1, *, version: int = 0) -> list[asyncio.Task[Concert | None]]:
    return [asyncio.create_task(cache.get(ID, version=version)) for _ in range(count)]


async def begun(catalogue: Catalogue, what: str, count: int = 1) -> None:
    await wait_until(lambda: catalogue.reads[what] == count, what=f"read {count} of {what}")


async def test_the_first_callers_share_one_read_of_the_list(catalogue: Catalogue, cache: ConcertCache) -> None:
    catalogue.store(CONCERT)
    lists = [asyncio.create_task(cache.list_all()) for _ in range(100)]
    found = find(cache, 100)
    await begun(catalogue, "list")
    catalogue.gate.set()
    assert await asyncio.gather(*lists) == [(CONCERT,)] * 100
    assert await asyncio.gather(*found) == [CONCERT] * 100
    assert catalogue.reads == {"list": 1}


async def test_a_first_read_of_the_list_that_fails_is_begun_again(catalogue: Catalogue, cache: ConcertCache) -> None:
    catalogue.store(CONCERT)
    catalogue.trouble = AWAY
    catalogue.gate.set()
    told = await asyncio.gather(*[cache.list_all() for _ in range(3)], return_exceptions=True)
    assert told == [AWAY] * 3
    assert catalogue.reads == {"list": 1}
    catalogue.trouble = None
    assert await cache.list_all() == (CONCERT,)


@pytest.mark.parametrize(("stored", "reads"), [(DRAFT, 3), (None, 3), (PAST, 1)], ids=["draft", "missing", "past"])
async def test_100_calls_at_once_share_the_reads_of_an_unlisted_concert(
    catalogue: Catalogue, cache: ConcertCache, stored: Concert | None, reads: int
) -> None:
    """A draft or a missing concert is read again for those that joined a read, and for a later call."""
    catalogue.store(*[stored] if stored else [])
    await filled(catalogue, cache)
    catalogue.gate.clear()
    callers = find(cache, 100)
    await begun(catalogue, ID)
    callers[0].cancel()
    catalogue.gate.set()
    assert await asyncio.gather(*callers[1:]) == [stored] * 99
    assert await cache.get(ID) == stored
    assert catalogue.reads == {ID: reads}


async def test_past_concert_is_remembered_for_two_seconds(catalogue: Catalogue, cache: ConcertCache) -> None:
    catalogue.store(PAST)
    await filled(catalogue, cache)
    for after_s, reads in ((0.0, 1), (REFRESH_S * 0.9, 1), (REFRESH_S, 2), (REFRESH_S * 1.9, 2)):
        catalogue.now_s = 100.0 + after_s
        assert await cache.get(ID) == PAST
        assert catalogue.reads[ID] == reads, after_s


@pytest.mark.parametrize("before", [DRAFT, None], ids=["draft", "missing"])
async def test_concert_published_elsewhere_is_found_at_once(
    catalogue: Catalogue, cache: ConcertCache, before: Concert | None
) -> None:
    catalogue.store(*[before] if before else [])
    await filled(catalogue, cache)
    assert await cache.get(ID) == before
    catalogue.store(SECOND)
    assert await cache.get(ID) == SECOND


@pytest.mark.parametrize("before", [DRAFT, None], ids=["draft", "missing"])
async def test_call_after_a_publication_gets_no_read_from_before_it(
    catalogue: Catalogue, cache: ConcertCache, before: Concert | None
) -> None:
    catalogue.store(*[before] if before else [])
    await filled(catalogue, cache)
    catalogue.gate.clear()
    (early,) = find(cache)
    await begun(catalogue, ID)
    catalogue.store(SECOND)
    late = find(cache, 3)
    await asyncio.sleep(0)
    catalogue.gate.set()
    assert await early == before
    assert await asyncio.gather(*late) == [SECOND] * 3
    assert catalogue.reads == {ID: 2}


async def test_a_concert_published_elsewhere_is_in_the_list_once_found(
    catalogue: Catalogue, cache: ConcertCache
) -> None:
    await filled(catalogue, cache)
    catalogue.store(CONCERT)
    assert await cache.get(ID) == CONCERT
    catalogue.now_s += REFRESH_S
    assert await cache.get(ID) == CONCERT
    assert await cache.list_all() == (CONCERT,)
    assert catalogue.reads == {ID: 1}


@pytest.mark.parametrize(
    ("before", "after"),
    [(None, DRAFT), (None, SECOND), (DRAFT, replace(DRAFT, version=2)), (DRAFT, SECOND), (CONCERT, SECOND)],
    ids=["created", "appeared", "draft changed", "published", "changed"],
)
async def test_what_this_process_changed_is_found_at_once(
    catalogue: Catalogue, cache: ConcertCache, before: Concert | None, after: Concert
) -> None:
    catalogue.store(*[before] if before else [])
    await filled(catalogue, cache)
    assert await cache.get(ID) == before
    catalogue.reads.clear()
    catalogue.store(after)
    cache.put(after)
    assert await cache.get(ID) == after
    assert catalogue.reads == ({ID: 1} if after.status is ConcertStatus.DRAFT else {})


@pytest.mark.parametrize("after", [replace(DRAFT, version=2), SECOND], ids=["draft changed", "published"])
async def test_a_read_that_began_before_a_change_does_not_undo_it(
    catalogue: Catalogue, cache: ConcertCache, after: Concert
) -> None:
    catalogue.store(DRAFT)
    await filled(catalogue, cache)
    catalogue.gate.clear()
    (early,) = find(cache)
    await begun(catalogue, ID)
    cache.put(after)
    catalogue.gate.set()
    assert await early == after
    catalogue.store(after)
    assert await cache.get(ID) == after


@pytest.mark.parametrize("before", [DRAFT, CONCERT], ids=["published", "changed"])
@pytest.mark.parametrize("is_first", [True, False], ids=["first read", "later read"])
async def test_a_list_whose_read_began_before_a_change_does_not_undo_it(
    catalogue: Catalogue, cache: ConcertCache, before: Concert, is_first: bool
) -> None:
    catalogue.store(before)
    if not is_first:
        await filled(catalogue, cache)
        catalogue.now_s += REFRESH_S + 1
    catalogue.gate.clear()
    reading = asyncio.create_task(cache.list_all())
    await begun(catalogue, "list")
    cache.put(SECOND)
    catalogue.gate.set()
    await wait_until(lambda: reading.done() and asyncio.all_tasks() == {asyncio.current_task()}, what="the list")
    assert await cache.list_all() == (SECOND,)
    assert await cache.get(ID) == SECOND
    assert catalogue.reads == {"list": 1}


async def test_a_read_that_began_for_an_earlier_version_does_not_serve_a_later_one(
    catalogue: Catalogue, cache: ConcertCache
) -> None:
    catalogue.store(CONCERT)
    await filled(catalogue, cache)
    third = replace(CONCERT, version=3)
    catalogue.store(SECOND)
    catalogue.gate.clear()
    early = find(cache, 2, version=2)
    await begun(catalogue, ID)
    catalogue.store(third)
    later = find(cache, 2, version=3)
    await begun(catalogue, ID, 2)
    catalogue.gate.set()
    assert await asyncio.gather(*early, *later) == [SECOND, SECOND, third, third]
    assert await cache.get(ID) == third
    assert catalogue.reads == {ID: 2}


async def test_an_unlisted_concert_is_read_for_a_later_version(catalogue: Catalogue, cache: ConcertCache) -> None:
    catalogue.store(DRAFT)
    await filled(catalogue, cache)
    assert await cache.get(ID) == DRAFT
    catalogue.store(SECOND)
    assert await cache.get(ID, version=2) == SECOND


async def test_a_read_that_failed_is_everyones_and_not_remembered(catalogue: Catalogue, cache: ConcertCache) -> None:
    catalogue.store(DRAFT)
    await filled(catalogue, cache)
    catalogue.trouble = AWAY
    assert await asyncio.gather(*find(cache, 3), return_exceptions=True) == [AWAY] * 3
    assert catalogue.reads == {ID: 1}
    catalogue.trouble = None
    assert await cache.get(ID) == DRAFT


async def test_a_later_version_that_cannot_be_read_is_served_as_it_was(
    catalogue: Catalogue, cache: ConcertCache
) -> None:
    catalogue.store(CONCERT)
    await filled(catalogue, cache)
    catalogue.trouble = AWAY
    assert await asyncio.gather(*find(cache, 3, version=2)) == [CONCERT] * 3
    assert catalogue.reads == {ID: 1}


async def test_a_database_restored_from_a_copy_is_believed(catalogue: Catalogue, cache: ConcertCache) -> None:
    catalogue.store(SECOND)
    await filled(catalogue, cache)
    cache.put(SECOND)
    catalogue.store(CONCERT)
    catalogue.now_s += REFRESH_S + 1
    await cache.list_all()
    await begun(catalogue, "list")
    await wait_until(lambda: _is_listed(cache, CONCERT), what="the older version")


async def _is_listed(cache: ConcertCache, concert: Concert) -> bool:
    return concert in await cache.list_all()


async def test_a_full_memory_forgets_the_oldest_alone(
    catalogue: Catalogue, cache: ConcertCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(living_module, "MOST_SEEN", 2)
    past = {name: replace(PAST, id=ConcertId(name)) for name in ("first", "second", "third")}
    catalogue.store(*past.values())
    await filled(catalogue, cache)
    for name in ("first", "second", "third", "second", "first"):
        assert await cache.get(ConcertId(name)) == past[name]
    assert catalogue.reads == {"first": 2, "second": 1, "third": 1}


async def test_closing_ends_the_reads_under_way(catalogue: Catalogue, cache: ConcertCache) -> None:
    await filled(catalogue, cache)
    catalogue.gate.clear()
    (caller,) = find(cache)
    await begun(catalogue, ID)
    await cache.aclose()
    await asyncio.wait([caller])
    assert caller.cancelled()
