"""Runs store servers for the lifetime of a fixture, and a shop on two of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import redis.asyncio

from schema import Engine
from storage.connect import Stores
from storage.embedded.process import ServerProcess
from tests.support.databases import DatabasePool
from tests.support.sale import opened
from tests.support.shop import Shop, shop_on


@asynccontextmanager
async def running(server: ServerProcess) -> AsyncIterator[ServerProcess]:
    await server.start()
    try:
        yield server
    finally:
        await server.kill()


async def ensure_running(server: ServerProcess) -> None:
    """Start a server if a test has stopped it."""
    if server.exit_code is not None:
        await server.start()


@asynccontextmanager
async def borrowed_stores(redis_url: str, databases: DatabasePool) -> AsyncIterator[Stores]:
    """Open stores with a separate database."""
    with databases.borrowed() as database:
        async with opened(redis_url, databases.url, database) as stores:
            yield stores


@asynccontextmanager
async def open_shop(
    valkey: ServerProcess, databases: DatabasePool, *, engine: Engine | None = None
) -> AsyncIterator[Shop]:
    """Open a shop with a separate database, on a Valkey without the concerts of earlier shops."""
    async with redis.asyncio.Redis.from_url(valkey.url) as client:
        await client.flushall()
    async with borrowed_stores(valkey.url, databases) as stores, shop_on(stores, valkey.url, engine=engine) as shop:
        yield shop
