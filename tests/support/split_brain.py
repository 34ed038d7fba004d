"""Two Redis servers that both accept writes, as after a failover from a primary that was only cut
off, and processes that share a database but use different servers.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import redis.asyncio

from domain.concerts import Concert
from domain.errors import TemporarilyUnavailable
from storage.connect import Stores
from storage.embedded import supervisor
from storage.embedded.process import ServerProcess
from storage.keys import DEPLOYMENT_KEY, concert_keys
from tests.support.databases import DatabasePool
from tests.support.sale import buy, hold, on_sale, opened
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
async def running_pair(directory: Path) -> AsyncIterator[Pair]:
    """Run the servers that become the old and the new primary."""
    async with (
        running(supervisor.make_valkey(directory / "old")) as old,
        running(supervisor.make_valkey(directory / "new")) as new,
    ):
        yield old, new


@asynccontextmanager
async def split(
    pair: Pair, databases: DatabasePool, *, before: Callable[[Stores, Concert], Awaitable[None]] | None = None
) -> AsyncIterator[tuple[Split, Concert]]:
    """Put a concert on sale at the old primary, and let the new one take it over.

    `before` is called with the old primary, before it is copied.
    """
    old, new = pair
    async with AsyncExitStack() as stack:
        database = stack.enter_context(databases.borrowed())
        proxy = await stack.enter_async_context(StoreProxy(old.url).running())
        left = await stack.enter_async_context(opened(proxy.url, databases.url, database))
        concert = await on_sale(left, 20, limit_per_person=4)
        await buy(left, await hold(left, concert, 4))
        if before is not None:
            await before(left, concert)
        await replicate(old, new)
        # The first replica changes the replication id of its primary, which is then recovered.
        await until_trusted(left, concert.id)
        await until_copied(old, new, concert)
        await command(new, "REPLICAOF", "NO", "ONE")
        await command(new, "DEL", DEPLOYMENT_KEY)
        right = await stack.enter_async_context(opened(new.url, databases.url, database))
        await until_trusted(right, concert.id)
        yield Split(left, right, proxy, old, new), concert


async def until_copied(source: ServerProcess, replica: ServerProcess, concert: Concert) -> None:
    async def is_copied() -> bool:
        fields = ("HMGET", concert_keys(concert.id)[0], "epoch", "incarnation", "version", "mark")
        return await command(source, *fields) == await command(replica, *fields)

    await wait_until(is_copied, what="the copy")


async def is_refused(stores: Stores, concert: Concert) -> bool:
    """Return whether this process believes that another store has taken over the concert."""
    await stores.concert_cache.list_all()
    try:
        await stores.holds.read_stock(concert)
    except TemporarilyUnavailable as error:
        return "Another stock store has taken over this concert" in str(error)
    return False


async def until_refused(stores: Stores, concert: Concert) -> None:
    await wait_until(lambda: is_refused(stores, concert), what="the refusal")


async def until_answered(stores: Stores, concert: Concert) -> None:
    async def is_answered() -> bool:
        await stores.concert_cache.list_all()
        try:
            await stores.holds.read_stock(concert)
        except TemporarilyUnavailable:
            return False
        return True

    await wait_until(is_answered, what="the stock")
