"""Strawberry as its documentation sets it up, on Starlette and uvicorn.

With CACHES=1 it has Strawberry's own caches of parsed and validated documents, which are off by
default.
"""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import jwt
import redis.asyncio
import strawberry
from cross_web import HTTPException
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL

from bench.peers.python_servers.verifier import Verifier

HOLD_MS = 600_000
FIRST_VERSION = 1_000_000
TIERS = ("t1", "t2", "t3", "t4", "t5", "t6")

store = redis.asyncio.Redis(host="127.0.0.1", port=int(os.environ["REDIS_PORT"]), decode_responses=True)
hold_script = store.register_script(Path(os.environ["HOLD_LUA"]).read_text())
verifier = Verifier(Path(os.environ["JWT_PUBLIC_KEY"]).read_bytes())


@strawberry.type
class TierStock:
    tier_id: strawberry.ID
    available: int
    held: int
    sold: int


@strawberry.type
class Stock:
    version: int
    sold_out: bool
    tiers: list[TierStock]

    @classmethod
    def at(cls, version: int) -> "Stock":
        tiers = [
            TierStock(tier_id=strawberry.ID(tier), available=9_000_000 - version, held=version, sold=version)
            for tier in TIERS
        ]
        return cls(version=version, sold_out=False, tiers=tiers)


class StockHub:
    """Holds the stock of one concert, and its subscribers."""

    def __init__(self) -> None:
        self._latest = Stock.at(FIRST_VERSION)
        self._queues: set[asyncio.Queue[Stock]] = set()

    def advance(self) -> int:
        self._latest = Stock.at(self._latest.version + 1)
        for queue in self._queues:
            queue.put_nowait(self._latest)
        return self._latest.version

    async def subscribe(self) -> AsyncIterator[Stock]:
        """Yield the current stock, and then every change."""
        queue: asyncio.Queue[Stock] = asyncio.Queue()
        queue.put_nowait(self._latest)
        self._queues.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._queues.discard(queue)


hub = StockHub()


@strawberry.type
class Hold:
    id: strawberry.ID
    expires_at: str


@strawberry.type
class SoldOutError:
    message: str
    available: int


HoldResult = Annotated[Hold | SoldOutError, strawberry.union("HoldResult")]


@strawberry.input
class HoldLineInput:
    tier_id: strawberry.ID
    quantity: int


@strawberry.input
class HoldTicketsInput:
    concert_id: strawberry.ID
    lines: list[HoldLineInput]
    idempotency_key: str


@strawberry.type
class Query:
    @strawberry.field
    def health(self) -> str:
        return "ok"


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def hold_tickets(self, info: strawberry.Info, input: HoldTicketsInput) -> HoldResult:  # noqa: A002
        hold_id = str(uuid.uuid4())
        tag = "{" + input.concert_id + "}"
        keys = [f"stock:{tag}", f"idem:{tag}:{input.idempotency_key}", f"hold:{tag}:{hold_id}"]
        expires_at = (datetime.now(UTC) + timedelta(milliseconds=HOLD_MS)).isoformat(timespec="milliseconds")
        args = [hold_id, info.context["user"], expires_at, HOLD_MS]
        for line in input.lines:
            args += line.tier_id, line.quantity
        is_held, first, held_until = await hold_script(keys=keys, args=args)
        if is_held:
            return Hold(id=first, expires_at=held_until)
        return SoldOutError(message="Sold out", available=first)


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def stock_changed(self, concert_id: strawberry.ID) -> AsyncIterator[Stock]:
        if concert_id != "c1":
            raise ValueError("no such concert")
        async for stock in hub.subscribe():
            yield stock


class AuthenticatedGraphQL(GraphQL[Any, Any]):
    async def get_context(self, request: Any, response: Any) -> dict[str, Any]:
        context = {"request": request, "response": response}
        if request.scope["type"] == "http":
            try:
                context["user"] = verifier.subject_of(request.headers.get("authorization"))
            except jwt.InvalidTokenError as error:
                raise HTTPException(401, str(error)) from error
        return context

    async def on_ws_connect(self, context: Any) -> Any:
        try:
            context["user"] = verifier.subject_of((context["connection_params"] or {}).get("Authorization"))
        except jwt.InvalidTokenError as error:
            raise ConnectionRejectionError({"reason": str(error)}) from error
        return await super().on_ws_connect(context)


async def tick(_request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(hub.advance()))


extensions = [ParserCache, ValidationCache] if os.environ.get("CACHES") else []
schema = strawberry.Schema(query=Query, mutation=Mutation, subscription=Subscription, extensions=extensions)
graphql = AuthenticatedGraphQL(schema, subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL])
app = Starlette(
    routes=[
        Route("/graphql", graphql, methods=["GET", "POST"]),
        WebSocketRoute("/graphql", graphql),
        Route("/tick", tick, methods=["POST"]),
    ]
)
