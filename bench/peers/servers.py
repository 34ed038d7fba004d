"""Runs a peer on the server's core, and the Redis that all servers share on the client's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import redis.asyncio

from bench.peers.build import PUBLIC_KEY
from bench.peers.peers import COMMON, PORT, PYTHON, Peer
from bench.runs import SERVER_CORE, on_core, package_path
from storage.embedded import supervisor
from storage.embedded.process import ServerProcess

PLENTY = 1_000_000_000
STOCK = "stock:{c1}"
IN_MEMORY = ("--appendonly", "no")
"""No server's Redis writes to a disk, so that the figures do not depend on one."""


class PeerServer(ServerProcess):
    name = "the peer"

    def __init__(self, directory: Path, peer: Peer, *, redis_port: int, python: Path) -> None:
        super().__init__(directory, executable=Path("/usr/bin/env"), port=None, options=())
        self._peer = peer
        self._redis_port = redis_port
        self._python = python

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def working_directory(self) -> Path:
        return self._peer.directory

    def _arguments(self) -> list[str]:
        environment = {
            "PORT": str(self.port),
            "REDIS_PORT": str(self._redis_port),
            "JWT_PUBLIC_KEY": str(PUBLIC_KEY),
            "HOLD_LUA": str(COMMON / "hold.lua"),
            "SCHEMA": str(COMMON / "schema.graphql"),
            **self._peer.environment,
        }
        variables = [*(f"{name}={value}" for name, value in environment.items()), *package_path(self._python)]
        replaced = {PORT: str(self.port), PYTHON: str(self._python)}
        return [*variables, *on_core(SERVER_CORE), *(replaced.get(word, word) for word in self._peer.command)]

    async def _is_ready(self) -> bool:
        return True


class PeerStore:
    """The stock of the peers' concert: plenty of tier t1, and nothing of tier t2."""

    def __init__(self, process: ServerProcess, client: redis.asyncio.Redis) -> None:
        self.process = process
        self._client = client

    async def fill(self) -> None:
        await self._client.flushall()
        await self._client.hset(STOCK, mapping={"t1": PLENTY, "t2": 0})

    async def read_taken(self) -> int:
        """Return how many tickets of tier t1 are taken."""
        return PLENTY - int(await self._client.hget(STOCK, "t1") or 0)

    async def read_hold(self, hold_id: str) -> dict[str, str]:
        """Return the fields of a hold, and the milliseconds until it expires as `ttl_ms`."""
        key = f"hold:{{c1}}:{hold_id}"
        fields = await self._client.hgetall(key)
        return {
            **{str(name): str(value) for name, value in fields.items()},
            "ttl_ms": str(await self._client.pttl(key)),
        }


@asynccontextmanager
async def run_peer(directory: Path, peer: Peer, *, redis_port: int, python: Path) -> AsyncIterator[PeerServer]:
    server = PeerServer(directory / peer.name, peer, redis_port=redis_port, python=python)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def run_peer_store(directory: Path) -> AsyncIterator[PeerStore]:
    process = supervisor.make_valkey(directory / "peer-store", options=IN_MEMORY)
    try:
        await process.start()
        async with redis.asyncio.Redis.from_url(process.url, decode_responses=True) as client:
            yield PeerStore(process, client)
    finally:
        await process.stop()
