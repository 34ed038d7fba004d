"""Fixtures for tests on real stores. Each kind of store is started once, when the first test asks for it."""

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
import redis
from pymongo import MongoClient

from storage.embedded import supervisor
from storage.embedded.process import ServerProcess
from tests.support import stores

# The loop of a session fixture lives as long as its stores; tests keep a loop of their own each.
session_fixture = pytest_asyncio.fixture(scope="session", loop_scope="session")


@session_fixture
async def shared_valkey(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    child = supervisor.make_valkey(tmp_path_factory.mktemp("valkey"))
    await child.start()
    yield child
    await child.kill()


@session_fixture
async def shared_redis7(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    child = stores.redis7(tmp_path_factory.mktemp("redis7"))
    await child.start()
    yield child
    await child.kill()


@session_fixture
async def shared_cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    child = await stores.start_cluster(tmp_path_factory.mktemp("cluster"))
    yield child
    await child.kill()


@session_fixture
async def shared_mongod(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    child = stores.mongod(tmp_path_factory.mktemp("mongod"))
    await child.start()
    yield child
    await child.kill()


@pytest.fixture
def valkey_url(shared_valkey: ServerProcess) -> str:
    """An empty Valkey."""
    return _emptied(shared_valkey)


@pytest.fixture(params=["valkey", "redis7", "cluster"])
def store_url(request: pytest.FixtureRequest) -> str:
    """An empty store, of every kind that Onsale promises to run on."""
    child = request.getfixturevalue(f"shared_{request.param}")
    assert isinstance(child, ServerProcess)
    return _emptied(child)


@pytest.fixture
def mongo_url(shared_mongod: ServerProcess) -> str:
    return shared_mongod.url


@pytest.fixture
def mongo_database(mongo_url: str) -> Iterator[str]:
    """The name of a database of this test alone."""
    name = f"test_{uuid.uuid4().hex}"
    yield name
    with MongoClient[dict[str, object]](mongo_url) as client:
        client.drop_database(name)


@pytest_asyncio.fixture
async def own_valkey(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """For a test that stops or kills its store."""
    child = supervisor.make_valkey(tmp_path / "valkey")
    await child.start()
    yield child
    await child.kill()


@pytest_asyncio.fixture
async def own_mongod(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """For a test that stops or kills its database."""
    child = stores.mongod(tmp_path / "mongod")
    await child.start()
    yield child
    await child.kill()


def _emptied(child: ServerProcess) -> str:
    with redis.Redis.from_url(child.url) as client:
        client.flushall()
    return child.url
