"""Fixtures that open stores for a test.

Those on a shared store also check after the test that every key has an expiry.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import redis.asyncio

from storage import silence
from storage.connect import Stores
from storage.embedded.process import ServerProcess
from storage.keys import PERMANENT_KEYS
from storage.sync import concert_cache, house_units
from subscriptions.hub import Hub
from tests.support.databases import DatabasePool
from tests.support.hub_recorder import open_hub
from tests.support.issuers import KeyServer, running_key_server
from tests.support.sale import opened
from tests.support.sandbox_shop import SandboxShop, open_sandbox_shop
from tests.support.split_brain import Pair, running_pair
from tests.support.store_servers import borrowed_stores
from tests.support.waiting import wait_until
from workers.expiry import ExpiryWorker


@pytest.fixture
def batched_holds() -> bool:
    """Whether concurrent holds share runs of their script."""
    return True


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    is_marked = metafunc.definition.get_closest_marker("each_hold_mode")
    if is_marked and "batched_holds" in metafunc.fixturenames:
        metafunc.parametrize("batched_holds", [True, False], ids=["batched", "one by one"])


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a busy machine from looking like a silent store."""
    monkeypatch.setattr(silence, "SILENT_AFTER_S", 30.0)


@pytest_asyncio.fixture
async def stores(valkey_url: str, mongo_url: str, mongo_database: str, batched_holds: bool) -> AsyncIterator[Stores]:
    """Stores on Valkey, for tests whose result does not depend on the kind of store."""
    async with opened(valkey_url, mongo_url, mongo_database, batched_holds=batched_holds) as stores:
        yield stores
        await _check_expiry(stores, valkey_url)


@pytest_asyncio.fixture
async def any_stores(store_url: str, mongo_url: str, mongo_database: str, batched_holds: bool) -> AsyncIterator[Stores]:
    """Stores on each supported server in turn: Valkey, Redis 7 and a cluster."""
    async with opened(store_url, mongo_url, mongo_database, batched_holds=batched_holds) as stores:
        yield stores
        await _check_expiry(stores, store_url)


@pytest_asyncio.fixture
async def own_stores(own_valkey: ServerProcess, mongo_url: str, mongo_database: str) -> AsyncIterator[Stores]:
    """Stores on a Valkey that the test may stop, kill or fill."""
    async with opened(own_valkey.url, mongo_url, mongo_database) as stores:
        yield stores


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_shop(
    shared_valkey: ServerProcess, databases: DatabasePool, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[SandboxShop]:
    """One shop and one sandbox for all tests of a module, on stores without earlier concerts."""
    async with redis.asyncio.Redis.from_url(shared_valkey.url) as client:
        await client.flushall()
    directory = tmp_path_factory.mktemp("sandbox")
    async with (
        borrowed_stores(shared_valkey.url, databases) as stores,
        open_sandbox_shop(stores, shared_valkey.url, directory) as made,
    ):
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def site(module_shop: SandboxShop) -> SandboxShop:
    """The shop of the module, without the faults and webhooks of earlier tests."""
    await module_shop.begin_test()
    return module_shop


@pytest_asyncio.fixture
async def hub(stores: Stores, valkey_url: str) -> AsyncIterator[Hub]:
    async with open_hub(stores, valkey_url) as (hub, _):
        yield hub


@pytest_asyncio.fixture
async def key_server() -> AsyncIterator[KeyServer]:
    async with running_key_server() as running:
        yield running


@pytest.fixture
def small_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limit transactions to three units, so that a larger capacity change needs several."""
    monkeypatch.setattr(house_units, "MAX_UNITS_PER_TRANSACTION", 3)
    monkeypatch.setattr(house_units, "MAX_UNITS_PER_ORDER", 2)


async def _check_expiry(stores: Stores, url: str) -> None:
    """Check that every key has an expiry after the expiry worker has run.

    The worker runs repeatedly because the last command of a canceled task may arrive late.
    """
    async with redis.asyncio.Redis.from_url(url, decode_responses=True) as client:

        async def all_keys_expire() -> bool:
            await ExpiryWorker().run_once(stores)
            without_expiry = {name for name in await client.keys() if await client.ttl(name) == -1}
            return without_expiry <= PERMANENT_KEYS

        await wait_until(all_keys_expire, what="an expiry on every key")


@pytest_asyncio.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with running_pair(tmp_path) as pair:
        yield pair


@pytest.fixture
def always_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the list of concerts with each call instead of every two seconds."""
    monkeypatch.setattr(concert_cache, "REFRESH_S", 0.0)
