"""A server is not ready on a MongoDB that cannot record orders. The problem names the address, the
reason and the next step.
"""

import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pymongo import MongoClient, ReadPreference

from storage.connect import Stores, connect_stores, open_stores
from storage.embedded.ports import free_port
from storage.embedded.process import ServerProcess
from storage.mongo.client import connect, database
from tests.support.mongo_failures import failing
from tests.support.sale import buy, hold, on_sale, stock
from tests.support.store_servers import running
from tests.support.stores import mongod
from tests.support.waiting import wait_until
from tests.support.wrong_stores import running_set_with_arbiter, standalone_mongod, uninitiated_mongod

pytestmark = pytest.mark.asyncio(loop_scope="module")

OpenAt = Callable[[str], AbstractAsyncContextManager[Stores]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lonely(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """A mongod that belongs to no replica set."""
    async with running(standalone_mongod(tmp_path_factory.mktemp("standalone"))) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def member(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """A replica set with one member, which the tests may demote."""
    async with running(mongod(tmp_path_factory.mktemp("member"))) as server:
        yield server


@pytest.fixture
def stores_at(valkey_url: str) -> OpenAt:
    return lambda url: open_stores(valkey_url, url, "readiness")


async def only_problem(stores: Stores) -> str:
    (problem,) = await stores.problems()
    return problem


async def until_ready(stores: Stores) -> None:
    async def is_ready() -> bool:
        return await stores.problems() == []

    await wait_until(is_ready, what="readiness")


async def test_standalone_mongod_is_not_ready(lonely: ServerProcess, stores_at: OpenAt) -> None:
    async with stores_at(lonely.url) as stores:
        problem = await only_problem(stores)
        assert problem.startswith(f"MongoDB at 127.0.0.1:{lonely.port} is a standalone server")
        assert "start mongod with --replSet and run rs.initiate() once" in problem


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("mongodb://127.0.0.1:{lonely}/?replicaSet=onsale", "has no primary that this server can reach"),
        ("mongodb://127.0.0.1:{member}/?replicaSet=other", "has no primary that this server can reach"),
        ("mongodb://127.0.0.1:{free}/?replicaSet=onsale", "127.0.0.1:{free}: [Errno 111] Connection refused"),
        ("mongodb://nowhere.invalid:1/?replicaSet=onsale", "nowhere.invalid:1: [Errno -2] Name or service not known"),
        ("mongodb+srv://nowhere.invalid/", "The DNS query name does not exist"),
        ("mongodb://127.0.0.1:{member}/?replicaSet=onsale&tls=true", "SSL handshake failed"),
    ],
    ids=["standalone", "set_name", "port", "name", "srv", "tls"],
)
async def test_unusable_address_is_not_ready(
    lonely: ServerProcess, member: ServerProcess, stores_at: OpenAt, url: str, why: str
) -> None:
    ports = {"lonely": lonely.port, "member": member.port, "free": free_port()}
    async with stores_at(url.format(**ports)) as stores:
        problem = await only_problem(stores)
        assert problem.startswith(f"MongoDB at {url.format(**ports).split('/')[2]} ")
        assert why.format(**ports) in problem
        assert "ONSALE_MONGO_URL" in problem
        assert "Topology" not in problem
        assert "Timeout" not in problem


async def test_set_that_was_never_initiated_is_not_ready(stores_at: OpenAt, tmp_path: Path) -> None:
    async with (
        running(uninitiated_mongod(tmp_path)) as server,
        stores_at(f"{server.url}?replicaSet=onsale") as stores,
    ):
        problem = await only_problem(stores)
        assert "has no primary that this server can reach" in problem
        assert "If the set is new, run rs.initiate() once" in problem


async def test_member_that_is_not_primary_is_not_ready(member: ServerProcess, stores_at: OpenAt) -> None:
    direct = f"mongodb://127.0.0.1:{member.port}/?directConnection=true"
    with MongoClient[dict[str, Any]](direct) as control:
        async with stores_at(member.url) as stores, stores_at(direct) as directly:
            await until_ready(stores)
            control.admin.command("replSetStepDown", 600, force=True)
            try:
                problem = await only_problem(directly)
                assert "has no writable primary: this is a secondary of the set onsale" in problem
                assert "with replicaSet=onsale and without directConnection" in problem
                assert "has no primary that this server can reach" in await only_problem(stores)
            finally:
                control.admin.command("replSetFreeze", 0)
            await until_ready(stores)


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (13, "refuses a command of its user; grant it the role readWrite on the database"),
        (18, "refuses the user name or the password; correct them in ONSALE_MONGO_URL"),
    ],
)
async def test_refused_user_is_not_ready(
    valkey_url: str, mongo_url: str, mongo_database: str, code: int, why: str
) -> None:
    async with connect_stores(valkey_url, mongo_url, mongo_database) as stores:
        async with failing(mongo_url, 1, commands=("listIndexes",), errorCode=code):
            assert why in await only_problem(stores)
        assert await stores.problems() == []


async def test_user_who_may_only_read_is_not_ready(valkey_url: str, mongo_url: str, mongo_database: str) -> None:
    """Failing value before: ready, as nothing was written."""
    async with connect_stores(valkey_url, mongo_url, mongo_database) as stores:
        async with failing(mongo_url, 1, commands=("update",), errorCode=13):
            assert "refuses a command of its user; grant it the role readWrite" in await only_problem(stores)
        assert await stores.problems() == []


async def test_primary_without_a_majority_is_not_ready(stores_at: OpenAt, tmp_path: Path) -> None:
    """With an arbiter, a primary stays although no write reaches a majority. Failing value before:
    ready, although no order could be confirmed.
    """
    async with running_set_with_arbiter(tmp_path) as (primary, secondary), stores_at(primary.url) as stores:
        await until_ready(stores)
        os.kill(secondary.pid, signal.SIGSTOP)
        try:

            async def is_named() -> bool:
                # A busy machine stops the member a moment after the signal.
                problems = await stores.problems()
                return any(
                    "records no write on the majority of its members" in problem
                    and "start the members that are missing" in problem
                    for problem in problems
                )

            await wait_until(is_named, what="the problem")
        finally:
            os.kill(secondary.pid, signal.SIGCONT)
        await until_ready(stores)


async def test_reason_for_missing_indexes_is_shown(valkey_url: str, mongo_url: str, fresh_database: str) -> None:
    failure = failing(mongo_url, 10_000, commands=("createIndexes",), errorCode=13)
    async with failure, open_stores(valkey_url, mongo_url, fresh_database) as stores:

        async def names_the_cause() -> bool:
            return "lacks the unique index on units or its schema; creating it failed:" in await only_problem(stores)

        await wait_until(names_the_cause, what="the cause")


@pytest.mark.parametrize("options", ["readPreference=secondary", "readPreference=nearest&readPreferenceTags=dc:east"])
async def test_read_preference_of_the_url_does_not_weaken_reads(
    valkey_url: str, mongo_url: str, mongo_database: str, options: str
) -> None:
    """The set has no secondary, so a read that obeyed the URL would fail."""
    url = f"{mongo_url}&{options}"
    client = connect(url)
    assert database(client, "any").read_preference == ReadPreference.PRIMARY
    client.close()
    async with connect_stores(valkey_url, url, mongo_database) as stores:
        assert await stores.problems() == []
        concert = await on_sale(stores, 5)
        await buy(stores, await hold(stores, concert, 2))
        assert await stock(stores, concert) == [(3, 0, 2)]
