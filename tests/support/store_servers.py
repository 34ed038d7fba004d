"""Runs store servers for the lifetime of a fixture, and a shop on two of them."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from schema import Engine
from storage.embedded.process import ServerProcess
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
async def open_shop(
    valkey: ServerProcess, mongod: ServerProcess, *, engine: Engine | None = None
) -> AsyncIterator[Shop]:
    """Open a shop with a separate database."""
    database = f"test_{uuid.uuid4().hex}"
    async with opened(valkey.url, mongod.url, database) as stores, shop_on(stores, valkey.url, engine=engine) as shop:
        yield shop
