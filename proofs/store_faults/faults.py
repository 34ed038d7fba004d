"""Faults of the stores, each with the sentence by which a server must name it."""

import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis.asyncio
from pymongo import AsyncMongoClient

from proofs.store_faults.small_disk import FILLER, fill_disk
from storage.embedded.process import ServerProcess

SPARE_BYTES = 20_000
"""What a full Redis still accepts. A sale needs more within a second."""


@dataclass(frozen=True, slots=True)
class Servers:
    """The Redis has no password. `disk` is its small disk, or None."""

    redis: ServerProcess
    mongod: ServerProcess
    disk: Path | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """`sentence` is part of the problem that the server shows: the reason and the next step."""

    name: str
    sentence: str
    begin: Callable[[Servers], Awaitable[None]]
    end: Callable[[Servers], Awaitable[None]]
    needs_disk: bool = False


async def _fill_memory(servers: Servers) -> None:
    async with redis.asyncio.Redis.from_url(servers.redis.url) as client:
        used = (await client.info("memory"))["used_memory"]
        await client.config_set("maxmemory", used + SPARE_BYTES)


def _configure(*pairs: tuple[str, str]) -> Callable[[Servers], Awaitable[None]]:
    async def configure(servers: Servers) -> None:
        async with redis.asyncio.Redis.from_url(servers.redis.url) as client:
            for name, value in pairs:
                await client.config_set(name, value)

    return configure


def _replicate(*source: str) -> Callable[[Servers], Awaitable[None]]:
    async def replicate(servers: Servers) -> None:
        async with redis.asyncio.Redis.from_url(servers.redis.url) as client:
            await client.execute_command("REPLICAOF", *source)

    return replicate


def _send(number: signal.Signals, choose: Callable[[Servers], ServerProcess]) -> Callable[[Servers], Awaitable[None]]:
    async def send(servers: Servers) -> None:
        os.kill(choose(servers).pid, number)

    return send


async def _step_down(servers: Servers) -> None:
    await _command_mongod(servers, "replSetStepDown", 600, force=True)


async def _step_up(servers: Servers) -> None:
    await _command_mongod(servers, "replSetFreeze", 0)


async def _command_mongod(servers: Servers, name: str, value: int, **options: Any) -> None:
    url = f"mongodb://127.0.0.1:{servers.mongod.port}/?directConnection=true"
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(url)
    async with client:
        await client.admin.command(name, value, **options)


async def _fill_disk(servers: Servers) -> None:
    assert servers.disk is not None
    fill_disk(servers.disk)


async def _free_disk(servers: Servers) -> None:
    assert servers.disk is not None
    (servers.disk / FILLER).unlink()


FAULTS = (
    Fault("Redis is full", "is full; raise its maxmemory", _fill_memory, _configure(("maxmemory", "0"))),
    Fault(
        "Redis has a full disk",
        "cannot save its data; free space on its disk",
        _fill_disk,
        _free_disk,
        needs_disk=True,
    ),
    Fault(
        "Redis may evict keys",
        "its maxmemory-policy is allkeys-lru; set it to noeviction",
        _configure(("maxmemory-policy", "allkeys-lru")),
        _configure(("maxmemory-policy", "noeviction")),
    ),
    Fault(
        "Redis is a replica",
        "is a replica and accepts no writes; set ONSALE_REDIS_URL to the address of the primary",
        _replicate("127.0.0.1", "1"),
        _replicate("NO", "ONE"),
    ),
    Fault(
        "Redis lacks its replicas",
        "has fewer connected replicas than its min-replicas-to-write; reconnect the replicas",
        _configure(("min-replicas-to-write", "1")),
        _configure(("min-replicas-to-write", "0")),
    ),
    Fault(
        "Redis is silent",
        "check ONSALE_REDIS_URL and the server",
        _send(signal.SIGSTOP, lambda servers: servers.redis),
        _send(signal.SIGCONT, lambda servers: servers.redis),
    ),
    Fault(
        "MongoDB is silent",
        "check ONSALE_MONGO_URL",
        _send(signal.SIGSTOP, lambda servers: servers.mongod),
        _send(signal.SIGCONT, lambda servers: servers.mongod),
    ),
    Fault(
        "MongoDB has no primary",
        "has no primary that this server can reach; check ONSALE_MONGO_URL",
        _step_down,
        _step_up,
    ),
)
