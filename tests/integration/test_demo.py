"""The demo catalogue loads once, whoever loads beside it and wherever a load stopped, and only where nothing is yet."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from domain.concerts import Concert, ConcertFilter, ConcertStatus
from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId
from resolvers import concerts, demo
from resolvers.context import Context
from settings import Settings
from storage.connect import Stores, open_stores
from tests.support.sale import PASSES, draft, opened, organizer

COUNT = 30


@pytest_asyncio.fixture
async def stores(valkey_url: str, mongo_url: str, mongo_database: str) -> AsyncIterator[Stores]:
    async with opened(valkey_url, mongo_url, mongo_database) as made:
        yield made


def nobody(stores: Stores) -> Context:
    return Context(stores, PASSES, None, "test-start")


async def catalogue(stores: Stores) -> tuple[Concert, ...]:
    page = await concerts.list_concerts(organizer(stores), ConcertFilter(), first=100, after=None)
    return page.items


async def test_an_empty_catalogue_is_filled_and_on_sale(stores: Stores) -> None:
    assert await demo.load_demo(nobody(stores)) == COUNT
    loaded = await catalogue(stores)
    assert len(loaded) == COUNT
    assert {concert.status for concert in loaded} == {ConcertStatus.PUBLISHED}
    assert [concert.slug for concert in loaded if concert.room.is_on] == ["lantern-ferry-royal-albert-hall"]
    for concert in loaded:
        stock = await concerts.read_stock(nobody(stores), concert)
        assert [tier.available for tier in stock.tiers] == [tier.capacity for tier in concert.tiers]


async def test_a_second_start_changes_nothing(stores: Stores) -> None:
    await demo.load_demo(nobody(stores))
    before = await catalogue(stores)
    assert await demo.load_demo(nobody(stores)) == 0
    assert await catalogue(stores) == before


async def test_two_that_start_at_once_make_each_concert_once(
    stores: Stores, valkey_url: str, mongo_url: str, mongo_database: str
) -> None:
    async with opened(valkey_url, mongo_url, mongo_database) as others:
        made = await asyncio.gather(demo.load_demo(nobody(stores)), demo.load_demo(nobody(others)))
    assert sum(made) == COUNT
    loaded = await catalogue(stores)
    assert len(loaded) == COUNT
    assert {concert.status for concert in loaded} == {ConcertStatus.PUBLISHED}


async def test_a_load_that_stopped_half_way_is_finished_by_the_next(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(demo, "publish_concert", _away_after(3))
        assert await demo.load_demo(nobody(stores)) == 0
    statuses = [concert.status for concert in await catalogue(stores)]
    assert sorted(statuses) == [ConcertStatus.DRAFT, *[ConcertStatus.PUBLISHED] * 3]
    assert await demo.load_demo(nobody(stores)) == COUNT - 4
    assert [concert.status for concert in await catalogue(stores)] == [ConcertStatus.PUBLISHED] * COUNT


async def test_a_catalogue_of_somebody_elses_is_left_alone(stores: Stores) -> None:
    own = await concerts.create_concert(organizer(stores), draft(10))
    assert await demo.load_demo(nobody(stores)) == 0
    assert await catalogue(stores) == (own,)


async def test_stores_that_are_away_do_not_keep_a_start_waiting(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(demo, "STORES_WITHIN_S", 0.1)
    async with open_stores("redis://127.0.0.1:1/0", "mongodb://127.0.0.1:1/", "onsale") as stores:
        assert await demo.load_demo(nobody(stores)) == 0
    assert "the demo concerts were not loaded: the stores are not ready" in caplog.messages


@pytest.mark.parametrize(
    ("environment", "loads"),
    [
        ({}, True),
        ({"ONSALE_DEMO": "no"}, False),
        ({"ONSALE_DEMO": "yes"}, True),
    ],
)
def test_whoever_wants_no_demo_says_so(environment: dict[str, str], loads: bool) -> None:
    assert Settings.from_env(environment).loads_demo is loads


def test_production_never_loads_it() -> None:
    assert not Settings(env="production", demo="yes").loads_demo


def _away_after(count: int) -> Callable[[Context, ConcertId], Awaitable[Concert]]:
    left = iter(range(count))

    async def publish(context: Context, concert_id: ConcertId) -> Concert:
        if next(left, None) is None:
            raise TemporarilyUnavailable("The store is away")
        return await concerts.publish_concert(context, concert_id)

    return publish
