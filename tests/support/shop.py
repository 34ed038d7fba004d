"""Serves GraphQL on real stores over real HTTP, and sends requests to it."""

import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import httpx2
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from auth.callers import Callers, NoSessions, SessionReader
from auth.public_site import Site
from auth.tokens import TokenVerifier
from domain.ids import PersonId
from domain.limits.rates import NO_LIMITS, RateLimits
from payments.checkout import Checkout
from payments.saga.order_payments import OrderPayments
from resolvers.call_limits import CallLimits
from resolvers.context import Resources
from resolvers.tickets.transfer_mails import TransferMails
from schema import Engine
from settings import Settings
from storage.connect import Stores
from subscriptions.sockets.limits import Limits
from tests.support.hub_recorder import PUSH_INTERVALS, TICK_S
from tests.support.issuers import KeyServer, make_verifier
from tests.support.sale import PASSES
from tests.support.serving import serving
from tests.support.switches import add_fast_path
from tests.support.tokens import access_claims, jwk, signed
from tests.support.transfer_mails import MailsInMemory
from tickets.keys import TicketKeys
from web.graphql_service import GraphQLService, open_graphql_service
from web.middleware import RequestMiddleware

# The shape of an answer depends on the document; a test that reads a missing field fails anyway.
Answer: TypeAlias = Any

MAX_BODY_BYTES = Settings().max_body_bytes
DEFAULTS = Limits()
NO_SESSIONS = NoSessions()
NO_CHECKOUT = Checkout()
TICKET_KEYS = TicketKeys([bytes(range(32))])

CREATE = """
mutation ($input: CreateConcertInput!) {
  createConcert(input: $input) {
    ... on CreateConcertSuccess { concert { id version tiers { id } } }
    ... on DomainError { code message }
    ... on InvalidInputError { problems { path message } }
  }
}
"""
PUBLISH = """
mutation ($input: PublishConcertInput!) {
  publishConcert(input: $input) { __typename ... on DomainError { code message } }
}
"""
_ERROR = """
    __typename
    ... on DomainError { code message retryable retryAfterSeconds }
    ... on InvalidInputError { problems { path message } }
"""
_NO_SALE = """
    ... on SoldOutError { tierId available nextReleaseAt }
    ... on LimitExceededError { scope limit held owned }
    ... on NotOnSaleError { status opensAt }
"""
_HOLD = """
    id state reason expiresAt expiresInSeconds concert { id } total { amount minor currency }
    lines { tierId quantity tier { name } unitPrice { minor } total { minor } }
"""
HOLD = f"""
mutation ($input: HoldTicketsInput!) {{
  holdTickets(input: $input) {{ {_ERROR} {_NO_SALE} ... on HoldTicketsSuccess {{ hold {{ {_HOLD} }} }} }}
}}
"""
RELEASE = f"""
mutation ($input: ReleaseHoldInput!) {{
  releaseHold(input: $input) {{ {_ERROR} ... on ReleaseHoldSuccess {{ hold {{ {_HOLD} }} }} }}
}}
"""
PURCHASE = f"""
mutation ($input: PurchaseTicketsInput!) {{
  purchaseTickets(input: $input) {{
    {_ERROR} {_NO_SALE}
    ... on HoldEndedError {{ reason }}
    ... on PurchaseTicketsSuccess {{
      order {{ id status concert {{ id }} customerName customerEmail version total {{ amount minor }}
               lines {{ tierId quantity unitPrice {{ minor }} }} }}
    }}
  }}
}}
"""
ROLES = {
    "olivia": ["organizer", "customer"],
    "otto": ["organizer"],
    "gus": ["gate"],
    "ada": ["admin"],
    "robot": [],
}
"""The roles of the people who are not just customers. `robot` is a service account."""
FREE = [
    {"name": "Standing", "priceMinor": 0, "capacity": 100},
    {"name": "Balcony", "priceMinor": 0, "capacity": 2},
]
"""The usual tiers. A purchase of free tickets needs no payment, so it becomes an order at once."""
PRICED = [
    {"name": "Standing", "priceMinor": 4950, "capacity": 100},
    {"name": "Balcony", "priceMinor": 8000, "capacity": 2},
]
STOCK = "query ($id: ID!) { concert(id: $id) { stock { tiers { available held sold } } } }"


@dataclass(frozen=True, slots=True)
class OnSale:
    """The global ids of a concert on sale and of its tiers."""

    id: str
    tiers: tuple[str, ...]


class Shop:
    def __init__(
        self, client: httpx2.AsyncClient, issuer: KeyServer, stores: Stores, redis_url: str, verifier: TokenVerifier
    ) -> None:
        self.client = client
        self.issuer = issuer
        self.stores = stores
        self.redis_url = redis_url
        self.verifier = verifier
        self.service: GraphQLService

    def token(self, name: str, **claims: object) -> str:
        roles = ROLES.get(name, ["customer"])
        usual = {"sub": person_id(name), "preferred_username": name, "realm_access": {"roles": roles}}
        return signed(access_claims(self.issuer.issuer, **(usual | claims)))

    def headers(self, name: str | None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(name)}"} if name else {}

    async def ask(self, document: str, *, by: str | None = None, **variables: object) -> Answer:
        """Return the whole answer, including its errors."""
        body = {"query": document, "variables": variables}
        answer = await self.client.post("/graphql", json=body, headers=self.headers(by))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def fields(self, document: str, *, by: str | None = None, **variables: object) -> Answer:
        """Return the data of the answer, which must have no errors."""
        answer = await self.ask(document, by=by, **variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def draft(self, **changes: object) -> OnSale:
        made = (await self.fields(CREATE, by="olivia", input=concert_input(**changes)))["createConcert"]
        assert "concert" in made, made
        return OnSale(made["concert"]["id"], tuple(tier["id"] for tier in made["concert"]["tiers"]))

    async def on_sale(self, **changes: object) -> OnSale:
        concert = await self.draft(**changes)
        published = await self.fields(PUBLISH, by="olivia", input={"concertId": concert.id})
        assert published["publishConcert"] == {"__typename": "PublishConcertSuccess"}
        return concert

    async def hold(self, concert: OnSale, *quantities: int, by: str = "alice", key: str | None = None) -> Answer:
        """Hold the given quantity of each tier, and return the result of holdTickets."""
        input_ = {"concertId": concert.id, "lines": lines(concert, *quantities), "idempotencyKey": key or new_key()}
        return (await self.fields(HOLD, by=by, input=input_))["holdTickets"]

    async def buy(self, input_: dict[str, object], *, by: str = "alice", key: str | None = None) -> Answer:
        """Buy a hold or tickets, and return the result of purchaseTickets."""
        usual = {"customerName": "Alice", "customerEmail": "alice@onsale.example", "idempotencyKey": key or new_key()}
        return (await self.fields(PURCHASE, by=by, input=usual | input_))["purchaseTickets"]

    async def stock(self, concert: OnSale) -> list[tuple[int, int, int]]:
        """Return (available, held, sold) for each tier."""
        tiers = (await self.fields(STOCK, id=concert.id))["concert"]["stock"]["tiers"]
        return [(tier["available"], tier["held"], tier["sold"]) for tier in tiers]


def lines(concert: OnSale, *quantities: int) -> list[dict[str, object]]:
    return [{"tierId": tier, "quantity": n} for tier, n in zip(concert.tiers, quantities, strict=False) if n]


def person_id(name: str) -> PersonId:
    """Return the `sub` claim of the person's tokens."""
    return PersonId(str(uuid.uuid5(uuid.NAMESPACE_URL, name)))


def new_key() -> str:
    return uuid.uuid4().hex


def concert_input(**changes: object) -> dict[str, object]:
    now = datetime.now(UTC)
    usual = {
        "name": "Night of the Proms",
        "venue": venue_input(),
        "startsAt": moment(now + timedelta(days=30)),
        "salesStartAt": moment(now - timedelta(days=1)),
        "salesEndAt": moment(now + timedelta(days=29)),
        "currency": "EUR",
        "limitPerOrder": 4,
        "limitPerPerson": 6,
        "tiers": FREE,
    }
    return usual | changes


def venue_input(**changes: object) -> dict[str, object]:
    usual = {"name": "Olympiahalle", "city": "Munich", "country": "DE", "timeZone": "Europe/Berlin"}
    return usual | changes


def moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class LateService:
    """An ASGI app for `/graphql` that uses a service opened later, when its address is known."""

    service: GraphQLService

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self.service.http if scope["type"] == "http" else self.service.socket)(scope, receive, send)


@asynccontextmanager
async def shop_on(
    stores: Stores,
    redis_url: str,
    *,
    limits: Limits = DEFAULTS,
    rates: RateLimits = NO_LIMITS,
    engine: Engine | None = None,
    signed_in_may_buy: bool = False,
    sessions: SessionReader = NO_SESSIONS,
    payments: OrderPayments | None = None,
    checkout: Checkout = NO_CHECKOUT,
    transfer_mails: TransferMails | None = None,
) -> AsyncIterator[Shop]:
    """Serve GraphQL and the issuer that it trusts at the same address."""
    shops: list[Shop] = []
    late = LateService()

    def build(base: str) -> Starlette:
        client, issuer = httpx2.AsyncClient(base_url=base, timeout=30), KeyServer(base, jwk("k1"))
        shops.append(Shop(client, issuer, stores, redis_url, make_verifier(issuer.issuer)))
        routes = [Route("/graphql", late), WebSocketRoute("/graphql", late), *issuer.app.routes]
        return Starlette(routes=routes, middleware=[Middleware(RequestMiddleware)])

    state: dict[str, Any] = {}
    async with serving(build, state=state):
        shop = shops[0]
        async with (
            shop.client,
            aclosing(shop.verifier),
            open_graphql_service(
                Resources(
                    stores,
                    PASSES,
                    call_limits=CallLimits(rates),
                    signed_in_may_buy=signed_in_may_buy,
                    payments=payments,
                    checkout=checkout,
                    ticket_keys=TICKET_KEYS,
                    transfer_mails=transfer_mails or MailsInMemory(),
                ),
                Callers(shop.verifier, site=Site(str(shop.client.base_url).rstrip("/")), sessions=sessions),
                redis_url=redis_url,
                tick_s=TICK_S,
                push_intervals=PUSH_INTERVALS,
                max_body_bytes=MAX_BODY_BYTES,
                limits=limits,
                engine=engine,
            ) as late.service,
        ):
            add_fast_path(state, late.service)
            shop.service = late.service
            yield shop
            late.service.event_streams.stop_all()
