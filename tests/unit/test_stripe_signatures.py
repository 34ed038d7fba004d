"""Signatures of webhooks: which are accepted, and why others are refused."""

import codecs
import gzip
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from starlette.datastructures import Headers

from payments.provider import WebhookRefused
from payments.stripe.reencodings import MAX_BYTES
from payments.stripe.signatures import MAX_HEADER_CHARACTERS, WebhookVerifier
from tests.support.signed_webhooks import OTHER_SECRET, SECRET, sign

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
EVENT = {"id": "evt_1", "object": "event", "data": {"object": {"name": "Zoë ⭐", "lines": [], "none": {}}}}
BODY = json.dumps(EVENT, indent=2, ensure_ascii=False).encode()
EITHER = "Either the signing secret of this endpoint is not among them, or the body is not the one that Stripe sent."


def refusal(
    body: bytes, headers: Mapping[str, str], *, secrets: tuple[str, ...] = (SECRET,), now: datetime = NOW
) -> tuple[str, str]:
    """Return the reason and the message of a refusal."""
    with pytest.raises(WebhookRefused) as refused:
        WebhookVerifier(secrets).verify(body, headers, now)
    return refused.value.reason, str(refused.value)


@pytest.mark.parametrize("age_s", [-300, -1, 0, 1, 300])
def test_fresh_signature_is_accepted(age_s: int) -> None:
    WebhookVerifier((SECRET,)).verify(BODY, sign(BODY, NOW - timedelta(seconds=age_s)), NOW)


@pytest.mark.parametrize("secrets", [(SECRET, OTHER_SECRET), (OTHER_SECRET, SECRET)])
def test_any_of_our_secrets_is_accepted(secrets: tuple[str, ...]) -> None:
    WebhookVerifier(secrets).verify(BODY, sign(BODY, NOW, SECRET), NOW)


def test_any_of_several_signatures_is_accepted() -> None:
    WebhookVerifier((SECRET,)).verify(BODY, sign(BODY, NOW, OTHER_SECRET, SECRET), NOW)


def test_signatures_of_other_schemes_are_ignored() -> None:
    header = sign(BODY, NOW)["stripe-signature"]
    WebhookVerifier((SECRET,)).verify(BODY, {"stripe-signature": f"{header},v0=test"}, NOW)


@pytest.mark.parametrize("name", ["Stripe-Signature", "stripe-signature", "STRIPE-SIGNATURE"])
def test_name_of_the_header_may_have_any_case(name: str) -> None:
    header = sign(BODY, NOW)["stripe-signature"]
    WebhookVerifier((SECRET,)).verify(BODY, {name: header}, NOW)
    WebhookVerifier((SECRET,)).verify(BODY, Headers({name: header}), NOW)


@pytest.mark.parametrize("headers", [{}, {"stripe-signature": ""}, {"content-type": "application/json"}])
def test_missing_header_has_its_own_reason(headers: dict[str, str]) -> None:
    assert refusal(BODY, headers) == (
        "missing",
        "The header Stripe-Signature is missing. Only Stripe may call this address.",
    )


@pytest.mark.parametrize(
    "header",
    [
        "hello",
        "t=1793534400",
        f"v1={'a' * 64}",
        f"t=,v1={'a' * 64}",
        f"t=-1,v1={'a' * 64}",
        f"t=1e9,v1={'a' * 64}",
        f"t=²,v1={'a' * 64}",
        f"t={'1' * 13},v1={'a' * 64}",
        f"t=1793534400,t=1793534401,v1={'a' * 64}",
        "t=1793534400,v1=",
        f"t=1793534400,v1={'é' * 64}",
        f"t=1793534400,v1={'a' * 63}",
        f"t=1793534400,v0={'a' * 64}",
        f"t=1793534400,v1={'a' * 64}" + " " * MAX_HEADER_CHARACTERS,
    ],
)
def test_malformed_header_has_its_own_reason(header: str) -> None:
    assert refusal(BODY, {"stripe-signature": header}) == (
        "malformed",
        "The header Stripe-Signature does not have the form t=<seconds>,v1=<64 hexadecimal digits>.",
    )


def test_old_signature_is_stale() -> None:
    reason, message = refusal(BODY, sign(BODY, NOW - timedelta(seconds=301)))
    assert reason == "stale"
    assert message.startswith("The body was signed 301 s ago; at most 300 s are accepted. Synchronize the clock")


def test_signature_from_the_future_has_its_own_reason() -> None:
    reason, message = refusal(BODY, sign(BODY, NOW + timedelta(seconds=301)))
    assert reason == "future"
    assert message.startswith("The body was signed 301 s in the future; at most 300 s are accepted.")


def test_old_signature_of_a_stranger_is_a_mismatch() -> None:
    assert refusal(BODY, sign(BODY, NOW - timedelta(days=1), OTHER_SECRET))[0] == "mismatched"


@pytest.mark.parametrize("secrets", [(SECRET,), (SECRET, "whsec_3kW9sQpT2xRz7LmB4vYc")])
def test_mismatch_names_both_causes(secrets: tuple[str, ...]) -> None:
    reason, message = refusal(BODY, sign(BODY, NOW, OTHER_SECRET), secrets=secrets)
    assert reason == "mismatched"
    assert message == (
        f"The signature matches none of the {len(secrets)} secrets in ONSALE_PAYMENT_WEBHOOK_SECRETS. {EITHER}"
    )


def test_missing_secrets_are_named() -> None:
    assert refusal(BODY, sign(BODY, NOW), secrets=()) == (
        "mismatched",
        "ONSALE_PAYMENT_WEBHOOK_SECRETS is empty. Set it to the signing secret of the webhook endpoint.",
    )


@pytest.mark.parametrize("place", [0, 1, len(BODY) // 2, len(BODY) - 1])
def test_body_with_a_changed_byte_is_a_mismatch(place: int) -> None:
    changed = BODY[:place] + bytes([BODY[place] ^ 1]) + BODY[place + 1 :]
    assert refusal(changed, sign(BODY, NOW))[1].endswith(EITHER)


BOM, CRLF = codecs.BOM_UTF8, BODY.replace(b"\n", b"\r\n")


@pytest.mark.parametrize(
    ("received", "change"),
    [
        (BOM + BODY, "a byte order mark was added to it"),
        (gzip.compress(BODY), "it was compressed with gzip"),
        (CRLF, "its line ends were changed to CRLF"),
        (BOM + CRLF, "a byte order mark was added to it and its line ends were changed to CRLF"),
        (gzip.compress(BOM + BODY), "it was compressed with gzip and a byte order mark was added to it"),
        (json.dumps(EVENT).encode(), "its JSON was re-encoded"),
        (json.dumps(EVENT, separators=(",", ":")).encode(), "its JSON was re-encoded"),
        (json.dumps(EVENT, indent=4, ensure_ascii=False).encode(), "its JSON was re-encoded"),
        (BODY + b"\n", "its JSON was re-encoded"),
        (gzip.compress(json.dumps(EVENT).encode()), "it was compressed with gzip and its JSON was re-encoded"),
    ],
)
def test_reencoded_body_is_reported_as_changed_on_the_way(received: bytes, change: str) -> None:
    assert refusal(received, sign(BODY, NOW)) == (
        "mismatched",
        f"The body was changed on the way: {change}. Configure the proxy to forward it unchanged.",
    )


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("is_ascii", [True, False])
def test_reencoded_body_is_recognized_for_each_style_of_sender(separators: tuple[str, str], is_ascii: bool) -> None:
    sent = json.dumps(EVENT, separators=separators, ensure_ascii=is_ascii).encode()
    assert "changed on the way: its JSON was re-encoded" in refusal(BODY, sign(sent, NOW))[1]


@pytest.mark.parametrize("received", [BOM + BODY, gzip.compress(BODY), CRLF, json.dumps(EVENT).encode()])
def test_reencoded_body_with_a_wrong_secret_is_not_called_changed(received: bytes) -> None:
    assert refusal(received, sign(BODY, NOW, OTHER_SECRET))[1].endswith(EITHER)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe\x00",
        b"\x1f\x8b",
        b"\x1f\x8bnot gzip",
        gzip.compress(bytes(50_000_000)),
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b'"\\ud800"',
        b'{"a": NaN, "b": 1e999}',
        b"9" * 60_000,
        b"{}" * MAX_BYTES,
    ],
    ids=["empty", "not UTF-8", "gzip start", "bad gzip", "gzip bomb", "deep", "cut", "surrogate", "NaN", "long", "big"],
)
def test_hostile_body_is_a_plain_mismatch(body: bytes) -> None:
    assert refusal(body, sign(BODY, NOW))[1].endswith(EITHER)


def test_search_for_a_change_is_made_at_most_once_a_second() -> None:
    verifier, changed, headers = WebhookVerifier((SECRET,)), BOM + BODY, sign(BODY, NOW)
    messages = []
    for after_ms in (0, 999, 1_000):
        with pytest.raises(WebhookRefused) as refused:
            verifier.verify(changed, headers, NOW + timedelta(milliseconds=after_ms))
        messages.append("changed on the way" in str(refused.value))
    assert messages == [True, False, True]


def test_refusal_never_quotes_a_secret_or_the_body() -> None:
    for body, headers in ((BODY, sign(BODY, NOW, OTHER_SECRET)), (BOM + BODY, sign(BODY, NOW))):
        message = refusal(body, headers)[1]
        assert SECRET not in message
        assert "Zoë" not in message
