"""Webhooks signed as Stripe signs them, and hostile ones, through the route.

Every refusal has its own reason, and records nothing.
"""

import gzip
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from domain.payments.inbox import InboxState
from payments.stripe.client import StripeClient
from payments.stripe.provider import StripeProvider
from payments.stripe.signatures import WebhookVerifier
from tests.support.fake_webhooks import MAX_BYTES, WebhookEndpoint
from tests.support.payment_events import CONCERT, INSTALLATION, NOW, ORDER, inbox_event

SECRET, OLD_SECRET = "whsec_current0123456789", "whsec_previous0123456789"
NOW_S = int(NOW.timestamp())
METADATA = {
    "onsale_order": ORDER,
    "onsale_concert": CONCERT,
    "onsale_installation": INSTALLATION,
    "onsale_attempt": "1",
}


def event_of(source: dict[str, Any], **changes: Any) -> bytes:
    """Return an event about an object, as Stripe writes it."""
    event = {
        "id": "evt_1",
        "object": "event",
        "type": "payment_intent.succeeded",
        "livemode": False,
        "created": NOW_S,
        "data": {"object": source},
        **changes,
    }
    return json.dumps(event, indent=2, separators=(",", ": ")).encode()


def intent(**changes: Any) -> dict[str, Any]:
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "status": "succeeded",
        "amount": 5_000,
        "amount_received": 5_000,
        "currency": "eur",
        "created": NOW_S,
        "metadata": METADATA,
        "description": "Zoë",
        **changes,
    }


EVENT = event_of(intent())


def signature(body: bytes, *, secret: str = SECRET, at_s: int = NOW_S) -> str:
    signed = hmac.new(secret.encode(), f"{at_s}.".encode() + body, hashlib.sha256)
    return signed.hexdigest()


def signed(body: bytes, *, secret: str = SECRET, at_s: int = NOW_S) -> dict[str, str]:
    return {"Stripe-Signature": f"t={at_s},v1={signature(body, secret=secret, at_s=at_s)}"}


@pytest_asyncio.fixture
async def endpoint() -> AsyncIterator[WebhookEndpoint]:
    provider = StripeProvider(StripeClient("sk_test_x", timeout_s=1), WebhookVerifier((SECRET, OLD_SECRET)))
    yield WebhookEndpoint(reader=provider)
    await provider.aclose()


async def test_signed_event_is_recorded(endpoint: WebhookEndpoint) -> None:
    assert await endpoint.post(EVENT, **signed(EVENT)) == (200, {"outcome": "recorded"})
    assert endpoint.recorded.events == {"evt_1": inbox_event(provider="stripe")}


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET])
async def test_any_of_several_secrets_may_sign(endpoint: WebhookEndpoint, secret: str) -> None:
    assert (await endpoint.post(EVENT, **signed(EVENT, secret=secret)))[0] == 200


async def test_one_valid_signature_of_two_is_enough(endpoint: WebhookEndpoint) -> None:
    header = f"t={NOW_S},v1={'0' * 64},v1={signature(EVENT)},v0={'1' * 64}"
    assert (await endpoint.post(EVENT, **{"Stripe-Signature": header}))[0] == 200


@pytest.mark.parametrize("age", [timedelta(minutes=-5), timedelta(minutes=5)])
async def test_signature_may_be_five_minutes_off(endpoint: WebhookEndpoint, age: timedelta) -> None:
    at_s = int((NOW - age).timestamp())
    assert (await endpoint.post(EVENT, **signed(EVENT, at_s=at_s)))[0] == 200


SIGNATURE = signature(EVENT)
REFUSED_HEADERS: dict[str, tuple[dict[str, str], str]] = {
    "no header": ({}, "missing"),
    "empty header": ({"Stripe-Signature": ""}, "missing"),
    "no timestamp": ({"Stripe-Signature": f"v1={SIGNATURE}"}, "malformed"),
    "two timestamps": ({"Stripe-Signature": f"t={NOW_S},t={NOW_S},v1={SIGNATURE}"}, "malformed"),
    "timestamp that is no number": ({"Stripe-Signature": f"t=now,v1={SIGNATURE}"}, "malformed"),
    "endless timestamp": ({"Stripe-Signature": f"t={'9' * 400},v1={SIGNATURE}"}, "malformed"),
    "no signature": ({"Stripe-Signature": f"t={NOW_S}"}, "malformed"),
    "only another scheme": ({"Stripe-Signature": f"t={NOW_S},v0={SIGNATURE}"}, "malformed"),
    "short signature": ({"Stripe-Signature": f"t={NOW_S},v1=abc"}, "malformed"),
    "10,000 signatures": ({"Stripe-Signature": f"t={NOW_S}" + f",v1={SIGNATURE}" * 10_000}, "malformed"),
    "stale": (signed(EVENT, at_s=NOW_S - 301), "stale"),
    "future": (signed(EVENT, at_s=NOW_S + 301), "future"),
    "another secret": (signed(EVENT, secret="whsec_another0123456789"), "mismatched"),
    "another time": ({"Stripe-Signature": f"t={NOW_S + 1},v1={SIGNATURE}"}, "mismatched"),
    "another body": (signed(b"{}"), "mismatched"),
}


@pytest.mark.parametrize("name", REFUSED_HEADERS)
async def test_refused_signature_has_its_own_reason(endpoint: WebhookEndpoint, name: str) -> None:
    headers, reason = REFUSED_HEADERS[name]
    status, answer = await endpoint.post(EVENT, **headers)
    assert (status, answer["error"]) == (400, reason)
    assert endpoint.recorded.events == {}


async def test_mismatch_names_both_causes(endpoint: WebhookEndpoint) -> None:
    _, answer = await endpoint.post(EVENT, **signed(EVENT, secret="whsec_another0123456789"))
    assert "the signing secret of this endpoint is not among them" in answer["message"]
    assert "the body is not the one that Stripe sent" in answer["message"]
    assert "changed on the way" not in answer["message"]


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "byte order mark": lambda body: b"\xef\xbb\xbf" + body,
    "gzip": gzip.compress,
    "CRLF": lambda body: body.replace(b"\n", b"\r\n"),
    "compact": lambda body: json.dumps(json.loads(body), separators=(",", ":")).encode(),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_body_changed_on_the_way_is_refused_and_the_change_is_named(endpoint: WebhookEndpoint, name: str) -> None:
    status, answer = await endpoint.post(CHANGES[name](EVENT), **signed(EVENT))
    assert (status, answer["error"]) == (400, "mismatched")
    assert answer["message"].startswith("The body was changed on the way: ")
    assert endpoint.recorded.events == {}


async def test_content_encoding_does_not_make_the_route_decompress(endpoint: WebhookEndpoint) -> None:
    packed = gzip.compress(EVENT)
    status, answer = await endpoint.post(packed, **signed(EVENT), **{"content-encoding": "gzip"})
    assert (status, answer["error"]) == (400, "mismatched")


HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "not UTF-8": b"\xff\xfe\x00",
    "null bytes": b"\x00" * 1_000,
    "gzip of 5 MB": gzip.compress(b" " * 5_000_000),
    "deep nesting": b"[" * 60_000,
    "deep objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "large number": b"[" + b"9" * 60_000 + b"]",
    "as large as allowed": b"x" * MAX_BYTES,
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_body_with_another_signature_is_refused(endpoint: WebhookEndpoint, name: str) -> None:
    status, answer = await endpoint.post(HOSTILE[name], **signed(EVENT))
    assert (status, answer["error"]) == (400, "mismatched")
    assert endpoint.recorded.events == {}


UNREADABLE = HOSTILE | {
    "not JSON": b"id=evt_1",
    "a list": b"[]",
    "not an event": b'{"object":"payment_intent"}',
    "no id": event_of(intent(), id=None),
    "id that is not a text": event_of(intent(), id=1),
    "livemode as text": event_of(intent(), livemode="false"),
    "time far away": event_of(intent(), created=10**30),
    "amount as text": event_of(intent(amount_received="5000")),
    "unknown status": event_of(intent(status="paid_in_gold")),
    "metadata as a list": event_of(intent(metadata=[])),
}


@pytest.mark.parametrize("name", UNREADABLE)
async def test_signed_nonsense_is_refused_without_a_crash(endpoint: WebhookEndpoint, name: str) -> None:
    body = UNREADABLE[name]
    status, _ = await endpoint.post(body, **signed(body))
    assert status == 400
    assert endpoint.recorded.events == {}


async def test_signed_event_of_an_unknown_type_gets_200(endpoint: WebhookEndpoint) -> None:
    body = event_of({"id": "cus_1", "object": "customer"}, type="customer.created")
    assert await endpoint.post(body, **signed(body)) == (200, {"outcome": "ignored"})


async def test_signed_event_of_live_mode_is_quarantined(endpoint: WebhookEndpoint) -> None:
    body = event_of(intent(), livemode=True)
    assert await endpoint.post(body, **signed(body)) == (200, {"outcome": "quarantined"})
    assert endpoint.recorded.events["evt_1"].state is InboxState.QUARANTINED


async def test_signed_event_from_another_installation_is_dropped(endpoint: WebhookEndpoint) -> None:
    body = event_of(intent(metadata=METADATA | {"onsale_installation": "another"}))
    assert await endpoint.post(body, **signed(body)) == (200, {"outcome": "foreign"})
    assert endpoint.recorded.events == {}
