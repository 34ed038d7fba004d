"""Two stores that are both primary: a process at the old one refuses the concerts that the other
has taken over, and uses the right one as soon as it is connected to it.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
import redis.asyncio

from domain.concerts import Concert
from domain.errors import TemporarilyUnavailable
from storage.connect import Stores
from storage.embedded import supervisor
from storage.embedded.process import ServerProcess
from storage.keys import concert_keys
from storage.sync import concert_cache, superseded
from tests.support.databases import DatabasePool
from tests.support.sale import buy, check_invariants, hold, on_sale, opened, stock
from tests.support.store_copies import until_trusted
from tests.support.store_proxy import StoreProxy
from tests.support.store_servers import running
from tests.support.waiting import wait_until

Pair = tuple[ServerProcess, ServerProcess]


@dataclass(frozen=True, slots=True)
class Split:
    """Two processes that share a database. `left` reaches the old primary through a proxy; `right`
    reaches the new one, a former replica that has been promoted.
    """

    left: Stores
    right: Stores
    proxy: StoreProxy
    old: ServerProcess
    new: ServerProcess


@pytest_asyncio.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with (
        running(supervisor.make_valkey(tmp_path / "old")) as old,
        running(supervisor.make_valkey(tmp_path / "new")) as new,
    ):
        yield old, new


@pytest.fixture(autouse=True)
def always_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the list of concerts with each call instead of every two seconds."""
    monkeypatch.setattr(concert_cache, "REFRESH_S", 0.0)


async def command(server: ServerProcess, *words: str | int) -> object:
    async with redis.asyncio.Redis.from_url(server.url, decode_responses=True) as client:
        return await client.execute_command(*words)


async def replicate(source: ServerProcess, replica: ServerProcess) -> None:
    await command(replica, "REPLICAOF", "127.0.0.1", source.port)

    async def is_in_sync() -> bool:
        async with redis.asyncio.Redis.from_url(replica.url, decode_responses=True) as client:
            info = await client.info("replication")
        return (info["role"], info["master_link_status"]) == ("slave", "up")

    await wait_until(is_in_sync, what="the replica")


@asynccontextmanager
async def split(pair: Pair, databases: DatabasePool) -> AsyncIterator[tuple[Split, Concert]]:
    """Put a concert on sale at the old primary, and let the new one take it over."""
    old, new = pair
    async with AsyncExitStack() as stack:
        database = stack.enter_context(databases.borrowed())
        proxy = await stack.enter_async_context(StoreProxy(old.url).running())
        left = await stack.enter_async_context(opened(proxy.url, databases.url, database))
        concert = await on_sale(left, 20, limit_per_person=4)
        await buy(left, await hold(left, concert, 4))
        await replicate(old, new)
        # The first replica changes the replication id of its primary, which is then recovered.
        await until_trusted(left, concert.id)
        await until_copied(old, new, concert)
        await command(new, "REPLICAOF", "NO", "ONE")
        await command(new, "DEL", "onsale2:{store}:deployment")
        right = await stack.enter_async_context(opened(new.url, databases.url, database))
        await until_trusted(right, concert.id)
        yield Split(left, right, proxy, old, new), concert


async def until_copied(source: ServerProcess, replica: ServerProcess, concert: Concert) -> None:
    async def is_copied() -> bool:
        fields = ("HMGET", concert_keys(concert.id)[0], "epoch", "incarnation", "version", "mark")
        return await command(source, *fields) == await command(replica, *fields)

    await wait_until(is_copied, what="the copy")


async def until_refused(stores: Stores, concert: Concert) -> None:
    async def is_refused() -> bool:
        await stores.concert_cache.list_all()
        try:
            await stores.holds.read_stock(concert)
        except TemporarilyUnavailable as error:
            return "Another stock store has taken over this concert" in str(error)
        return False

    await wait_until(is_refused, what="the refusal")


async def until_answered(stores: Stores, concert: Concert) -> None:
    async def is_answered() -> bool:
        await stores.concert_cache.list_all()
        try:
            await stores.holds.read_stock(concert)
        except TemporarilyUnavailable:
            return False
        return True

    await wait_until(is_answered, what="the stock")


async def test_old_primary_is_refused_and_the_new_one_sells(pair: Pair, databases: DatabasePool) -> None:
    async with split(pair, databases) as (two, concert):
        await until_refused(two.left, concert)
        with pytest.raises(TemporarilyUnavailable) as refusal:
            await hold(two.left, concert, 1, who="bob")
        assert refusal.value.retry_after_s == 2
        (problem,) = await two.left.problems()
        assert f"Redis at 127.0.0.1:{two.proxy.url.split(':')[2]} is an old primary" in problem
        assert "another Redis has taken over 1 concerts" in problem
        assert await two.right.problems() == []
        await buy(two.right, await hold(two.right, concert, 4, who="bob"))
        assert await stock(two.right, concert) == [(12, 0, 8)]
        await check_invariants(two.right, concert)


async def test_refusal_ends_when_the_process_reaches_the_new_primary(pair: Pair, databases: DatabasePool) -> None:
    async with split(pair, databases) as (two, concert):
        await until_refused(two.left, concert)
        two.proxy.target_url = two.new.url
        two.proxy.reset_connections()
        await until_answered(two.left, concert)
        await buy(two.left, await hold(two.left, concert, 4, who="bob"))
        assert await stock(two.right, concert) == [(12, 0, 8)]
        assert await two.left.problems() == []


async def test_store_takes_its_concerts_back_if_the_other_does_not_stay(
    pair: Pair, databases: DatabasePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The orders that the other store sold are recorded again, so no ticket is sold twice."""
    async with split(pair, databases) as (two, concert):
        await buy(two.right, await hold(two.right, concert, 4, who="bob"))
        await until_refused(two.left, concert)
        await two.new.kill()
        monkeypatch.setattr(superseded, "TAKE_BACK_AFTER_S", 0.0)
        await until_answered(two.left, concert)
        assert await stock(two.left, concert) == [(12, 0, 8)]
        with pytest.raises(Exception, match="4"):
            await hold(two.left, concert, 1, who="bob")
        await check_invariants(two.left, concert)
        assert await two.left.problems() == []


async def test_restarted_store_is_not_superseded(pair: Pair, databases: DatabasePool) -> None:
    """Other processes that recover the concert at the same time do not raise a false alarm."""
    old, _ = pair
    with databases.borrowed() as database:
        async with opened(old.url, databases.url, database) as one, opened(old.url, databases.url, database) as two:
            concert = await on_sale(one, 5)
            for _ in range(3):
                await old.kill()
                await old.start()
                for stores in (one, two):
                    await until_answered(stores, concert)
            for stores in (one, two):
                await stores.concert_cache.list_all()
                assert stores.superseded.count() == 0
