"""Reads the events that Stripe sends to a webhook endpoint."""

import json
from collections.abc import Callable
from datetime import datetime

from domain.payments.facts import ProviderFact
from payments.provider import ProviderEvent, WebhookRefused
from payments.stripe.fields import (
    StripeObject,
    UnreadableObject,
    flag,
    optional_id,
    optional_object,
    text,
    time,
)
from payments.stripe.objects import dispute_facts, intent_facts, read_reference, refund_facts

_READERS: dict[str, Callable[[StripeObject, datetime], tuple[ProviderFact, ...]]] = {
    "payment_intent": intent_facts,
    "refund": refund_facts,
    "dispute": dispute_facts,
}
"""By the type of the object that an event is about. Events about other objects add nothing: a
charge, for example, belongs to an intent, a refund or a dispute, which has its own events.
"""

ENABLED_EVENTS = (
    "payment_intent.canceled",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_intent.succeeded",
    "refund.created",
    "refund.failed",
    "refund.updated",
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.updated",
)
"""The events that Stripe must send to our webhook endpoint. Others are accepted and change nothing.
"""


def read_event(body: bytes) -> ProviderEvent:
    """Read a verified body. Raises WebhookRefused if it is not a Stripe event."""
    try:
        event = json.loads(body)
        if not isinstance(event, dict) or event.get("object") != "event":
            raise UnreadableObject("The body is not an event")
        return _read(event)
    except (ValueError, RecursionError, UnreadableObject) as error:
        why = str(error) if isinstance(error, UnreadableObject) else "The body is not JSON"
        raise WebhookRefused(
            "unreadable", f"{why}. The signature is valid; check the API version of the webhook endpoint."
        ) from error


def _read(event: StripeObject) -> ProviderEvent:
    at = time(event, "created")
    source = optional_object(optional_object(event, "data") or {}, "object") or {}
    read_facts = _READERS.get(str(source.get("object")))
    facts = read_facts(source, at) if read_facts else ()
    return ProviderEvent(
        id=text(event, "id"),
        kind=text(event, "type"),
        is_live=flag(event, "livemode"),
        created_at=at,
        reference=read_reference(source) if read_facts else None,
        intent_id=_intent_id(source) if read_facts else None,
        facts=facts,
    )


def _intent_id(source: StripeObject) -> str | None:
    return text(source, "id") if source["object"] == "payment_intent" else optional_id(source, "payment_intent")
