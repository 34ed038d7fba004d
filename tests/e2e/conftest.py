"""A GraphQL server and stores for all tests of a module; each test makes concerts of its own."""

import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from storage.embedded import supervisor
from storage.embedded.process import ServerProcess
from tests.support import stores as test_stores
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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_valkey(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """A Valkey for the tests of one module that stop it and start it again."""
    server = supervisor.make_valkey(tmp_path_factory.mktemp("valkey"))
    await server.start()
    yield server
    await server.kill()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_mongod(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """A mongod for the tests of one module that stop it and start it again."""
    server = test_stores.mongod(tmp_path_factory.mktemp("mongod"))
    await server.start()
    yield server
    await server.kill()


@pytest_asyncio.fixture(loop_scope="module")
async def stoppable_valkey(module_valkey: ServerProcess) -> AsyncIterator[ServerProcess]:
    yield module_valkey
    await _ensure_running(module_valkey)


@pytest_asyncio.fixture(loop_scope="module")
async def stoppable_mongod(module_mongod: ServerProcess) -> AsyncIterator[ServerProcess]:
    yield module_mongod
    await _ensure_running(module_mongod)


async def _ensure_running(server: ServerProcess) -> None:
    """Start what a test left stopped."""
    if server.exit_code is not None:
        await server.start()
