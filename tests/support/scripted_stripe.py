"""A server that gives the Stripe adapter answers chosen by a test, and keeps its requests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from domain.ids import ConcertId, OrderId
from payments.provider import OrderReference
from payments.stripe.client import StripeClient
from payments.stripe.provider import StripeProvider
from payments.stripe.signatures import WebhookVerifier
from tests.support.serving import serving

SECRET_KEY = "sk_test_scripted"
REFERENCE = OrderReference(OrderId("hold-1"), ConcertId("concert-1"), "installation-1")
METADATA = {
    "onsale_order": "hold-1",
    "onsale_concert": "concert-1",
    "onsale_installation": "installation-1",
    "onsale_attempt": "1",
}


@dataclass(frozen=True, slots=True)
class Recorded:
    """A request, with its parameters as Stripe's form encoding writes them."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]

    @property
    def key(self) -> str | None:
        return self.headers.get("idempotency-key")


@dataclass(slots=True)
class ScriptedStripe:
    """Gives the scripted answers in turn, and then repeats the last one."""

    answers: list[Response] = field(default_factory=list)
    requests: list[Recorded] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    """If this is cleared, answers wait for it."""

    def answer(self, *answers: Response) -> None:
        self.answers[:] = answers
        self.requests.clear()

    async def respond(self, request: Request) -> Response:
        sent = (await request.body()).decode() if request.method == "POST" else request.url.query
        params = dict(parse_qsl(sent, keep_blank_values=True))
        self.requests.append(Recorded(request.method, request.url.path, params, dict(request.headers)))
        await self.released.wait()
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@asynccontextmanager
async def scripted_stripe(*, timeout_s: float = 60) -> AsyncIterator[tuple[ScriptedStripe, StripeProvider]]:
    """Run the server and an adapter that talks to it."""
    script = ScriptedStripe()
    script.released.set()
    routes = [Route("/{path:path}", script.respond, methods=["GET", "POST"])]
    async with serving(lambda _: Starlette(routes=routes)) as url:
        client = StripeClient(SECRET_KEY, url=url, timeout_s=timeout_s)
        provider = StripeProvider(client, WebhookVerifier(()))
        try:
            yield script, provider
        finally:
            script.released.set()
            await provider.aclose()


def error(status: int, code: str | None = None, *, kind: str = "invalid_request_error", **headers: str) -> Response:
    """Return a Stripe error object. `_` in the name of a header represents a hyphen."""
    shown = {name.replace("_", "-"): value for name, value in headers.items()}
    content = {"error": {"type": kind, "message": f"Because of {code or kind}.", **({"code": code} if code else {})}}
    return JSONResponse(content, status, shown)


def listed(*items: dict[str, object], has_more: bool = False) -> Response:
    return JSONResponse({"object": "list", "data": list(items), "has_more": has_more, "url": "/v1/x"})


def intent(**fields: object) -> dict[str, object]:
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 5_000,
        "amount_received": 0,
        "canceled_at": None,
        "client_secret": "pi_1_secret_2",
        "created": 1_700_000_000,
        "currency": "eur",
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": dict(METADATA),
        "status": "requires_payment_method",
        **fields,
    }


def refund(**fields: object) -> dict[str, object]:
    return {
        "id": "re_1",
        "object": "refund",
        "amount": 2_000,
        "charge": "ch_1",
        "created": 1_700_000_100,
        "currency": "eur",
        "metadata": {name: value for name, value in METADATA.items() if name != "onsale_attempt"}
        | {"onsale_refund": "1"},
        "payment_intent": "pi_1",
        "status": "succeeded",
        **fields,
    }


def dispute(**fields: object) -> dict[str, object]:
    return {
        "id": "du_1",
        "object": "dispute",
        "amount": 5_000,
        "charge": "ch_1",
        "created": 1_700_000_200,
        "currency": "eur",
        "metadata": {},
        "payment_intent": "pi_1",
        "reason": "fraudulent",
        "status": "needs_response",
        **fields,
    }
