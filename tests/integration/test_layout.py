"""A process uses no store whose data a newer version has written. It says which store, and works
again once the store has a layout that it knows.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio
import redis.asyncio

from domain.concerts import Concert
from domain.errors import TemporarilyUnavailable
from domain.holds import Hold
from resolvers import concerts
from storage.connect import Stores, connect_stores, open_stores
from storage.embedded import supervisor
from storage.embedded.process import ServerProcess
from storage.keys import LAYOUT_KEY
from storage.layout import LAYOUT, OLDER
from storage.readiness import layout
from tests.support.databases import DatabasePool
from tests.support.sale import buy, check_invariants, draft, hold, on_sale, organizer, stock
from tests.support.store_servers import running
from tests.support.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEWER = LAYOUT + 1


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """A Redis whose layout the tests may change."""
    async with running(supervisor.make_valkey(tmp_path_factory.mktemp("layout"))) as server:
        yield server


async def until_used(stores: Stores) -> None:
    async def is_used() -> bool:
        return await stores.problems() == []

    await wait_until(is_used, what="readiness")


@pytest_asyncio.fixture(loop_scope="module")
async def stores(server: ServerProcess, databases: DatabasePool) -> AsyncIterator[Stores]:
    with databases.borrowed() as database:
        async with open_stores(server.url, databases.url, database) as stores:
            await until_used(stores)
            yield stores
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.flushall()


async def write_layout(stores: Stores, server: ServerProcess, store: str, number: int) -> None:
    """Write the number as a process of another version does."""
    if store == "Redis":
        async with redis.asyncio.Redis.from_url(server.url) as client:
            await client.set(LAYOUT_KEY, number)
    else:
        plain = stores.mongo.client[stores.mongo.name]["installation"]
        await plain.update_one({"_id": "layout"}, {"$set": {"number": number}}, upsert=True)


async def read_layouts(stores: Stores, server: ServerProcess) -> tuple[int, int]:
    async with redis.asyncio.Redis.from_url(server.url) as client:
        return int(await client.get(LAYOUT_KEY) or 0), await stores.installation.read_layout()


async def until_refused(stores: Stores) -> None:
    async def is_refused() -> bool:
        return stores.layout.problem is not None

    await wait_until(is_refused, what="the refusal")


async def assert_nothing_can_be_changed(stores: Stores, concert: Concert, held: Hold) -> None:
    before = await stores.orders.page_of_concert(concert.id, after=None, limit=10)
    for change in (
        lambda: hold(stores, concert, 1, who="bob"),
        lambda: buy(stores, held),
        lambda: concerts.create_concert(organizer(stores), draft(5)),
        lambda: stores.recovery.rebuild(concert.id, from_scratch=True),
        lambda: stores.worker_heartbeats.beat("any", datetime.now(UTC)),
    ):
        with pytest.raises(TemporarilyUnavailable, match=OLDER):
            await change()
    assert await stores.orders.page_of_concert(concert.id, after=None, limit=10) == before
    assert await concerts.get_concert(organizer(stores), concert.id) == concert


@pytest.mark.parametrize("store", ["Redis", "MongoDB"])
async def test_process_that_meets_a_newer_layout_takes_no_writes(
    stores: Stores, server: ServerProcess, store: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The background check of the process notices the number, and later that it is gone."""
    assert await read_layouts(stores, server) == (LAYOUT, LAYOUT)
    concert = await on_sale(stores, 10)
    held = await hold(stores, concert, 2)
    with caplog.at_level(logging.WARNING, "storage.readiness.layout"):
        await write_layout(stores, server, store, NEWER)
        await until_refused(stores)
        (problem,) = await stores.problems()
        assert problem.startswith(f"{store} at ")
        assert f"has layout {NEWER}, written by a newer version of Onsale" in problem
        assert f"knows only layouts up to {LAYOUT}" in problem
        assert "upgrade this process, or restore a backup from before the upgrade" in problem
        await assert_nothing_can_be_changed(stores, concert, held)
        lines = [record.getMessage() for record in caplog.records if record.name == "storage.readiness.layout"]
        assert lines == [problem]
    await write_layout(stores, server, store, LAYOUT)
    await until_used(stores)
    await buy(stores, held)
    assert await stock(stores, concert) == [(8, 0, 2)]
    await check_invariants(stores, concert)


async def test_both_newer_stores_are_named(stores: Stores, server: ServerProcess) -> None:
    for store in ("Redis", "MongoDB"):
        await write_layout(stores, server, store, NEWER)
    for _ in range(2):
        await stores.layout.check()
        assert stores.layout.problem is not None
        assert stores.layout.problem.startswith("Redis at ")
        assert f"has layout {NEWER} and MongoDB at " in stores.layout.problem


async def test_process_migrates_nothing_in_a_newer_database(
    server: ServerProcess, mongo_url: str, fresh_database: str
) -> None:
    """It creates no index, and begins as soon as an older backup has been restored."""
    async with connect_stores(server.url, mongo_url, fresh_database) as maker:
        await write_layout(maker, server, "MongoDB", NEWER)
        async with open_stores(server.url, mongo_url, fresh_database) as late:
            await until_refused(late)
            assert await late.layout.claim() is False
            assert await late.mongo.list_collection_names() == ["installation"]
            assert await late.installation.read_layout() == NEWER
            await write_layout(maker, server, "MongoDB", LAYOUT)
            await until_used(late)
            assert "concert_units_recorded_once" in await late.orders.collection.index_information()


async def test_first_write_reads_the_layout_first(server: ServerProcess, databases: DatabasePool) -> None:
    """Nothing is checked in the background here."""
    with databases.borrowed() as database:
        async with connect_stores(server.url, databases.url, database) as stores:
            await write_layout(stores, server, "MongoDB", NEWER)
            with pytest.raises(TemporarilyUnavailable, match=OLDER):
                await concerts.create_concert(organizer(stores), draft(5))
            await write_layout(stores, server, "MongoDB", LAYOUT)


async def test_recovery_does_not_write_into_a_newer_store(server: ServerProcess, databases: DatabasePool) -> None:
    """A store that was restored from a newer one is not recovered, even before the check runs."""
    with databases.borrowed() as database:
        async with connect_stores(server.url, databases.url, database) as stores:
            concert = await on_sale(stores, 5)
            await write_layout(stores, server, "Redis", NEWER)
            with pytest.raises(TemporarilyUnavailable, match=OLDER):
                await stores.recovery.rebuild(concert.id, from_scratch=True)
            stored = await stores.concerts.get(concert.id)
            assert stored is not None
            assert stored.epoch == concert.epoch
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.flushall()


async def test_older_numbers_are_raised_before_documents_are_converted(
    stores: Stores, server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes of the earlier version get time to notice the number."""
    seen = list[int]()

    sleep = asyncio.sleep

    async def wait(seconds: float) -> None:
        if seconds == layout.NOTICED_WITHIN_S:
            seen.append(await stores.installation.read_layout())
        else:
            await sleep(seconds)

    with monkeypatch.context() as patch:
        patch.setattr(layout, "LAYOUT", NEWER)
        patch.setattr(asyncio, "sleep", wait)
        assert await stores.layout.claim()
    assert seen == [NEWER]
    await until_refused(stores)
    await write_layout(stores, server, "MongoDB", LAYOUT)
    await until_used(stores)
