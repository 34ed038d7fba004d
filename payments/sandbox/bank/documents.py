"""The documents of the API, in Stripe's format. Amounts are in Stripe's unit of the currency."""

import secrets
from collections.abc import Mapping
from typing import Any

from payments.sandbox.bank.cards import Card
from payments.stripe import API_VERSION

Document = dict[str, Any]

_DECLINED = "Your card was declined."
_DECLINE_MESSAGES = {
    "insufficient_funds": "Your card has insufficient funds.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
}


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(12)}"


def new_intent(*, amount: int, currency: str, metadata: Mapping[str, str], created: int) -> Document:
    identifier = new_id("pi")
    return {
        "id": identifier,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{identifier}_secret_{secrets.token_hex(12)}",
        "confirmation_method": "automatic",
        "created": created,
        "currency": currency,
        "customer": None,
        "description": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": dict(metadata),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    }


def new_payment_method(card: Card, created: int) -> Document:
    return {
        "id": new_id("pm"),
        "object": "payment_method",
        "billing_details": _billing_details(),
        "card": {"brand": "visa", "last4": card.last4, **_expiry(), "country": "US", "funding": "credit"},
        "created": created,
        "customer": None,
        "livemode": False,
        "metadata": {},
        "type": "card",
    }


def new_charge(intent: Document, card: Card, *, method: str, created: int, is_paid: bool) -> Document:
    return {
        "id": new_id("ch"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": intent["amount"] if is_paid else 0,
        "amount_refunded": 0,
        "balance_transaction": None,
        "billing_details": _billing_details(),
        "captured": is_paid,
        "created": created,
        "currency": intent["currency"],
        "customer": None,
        "description": intent["description"],
        "disputed": False,
        "failure_code": None if is_paid else card.code,
        "failure_message": None if is_paid else decline_message(card),
        "livemode": False,
        "metadata": intent["metadata"],
        "outcome": {
            "network_status": "approved_by_network" if is_paid else "declined_by_network",
            "reason": None if is_paid else card.decline_code,
            "type": "authorized" if is_paid else "issuer_declined",
        },
        "paid": is_paid,
        "payment_intent": intent["id"],
        "payment_method": method,
        "payment_method_details": {"card": {"brand": "visa", "last4": card.last4, **_expiry()}, "type": "card"},
        "receipt_email": intent["receipt_email"],
        "refunded": False,
        "status": "succeeded" if is_paid else "failed",
    }


def new_refund(
    charge: Document, *, amount: int, reason: str | None, metadata: Mapping[str, str], created: int, status: str
) -> Document:
    return {
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": created,
        "currency": charge["currency"],
        "metadata": dict(metadata),
        "payment_intent": charge["payment_intent"],
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": status,
        "transfer_reversal": None,
    }


def new_dispute(charge: Document, *, amount: int, reason: str, created: int) -> Document:
    return {
        "id": new_id("du"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": created,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {"enhanced_evidence": {}},
        "evidence_details": {
            "due_by": created + 7 * 86_400,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {"brand": "visa", "case_type": "chargeback", "network": "visa"},
            "type": "card",
        },
        "reason": reason,
        "status": "needs_response",
    }


def new_event(kind: str, document: Document, *, created: int, request_id: str | None, key: str | None) -> Document:
    return {
        "id": new_id("evt"),
        "object": "event",
        "api_version": API_VERSION,
        "created": created,
        "data": {"object": document},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": request_id, "idempotency_key": key},
        "type": kind,
    }


def decline(card: Card, charge: Document, method: Document) -> Document:
    """Return the error of a declined charge, without the intent."""
    error = {
        "charge": charge["id"],
        "code": card.code,
        "message": decline_message(card),
        "payment_method": method,
        "type": "card_error",
    }
    if card.decline_code != card.code:
        error["decline_code"] = card.decline_code
    return error


def decline_message(card: Card) -> str:
    return _DECLINE_MESSAGES.get(card.decline_code, _DECLINED)


def _billing_details() -> Document:
    return {"address": None, "email": None, "name": None, "phone": None}


def _expiry() -> Document:
    return {"exp_month": 12, "exp_year": 2040}
