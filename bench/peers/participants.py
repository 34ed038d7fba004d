"""The servers of a comparison, each started anew for each run.

A participant opens a `FanoutTarget` or a `HoldTarget`: a running server with the options of the
load generator, and a check of what the run left behind.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.metrics import NotMeasured
from bench.peers.build import TOKENS
from bench.peers.checks import check_forged_token, check_holds
from bench.peers.peers import MANY, Peer
from bench.peers.servers import PeerServer, PeerStore, run_peer
from bench.runs import Result

FIRST_VERSION = 1_000_000
TIERS = ("t1", "t2", "t3", "t4", "t5", "t6")
Check = Callable[[Result], Awaitable[None]]
"""Raises NotMeasured if a result and the state of the server contradict each other."""


@dataclass(frozen=True, slots=True)
class FanoutTarget:
    pid: int
    subscribing: Mapping[str, str]
    """The options of the load generator that say how a socket subscribes."""
    ticking: Mapping[str, str]
    """The options that say how the stock is changed."""
    check: Check


@dataclass(frozen=True, slots=True)
class HoldTarget:
    processes: Mapping[str, int]
    """The processes whose CPU time is read: `server` and `store`."""
    options: Mapping[str, str]
    check: Check


class Participant(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def max_sockets(self) -> int: ...

    @property
    def is_limit(self) -> bool: ...

    async def check(self) -> None:
        """Raise NotMeasured unless the server answers correctly. Runs before the first round."""

    def open_fanout(self) -> AbstractAsyncContextManager[FanoutTarget]: ...

    def open_holds(self) -> AbstractAsyncContextManager[HoldTarget]: ...


@dataclass(frozen=True, slots=True)
class PeerParticipant:
    peer: Peer
    store: PeerStore
    directory: Path
    python: Path

    @property
    def name(self) -> str:
        return self.peer.name

    @property
    def max_sockets(self) -> int:
        return min(self.peer.max_sockets, MANY)

    @property
    def is_limit(self) -> bool:
        return self.peer.is_limit

    async def check(self) -> None:
        await self.store.fill()
        async with self.run() as server:
            if self.peer.holds and self.peer.uses_redis:
                await check_holds(server, self.store)
            if self.peer.fans_out and self.peer.uses_redis:
                await check_forged_token(server)

    def run(self) -> AbstractAsyncContextManager[PeerServer]:
        return run_peer(self.directory, self.peer, redis_port=self.store.process.port, python=self.python)

    @asynccontextmanager
    async def open_fanout(self) -> AsyncIterator[FanoutTarget]:
        async with self.run() as server:
            subscribing = {"url": f"ws://127.0.0.1:{server.port}/graphql", "token-file": str(TOKENS)}
            yield FanoutTarget(server.pid, subscribing, {"tick-url": f"{server.url}/tick"}, check_peer_message)

    @asynccontextmanager
    async def open_holds(self) -> AsyncIterator[HoldTarget]:
        await self.store.fill()
        async with self.run() as server:
            processes = {"server": server.pid, "store": self.store.process.pid}
            options = {"url": f"{server.url}/graphql", "token-file": str(TOKENS)}
            yield HoldTarget(processes, options, self._check_taken)

    async def _check_taken(self, result: Result) -> None:
        if result["errors"]:
            raise NotMeasured(f"holds were answered incorrectly: {result['errors']}")
        if not self.peer.uses_redis:
            return
        taken = await self.store.read_taken()
        if taken != result["good_in_all"]:
            raise NotMeasured(f"{result['good_in_all']} holds were answered, and {taken} tickets are taken")


async def check_peer_message(result: Result) -> None:
    """Raise NotMeasured unless the last message had the stock of its version."""
    stock = json.loads(result["sample"])["payload"]["data"]["stockChanged"]
    if stock != stock_at(stock["version"]):
        raise NotMeasured(f"a message had the wrong stock: {stock}")


def stock_at(version: int) -> Result:
    tier = {"available": 9 * FIRST_VERSION - version, "held": version, "sold": version}
    return {"version": version, "soldOut": False, "tiers": [{"tierId": name, **tier} for name in TIERS]}
