"""A server is not ready on a Redis that cannot sell. The problem names the address, the reason and
the next step, and ends without a restart of the server.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import pytest_asyncio
import redis.asyncio

from proofs.store_faults.small_disk import fill_disk
from storage.connect import Stores, connect_stores
from storage.embedded import supervisor
from storage.embedded.ports import free_port
from storage.embedded.process import ServerProcess
from storage.hot import script_client
from tests.support.databases import DatabasePool
from tests.support.sale import buy, hold, on_sale, stock
from tests.support.store_proxy import StoreProxy
from tests.support.store_servers import borrowed_stores, running
from tests.support.stores import redis7, start_cluster
from tests.support.waiting import wait_until
from tests.support.wrong_stores import running_cluster, sentinel, small_disk
from workers.expiry import ExpiryWorker

pytestmark = pytest.mark.asyncio(loop_scope="module")

Control = Callable[..., Awaitable[object]]
OpenAt = Callable[[str], AbstractAsyncContextManager[Stores]]
OTHER_DATABASE = "1"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    async with running(redis7(tmp_path_factory.mktemp("redis7"))) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stores(server: ServerProcess, databases: DatabasePool) -> AsyncIterator[Stores]:
    async with borrowed_stores(server.url, databases) as stores:
        yield stores


@pytest_asyncio.fixture(loop_scope="module")
async def control(server: ServerProcess) -> AsyncIterator[Control]:
    async with redis.asyncio.Redis.from_url(server.url, decode_responses=True) as client:
        yield client.execute_command


@pytest.fixture
def stores_at(stores: Stores, databases: DatabasePool) -> OpenAt:
    """Open stores at another URL of Redis, with the same database."""
    return lambda url: connect_stores(url, databases.url, stores.mongo.name)


async def only_problem(stores: Stores) -> str:
    (problem,) = await stores.problems()
    return problem


@pytest.mark.parametrize(
    ("wrong", "right", "why"),
    [
        (
            "CONFIG SET maxmemory 1",
            "CONFIG SET maxmemory 0",
            "is full; raise its maxmemory, or remove keys that do not belong to Onsale (OOM command not allowed",
        ),
        (
            "REPLICAOF 127.0.0.1 1",
            "REPLICAOF NO ONE",
            "is a replica and accepts no writes; set ONSALE_REDIS_URL to the address of the primary (READONLY",
        ),
        (
            "CONFIG SET min-replicas-to-write 1",
            "CONFIG SET min-replicas-to-write 0",
            "has fewer connected replicas than its min-replicas-to-write; reconnect the replicas (NOREPLICAS",
        ),
        (
            "CONFIG SET maxmemory-policy allkeys-lru",
            "CONFIG SET maxmemory-policy noeviction",
            "may evict keys: its maxmemory-policy is allkeys-lru; set it to noeviction",
        ),
    ],
    ids=["full", "replica", "no_replicas", "evicts"],
)
async def test_store_that_cannot_sell_is_not_ready_until_it_is_set_right(
    stores: Stores, server: ServerProcess, control: Control, wrong: str, right: str, why: str
) -> None:
    assert await stores.problems() == []
    await control(*wrong.split())
    try:
        assert (await only_problem(stores)).startswith(f"Redis at 127.0.0.1:{server.port}/0 {why}")
    finally:
        await control(*right.split())
    assert await stores.problems() == []


async def test_store_that_cannot_write_snapshots_is_not_ready(
    stores: Stores, server: ServerProcess, control: Control
) -> None:
    in_the_way = server.directory / "dump.rdb"
    in_the_way.mkdir()
    try:
        await control("CONFIG", "SET", "save", "3600 1")
        await control("BGSAVE")

        async def has_failed() -> bool:
            text = (await stores.script_client.run_command("INFO", "persistence")).decode()
            return "rdb_last_bgsave_status:err" in text

        await wait_until(has_failed, what="the failed snapshot")
        problem = await only_problem(stores)
        assert "accepts no writes because it cannot save its data; free space on its disk" in problem
        assert "(MISCONF" in problem
    finally:
        in_the_way.rmdir()
        await control("CONFIG", "SET", "save", "")
    assert await stores.problems() == []


async def test_store_on_a_full_disk_is_not_ready_until_there_is_space(stores_at: OpenAt, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=4) as disk:
        options = ("--appendfsync", "everysec")
        async with running(redis7(disk, options=options)) as full, stores_at(full.url) as opened:
            assert await opened.problems() == []
            filler = fill_disk(disk)

            async def is_refused() -> bool:
                found = await opened.problems()
                return bool(found) and "cannot save its data; free space on its disk and look at its log" in found[0]

            await wait_until(is_refused, what="the refusal")
            filler.unlink()

            async def is_ready() -> bool:
                return await opened.problems() == []

            await wait_until(is_ready, what="readiness")


async def test_store_whose_disk_is_full_and_that_ended_is_not_ready(stores_at: OpenAt, tmp_path: Path) -> None:
    """With `appendfsync always`, Redis ends instead of refusing writes."""
    with small_disk(tmp_path / "disk", megabytes=4) as disk:
        async with running(redis7(disk)) as full, stores_at(full.url) as opened:
            assert await opened.problems() == []
            filler = fill_disk(disk)

            async def has_ended() -> bool:
                await opened.problems()
                return full.exit_code is not None

            await wait_until(has_ended, what="the end of the store")
            problem = await only_problem(opened)
            assert problem.startswith(f"Redis at 127.0.0.1:{full.port}/0 does not answer: Error 111 connecting to")
            assert problem.endswith("check ONSALE_REDIS_URL and the server")
            filler.unlink()
            await full.start()
            assert await opened.problems() == []


async def test_node_of_a_cluster_is_not_ready(stores_at: OpenAt, tmp_path: Path) -> None:
    async with running_cluster(tmp_path, size=3) as servers:
        for server in servers:
            async with stores_at(server.url) as opened:
                problem = await only_problem(opened)
                assert f"127.0.0.1:{server.port}/0 is a node of a cluster, which Onsale does not support" in problem
                assert "set ONSALE_REDIS_URL to one server" in problem


async def test_cluster_with_all_slots_on_one_server_is_ready(stores_at: OpenAt, tmp_path: Path) -> None:
    server = await start_cluster(tmp_path)
    async with stores_at(server.url) as opened:
        assert await opened.problems() == []
    await server.kill()


async def test_sentinel_is_not_ready(stores_at: OpenAt, tmp_path: Path) -> None:
    """Failing value before: it was said to lack a command, not to be a Sentinel."""
    async with running(sentinel(tmp_path)) as server, stores_at(server.url) as opened:
        problem = await only_problem(opened)
        assert problem.startswith(f"Redis at 127.0.0.1:{server.port}/0 is a Sentinel, which Onsale does not support")
        assert "set ONSALE_REDIS_URL to an address that always leads to the primary" in problem


async def test_checks_at_the_same_time_share_one_run(stores: Stores, control: Control) -> None:
    """Many callers cannot delay the check of a load balancer. Failing value before: 50 runs."""
    assert await stores.problems() == []
    await control("CONFIG", "RESETSTAT")
    assert await asyncio.gather(*[stores.problems() for _ in range(50)]) == [[]] * 50
    stats = await control("INFO", "commandstats")
    assert isinstance(stats, dict)
    assert stats["cmdstat_eval"]["calls"] == 2


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ("+@all -@dangerous +info", None),
        ("+@all -info", "refuses a command of its user; grant the rights that docs/operations.md lists"),
        ("+@all -@scripting", "refuses a command of its user; grant the rights that docs/operations.md lists"),
        ("+@all -@write", "refuses a command of its user; grant the rights that docs/operations.md lists"),
        ("+@all resetchannels", "refuses a command of its user; grant the rights that docs/operations.md lists"),
        ("+@all resetkeys ~other:*", "refuses a command of its user; grant the rights that docs/operations.md lists"),
    ],
    ids=["managed", "no_info", "no_scripts", "no_writes", "no_channels", "no_keys"],
)
async def test_user_of_the_store_needs_few_rights(
    stores_at: OpenAt, server: ServerProcess, control: Control, rules: str, why: str | None
) -> None:
    await control("ACL", "SETUSER", "app", "reset", "on", ">secret", "~*", "&*", *rules.split())
    async with stores_at(f"redis://app:secret@127.0.0.1:{server.port}/0") as opened:
        found = await opened.problems()
        assert "secret" not in str(found)
        if why is None:
            assert found == []
        else:
            assert why in found[0]


async def test_user_with_the_documented_rights_can_sell(
    stores_at: OpenAt, server: ServerProcess, control: Control
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    (command,) = re.findall(r"^ACL SETUSER onsale .*$", page, re.MULTILINE)
    await control(*command.split())
    async with stores_at(f"redis://onsale:PASSWORD@127.0.0.1:{server.port}/0") as opened:
        assert await opened.problems() == []
        concert = await on_sale(opened, 5)
        await buy(opened, await hold(opened, concert, 2))
        assert await stock(opened, concert) == [(3, 0, 2)]
        await ExpiryWorker().run_once(opened)
        opened.hint_publisher.publish("onsale2:work")
        log = await control("ACL", "LOG")
        assert isinstance(log, list)
        assert [entry for entry in log if entry["username"] == "onsale"] == []


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("redis://app:wrong@127.0.0.1:{port}/0", "refuses the user name or the password; correct them in"),
        ("redis://127.0.0.1:{port}/99", "does not have this database; use a lower number at the end of"),
        ("redis://127.0.0.1:{free}/0", "does not answer: Error 111 connecting to 127.0.0.1:{free}"),
        ("redis://nowhere.invalid:1/0", "does not answer: Error -2 connecting to nowhere.invalid:1"),
        ("unix:///nowhere/redis.sock", "does not answer: Error 2 connecting to /nowhere/redis.sock"),
    ],
    ids=["password", "database", "port", "name", "socket"],
)
async def test_wrong_address_is_not_ready(stores_at: OpenAt, server: ServerProcess, url: str, why: str) -> None:
    ports = {"port": server.port, "free": free_port()}
    async with stores_at(url.format(**ports)) as opened:
        problem = await only_problem(opened)
        assert why.format(**ports) in problem
        assert "ONSALE_REDIS_URL" in problem


async def test_silent_store_is_not_ready(
    stores_at: OpenAt, server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script_client, "TIMEOUT_S", 0.2)
    async with StoreProxy(server.url).running() as proxy, stores_at(proxy.url) as opened:
        proxy.fall_silent()
        assert "does not answer: Timeout" in await only_problem(opened)


async def test_port_without_tls_is_named(
    stores_at: OpenAt, server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script_client, "TIMEOUT_S", 0.2)
    async with stores_at(f"rediss://127.0.0.1:{server.port}/0") as opened:
        problem = await only_problem(opened)
        assert problem.startswith(f"Redis at 127.0.0.1:{server.port}/0 does not answer: ")


async def test_second_deployment_on_one_redis_is_not_ready(
    stores: Stores, server: ServerProcess, control: Control, databases: DatabasePool
) -> None:
    """The first deployment stays ready, and other numbers of the same Redis are free. A second one
    that has claimed the store first does not stop the sale of the first.
    """
    assert await stores.problems() == []
    with databases.borrowed() as other:
        async with connect_stores(server.url, databases.url, other) as second:
            assert "is used by another deployment, with another MongoDB database" in await only_problem(second)
            assert await stores.problems() == []
            concert = await on_sale(stores, 5)
            await control("DEL", "onsale2:{store}:deployment")
            assert await second.problems() == []
            assert "is used by another deployment" in await only_problem(stores)
            await buy(stores, await hold(stores, concert, 2))
        async with connect_stores(f"redis://127.0.0.1:{server.port}/{OTHER_DATABASE}", databases.url, other) as second:
            assert await second.problems() == []
        await control("DEL", "onsale2:{store}:deployment")
        async with connect_stores(server.url, databases.url, other) as second:
            assert await second.problems() == []
            assert await stock(second, await on_sale(second, 5)) == [(5, 0, 0)]
    await control("FLUSHALL")


async def test_each_change_of_readiness_is_logged_once(
    stores: Stores, control: Control, caplog: pytest.LogCaptureFixture
) -> None:
    await stores.problems()
    caplog.clear()
    await control("CONFIG", "SET", "min-replicas-to-write", "1")
    for _ in range(3):
        await stores.problems()
    await control("CONFIG", "SET", "min-replicas-to-write", "0")
    for _ in range(3):
        await stores.problems()
    lines = [record.getMessage() for record in caplog.records if record.name.endswith("readiness")]
    assert [line.partition(":")[0] for line in lines] == ["this server is not ready", "this server is ready again"]
    assert "NOREPLICAS" in lines[0]


async def test_valkey_is_ready(stores_at: OpenAt, tmp_path: Path) -> None:
    async with running(supervisor.make_valkey(tmp_path)) as valkey, stores_at(valkey.url) as opened:
        assert await opened.problems() == []
