"""Creates the real stores for tests.

The fixtures in `conftest.py` share them among tests, but a test that kills a store gets a separate
one.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis.asyncio

from storage.embedded import supervisor
from storage.embedded.ports import free_port
from storage.embedded.process import ServerProcess
from tests.support.waiting import wait_until

CLUSTER = ("--cluster-enabled", "yes")
FAIL_POINTS = ("--setParameter", "enableTestCommands=1")
MEMORY = Path("/dev/shm")  # noqa: S108 - each directory in it has a random name
MEMORY_BYTES = 2_000_000_000
"""The free memory that must be left for one server. A mongod takes about 300 MB."""


@contextmanager
def memory_directory(otherwise: Path) -> Iterator[Path]:
    """Yield a directory in memory, or `otherwise` if there is no room.

    It suits servers that no test kills. Both stores sync each write, and on a disk, most tests
    would spend most of their time waiting for that.
    """
    _remove_leftovers()
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < MEMORY_BYTES:
        yield otherwise
        return
    with tempfile.TemporaryDirectory(prefix=f"onsale-tests-{os.getpid()}-", dir=MEMORY) as directory:
        yield Path(directory)


def _remove_leftovers() -> None:
    """Remove the directories of test processes that were killed."""
    for directory in MEMORY.glob("onsale-tests-*"):
        if not Path("/proc", directory.name.split("-")[2]).exists():
            shutil.rmtree(directory, ignore_errors=True)


def mongod(directory: Path) -> ServerProcess:
    """Return a mongod that supports fail points, such as `failCommand`."""
    return supervisor.make_mongod(directory, options=FAIL_POINTS)


def redis7(directory: Path, *, options: Sequence[str] = ()) -> ServerProcess:
    return supervisor.make_valkey(directory, executable=_debian_redis(), options=options)


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
