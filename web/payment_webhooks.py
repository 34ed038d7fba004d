"""`POST /webhooks/payments`: the payment provider tells us what happened to a payment.

A request is verified over its bytes as they arrived, recorded in the inbox, and answered; a worker
applies the event later (workers/payment_events.py). The signature is the only credential: cookies
and Authorization headers are not read, and neither origins nor addresses are limited. The provider
repeats a request until it is answered with status 200.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from domain.errors import TemporarilyUnavailable
from domain.payments.facts import FactKind
from domain.payments.inbox import InboxEvent, InboxState
from payments.provider import ProviderEvent, WebhookRefused
from storage.mongo.payment_inbox import EventNotStorable
from telemetry import counters, traces
from web import request_body

log = logging.getLogger(__name__)

PATH = "/webhooks/payments"
BODY_WITHIN_S = 10
"""The time limit for receiving a body. Stripe itself waits 20 s for the answer."""
LOG_EVERY_S = 60.0
"""The shortest time between two log lines about the same reason, because anyone can send requests.
"""
# The provider does not copy our metadata to these objects, so a worker finds out whether they are
# ours.
_WITHOUT_METADATA = frozenset({FactKind.REFUND, FactKind.DISPUTE})


class EventReader(Protocol):
    """The part of a payment provider that verifies and reads webhooks."""

    name: str

    def read_event(self, body: bytes, headers: Mapping[str, str], now: datetime) -> ProviderEvent: ...


class Inbox(Protocol):
    async def insert(self, event: InboxEvent) -> bool: ...


class PaymentWebhooks:
    """The ASGI application. `takes_live` says whether the keys are for real money."""

    def __init__(
        self,
        provider: EventReader,
        inbox: Inbox,
        *,
        installation: Callable[[], Awaitable[str]],
        takes_live: bool,
        max_bytes: int,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._provider = provider
        self._inbox = inbox
        self._installation = installation
        self._takes_live = takes_live
        self._max_bytes = max_bytes
        self._now = now
        self._logged_s: dict[str, float] = {}
        """The time of the last log line about each reason."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Request(scope).headers
        try:
            async with asyncio.timeout(BODY_WITHIN_S):
                body = await request_body.read_body(
                    receive, declared=headers.get("content-length"), limit=self._max_bytes
                )
        except request_body.BodyTooLarge:
            response = self._refusal(413, "too_large", f"The body has more than {self._max_bytes} bytes.")
            await request_body.respond_and_discard(response, receive, send)
            return
        except TimeoutError:
            response = self._refusal(408, "too_slow", f"The body did not arrive within {BODY_WITHIN_S} s.")
        except request_body.ClientDisconnected:
            return
        else:
            response = await self._answer(body, headers)
        await response(scope, receive, send)

    async def _answer(self, body: bytes, headers: Mapping[str, str]) -> Response:
        now = self._now()
        try:
            event = self._provider.read_event(body, headers, now)
            return _accepted(await self._record(event, now))
        except WebhookRefused as refused:
            return self._refusal(400, refused.reason, str(refused))
        except EventNotStorable:
            return self._refusal(400, "malformed", "The event contains values that cannot be stored.")
        except TemporarilyUnavailable as error:
            retry = {"Retry-After": str(error.retry_after_s)}
            return self._refusal(503, "unavailable", "The event could not be recorded; send it again.", retry)

    async def _record(self, event: ProviderEvent, now: datetime) -> str:
        """Record the event if it may concern this installation, and return the outcome."""
        if not event.facts:
            return "ignored"
        if await self._is_foreign(event):
            return "foreign"
        entry = self._entry(event, now)
        if event.is_live != self._takes_live:
            mode = "live" if event.is_live else "test"
            log.warning("payment event %s (%s) is quarantined: it belongs to %s mode", event.id, event.kind, mode)
            entry = entry.ended(InboxState.QUARANTINED, f"it belongs to {mode} mode")
        is_new = await self._inbox.insert(entry)
        return ("recorded" if entry.state is InboxState.NEW else "quarantined") if is_new else "duplicate"

    async def _is_foreign(self, event: ProviderEvent) -> bool:
        """Return whether another installation, or another program, created the object."""
        if event.reference is not None:
            return event.reference.installation != await self._installation()
        return event.intent_id is None or not any(fact.kind in _WITHOUT_METADATA for fact in event.facts)

    def _entry(self, event: ProviderEvent, now: datetime) -> InboxEvent:
        reference = event.reference
        return InboxEvent(
            id=event.id,
            kind=event.kind,
            provider=self._provider.name,
            intent_id=event.intent_id,
            order_id=reference.order_id if reference else None,
            concert_id=reference.concert_id if reference else None,
            facts=event.facts,
            created_at=event.created_at,
            received_at=now,
            due_at=now,
            traceparent=traces.current_traceparent(),
        )

    def _refusal(self, status: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
        counters.payment_webhooks.labels(reason).inc()
        now_s = time.monotonic()
        if now_s - self._logged_s.get(reason, -LOG_EVERY_S) >= LOG_EVERY_S:
            self._logged_s[reason] = now_s
            log.warning("a payment webhook was refused: %s", message)
        closing = {"Connection": "close"} if status in (408, 413) else {}
        return JSONResponse({"error": reason, "message": message}, status, {**closing, **(headers or {})})


def _accepted(outcome: str) -> Response:
    counters.payment_webhooks.labels(outcome).inc()
    return JSONResponse({"outcome": outcome})


class _Endpoint:
    """Finds the application among the objects of the lifespan.

    It is a class because Starlette would treat a function as a request handler.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        webhooks: PaymentWebhooks = scope["state"]["payment_webhooks"]
        await webhooks(scope, receive, send)


routes = [Route(PATH, _Endpoint(), methods=["POST"])]
