"""A receiver of webhooks that records what it receives, and answers as a test demands."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tests.support.serving import serving
from tests.support.waiting import wait_until


@dataclass(frozen=True, slots=True)
class ReceivedWebhook:
    body: bytes
    signature: str
    status: int
    """The status of the answer."""

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = orjson.loads(self.body)
        return event


@dataclass(slots=True)
class WebhookReceiver:
    url: str
    received: list[ReceivedWebhook] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    """The statuses of the upcoming answers; 200 when the list is empty."""
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """Answers wait until this is set. It is set initially."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        status = self.statuses.pop(0) if self.statuses else 200
        self.received.append(ReceivedWebhook(body, request.headers.get("stripe-signature", ""), status))
        await self.gate.wait()
        await Response(status_code=status)(scope, receive, send)

    def about(self, object_id: str) -> list[ReceivedWebhook]:
        """Return the webhooks about an object, in the order of arrival."""
        return [webhook for webhook in self.received if webhook.event["data"]["object"]["id"] == object_id]

    async def wait_for(self, object_id: str, count: int = 1) -> list[ReceivedWebhook]:
        """Wait for the webhooks about an object, and return them."""
        await wait_until(lambda: len(self.about(object_id)) >= count, what=f"{count} webhooks about {object_id}")
        return self.about(object_id)


@asynccontextmanager
async def receiving_webhooks() -> AsyncIterator[WebhookReceiver]:
    receiver = WebhookReceiver("")
    receiver.gate.set()
    async with serving(lambda base: receiver) as base:
        receiver.url = f"{base}/webhooks/payments"
        yield receiver
