"""A shop as in production: GraphQL and the webhook route over HTTP, the workers' runner, the
official library, and a sandbox in a separate process.

The order worker is the exception: a test runs it with `work`, at the time that `pass_time` sets.
"""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import orjson
from starlette.applications import Starlette
from starlette.types import Message, Receive, Scope, Send

from domain.ids import OrderId
from domain.money import CurrencyCode, Money
from domain.orders import Order
from domain.payments.payment import PaymentAttempt
from payments.checkout import Checkout
from payments.provider import OrderReference, PaymentProvider
from payments.providers import open_provider
from payments.saga.order_payments import OrderPayments
from schema.ids import concert_argument, decode
from settings import PaymentSettings
from storage.connect import Stores
from tests.support.paying_shop import OrderShop
from tests.support.sandbox import Document, Sandbox, running_sandbox
from tests.support.serving import serving
from tests.support.shop import Answer, OnSale, new_key, shop_on
from tests.support.signed_webhooks import sign
from tests.support.waiting import wait_until
from tests.support.worker_steps import running_workers
from web.payment_webhooks import PATH, PaymentWebhooks, routes
from workers.orders import OrderWorker
from workers.payment_events import PaymentEventsWorker

MAX_WEBHOOK_BYTES = 512 * 1024
BEAT = timedelta(seconds=4)
"""Shorter than a pause between two of the workers' heartbeats that counts as a gap."""
SAME_TIME = timedelta()


@dataclass
class WebhookRoute:
    """The webhook route of the shop, which keeps the bodies it receives and counts its answers."""

    webhooks: PaymentWebhooks
    statuses: Counter[int] = field(default_factory=Counter)
    bodies: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._app = Starlette(routes=routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        received: list[bytes] = []

        async def reading() -> Message:
            message = await receive()
            received.append(message.get("body", b""))
            return message

        async def answering(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.statuses[message["status"]] += 1
                self.bodies.append(b"".join(received))
            await send(message)

        await self._app({**scope, "state": {"payment_webhooks": self.webhooks}}, reading, answering)


@dataclass(kw_only=True)
class SandboxShop(OrderShop):
    sandbox: Sandbox
    route: WebhookRoute
    client: httpx2.AsyncClient
    """A client of the webhook route."""

    def __post_init__(self) -> None:
        self.worker = OrderWorker(self.payments, clock=self.now)

    async def begin_test(self) -> None:
        """Undo the changes of earlier tests, and make sure that none of their orders is due."""
        await self.stores.orders.collection.update_many({}, {"$unset": {"workAt": ""}})
        self.ahead = SAME_TIME
        self.route.statuses.clear()
        self.route.bodies.clear()
        await self.sandbox.heal()
        await self.sandbox.drop_webhooks()
        await self.sandbox.resume_webhooks()

    async def intent_id(self, order: Answer) -> str:
        return intent_id_of(await self.stored(order))

    async def pay(self, order: Answer, card: str = "pm_card_visa") -> str:
        """Pay the order as its buyer does, and return the id of the intent."""
        intent_id = await self.intent_id(order)
        await self.sandbox.pay(intent_id, card)
        return intent_id

    async def buy_paid(self, concert: OnSale, *quantities: int, by: str = "alice") -> Answer:
        """Buy tickets, pay for them, and return the order that the webhook has made PAID."""
        order = await self.buy(concert, *quantities, by=by)
        await self.pay(order)
        return await self.wait_for(order, "PAID", by=by)

    async def wait_for(self, order: Answer, status: str, *, by: str = "alice") -> Answer:
        async def is_reached() -> bool:
            return (await self.stored(order)).status.value == status

        await wait_until(is_reached, what=f"an order that is {status}")
        return await self.read(order, by=by)

    async def work(self) -> int:
        """Run the order worker once, and return the number of orders that moved on."""
        return await self.worker.run_once(self.stores)

    async def pass_time(self, duration: timedelta) -> None:
        """Advance the saga's clock, without a gap between two worker runs."""
        end = self.ahead + duration
        while self.ahead < end:
            self.ahead = min(self.ahead + BEAT, end)
            await self.stores.worker_heartbeats.beat(self.worker.name, self.now())

    async def pass_deadline(self, order: Answer) -> None:
        """Move the clock to one second after the payment deadline of the order."""
        payment = (await self.stored(order)).payment
        assert payment is not None
        await self.pass_time(payment.expires_at - self.now() + timedelta(seconds=1))

    @asynccontextmanager
    async def impatient_payments(self) -> AsyncIterator[OrderPayments]:
        """Yield payments that wait one second for each answer from the sandbox."""
        async with aclosing(open_provider(_settings(self.sandbox, timeout_s=1))) as provider:
            yield OrderPayments(self.stores, provider, clock=self.now)

    async def reference(self, order: Answer) -> OrderReference:
        stored = await self.stored(order)
        return OrderReference(stored.id, stored.concert_id, await self.payments.installation())

    async def reference_of_hold(self, concert: OnSale, held: Answer) -> OrderReference:
        """Return the reference of the order that buying the hold will insert."""
        order_id = OrderId(decode(held["id"]).parts[-1])
        return OrderReference(order_id, concert_argument(concert.id), await self.payments.installation())

    async def buy_hold(self, held: Answer, *, by: str = "alice") -> Answer:
        """Buy a hold with a new key, and return the order."""
        bought = await self.change("purchaseTickets", purchase_input(held), by=by)
        assert bought["__typename"] == "PurchaseTicketsSuccess", bought
        return bought["order"]

    async def create_first_intent(
        self, reference: OrderReference, *, amount: int = 9_900, currency: CurrencyCode = CurrencyCode.EUR
    ) -> str:
        """Create the intent of an order's first attempt, under its key, before the purchase does,
        and return its id.
        """
        attempt = PaymentAttempt(1, datetime.now(UTC))
        return (await self.payments.provider.create_intent(reference, attempt, Money(amount, currency))).id

    async def intents(self, order: Answer) -> list[str]:
        """Return the ids of all intents that the sandbox has for the order."""
        reference = await self.reference(order)
        since = datetime.now(UTC) - timedelta(days=1)
        return [found.id for found in await self.payments.provider.find_intents(reference, since)]

    async def balance(self, order: Answer) -> int:
        """Return the amount that the bank has taken for the order minus the amount that it has
        returned.
        """
        return sum([await self.sandbox.balance(intent_id) for intent_id in await self.intents(order)])

    async def create_intent(self, reference: OrderReference, amount: int, *, attempt: int = 1, **fields: str) -> str:
        """Create an intent that names the order at the sandbox, and return its id."""
        metadata = {
            "onsale_order": reference.order_id,
            "onsale_concert": reference.concert_id,
            "onsale_installation": reference.installation,
            "onsale_attempt": str(attempt),
        }
        created = await self.sandbox.create_intent(amount, **fields, **metadata)
        return str(created["id"])

    async def events(self, intent_id: str) -> list[Document]:
        """Return the sandbox's events about an intent and its refunds, in order."""
        found: list[Document] = (await self.sandbox.get("/v1/events", limit="100"))["data"]
        objects = [(event, event["data"]["object"]) for event in reversed(found)]
        return [event for event, about in objects if intent_id in (about["id"], about.get("payment_intent"))]

    async def event(self, kind: str, intent_id: str) -> Document:
        (event,) = [event for event in await self.events(intent_id) if event["type"] == kind]
        return event

    async def raw_event(self, kind: str, intent_id: str) -> bytes:
        """Return the body of a webhook about the event."""
        return orjson.dumps(await self.event(kind, intent_id))

    async def post(self, body: bytes, headers: dict[str, str] | None = None) -> httpx2.Response:
        """Send a webhook, signed with the sandbox's secret if no headers are given."""
        signed = sign(body, datetime.now(UTC), self.sandbox.webhook_secret) if headers is None else headers
        return await self.client.post(PATH, content=body, headers=signed)

    async def deliver(self, *events: Document) -> None:
        """Deliver events one after another. Each is applied before the next one is sent."""
        for event in events:
            assert (await self.post(orjson.dumps(event))).status_code == 200
            await self.applied(event)

    async def applied(self, event: Document) -> None:
        async def is_applied() -> bool:
            found = await self.stores.payment_inbox.get(event["id"])
            return found is not None and found.state.value == "APPLIED"

        await wait_until(is_applied, what=f"the event {event['type']}")

    async def received(self, kind: str, intent_id: str) -> bytes:
        """Wait for a webhook from the sandbox, and return its body."""

        def find() -> bytes | None:
            events = [(body, orjson.loads(body)) for body in self.route.bodies]
            about = (body for body, event in events if event["type"] == kind and intent_id in body.decode())
            return next(about, None)

        await wait_until(find, what=f"the webhook {kind}")
        return find() or b""


def purchase_input(held: Answer) -> dict[str, object]:
    """Return the input that buys a hold, with a new key."""
    customer = {"customerName": "Alice", "customerEmail": "alice@onsale.example"}
    return {"holdId": held["id"], "idempotencyKey": new_key(), **customer}


def intent_id_of(order: Order) -> str:
    assert order.payment is not None
    assert order.payment.attempt.intent_id is not None
    return order.payment.attempt.intent_id


def webhook_route_of(provider: PaymentProvider, stores: Stores) -> WebhookRoute:
    """Return the route that verifies the provider's webhooks, and records them in the stores."""
    return WebhookRoute(
        PaymentWebhooks(
            provider,
            stores.payment_inbox,
            installation=stores.installation.id,
            takes_live=False,
            max_bytes=MAX_WEBHOOK_BYTES,
        )
    )


@asynccontextmanager
async def open_sandbox_shop(stores: Stores, redis_url: str, directory: Path) -> AsyncIterator[SandboxShop]:
    """Open a shop with its own sandbox, which keeps its data in the directory."""
    async with (
        running_sandbox(directory) as sandbox,
        aclosing(open_provider(_settings(sandbox))) as provider,
    ):
        made: list[SandboxShop] = []
        # The first call opens a connection, which may take long on a busy machine.
        payments = OrderPayments(stores, provider, clock=lambda: made[0].now(), intent_within_s=20)
        route = webhook_route_of(provider, stores)
        checkout = Checkout("sandbox", sandbox.publishable_key, sandbox.url)
        async with (
            shop_on(stores, redis_url, payments=payments, checkout=checkout) as shop,
            serving(lambda _: route) as base,
            httpx2.AsyncClient(base_url=base, timeout=60) as client,
        ):
            made.append(SandboxShop(shop=shop, payments=payments, sandbox=sandbox, route=route, client=client))
            await sandbox.send_webhooks_to(f"{base}{PATH}")
            async with running_workers(stores, redis_url, PaymentEventsWorker.name, payments=payments):
                yield made[0]


def _settings(sandbox: Sandbox, *, timeout_s: int = 20) -> PaymentSettings:
    secrets = (sandbox.webhook_secret,)
    return PaymentSettings(secret_key=sandbox.secret_key, webhook_secrets=secrets, url=sandbox.url, timeout_s=timeout_s)
