"""Facts about an order in Stripe's objects and events."""

import json
from datetime import UTC, datetime
from typing import get_args

import pytest
import stripe
from stripe.params import WebhookEndpointCreateParams

from domain.money import CurrencyCode
from domain.payments.facts import FactKind, FactState, ProviderFact, merge_facts
from payments.provider import ProviderEvent, WebhookRefused
from payments.stripe import API_VERSION
from payments.stripe.events import ENABLED_EVENTS, read_event
from payments.stripe.objects import dispute_facts, intent_facts, read_intent, refund_facts
from tests.support.scripted_stripe import METADATA, REFERENCE, dispute, intent, refund

AT = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
DECLINE = {"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds", "charge": "ch_9"}


def event(kind: str, source: object, **fields: object) -> bytes:
    content = {
        "id": "evt_1",
        "object": "event",
        "api_version": API_VERSION,
        "created": int(AT.timestamp()),
        "data": {"object": source},
        "livemode": False,
        "type": kind,
        **fields,
    }
    return json.dumps(content).encode()


def test_api_version_matches_the_library() -> None:
    """A new library may have a new API version: read its changelog, then change ours."""
    assert stripe.api_version == API_VERSION


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("requires_payment_method", FactState.OPEN),
        ("requires_confirmation", FactState.OPEN),
        ("requires_action", FactState.OPEN),
        ("processing", FactState.PENDING),
        ("requires_capture", FactState.PENDING),
        ("canceled", FactState.CANCELED),
        ("succeeded", FactState.SUCCEEDED),
    ],
)
def test_each_status_of_an_intent_maps_to_a_state(status: str, state: FactState) -> None:
    assert intent_facts(intent(status=status, amount_received=5_000), AT) == (
        ProviderFact(FactKind.PAYMENT, "pi_1", "pi_1", state, 5_000, CurrencyCode.EUR, AT, row=1),
    )


def test_paid_intent_counts_the_amount_received() -> None:
    (fact,) = intent_facts(intent(status="succeeded", amount=5_000, amount_received=4_000), AT)
    assert fact.amount_minor == 4_000


def test_amount_in_a_currency_outside_iso_4217_is_kept_unchanged() -> None:
    (fact,) = intent_facts(intent(currency="usdc"), AT)
    assert (fact.amount_minor, fact.currency) == (5_000, None)


def test_decline_is_a_separate_fact() -> None:
    _, decline = intent_facts(intent(last_payment_error=DECLINE), AT)
    assert decline == ProviderFact(
        FactKind.DECLINE,
        "ch_9",
        "pi_1",
        FactState.FAILED,
        5_000,
        CurrencyCode.EUR,
        AT,
        row=1,
        code="insufficient_funds",
    )


@pytest.mark.parametrize(
    ("error", "identifier", "code"),
    [
        ({"code": "payment_intent_authentication_failure", "payment_method": {"id": "pm_1"}}, "pm_1", None),
        ({"code": "processing_error"}, "pi_1", "processing_error"),
        ({}, "pi_1", ""),
    ],
)
def test_decline_without_a_charge_has_an_id_too(error: dict[str, object], identifier: str, code: str | None) -> None:
    _, decline = intent_facts(intent(last_payment_error=error), AT)
    assert (decline.id, decline.code) == (identifier, error["code"] if code is None else code)


def test_decline_in_an_expanded_intent_has_the_time_of_its_charge() -> None:
    charge = {"id": "ch_9", "object": "charge", "created": 1_700_000_060}
    facts = read_intent(intent(last_payment_error=DECLINE, latest_charge=charge)).facts
    assert {fact.at for fact in facts} == {datetime.fromtimestamp(1_700_000_060, UTC)}


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("pending", FactState.PENDING),
        ("requires_action", FactState.PENDING),
        ("succeeded", FactState.SUCCEEDED),
        ("failed", FactState.FAILED),
        ("canceled", FactState.FAILED),
    ],
)
def test_each_status_of_a_refund_maps_to_a_state(status: str, state: FactState) -> None:
    (fact,) = refund_facts(refund(status=status, failure_reason="lost_or_stolen_card"), AT)
    assert (fact.kind, fact.id, fact.state, fact.code) == (FactKind.REFUND, "re_1", state, "lost_or_stolen_card")


def test_refund_in_the_dashboard_has_no_row() -> None:
    (fact,) = refund_facts(refund(metadata={}))
    assert (fact.row, fact.at) == (None, datetime.fromtimestamp(1_700_000_100, UTC))


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("needs_response", FactState.OPEN),
        ("under_review", FactState.OPEN),
        ("won", FactState.WON),
        ("prevented", FactState.WON),
        ("lost", FactState.LOST),
    ],
)
def test_each_status_of_a_dispute_maps_to_a_state(status: str, state: FactState) -> None:
    (fact,) = dispute_facts(dispute(status=status), AT)
    assert (fact.kind, fact.id, fact.intent_id, fact.state) == (FactKind.DISPUTE, "du_1", "pi_1", state)
    assert (fact.amount_minor, fact.code) == (5_000, "fraudulent")


@pytest.mark.parametrize("status", ["warning_needs_response", "warning_under_review", "warning_closed"])
def test_inquiry_from_a_bank_is_not_a_dispute(status: str) -> None:
    assert dispute_facts(dispute(status=status), AT) == ()


def test_intent_of_an_object_may_be_expanded() -> None:
    expanded = {"id": "pi_1", "object": "payment_intent"}
    facts = refund_facts(refund(payment_intent=expanded)) + dispute_facts(dispute(payment_intent=expanded))
    assert [fact.intent_id for fact in facts] == ["pi_1", "pi_1"]


def test_object_about_a_payment_without_an_intent_has_no_facts() -> None:
    assert refund_facts(refund(payment_intent=None)) == dispute_facts(dispute(payment_intent=None)) == ()


def test_event_carries_its_order_and_facts() -> None:
    body = event("payment_intent.succeeded", intent(status="succeeded", amount_received=5_000), livemode=True)
    assert read_event(body) == ProviderEvent(
        id="evt_1",
        kind="payment_intent.succeeded",
        is_live=True,
        created_at=AT,
        reference=REFERENCE,
        intent_id="pi_1",
        facts=(
            ProviderFact(FactKind.PAYMENT, "pi_1", "pi_1", FactState.SUCCEEDED, 5_000, CurrencyCode.EUR, AT, row=1),
        ),
    )


def test_event_about_our_refund_carries_the_order() -> None:
    found = read_event(event("refund.updated", refund()))
    assert (found.reference, found.intent_id, found.facts[0].row, found.facts[0].at) == (REFERENCE, "pi_1", 1, AT)


def test_event_about_a_dispute_names_only_the_intent() -> None:
    found = read_event(event("charge.dispute.created", dispute()))
    assert (found.reference, found.intent_id, len(found.facts)) == (None, "pi_1", 1)


@pytest.mark.parametrize(
    "source",
    [
        {"object": "charge", "id": "ch_1", "payment_intent": "pi_1", "metadata": METADATA},
        {"object": "customer", "id": "cus_1"},
        {},
        None,
    ],
    ids=["charge", "customer", "nothing", "null"],
)
def test_event_of_an_unknown_type_has_no_facts(source: object) -> None:
    found = read_event(event("some.thing_new", source))
    assert (found.kind, found.reference, found.intent_id, found.facts) == ("some.thing_new", None, None, ())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b"{",
        b"[" * 100_000,
        event("x", {}, object="v2.core.event"),
        event("x", {}, id=None),
        event("x", {}, type=7),
        event("x", {}, created="now"),
        event("x", {}, created=10**30),
        event("x", {}, livemode="yes"),
        event("x", []),
        event("payment_intent.succeeded", intent(status="a new one")),
        event("payment_intent.succeeded", intent(amount=None)),
        event("refund.updated", refund(currency=None)),
    ],
    ids=range(16),
)
def test_signed_body_that_is_not_an_event_is_unreadable(body: bytes) -> None:
    with pytest.raises(WebhookRefused, match="check the API version of the webhook endpoint") as refused:
        read_event(body)
    assert refused.value.reason == "unreadable"


def test_webhook_endpoint_supports_our_events_and_version() -> None:
    events = get_args(get_args(WebhookEndpointCreateParams.__annotations__["enabled_events"])[0])
    versions = get_args(get_args(WebhookEndpointCreateParams.__annotations__["api_version"])[0])
    assert set(ENABLED_EVENTS) <= set(events)
    assert API_VERSION in versions


def test_event_and_answer_about_one_object_merge_into_one_fact() -> None:
    paid = intent(status="succeeded", amount_received=5_000)
    told = read_event(event("payment_intent.succeeded", paid)).facts
    asked = read_intent(paid).facts
    assert merge_facts(told, asked) == merge_facts(asked, told) == told
