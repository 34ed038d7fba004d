"""A GraphQL server and stores that all tests in a module share; each test has its own concerts."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from storage.embedded import supervisor
from storage.embedded.process import ServerProcess
from tests.support import stores
from tests.support.shop import Shop
from tests.support.store_servers import ensure_running, open_shop, running

module_fixture = pytest_asyncio.fixture(scope="module", loop_scope="module")


@module_fixture
async def shop(shared_valkey: ServerProcess, shared_mongod: ServerProcess) -> AsyncIterator[Shop]:
    async with open_shop(shared_valkey, shared_mongod) as made:
        yield made
        database = made.stores.mongo
        await database.client.drop_database(database.name)


@module_fixture
async def module_valkey(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """A Valkey server for a module whose tests stop and restart it."""
    async with running(supervisor.make_valkey(tmp_path_factory.mktemp("valkey"))) as server:
        yield server


@module_fixture
async def module_mongod(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """A mongod process for a module whose tests stop and restart it."""
    async with running(stores.mongod(tmp_path_factory.mktemp("mongod"))) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def stoppable_valkey(module_valkey: ServerProcess) -> AsyncIterator[ServerProcess]:
    yield module_valkey
    await ensure_running(module_valkey)


@pytest_asyncio.fixture(loop_scope="module")
async def stoppable_mongod(module_mongod: ServerProcess) -> AsyncIterator[ServerProcess]:
    yield module_mongod
    await ensure_running(module_mongod)
