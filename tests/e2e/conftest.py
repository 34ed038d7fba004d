"""A face on real stores, shared by the tests of a module: each makes concerts of its own, and none sees another's."""

import uuid
from collections.abc import AsyncIterator

import pytest_asyncio

from storage.embedded.process import ServerProcess
from tests.support.sale import opened
from tests.support.shop import Shop, shop_on


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(shared_valkey: ServerProcess, shared_mongod: ServerProcess) -> AsyncIterator[Shop]:
    database = f"test_{uuid.uuid4().hex}"
    async with (
        opened(shared_valkey.url, shared_mongod.url, database) as stores,
        shop_on(stores, shared_valkey.url) as made,
    ):
        yield made
        await stores.mongo.client.drop_database(database)
