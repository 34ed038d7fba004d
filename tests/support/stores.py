"""Creates the real stores for tests.

The fixtures in `conftest.py` share them among tests, but a test that kills a store gets a separate
one.
"""

import os
import shutil
from pathlib import Path

import pytest
import redis.asyncio

from storage.embedded import supervisor
from storage.embedded.ports import free_port
from storage.embedded.process import ServerProcess
from tests.support.waiting import wait_until

CLUSTER = ("--cluster-enabled", "yes")
FAIL_POINTS = ("--setParameter", "enableTestCommands=1")


def mongod(directory: Path) -> ServerProcess:
    """Return a mongod that supports fail points, such as `failCommand`."""
    return supervisor.make_mongod(directory, options=FAIL_POINTS)


def redis7(directory: Path) -> ServerProcess:
    return supervisor.make_valkey(directory, executable=_debian_redis())


def _debian_redis() -> Path:
    found = shutil.which("redis-server")
    if found is not None:
        return Path(found)
    message = "redis-server is missing, so nothing is tested against Redis 7: run apt-get install redis-server"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


async def start_cluster(directory: Path) -> ServerProcess:
    """Start a one-server cluster. It owns every slot, but rejects scripts that cross slots."""
    # An outgoing connection may be using the default cluster port, which is the port plus 10,000.
    child = supervisor.make_valkey(directory, options=(*CLUSTER, "--cluster-port", str(free_port())))
    await child.start()
    async with redis.asyncio.Redis.from_url(child.url, decode_responses=True) as client:
        await client.cluster("ADDSLOTSRANGE", 0, 16383)

        async def is_ok() -> bool:
            info: dict[str, str] = await client.cluster("INFO")
            return info["cluster_state"] == "ok"

        await wait_until(is_ok, what="the cluster")
    return child
