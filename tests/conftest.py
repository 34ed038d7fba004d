"""Fixtures for tests on real stores. Each kind of store is started once, when first used."""

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import redis
from hypothesis import HealthCheck, settings
from pymongo import MongoClient

from storage.embedded import supervisor
from storage.embedded.process import ServerProcess
from tests.support import stores
from tests.support.databases import DatabasePool, create_template
from tests.support.store_servers import running
from tests.support.stores import memory_directory

# Neither limit may make a test fail on a busy machine.
settings.register_profile("onsale", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("onsale")

TESTS = Path(__file__).parent
COSTLIEST_FIRST = ("e2e", "pages", "identity", "integration", "unit")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run the costliest tests first, so that parallel processes end at about the same time."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: COSTLIEST_FIRST.index(item.path.relative_to(TESTS).parts[0]))


# One Keycloak for all identity tests, started with the session, one payment sandbox for each module
# with payments, and options that change what the tests run or how.
pytest_plugins = [
    "tests.support.keycloak",
    "tests.support.page_stories",
    "tests.support.plans",
    "tests.support.sandbox",
    "tests.support.switch_options",
]

# Session fixtures share an event loop that runs for the whole session; each test has its own loop.
session_fixture = pytest_asyncio.fixture(scope="session", loop_scope="session")


@session_fixture
async def shared_valkey(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    with memory_directory(tmp_path_factory.mktemp("valkey")) as directory:
        async with running(supervisor.make_valkey(directory)) as server:
            yield server


@session_fixture
async def shared_redis7(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    with memory_directory(tmp_path_factory.mktemp("redis7")) as directory:
        async with running(stores.redis7(directory)) as server:
            yield server


@session_fixture
async def shared_cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    with memory_directory(tmp_path_factory.mktemp("cluster")) as directory:
        server = await stores.start_cluster(directory)
        yield server
        await server.kill()


@session_fixture
async def shared_mongod(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    with memory_directory(tmp_path_factory.mktemp("mongod")) as directory:
        async with running(stores.mongod(directory)) as server:
            yield server


@pytest.fixture
def valkey_url(shared_valkey: ServerProcess) -> str:
    """The URL of an empty Valkey."""
    return _emptied(shared_valkey)


@pytest.fixture(params=["valkey", "redis7", "cluster"])
def store_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty store. The test runs once on every supported kind of store."""
    server = request.getfixturevalue(f"shared_{request.param}")
    assert isinstance(server, ServerProcess)
    return _emptied(server)


@pytest.fixture
def mongo_url(shared_mongod: ServerProcess) -> str:
    return shared_mongod.url


@session_fixture
async def databases(shared_mongod: ServerProcess) -> AsyncIterator[DatabasePool]:
    with MongoClient[dict[str, Any]](shared_mongod.url) as client:
        template = await create_template(client, shared_mongod.url)
        yield DatabasePool(client, shared_mongod.url, template=template)


@pytest.fixture
def mongo_database(databases: DatabasePool) -> Iterator[str]:
    """The name of an empty database with all indexes, which only this test uses."""
    with databases.borrowed() as name:
        yield name


@pytest.fixture
def fresh_database(mongo_url: str) -> Iterator[str]:
    """The name of a database that does not exist yet, which only this test uses."""
    name = f"test_{uuid.uuid4().hex}"
    yield name
    with MongoClient[dict[str, object]](mongo_url) as client:
        client.drop_database(name)


@pytest_asyncio.fixture
async def own_valkey(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """A Valkey that the test may stop or kill."""
    async with running(supervisor.make_valkey(tmp_path / "valkey")) as server:
        yield server


@pytest_asyncio.fixture
async def own_mongod(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """A mongod that the test may stop or kill."""
    async with running(stores.mongod(tmp_path / "mongod")) as server:
        yield server


def _emptied(server: ServerProcess) -> str:
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
    return server.url
