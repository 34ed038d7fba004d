"""Onsale as a participant: `python app.py` with its workers, on the same core as any other server.

Each run has an empty store and a database of its own. A change is a hold: unlike the peers, whose
changes stay in the process, Onsale writes each one to Redis, is notified of it, and reads it back.
"""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import orjson
import redis.asyncio

from bench.metrics import NotMeasured
from bench.peers.loads import ONE_TICKET, Load, check_load, make_options
from bench.peers.participants import FanoutTarget, HoldTarget
from bench.peers.peers import MANY
from bench.queueing.environment import ROOM
from bench.queueing.joins import JOIN
from bench.queueing.load import Connection, make_request, open_connections, run_closed_loop
from bench.runs import Result
from bench.stock_sale import HOLD, STOCK_CHANGED, StockSale, run_stock_sale, sale_settings
from domain.queues import NO_ROOM
from storage.embedded.process import ServerProcess
from storage.embedded.supervisor import StoreUrls

SUBSCRIBING_PEOPLE = 1_000
"""The people to whom the sockets belong, so that a person has at most ten of 10,000."""
BUYING_PEOPLE = 4_000
"""Enough that each holds only a few tickets, because the store keeps a list of a person's holds."""
MAX_CONNECTIONS = 64
"""The connections on which people join and claim their passes."""
CLAIM_INTERVAL_S = 0.2
CALLED_WITHIN_S = 60.0
CLAIM = """mutation ($input: ClaimQueuePassInput!) {
  claimQueuePass(input: $input) {
    __typename
    ... on ClaimQueuePassSuccess { entry { pass { token } } }
    ... on DomainError { code message }
  }
}"""
FAST_MESSAGES = {"LIMIT_MESSAGES_PER_SECOND": "100000", "LIMIT_MESSAGES_BURST": "100000"}
"""Settings with which a socket may subscribe and complete as often as it can."""


def describe_settings() -> dict[str, str]:
    """Return the settings of every run, without the addresses of its stores."""
    return {**sale_settings(StoreUrls("", "")), **FAST_MESSAGES}


@dataclass(frozen=True, slots=True)
class OnsaleParticipant:
    valkey: ServerProcess
    mongod: ServerProcess
    directory: Path
    python: Path
    with_pass: bool = False
    """Whether buyers hold tickets with a queue pass, as in a sale with a waiting room."""
    load: Load = ONE_TICKET
    runs: Iterator[int] = field(default_factory=itertools.count)

    @property
    def name(self) -> str:
        return self.load.server if self.with_pass else "onsale"

    @property
    def max_sockets(self) -> int:
        return MANY

    @property
    def is_limit(self) -> bool:
        return False

    async def check(self) -> None:
        """Do nothing: Onsale has its own tests, and each run is checked."""

    @asynccontextmanager
    async def open_fanout(self) -> AsyncIterator[FanoutTarget]:
        async with self.open_sale(SUBSCRIBING_PEOPLE) as sale:
            tick = {"query": HOLD, "variables": {"input": sale.hold_input("__UNIQUE__")}}
            subscribing = {
                "url": f"ws://127.0.0.1:{sale.app.port}/graphql",
                "token-file": str(sale.tokens),
                "query": STOCK_CHANGED,
                "variables": json.dumps({"id": sale.concert.id}),
            }
            ticking = {
                "tick-url": f"{sale.app.url}/graphql",
                "tick-body": json.dumps(tick),
                "tick-token-file": str(sale.tokens),
                "latest": "true",
            }
            yield FanoutTarget(sale.app.pid, subscribing, ticking, partial(_check_message, sale))

    @asynccontextmanager
    async def open_holds(self) -> AsyncIterator[HoldTarget]:
        async with self.open_sale(BUYING_PEOPLE) as sale:
            passes = await claim_passes(sale) if self.with_pass else []
            options = make_options(sale, self.load, passes)
            _, held = await sale.read_held()
            processes = {"server": sale.app.pid, "store": self.valkey.pid}
            yield HoldTarget(processes, options, partial(check_load, sale, self.load, held))

    @asynccontextmanager
    async def open_sale(self, people: int) -> AsyncIterator[StockSale]:
        number = next(self.runs)
        async with redis.asyncio.Redis.from_url(self.valkey.url) as client:
            await client.flushall()
        room = replace(ROOM, total_active_users=people) if self.with_pass else NO_ROOM
        changes = {**FAST_MESSAGES, **self.load.settings, "MONGO_DATABASE": f"{self.name}-{number}"}
        async with run_stock_sale(
            self.directory / f"{self.name}-{number}",
            StoreUrls(self.valkey.url, self.mongod.url),
            people=people,
            concerts=self.load.concerts,
            room=room,
            changes=changes,
            python=self.python,
        ) as sale:
            yield sale


async def claim_passes(sale: StockSale) -> list[str]:
    """Let everyone join the queue of their concert and claim a pass, and return the passes."""
    port = sale.app.port
    async with open_connections(port, MAX_CONNECTIONS, '"JoinQueueSuccess"') as opened:
        await run_closed_loop(opened, iter(_make_requests(sale, JOIN)))
    async with open_connections(port, MAX_CONNECTIONS, '"claimQueuePass"') as opened:
        return await _claim_all(opened, _make_requests(sale, CLAIM))


def _make_requests(sale: StockSale, document: str) -> list[bytes]:
    """Return a request for each person with their concert."""
    return [
        make_request(sale.app.port, document, {"concertId": sale.concert_of(number).id}, user.token)
        for number, user in enumerate(sale.people)
    ]


async def _claim_all(opened: Sequence[Connection], claims: Sequence[bytes]) -> list[str]:
    """Return a pass for each claim, in the order of the claims."""
    left = iter(enumerate(claims))
    passes = [""] * len(claims)

    async def work(connection: Connection) -> None:
        for number, claim in left:
            passes[number] = await _claim(connection, claim)

    async with asyncio.timeout(CALLED_WITHIN_S), asyncio.TaskGroup() as group:
        for connection in opened:
            group.create_task(work(connection))
    return passes


async def _claim(connection: Connection, claim: bytes) -> str:
    """Send a claim until the person has been called, and return the pass."""
    while True:
        answer = orjson.loads(await connection.send(claim))["data"]["claimQueuePass"]
        if answer["__typename"] == "ClaimQueuePassSuccess":
            return str(answer["entry"]["pass"]["token"])
        await asyncio.sleep(CLAIM_INTERVAL_S)


async def _check_message(sale: StockSale, result: Result) -> None:
    """Raise NotMeasured unless the last message had the newest stock."""
    stock = json.loads(result["sample"])["payload"]["data"]["stockChanged"]
    in_message = (stock["version"], sum(tier["held"] for tier in stock["tiers"]))
    in_store = await sale.read_held()
    if in_message != in_store:
        raise NotMeasured(f"version and holds are {in_message} in the last message, and {in_store} in the store")
