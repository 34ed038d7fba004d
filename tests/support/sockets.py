"""A WebSocket client that sends any message, even an invalid one, and a fake operation runner."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import orjson
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import WebSocketRoute
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from auth.bearer import TokenDigest
from auth.callers import Callers, NoSessions, SessionReader
from auth.public_site import Site
from auth.viewer import Viewer
from domain.errors import TemporarilyUnavailable, Unauthenticated
from domain.ids import PersonId
from subscriptions.interfaces import Answered, Deliver, OperationRequest, Outcome, Rejected, Rendered
from subscriptions.sockets.connection_limits import ConnectionCounter
from subscriptions.sockets.limits import Limits
from subscriptions.transport_ws import GraphQLSocket
from tests.support.serving import serving
from tests.support.waiting import wait_until

TIMEOUT_S = 60.0
"""How long to wait for a message; even a busy machine needs far less."""
PROTOCOL = "graphql-transport-ws"
INIT: dict[str, object] = {"type": "connection_init"}
DEFAULTS = Limits()
PATIENT = Limits(messages_burst=1_000_000, init_wait_s=3_600, ping_after_s=3_600, drain_wait_s=3_600)
"""For tests whose messages are counted, however long they take."""
SITE = Site("https://tickets.example")
NO_SESSIONS = NoSessions()
ACK: dict[str, object] = {"type": "connection_ack"}

# The fields depend on the message; a test that reads a missing field fails anyway.
Message: TypeAlias = Any


@dataclass(eq=False, slots=True)
class FakeSubscription:
    """A subscription on the fake runner that delivers the values passed to `show`."""

    document: str
    deliver: Deliver
    is_closed: bool = False

    def close(self) -> None:
        self.is_closed = True

    def show(self, value: object, *, is_last: bool = False, key: str | None = None) -> None:
        self.deliver(Rendered(orjson.dumps({"data": {"value": value}}), is_last, key))


@dataclass(eq=False)
class FakeRunner:
    """Answers queries and mutations, starts subscriptions, and rejects everything else.

    The first word of a document is its kind. Operations wait until `gate` is set. A token is a
    person's name, with or without a session, as in `alice/s1`, or a problem: `expired` or `away`.
    """

    started: list[FakeSubscription] = field(default_factory=list)
    requests: list[OperationRequest] = field(default_factory=list)
    callers: list[Viewer | None] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    finished: int = 0
    expires_at: float | None = None

    def __post_init__(self) -> None:
        self.gate.set()

    async def start(
        self, request: OperationRequest, deliver: Deliver, *, caller: Viewer | None, address: str | None
    ) -> Outcome:
        self.requests.append(request)
        self.callers.append(caller)
        await self.gate.wait()
        self.finished += 1
        match (request.document or "").split():
            case ["subscription", *_]:
                self.started.append(FakeSubscription(request.document or "", deliver))
                return self.started[-1]
            case ["query" | "mutation" as kind, *_]:
                return Answered(orjson.dumps({"data": {kind: dict(request.variables)}}))
            case ["broken"]:
                raise RuntimeError("an internal error")
        return Rejected(b'[{"message":"Syntax Error"}]')

    async def verify(self, token: str) -> Viewer:
        match token:
            case "expired":
                raise Unauthenticated("The access token has expired; refresh it or sign in again.")
            case "away":
                raise TemporarilyUnavailable("The issuer is away")
        name, _, session_id = token.partition("/")
        return Viewer(PersonId(name), name, None, frozenset(), self.expires_at, session_id=session_id or None)

    def recall(self, digest: TokenDigest) -> Viewer | None:
        return None

    async def wait_for_subscriptions(self, count: int) -> list[FakeSubscription]:
        """Wait until `count` subscriptions are open, and return them."""
        await wait_until(lambda: len(self.open) == count, what=f"{count} subscriptions")
        return self.open

    @property
    def open(self) -> list[FakeSubscription]:
        return [operation for operation in self.started if not operation.is_closed]


class Client:
    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, *messages: object) -> None:
        """Send bytes and strings unchanged, and anything else as JSON."""
        for message in messages:
            await self.connection.send(message if isinstance(message, str | bytes) else orjson.dumps(message).decode())

    async def receive(self) -> Message:
        async with asyncio.timeout(TIMEOUT_S):
            received = await self.connection.recv()
        assert isinstance(received, str), "the message is binary"
        return orjson.loads(received)

    async def sign_in(self, token: str | None = None) -> None:
        payload = {} if token is None else {"payload": {"Authorization": f"Bearer {token}"}}
        await self.send(INIT | payload)
        assert await self.receive() == ACK

    async def subscribe(self, id_: str, document: str = "subscription", **variables: object) -> None:
        await self.send(subscription(id_, document, **variables))

    async def closed(self) -> tuple[int, str]:
        """Discard messages until the connection closes; return the close code and the reason."""
        with pytest.raises(ConnectionClosed) as caught:
            await self._receive_until_closed()
        closed = caught.value.rcvd
        assert closed is not None, "the connection ended without a close code"
        return closed.code, closed.reason

    async def _receive_until_closed(self) -> None:
        while True:
            await self.receive()


async def answer_pings(*clients: Client) -> None:
    for client in clients:
        assert await client.receive() == {"type": "ping"}
        await client.send({"type": "pong"})


def subscription(id_: str, document: str = "subscription", **variables: object) -> dict[str, object]:
    return {"id": id_, "type": "subscribe", "payload": {"query": document, "variables": variables}}


def shown(id_: str, value: object) -> dict[str, object]:
    return {"id": id_, "type": "next", "payload": {"data": {"value": value}}}


def completed(id_: str) -> dict[str, object]:
    return {"id": id_, "type": "complete"}


@dataclass(frozen=True, slots=True)
class Sockets:
    """A server whose sockets use a fake runner."""

    url: str
    runner: FakeRunner
    capacity: ConnectionCounter

    @asynccontextmanager
    async def client(self, *, protocols: tuple[str, ...] = (PROTOCOL,), **options: Any) -> AsyncIterator[Client]:
        subprotocols = [Subprotocol(name) for name in protocols] or None
        async with connect(
            self.url, subprotocols=subprotocols, ping_interval=None, compression=None, **options
        ) as connection:
            yield Client(connection)

    @asynccontextmanager
    async def signed_in(self, token: str | None = None, **options: Any) -> AsyncIterator[Client]:
        async with self.client(**options) as client:
            await client.sign_in(token)
            yield client


@asynccontextmanager
async def sockets(
    limits: Limits = DEFAULTS,
    *,
    allowed_origins: tuple[str, ...] = (),
    middleware: Sequence[Middleware] = (),
    sessions: SessionReader = NO_SESSIONS,
    **server_options: Any,
) -> AsyncIterator[Sockets]:
    """Run the server. Pages of `SITE` are its own and may use a session cookie.

    `server_options` are those of `serving`.
    """
    runner, connection_counter = FakeRunner(), ConnectionCounter(limits)
    app = GraphQLSocket(
        runner,
        Callers(runner, site=SITE, sessions=sessions),
        limits=limits,
        connection_counter=connection_counter,
        allowed_origins=(SITE.origin, *allowed_origins),
    )
    routes = [WebSocketRoute("/graphql", app)]
    async with serving(lambda _: Starlette(routes=routes, middleware=middleware), **server_options) as base:
        yield Sockets(base.replace("http", "ws", 1) + "/graphql", runner, connection_counter)


@asynccontextmanager
async def borrowed_sockets(server: Sockets) -> AsyncIterator[Sockets]:
    """Yield the server of a module to one test, and check that the test leaves nothing open."""
    server.runner.started.clear()
    yield server
    await wait_until(lambda: server.capacity.total == 0, what="the end of all sockets")
    assert server.runner.open == []
