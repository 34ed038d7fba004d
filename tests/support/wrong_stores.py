"""Starts stores that Onsale cannot use: MongoDB servers that are no replica set or belong to none,
clusters with several servers, and stores on a full disk.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import redis.asyncio
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from proofs.store_faults.small_disk import small_disk as small_disk_or_none
from storage.embedded import supervisor
from storage.embedded.mongod import REPLICA_SET, Mongod
from storage.embedded.ports import free_port
from storage.embedded.process import ServerProcess
from storage.embedded.valkey import Valkey
from tests.support.store_servers import running
from tests.support.stores import CLUSTER
from tests.support.waiting import wait_until

SLOTS = 16_384


class StandaloneMongod(Mongod):
    """A mongod without a replica set."""

    has_set_name = False

    @property
    def url(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/"

    def _arguments(self) -> list[str]:
        arguments = super()._arguments()
        return arguments if self.has_set_name else _without_set_name(arguments)

    async def _is_ready(self) -> bool:
        client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(
            f"mongodb://127.0.0.1:{self.port}/?directConnection=true", serverSelectionTimeoutMS=1_000
        )
        async with client:
            try:
                return bool((await client.admin.command("ping"))["ok"])
            except PyMongoError:
                return False


class UninitiatedMongod(StandaloneMongod):
    """A mongod whose replica set was never initiated."""

    has_set_name = True


def _without_set_name(arguments: list[str]) -> list[str]:
    start = arguments.index("--replSet")
    return arguments[:start] + arguments[start + 2 :]


class Sentinel(Valkey):
    """A Redis Sentinel that watches nothing."""

    name = "Sentinel"

    def _arguments(self) -> list[str]:
        # It writes its state into this file.
        file = self.directory / "sentinel.conf"
        file.write_text(f"port {self.port}\nbind 127.0.0.1\ndir {self.directory}\n")
        return [str(file), "--sentinel"]


def sentinel(directory: Path) -> ServerProcess:
    return Sentinel(directory, port=None, executable=supervisor.valkey_executable(), options=())


def standalone_mongod(directory: Path) -> ServerProcess:
    return StandaloneMongod(directory, port=None, executable=supervisor.mongod_executable(), options=())


def uninitiated_mongod(directory: Path) -> ServerProcess:
    return UninitiatedMongod(directory, port=None, executable=supervisor.mongod_executable(), options=())


@asynccontextmanager
async def running_set_with_arbiter(directory: Path) -> AsyncIterator[tuple[ServerProcess, ServerProcess]]:
    """Run a replica set with an arbiter. Yield the member that is always primary, and the other."""
    async with AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(running(uninitiated_mongod(directory / name)))
            for name in ("primary", "secondary", "arbiter")
        ]
        members: list[dict[str, object]] = [
            {"_id": number, "host": f"127.0.0.1:{server.port}"} for number, server in enumerate(servers)
        ]
        members[1]["priority"] = 0
        members[2]["arbiterOnly"] = True
        client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(f"{servers[0].url}?directConnection=true")
        async with client:
            await client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": members})

            async def is_complete() -> bool:
                status = await client.admin.command("replSetGetStatus")
                return [member["state"] for member in status["members"]] == [1, 2, 7]

            await wait_until(is_complete, what="the replica set")
        yield servers[0], servers[1]


@asynccontextmanager
async def running_cluster(directory: Path, *, size: int) -> AsyncIterator[list[ServerProcess]]:
    """Run a cluster whose servers have equal shares of the slots."""
    async with AsyncExitStack() as stack:
        servers = []
        for number in range(size):
            options = (*CLUSTER, "--cluster-port", str(free_port()))
            server = supervisor.make_valkey(directory / f"shard{number}", options=options)
            servers.append(await stack.enter_async_context(running(server)))
        clients = [
            await stack.enter_async_context(redis.asyncio.Redis.from_url(server.url, decode_responses=True))
            for server in servers
        ]
        for number, client in enumerate(clients):
            bounds = SLOTS * number // size, SLOTS * (number + 1) // size - 1
            await client.execute_command("CLUSTER", "ADDSLOTSRANGE", *bounds)
            bus_port = (await clients[0].config_get("cluster-port"))["cluster-port"]
            await client.execute_command("CLUSTER", "MEET", "127.0.0.1", servers[0].port, str(bus_port))

        async def is_complete() -> bool:
            states = [await client.cluster("INFO") for client in clients]
            return all(state["cluster_state"] == "ok" and state["cluster_size"] == str(size) for state in states)

        await wait_until(is_complete, what="the cluster")
        yield servers


@contextmanager
def small_disk(directory: Path, *, megabytes: int) -> Iterator[Path]:
    """Mount a file system of this size, or skip the test."""
    with small_disk_or_none(directory, megabytes=megabytes) as disk:
        if disk is None:
            pytest.skip("a small disk cannot be mounted here: that needs root privileges")
        yield disk
