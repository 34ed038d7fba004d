"""Onsale sells on stores with the shipped configuration, and its users may do nothing else."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import redis.asyncio
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure
from redis.exceptions import NoPermissionError

from domain.errors import TemporarilyUnavailable
from storage.connect import open_stores
from tests.support.sale import buy, check_invariants, hold, is_ready, on_sale, stock
from tests.support.shipped_stores import ShippedStores, running_shipped_stores
from tests.support.waiting import wait_until
from workers.expiry import ExpiryWorker

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "onsale.service"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shipped(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ShippedStores]:
    async with running_shipped_stores(tmp_path_factory.mktemp("shipped")) as stores:
        yield stores


async def test_shop_sells_with_the_rights_of_its_users(shipped: ShippedStores) -> None:
    operator = redis.asyncio.Redis.from_url(shipped.operator_url, decode_responses=True)
    # Other tests of this module are refused on purpose.
    await operator.execute_command("ACL", "LOG", "RESET")
    async with operator, open_stores(shipped.redis_url, shipped.mongo_url, "onsale") as stores:
        await wait_until(lambda: is_ready(stores), what="readiness")
        concert = await on_sale(stores, 5)
        await buy(stores, await hold(stores, concert, 2))
        await hold(stores, concert, 1)
        await ExpiryWorker().run_once(stores)
        assert await stock(stores, concert) == [(2, 1, 2)]
        await check_invariants(stores, concert)
        denied = await operator.execute_command("ACL", "LOG")
        # Redis 7.0 does not know this command, and redis-py does without it.
        assert [entry for entry in denied if entry["object"] != "client|setinfo"] == []


async def test_holds_survive_a_kill_of_redis(shipped: ShippedStores) -> None:
    # Redis replays its log as the user `default`, and checks its rights in transactions.
    async with open_stores(shipped.redis_url, shipped.mongo_url, "onsale") as stores:
        await wait_until(lambda: is_ready(stores), what="readiness")
        concert = await on_sale(stores, 5)
        held = await hold(stores, concert, 2)
        await shipped.redis.kill()
        await shipped.redis.start()

        async def is_bought() -> bool:
            with contextlib.suppress(TemporarilyUnavailable):
                await buy(stores, held)
                return True
            return False

        await wait_until(is_bought, what="the purchase of the hold")
        assert await stock(stores, concert) == [(3, 0, 2)]
        await check_invariants(stores, concert)


@pytest.mark.parametrize(
    "command", ["KEYS *", "FLUSHALL", "CONFIG GET *", "ACL LIST", "SET other 1", "PUBLISH other x", "CLIENT KILL a:1"]
)
async def test_redis_user_may_do_nothing_else(shipped: ShippedStores, command: str) -> None:
    async with redis.asyncio.Redis.from_url(shipped.redis_url) as client:
        with pytest.raises(NoPermissionError):
            await client.execute_command(*command.split())


async def test_mongodb_user_may_not_use_other_databases(shipped: ShippedStores) -> None:
    client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(shipped.mongo_url)
    async with client:
        for database in ("other", "admin", "local"):
            with pytest.raises(OperationFailure, match="not authorized"):
                await client[database]["things"].insert_one({})
        with pytest.raises(OperationFailure, match="not authorized"):
            await client["onsale"].command("collMod", "concerts", validator={})


async def test_election_begins_after_the_documented_time(shipped: ShippedStores) -> None:
    page = (UNIT.parents[2] / "docs" / "deploy.md").read_text()
    client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(shipped.admin_url)
    async with client:
        config = (await client["admin"].command("replSetGetConfig"))["config"]
    assert "sets `electionTimeoutMillis` to 5 seconds" in page
    assert config["settings"]["electionTimeoutMillis"] == 5_000
    assert config["writeConcernMajorityJournalDefault"]


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd is missing; `make test-programs` installs it"
)
async def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    text, program = UNIT.read_text(), "/opt/onsale/current/.venv/bin/python"
    assert program in text
    unit = tmp_path / "onsale.service"
    unit.write_text(text.replace(program, sys.executable))
    checked = subprocess.run(  # noqa: ASYNC221
        ["systemd-analyze", "verify", "--man=no", str(unit)],  # noqa: S607
        capture_output=True,
        check=False,
        timeout=60,
    )
    lines = [line for line in (checked.stdout + checked.stderr).decode().splitlines() if "onsale.service" in line]
    assert (checked.returncode, lines) == (0, [])
