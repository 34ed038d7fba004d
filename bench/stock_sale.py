"""A sale for the benchmarks of fan-out and of holds: concerts with six tiers and free tickets.

Each hold changes the stock, and each change is pushed to the sockets that subscribe to it. A
concert has a waiting room only if one is given. The server is pinned to its core.
"""

import itertools
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from bench.clients.catalog import SaleConcert, free_concert, open_sale
from bench.clients.http_client import Client, Denied, JsonObject, open_client
from bench.clients.ledger import Ledger, Step
from bench.clients.servers import app_settings
from bench.clients.tokens import sign_in
from bench.metrics import NotMeasured
from bench.provenance import SAME_INTERPRETER, program_version
from bench.queueing.users import User, make_users
from bench.runs import PinnedApp, Result, drive, run_server
from bench.subscribers import Subscribers, open_subscribers
from domain.concerts import TierDraft
from domain.queues import NO_ROOM, RoomSettings
from storage.embedded import supervisor
from storage.embedded.supervisor import StoreUrls

TIERS = 6
CAPACITY = 200_000
"""The tickets of each tier: more than can be held during a measurement."""
LIMIT_PER_PERSON = 1_000
HOLD_MS = 3_600_000
"""Longer than any measurement, so that the stock changes only with holds."""
SPAN = timedelta(days=1)
WARM_UP_S = 2.0
RECEIVED_WITHIN_S = 30.0
FAST_PUSHES = {"PUSH_TICK_MS": "1"}
"""Lets the server push every change as soon as it can, not at most ten times a second."""
MANY_SOCKETS = {"LIMIT_STREAMS_PER_ADDRESS": "20000"}
"""All sockets of a benchmark come from one address."""

SUBSCRIBED = "sockets have subscribed"
"""Part of the line that the load generator writes when all sockets have their first snapshot."""

HOLD = """mutation Hold($input: HoldTicketsInput!) {
  holdTickets(input: $input) {
    __typename
    ... on HoldTicketsSuccess { hold { id expiresAt } }
    ... on DomainError { code message }
  }
}"""
STOCK_CHANGED = """subscription ($id: ID!) {
  stockChanged(concertId: $id) { version soldOut tiers { tierId available held sold } }
}"""
_VERSION = re.compile(r"\bv=?(\d[\d.]*)")
_STOCK = "query ($id: ID!) { concert(by: {id: $id}) { stock { version tiers { held } } } }"


@dataclass(frozen=True, slots=True)
class StockSale:
    app: PinnedApp
    client: Client
    concerts: Sequence[SaleConcert]
    people: Sequence[User]
    """The people who hold tickets; they take turns."""
    socket_owners: Sequence[User]
    """The people to whom the sockets belong; they take turns."""
    tokens: Path
    """A file with the access token of each person who holds tickets, one per line."""

    @property
    def concert(self) -> SaleConcert:
        """The first concert."""
        return self.concerts[0]

    def concert_of(self, person: int) -> SaleConcert:
        """Return the concert for which a person holds tickets; `person` is their position."""
        return self.concerts[person % len(self.concerts)]

    async def read_held(self) -> tuple[int, int]:
        """Return the version of the first stock, and how many tickets are held for all concerts."""
        stocks = [(await self.ask(_STOCK, {"id": concert.id}, None))["stock"] for concert in self.concerts]
        return stocks[0]["version"], sum(tier["held"] for stock in stocks for tier in stock["tiers"])

    @asynccontextmanager
    async def subscribe(self, count: int) -> AsyncIterator[Subscribers]:
        """Open sockets that subscribe to the stock, and yield when each has its first snapshot."""
        people = itertools.islice(itertools.cycle(self.socket_owners), count)
        async with open_subscribers(
            [(user.token, "127.0.0.1") for user in people],
            port=self.app.port,
            document=STOCK_CHANGED,
            concert_id=self.concert.id,
            directory=self.tokens.parent,
        ) as subscribers:
            yield subscribers

    async def check_newest(self, subscribers: Subscribers) -> None:
        """Change the stock once. Raises NotMeasured unless every socket receives the change."""
        version, _ = await self.read_held()
        await subscribers.watch_for(f'"version":{version + 1},')
        answer = await self.ask(HOLD, {"input": self.hold_input(f"check-{version}")}, self.people[0].token)
        if answer["__typename"] != "HoldTicketsSuccess":
            raise NotMeasured(f"a hold was refused: {answer}")
        await subscribers.find_all(within_s=RECEIVED_WITHIN_S)

    async def hold_in_closed_loop(self, *, connections: int, seconds: float, watched: Mapping[str, int]) -> Result:
        """Hold tickets, with one request at a time on each connection, and check every answer.

        Raises NotMeasured if an answer is wrong, or if the stock differs from the answers.
        """
        _, held = await self.read_held()
        options = {
            **self.hold_options(),
            "connections": str(connections),
            "duration": f"{seconds}s",
            "warmup": f"{WARM_UP_S}s",
        }
        result = await drive(["hold", *flags(options)], watched=watched, timeout_s=seconds + 60)
        await self.check_held(result, held_before=held)
        return result

    async def check_held(self, result: Result, *, held_before: int) -> None:
        """Raise NotMeasured if an answer was wrong, or if the stock differs from the answers."""
        _, held = await self.read_held()
        if result["errors"] or held - held_before != result["good_in_all"]:
            answers = f"{result['good_in_all']} holds were answered, and the stock counts {held - held_before}"
            raise NotMeasured(f"{answers}; errors: {result['errors']}")

    def hold_options(self) -> dict[str, str]:
        """Return the options of the load generator: holds of one ticket for the first concert."""
        return {
            "url": f"{self.app.url}/graphql",
            "token-file": str(self.tokens),
            "query": HOLD,
            "variables": json.dumps({"input": self.hold_input("__UNIQUE__")}),
            "type-path": "data.holdTickets.__typename",
            "want-type": "HoldTicketsSuccess",
            "id-path": "data.holdTickets.hold.id",
        }

    async def listen(self, *, sockets: int, seconds: float, on_subscribed: Callable[[], None]) -> Result:
        """Open sockets that subscribe to the stock, and count what they receive in some seconds.

        `on_subscribed` is called when all have received their first snapshot.
        """
        options = {
            "url": f"ws://127.0.0.1:{self.app.port}/graphql",
            "token-file": str(self.tokens),
            "sockets": str(sockets),
            "duration": f"{seconds}s",
            "query": STOCK_CHANGED,
            "variables": json.dumps({"id": self.concert.id}),
        }
        return await drive(
            ["fanout", "-listen", "-latest", *flags(options)],
            watched={"server": self.app.pid},
            timeout_s=seconds + 180,
            on_status=lambda line: on_subscribed() if SUBSCRIBED in line else None,
        )

    def hold_input(self, key: str) -> JsonObject:
        lines = [{"tierId": self.concert.tier_ids[0], "quantity": 1}]
        return {"concertId": self.concert.id, "lines": lines, "idempotencyKey": key}

    async def ask(self, document: str, variables: JsonObject, token: str | None) -> JsonObject:
        """Return the value of the document's only root field. Raises NotMeasured."""
        answer = await self.client.ask(Step.STOCK, document, variables, token)
        if isinstance(answer, Denied):
            raise NotMeasured(f"a request was refused: {answer}")
        return answer


def flags(options: Mapping[str, str]) -> list[str]:
    """Return options in the form in which the load generator reads them."""
    return [f"-{name}={value}" for name, value in options.items()]


@asynccontextmanager
async def run_stock_sale(
    directory: Path,
    urls: StoreUrls,
    *,
    people: int,
    socket_owners: int = 0,
    concerts: int = 1,
    room: RoomSettings = NO_ROOM,
    changes: Mapping[str, str] = MappingProxyType({}),
    python: Path = SAME_INTERPRETER,
) -> AsyncIterator[StockSale]:
    """Run a server with new concerts and people who are signed in.

    Without `socket_owners`, the sockets belong to the people who hold tickets. `changes` are
    settings that differ from `sale_settings`.
    """
    settings = {**sale_settings(urls), **changes}
    async with run_server(directory, settings, python=python) as app, open_client([app.url], Ledger()) as client:
        users = await make_users(app.issuer, app.data_dir, people + socket_owners)
        tokens = directory / "tokens"
        tokens.write_text("".join(f"{user.token}\n" for user in users[:people]))
        organizer = (await sign_in(app.issuer, ["olivia"]))["olivia"]
        opened = [await _open_concert(client, organizer, room) for _ in range(concerts)]
        yield StockSale(app, client, opened, users[:people], users[-socket_owners:], tokens)


def store_versions() -> dict[str, str]:
    """Return the versions of the stores that the benchmarks run."""
    programs = {"valkey": supervisor.valkey_executable(), "mongod": supervisor.mongod_executable()}
    found = {name: _VERSION.search(program_version(str(path), "--version")) for name, path in programs.items()}
    return {name: match[1] for name, match in found.items() if match}


def sale_settings(urls: StoreUrls) -> dict[str, str]:
    return {**app_settings(urls.redis, urls.mongo), **FAST_PUSHES, **MANY_SOCKETS}


async def _open_concert(client: Client, organizer: str, room: RoomSettings) -> SaleConcert:
    now = datetime.now(UTC)
    draft = free_concert(CAPACITY, now)
    terms = replace(
        draft.terms,
        sales_end_at=now + SPAN,
        starts_at=now + SPAN,
        limit_per_person=LIMIT_PER_PERSON,
        hold_duration_ms=HOLD_MS,
    )
    tiers = tuple(TierDraft(f"Tier {number}", 0, CAPACITY) for number in range(1, TIERS + 1))
    return await open_sale(client, replace(draft, terms=terms, tiers=tiers, room=room), organizer)
