"""The route for payment webhooks: verified bytes are recorded, and nothing else happens."""

import asyncio
import json
import logging
from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY
from starlette.types import Message, Receive

from domain.errors import TemporarilyUnavailable
from domain.payments.facts import FactKind, FactState
from domain.payments.inbox import InboxState
from payments.provider import OrderReference
from storage.mongo.payment_inbox import EventNotStorable
from tests.support.fake_webhooks import MAX_BYTES, WebhookEndpoint, provider_event
from tests.support.payment_events import CONCERT, NOW, ORDER, inbox_event, payment_fact, refund_fact
from web.payment_webhooks import PATH

OTHER = OrderReference(ORDER, CONCERT, "another-installation")
DISPUTE = payment_fact(kind=FactKind.DISPUTE, id="dp_1", state=FactState.OPEN, row=None)
DECLINE = payment_fact(kind=FactKind.DECLINE, id="ch_1", state=FactState.FAILED)


def count(outcome: str) -> float:
    return REGISTRY.get_sample_value("onsale_payment_webhooks_total", {"outcome": outcome}) or 0


@pytest.fixture(autouse=True)
def _reset_levels(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.DEBUG):
        yield


async def test_event_is_recorded_as_it_was_read() -> None:
    endpoint, before = WebhookEndpoint(provider_event()), count("recorded")
    assert await endpoint.post("evt_1") == (200, {"outcome": "recorded"})
    assert endpoint.recorded.events == {"evt_1": inbox_event()}
    assert count("recorded") == before + 1


async def test_provider_gets_the_bytes_as_received_and_the_headers() -> None:
    endpoint, body = WebhookEndpoint(), b"\xef\xbb\xbf\x1f\x8b {\r\n}\xff"
    await endpoint.post(body, **{"Stripe-Signature": "t=1,v1=0", "content-encoding": "gzip"})
    ((read, headers, now),) = endpoint.provider.read
    assert (read, headers["stripe-signature"], now) == (body, "t=1,v1=0", NOW)


async def test_repeated_event_gets_200_and_is_counted_as_a_duplicate() -> None:
    endpoint, before = WebhookEndpoint(provider_event()), count("duplicate")
    await endpoint.post("evt_1")
    assert await endpoint.post("evt_1") == (200, {"outcome": "duplicate"})
    assert (len(endpoint.recorded.events), count("duplicate")) == (1, before + 1)


async def test_unverified_webhook_is_refused_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    endpoint, before = WebhookEndpoint(), count("mismatch")
    for _ in range(3):
        status, answer = await endpoint.post("evt_1")
        assert (status, answer) == (
            400,
            {"error": "mismatch", "message": "The signature does not match the body."},
        )
    assert endpoint.recorded.events == {}
    assert count("mismatch") == before + 3
    lines = [record.getMessage() for record in caplog.records if record.name == "web.payment_webhooks"]
    assert lines == ["a payment webhook was refused: The signature does not match the body."]


async def test_event_without_facts_is_answered_but_not_recorded() -> None:
    endpoint = WebhookEndpoint(provider_event(kind="customer.created", facts=()))
    assert await endpoint.post("evt_1") == (200, {"outcome": "ignored"})
    assert endpoint.recorded.events == {}


async def test_event_from_another_installation_is_dropped_and_counted() -> None:
    endpoint, before = WebhookEndpoint(provider_event(reference=OTHER)), count("foreign")
    assert await endpoint.post("evt_1") == (200, {"outcome": "foreign"})
    assert (endpoint.recorded.events, count("foreign")) == ({}, before + 1)


@pytest.mark.parametrize("fact", [payment_fact(), DECLINE], ids=["payment", "decline"])
async def test_payment_from_another_program_is_dropped(fact: object) -> None:
    endpoint = WebhookEndpoint(provider_event(reference=None, facts=(fact,)))
    assert await endpoint.post("evt_1") == (200, {"outcome": "foreign"})
    assert endpoint.recorded.events == {}


async def test_dispute_without_a_payment_intent_is_dropped() -> None:
    endpoint = WebhookEndpoint(provider_event(reference=None, intent_id=None, facts=(DISPUTE,)))
    assert await endpoint.post("evt_1") == (200, {"outcome": "foreign"})
    assert endpoint.recorded.events == {}


@pytest.mark.parametrize("fact", [refund_fact(), DISPUTE], ids=["refund", "dispute"])
async def test_refund_or_dispute_without_metadata_is_recorded(fact: object) -> None:
    endpoint = WebhookEndpoint(provider_event(reference=None, facts=(fact,)))
    assert await endpoint.post("evt_1") == (200, {"outcome": "recorded"})
    assert endpoint.recorded.events == {"evt_1": inbox_event(order_id=None, concert_id=None, facts=(fact,))}


@pytest.mark.parametrize(("takes_live", "mode"), [(True, "test"), (False, "live")])
async def test_event_of_the_wrong_mode_is_quarantined(
    takes_live: bool, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = WebhookEndpoint(provider_event(is_live=not takes_live), takes_live=takes_live)
    assert await endpoint.post("evt_1") == (200, {"outcome": "quarantined"})
    expected = inbox_event().ended(InboxState.QUARANTINED, f"it belongs to {mode} mode")
    assert endpoint.recorded.events == {"evt_1": expected}
    message = f"payment event evt_1 (payment_intent.succeeded) is quarantined: it belongs to {mode} mode"
    assert message in caplog.messages


async def test_repeated_quarantined_event_stays_in_quarantine() -> None:
    endpoint = WebhookEndpoint(provider_event(is_live=True))
    await endpoint.post("evt_1")
    assert await endpoint.post("evt_1") == (200, {"outcome": "duplicate"})
    assert endpoint.recorded.events["evt_1"].state is InboxState.QUARANTINED


async def test_event_that_cannot_be_recorded_now_gets_503_and_can_be_repeated() -> None:
    endpoint = WebhookEndpoint(provider_event())
    endpoint.recorded.failure = TemporarilyUnavailable("The order database does not answer", retry_after_s=7)
    async with endpoint.client() as client:
        answer = await client.post(PATH, content="evt_1")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert answer.json() == {"error": "unavailable", "message": "The event could not be recorded; send it again."}
    endpoint.recorded.failure = None
    assert await endpoint.post("evt_1") == (200, {"outcome": "recorded"})


async def test_event_that_cannot_be_stored_is_malformed() -> None:
    endpoint = WebhookEndpoint(provider_event())
    endpoint.recorded.failure = EventNotStorable("UnicodeEncodeError")
    status, answer = await endpoint.post("evt_1")
    assert (status, answer["error"]) == (400, "malformed")


async def test_body_above_the_limit_gets_413_and_is_not_verified() -> None:
    endpoint = WebhookEndpoint()
    async with endpoint.client() as client:
        answer = await client.post(PATH, content=b"x" * (MAX_BYTES + 1))
    assert (answer.status_code, answer.headers["connection"]) == (413, "close")
    assert answer.json() == {"error": "too_large", "message": "The body has more than 524288 bytes."}
    assert endpoint.provider.read == []


async def test_largest_body_is_verified() -> None:
    endpoint, body = WebhookEndpoint(), b"x" * MAX_BYTES
    assert (await endpoint.post(body))[0] == 400
    assert endpoint.provider.read[0][0] == body


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_webhook_route_accepts_only_post(method: str) -> None:
    endpoint = WebhookEndpoint(provider_event())
    async with endpoint.client() as client:
        answer = await client.request(method, PATH, content=b"evt_1")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert endpoint.provider.read == []


async def test_webhook_needs_no_cookie_origin_or_token() -> None:
    endpoint = WebhookEndpoint(provider_event())
    headers = {"cookie": "__Host-session=x", "origin": "https://evil.example.org", "authorization": "Bearer x"}
    async with endpoint.client() as client:
        answer = await client.post(PATH, content=b"evt_1", headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"outcome": "recorded"})
    assert "set-cookie" not in answer.headers
    assert "access-control-allow-origin" not in answer.headers


async def test_log_shows_neither_the_body_nor_the_headers(caplog: pytest.LogCaptureFixture) -> None:
    endpoint = WebhookEndpoint(provider_event())
    await endpoint.post("evt_1", **{"Stripe-Signature": "t=1,v1=signature"})
    await endpoint.post("a secret body", **{"Stripe-Signature": "t=1,v1=signature"})
    ours = [record.getMessage() for record in caplog.records if record.name.startswith(("web", "storage"))]
    assert not any("secret" in line or "v1=" in line for line in ours)


async def exchange(endpoint: WebhookEndpoint, receive: Receive) -> list[Message]:
    """Return the messages that the endpoint sends to a client with this body."""
    sent = list[Message]()

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": PATH, "headers": [], "query_string": b""}
    await endpoint(scope, receive, send)
    return sent


async def test_request_that_the_client_aborts_is_not_read() -> None:
    endpoint = WebhookEndpoint(provider_event())
    messages: Iterator[Message] = iter(
        [{"type": "http.request", "body": b"evt_1", "more_body": True}, {"type": "http.disconnect"}]
    )

    async def receive() -> Message:
        return next(messages)

    assert await exchange(endpoint, receive) == []
    assert endpoint.provider.read == []


async def test_body_that_arrives_too_slowly_gets_408(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.payment_webhooks.BODY_WITHIN_S", 0.01)
    endpoint = WebhookEndpoint(provider_event())

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError("the body never arrives")

    start, end = await exchange(endpoint, receive)
    assert (start["status"], json.loads(end["body"])["error"]) == (408, "too_slow")
    assert (b"connection", b"close") in start["headers"]
    assert endpoint.provider.read == []
