"""A payment from the buyer to the paid order: sandbox, signed webhook, inbox, worker."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest_asyncio
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from domain.ids import fingerprint
from domain.orders import Order, OrderStatus
from payments.providers import open_provider
from payments.saga.order_payments import OrderPayments
from resolvers.purchase import Purchase
from settings import PaymentSettings
from storage.connect import Stores
from tests.support.mongo_failures import failing
from tests.support.sale import CUSTOMER, hold, key, on_sale
from tests.support.sandbox import Sandbox
from tests.support.serving import serving
from tests.support.waiting import wait_until
from tests.support.worker_steps import running_workers
from web.payment_webhooks import PATH, PaymentWebhooks, routes
from workers.payment_events import PaymentEventsWorker

RETRIES_FOR_S = 3 * 86_400


@dataclass
class WebhookSite:
    """A process that receives the sandbox's webhooks, and a worker that applies them."""

    stores: Stores
    sandbox: Sandbox
    payments: OrderPayments
    url: str = ""
    statuses: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._routes = Starlette(routes=routes)
        self._webhooks = PaymentWebhooks(
            self.payments.provider,
            self.stores.payment_inbox,
            installation=self.payments.installation,
            takes_live=False,
            max_bytes=512 * 1024,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.statuses[message["status"]] += 1
            await send(message)

        await self._routes({**scope, "state": {"payment_webhooks": self._webhooks}}, receive, counted)

    async def order(self) -> Order:
        """Return a new order with its intent."""
        concert = await on_sale(self.stores, 10, price_minor=2_500)
        made = await hold(self.stores, concert, 2)
        asked = fingerprint(made.person_id, made.concert_id, "purchaseTickets", key())
        purchase = Purchase(made.concert_id, made.id, made.person_id, CUSTOMER, key=asked, digest=fingerprint(made.id))
        return await purchase.run(self.stores, self.payments)

    async def read(self, order: Order) -> Order:
        found = await self.stores.orders.get(order.id)
        assert found is not None
        return found

    async def wait_for(self, order: Order, status: OrderStatus) -> Order:
        async def is_reached() -> bool:
            return (await self.read(order)).status is status

        await wait_until(is_reached, what=f"an order that is {status}")
        return await self.read(order)

    async def deliver_again(self, kind: str, intent_id: str) -> None:
        """Let the sandbox resend an event that was accepted before."""
        (event,) = [one for one in await self.sandbox.events(kind) if one["data"]["object"]["id"] == intent_id]
        before = self.statuses[200]
        await self.sandbox.resend(event["id"])
        await wait_until(lambda: self.statuses[200] > before, what="the repeated webhook")


def intent_of(order: Order) -> str:
    assert order.payment is not None
    assert order.payment.attempt.intent_id is not None
    return order.payment.attempt.intent_id


@pytest_asyncio.fixture
async def site(stores: Stores, valkey_url: str, sandbox: Sandbox) -> AsyncIterator[WebhookSite]:
    settings = PaymentSettings(
        secret_key=sandbox.secret_key,
        webhook_secrets=("whsec_next_0123456789", sandbox.webhook_secret),
        url=sandbox.url,
    )
    payments = OrderPayments(stores, open_provider(settings))
    made = WebhookSite(stores, sandbox, payments)
    async with serving(lambda _: made) as base:
        made.url = f"{base}{PATH}"
        await sandbox.send_webhooks_to(made.url)
        async with running_workers(stores, valkey_url, PaymentEventsWorker.name, payments=payments):
            yield made
    await payments.provider.aclose()


async def test_payment_at_the_sandbox_makes_the_order_paid(site: WebhookSite) -> None:
    order = await site.order()
    await site.sandbox.pay(intent_of(order))
    paid = await site.wait_for(order, OrderStatus.PAID)
    assert await site.sandbox.balance(intent_of(paid)) == paid.total.minor


async def test_repeated_webhook_changes_the_order_once_even_after_3_days(site: WebhookSite) -> None:
    order = await site.order()
    await site.sandbox.duplicate_webhooks(1)
    await site.sandbox.pay(intent_of(order))
    paid = await site.wait_for(order, OrderStatus.PAID)
    await site.sandbox.webhooks_delivered()
    await asyncio.gather(*[site.deliver_again("payment_intent.succeeded", intent_of(order)) for _ in range(3)])
    await site.sandbox.move_clock(RETRIES_FOR_S)
    await site.deliver_again("payment_intent.succeeded", intent_of(order))
    assert set(site.statuses) == {200}
    assert (await site.read(order)).events == paid.events
    assert await site.stores.payment_inbox.collection.count_documents({"kind": "payment_intent.succeeded"}) == 1


async def test_webhook_that_could_not_be_recorded_is_repeated_by_the_sandbox(site: WebhookSite, mongo_url: str) -> None:
    order = await site.order()
    async with failing(mongo_url, 2, errorCode=189):
        await site.sandbox.pay(intent_of(order))
        await wait_until(lambda: site.statuses[503], what="the failed webhook")
    await site.sandbox.move_clock(3_600)
    await site.wait_for(order, OrderStatus.PAID)


async def test_full_refund_in_the_dashboard_ends_the_order(site: WebhookSite) -> None:
    order = await site.order()
    await site.sandbox.pay(intent_of(order))
    await site.wait_for(order, OrderStatus.PAID)
    await site.sandbox.refund(intent_of(order))
    await site.wait_for(order, OrderStatus.REFUNDED)
    assert await site.sandbox.balance(intent_of(order)) == 0


async def test_lost_dispute_reaches_the_order(site: WebhookSite) -> None:
    order = await site.order()
    await site.sandbox.pay(intent_of(order))
    await site.wait_for(order, OrderStatus.PAID)
    dispute = await site.sandbox.dispute(intent_of(order))
    await site.sandbox.close_dispute(dispute["id"], "lost")
    await site.wait_for(order, OrderStatus.DISPUTE_LOST)


async def test_payment_from_another_program_does_not_reach_the_inbox(site: WebhookSite) -> None:
    intent = await site.sandbox.create_intent()
    await site.sandbox.pay(intent["id"])
    await site.sandbox.webhooks_delivered()
    assert set(site.statuses) == {200}
    assert await site.stores.payment_inbox.collection.count_documents({}) == 0


async def test_webhook_with_another_secret_is_refused(site: WebhookSite) -> None:
    order = await site.order()
    await site.sandbox.send_webhooks_to(site.url, secret="whsec_another_0123456789")
    await site.sandbox.pay(intent_of(order))
    await wait_until(lambda: site.statuses[400], what="the refused webhook")
    assert await site.stores.payment_inbox.collection.count_documents({}) == 0
    assert await site.read(order) == order
