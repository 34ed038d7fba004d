"""Reads Stripe's payment intents, refunds and disputes as facts about an order."""

from datetime import datetime

from domain.ids import ConcertId, OrderId
from domain.payments.facts import FactKind, FactState, ProviderFact
from payments.amounts import minor_amount, read_currency
from payments.provider import Intent, OrderReference
from payments.stripe import API_VERSION
from payments.stripe.fields import (
    StripeObject,
    UnreadableObject,
    number,
    optional_id,
    optional_object,
    optional_text,
    text,
    time,
)

ORDER, CONCERT, INSTALLATION = "onsale_order", "onsale_concert", "onsale_installation"
ATTEMPT, REFUND = "onsale_attempt", "onsale_refund"
"""The metadata keys of the objects that Onsale creates."""

_INTENT_STATES = {
    "requires_payment_method": FactState.OPEN,
    "requires_confirmation": FactState.OPEN,
    "requires_action": FactState.OPEN,
    "processing": FactState.PENDING,
    # The money is reserved, not taken. Onsale never asks for this, but an account can be changed.
    "requires_capture": FactState.PENDING,
    "canceled": FactState.CANCELED,
    "succeeded": FactState.SUCCEEDED,
}
_REFUND_STATES = {
    "pending": FactState.PENDING,
    "requires_action": FactState.PENDING,
    "succeeded": FactState.SUCCEEDED,
    "failed": FactState.FAILED,
    "canceled": FactState.FAILED,
}
_DISPUTE_STATES = {
    "needs_response": FactState.OPEN,
    "under_review": FactState.OPEN,
    "won": FactState.WON,
    "prevented": FactState.WON,
    "lost": FactState.LOST,
}
_INQUIRIES = ("warning_needs_response", "warning_under_review", "warning_closed")
"""The bank only asks, and takes no money. If an inquiry becomes a dispute, its state changes."""


def order_metadata(reference: OrderReference) -> dict[str, str]:
    return {ORDER: reference.order_id, CONCERT: reference.concert_id, INSTALLATION: reference.installation}


def read_reference(source: StripeObject) -> OrderReference | None:
    """Return what the metadata says, or None if Onsale did not create the object."""
    metadata = optional_object(source, "metadata") or {}
    order, concert, installation = (optional_text(metadata, name) for name in (ORDER, CONCERT, INSTALLATION))
    if not (order and concert and installation):
        return None
    return OrderReference(OrderId(order), ConcertId(concert), installation)


def read_intent(source: StripeObject) -> Intent:
    return Intent(
        id=text(source, "id"),
        client_secret=optional_text(source, "client_secret"),
        facts=intent_facts(source, _time_of_intent(source)),
        reference=read_reference(source),
        attempt=_row(source, ATTEMPT),
        created_at=time(source, "created"),
    )


def intent_facts(source: StripeObject, at: datetime) -> tuple[ProviderFact, ...]:
    """Return the fact about the intent and, after a decline, the fact about the last decline."""
    state = _state(source, _INTENT_STATES)
    field = "amount_received" if state is FactState.SUCCEEDED else "amount"
    payment = _fact(
        FactKind.PAYMENT, source, field, intent_id=text(source, "id"), state=state, row=_row(source, ATTEMPT), at=at
    )
    error = optional_object(source, "last_payment_error")
    return (payment,) if error is None else (payment, _decline(source, error, at))


def refund_facts(source: StripeObject, at: datetime | None = None) -> tuple[ProviderFact, ...]:
    """Return the fact about a refund, or none if it refunds something other than an intent."""
    intent_id = optional_id(source, "payment_intent")
    if intent_id is None:
        return ()
    return (
        _fact(
            FactKind.REFUND,
            source,
            "amount",
            intent_id=intent_id,
            state=_state(source, _REFUND_STATES),
            row=_row(source, REFUND),
            at=at or time(source, "created"),
            code=optional_text(source, "failure_reason") or "",
        ),
    )


def dispute_facts(source: StripeObject, at: datetime | None = None) -> tuple[ProviderFact, ...]:
    """Return the fact about a dispute, or none if it is only an inquiry."""
    intent_id = optional_id(source, "payment_intent")
    if intent_id is None or text(source, "status") in _INQUIRIES:
        return ()
    return (
        _fact(
            FactKind.DISPUTE,
            source,
            "amount",
            intent_id=intent_id,
            state=_state(source, _DISPUTE_STATES),
            at=at or time(source, "created"),
            code=optional_text(source, "reason") or "",
        ),
    )


def _fact(
    kind: FactKind,
    source: StripeObject,
    amount_field: str,
    *,
    intent_id: str,
    state: FactState,
    at: datetime,
    row: int | None = None,
    code: str = "",
) -> ProviderFact:
    currency = read_currency(text(source, "currency"))
    return ProviderFact(
        kind=kind,
        id=text(source, "id"),
        intent_id=intent_id,
        state=state,
        amount_minor=minor_amount(number(source, amount_field), currency),
        currency=currency,
        at=at,
        row=row,
        code=code,
    )


def _decline(source: StripeObject, error: StripeObject, at: datetime) -> ProviderFact:
    method = optional_object(error, "payment_method") or {}
    currency = read_currency(text(source, "currency"))
    intent_id = text(source, "id")
    return ProviderFact(
        kind=FactKind.DECLINE,
        # After a failed authentication there is no charge.
        id=optional_text(error, "charge") or optional_text(method, "id") or intent_id,
        intent_id=intent_id,
        state=FactState.FAILED,
        amount_minor=minor_amount(number(source, "amount"), currency),
        currency=currency,
        at=at,
        row=_row(source, ATTEMPT),
        code=optional_text(error, "decline_code") or optional_text(error, "code") or "",
    )


def _state(source: StripeObject, states: dict[str, FactState]) -> FactState:
    status = text(source, "status")
    if status not in states:
        raise UnreadableObject(f"The status {status[:64]!r} is not one of version {API_VERSION} of Stripe's API")
    return states[status]


def _row(source: StripeObject, name: str) -> int | None:
    """Return the number of our attempt or refund in the metadata."""
    value = optional_text(optional_object(source, "metadata") or {}, name) or ""
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 10 else None


def _time_of_intent(source: StripeObject) -> datetime:
    """Return when the state was reached, if the intent alone shows it."""
    charge = source.get("latest_charge")
    if source.get("status") == "canceled" and source.get("canceled_at") is not None:
        return time(source, "canceled_at")
    return time(charge if isinstance(charge, dict) else source, "created")
