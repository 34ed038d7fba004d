"""The demo catalog is loaded only once, into an empty database, even if two processes start."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import cache

import pytest
import pytest_asyncio

from auth.viewer import Role
from domain.concerts import Concert, ConcertFilter, ConcertStatus
from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId
from domain.page import PageRequest
from images.posters.designs import render
from resolvers import concerts, demo
from resolvers.context import Context
from settings import Settings
from storage.connect import Stores, open_stores
from tests.support.sale import PASSES, context, draft, opened, organizer

COUNT = 30
_render = cache(render)


@pytest.fixture(autouse=True)
def posters_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw each poster only once for all tests."""
    monkeypatch.setattr(demo, "render", _render)


@pytest_asyncio.fixture
async def stores(valkey_url: str, mongo_url: str, mongo_database: str) -> AsyncIterator[Stores]:
    async with opened(valkey_url, mongo_url, mongo_database) as made:
        yield made


def anonymous(stores: Stores) -> Context:
    return Context(stores, PASSES, None, "test-start")


async def list_catalog(stores: Stores) -> tuple[Concert, ...]:
    page = await concerts.list_concerts(context(stores, "ada", Role.ADMIN), ConcertFilter(), PageRequest(100))
    return page.items


async def test_empty_catalog_is_filled_and_put_on_sale(stores: Stores) -> None:
    assert await demo.load_demo(anonymous(stores)) == COUNT
    loaded = await list_catalog(stores)
    assert len(loaded) == COUNT
    assert {concert.status for concert in loaded} == {ConcertStatus.PUBLISHED}
    assert [concert.slug for concert in loaded if concert.room.is_on] == ["lantern-ferry-royal-albert-hall"]
    for concert in loaded:
        stock = await concerts.read_stock(anonymous(stores), concert)
        assert [tier.available for tier in stock.tiers] == [tier.capacity for tier in concert.tiers]
        assert concert.image is not None
        assert [(size.width, size.height) for size in concert.image.sizes] == [(320, 400), (800, 1_000)]
        assert await stores.images.read_file(concert.image.sizes[0].media_id) is not None


async def test_second_start_does_not_change_the_catalog(stores: Stores) -> None:
    await demo.load_demo(anonymous(stores))
    before = await list_catalog(stores)
    assert await demo.load_demo(anonymous(stores)) == 0
    assert await list_catalog(stores) == before


async def test_concurrent_starts_create_each_concert_once(
    stores: Stores, valkey_url: str, mongo_url: str, mongo_database: str
) -> None:
    async with opened(valkey_url, mongo_url, mongo_database) as others:
        made = await asyncio.gather(demo.load_demo(anonymous(stores)), demo.load_demo(anonymous(others)))
    assert sum(made) == COUNT
    loaded = await list_catalog(stores)
    assert len(loaded) == COUNT
    assert {concert.status for concert in loaded} == {ConcertStatus.PUBLISHED}


async def test_interrupted_load_is_completed_by_the_next_start(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(demo, "publish_concert", _unavailable_after(3))
        assert await demo.load_demo(anonymous(stores)) == 0
    statuses = [concert.status for concert in await list_catalog(stores)]
    assert sorted(statuses) == [ConcertStatus.DRAFT, *[ConcertStatus.PUBLISHED] * 3]
    assert await demo.load_demo(anonymous(stores)) == COUNT - 4
    assert [concert.status for concert in await list_catalog(stores)] == [ConcertStatus.PUBLISHED] * COUNT


async def test_catalog_with_other_concerts_is_left_unchanged(stores: Stores) -> None:
    own = await concerts.create_concert(organizer(stores), draft(10))
    assert await demo.load_demo(anonymous(stores)) == 0
    assert await list_catalog(stores) == (own,)


async def test_unavailable_stores_do_not_block_startup(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(demo, "STORES_WITHIN_S", 0.1)
    async with open_stores("redis://127.0.0.1:1/0", "mongodb://127.0.0.1:1/", "onsale") as stores:
        assert await demo.load_demo(anonymous(stores)) == 0
    assert "the demo concerts were not loaded: the stores are not ready" in caplog.messages


@pytest.mark.parametrize(
    ("environment", "loads"),
    [
        ({}, True),
        ({"ONSALE_DEMO": "no"}, False),
        ({"ONSALE_DEMO": "yes"}, True),
    ],
)
def test_demo_setting_decides_whether_the_demo_is_loaded(environment: dict[str, str], loads: bool) -> None:
    assert Settings.from_env(environment).loads_demo is loads


def test_production_never_loads_the_demo() -> None:
    assert not Settings(env="production", demo="yes").loads_demo


def _unavailable_after(count: int) -> Callable[[Context, ConcertId], Awaitable[Concert]]:
    left = iter(range(count))

    async def publish(context: Context, concert_id: ConcertId) -> Concert:
        if next(left, None) is None:
            raise TemporarilyUnavailable("The store does not answer")
        return await concerts.publish_concert(context, concert_id)

    return publish
