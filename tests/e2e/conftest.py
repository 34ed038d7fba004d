"""A GraphQL server and stores that all tests in a module share; each test has its own concerts."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from storage import silence
from storage.embedded import supervisor
from storage.embedded.process import ServerProcess
from tests.support import stores
from tests.support.databases import DatabasePool
from tests.support.shop import Shop
from tests.support.sockets import PATIENT, Sockets, borrowed_sockets, sockets
from tests.support.store_servers import ensure_running, open_shop, running

module_fixture = pytest_asyncio.fixture(scope="module", loop_scope="module")


@module_fixture
async def shop(shared_valkey: ServerProcess, databases: DatabasePool) -> AsyncIterator[Shop]:
    async with open_shop(shared_valkey, databases) as made:
        yield made


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


@module_fixture
async def module_sockets() -> AsyncIterator[Sockets]:
    async with sockets(PATIENT) as made:
        yield made


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a busy machine from looking like a silent store."""
    monkeypatch.setattr(silence, "SILENT_AFTER_S", 30.0)


@pytest_asyncio.fixture(loop_scope="module")
async def patient_server(module_sockets: Sockets) -> AsyncIterator[Sockets]:
    """A socket server with a fake runner and generous limits, without earlier subscriptions."""
    async with borrowed_sockets(module_sockets) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def stoppable_valkey(module_valkey: ServerProcess) -> AsyncIterator[ServerProcess]:
    yield module_valkey
    await ensure_running(module_valkey)


@pytest_asyncio.fixture(loop_scope="module")
async def stoppable_mongod(module_mongod: ServerProcess) -> AsyncIterator[ServerProcess]:
    yield module_mongod
    await ensure_running(module_mongod)
