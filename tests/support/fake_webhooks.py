"""A payment provider whose webhooks are not signed, and an endpoint that receives them."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import httpx2
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from domain.payments.inbox import InboxEvent
from payments.provider import OrderReference, ProviderEvent, WebhookRefused
from tests.support.payment_events import CONCERT, INSTALLATION, NOW, ORDER, payment_fact
from web.payment_webhooks import PATH, EventReader, Inbox, PaymentWebhooks, routes

REFERENCE = OrderReference(ORDER, CONCERT, INSTALLATION)
MAX_BYTES = 512 * 1024


def provider_event(id_: str = "evt_1", **changes: Any) -> ProviderEvent:
    made = ProviderEvent(
        id=id_,
        kind="payment_intent.succeeded",
        is_live=False,
        created_at=NOW,
        reference=REFERENCE,
        intent_id="pi_1",
        facts=(payment_fact(),),
    )
    return replace(made, **changes)


@dataclass
class FakeProvider:
    """Reads a body that consists of the id of an event. An unknown id is refused as if the body had
    been changed.
    """

    events: dict[str, ProviderEvent] = field(default_factory=dict)
    name: str = "sandbox"
    read: list[tuple[bytes, Mapping[str, str], datetime]] = field(default_factory=list)

    def read_event(self, body: bytes, headers: Mapping[str, str], now: datetime) -> ProviderEvent:
        self.read.append((body, headers, now))
        event = self.events.get(body.decode(errors="replace"))
        if event is None:
            raise WebhookRefused("mismatch", "The signature does not match the body.")
        return event


async def _installation() -> str:
    return INSTALLATION


@dataclass
class FakeInbox:
    """Records events in memory. `failure` makes inserts fail."""

    events: dict[str, InboxEvent] = field(default_factory=dict)
    failure: Exception | None = None

    async def insert(self, event: InboxEvent) -> bool:
        if self.failure is not None:
            raise self.failure
        is_new = event.id not in self.events
        self.events.setdefault(event.id, event)
        return is_new


class WebhookEndpoint:
    """The ASGI application of the route.

    Without `reader`, it accepts the ids of `events` as bodies. Without `inbox`, it records in
    memory.
    """

    def __init__(
        self,
        *events: ProviderEvent,
        reader: EventReader | None = None,
        inbox: Inbox | None = None,
        takes_live: bool = False,
    ) -> None:
        self.provider = FakeProvider({event.id: event for event in events})
        self.recorded = FakeInbox()
        self._webhooks = PaymentWebhooks(
            reader or self.provider,
            inbox or self.recorded,
            installation=_installation,
            takes_live=takes_live,
            max_bytes=MAX_BYTES,
            now=lambda: NOW,
        )
        self._routes = Starlette(routes=routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._routes({**scope, "state": {"payment_webhooks": self._webhooks}}, receive, send)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx2.AsyncClient]:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(self), base_url="http://onsale") as client:
            yield client

    async def post(self, body: bytes | str, **headers: str) -> tuple[int, dict[str, str]]:
        """Return the status and the JSON of the answer."""
        async with self.client() as client:
            answer = await client.post(PATH, content=body, headers=headers)
        return answer.status_code, json.loads(answer.content)
