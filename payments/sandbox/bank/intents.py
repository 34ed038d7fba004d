"""Creates, confirms, cancels and settles payment intents."""

from collections.abc import Mapping

from payments.sandbox.bank.cards import LATE_S, SLOW_S, Card, Outcome, card_ending
from payments.sandbox.bank.documents import Document, decline, new_charge, new_intent, new_payment_method
from payments.sandbox.errors import ApiError, invalid, wrong_state
from payments.sandbox.records import BANK, Cause, Records

MAX_AMOUNT = 999_999_999_999
"""Stripe's largest amount for a charge, in its unit. Some cards and currencies have lower limits.
"""
CANCELABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
CONFIRMABLE = CANCELABLE
CANCELLATION_REASONS = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")
DISPUTE_AFTER_S = 1.0


def create(
    records: Records,
    cause: Cause,
    *,
    amount: int,
    currency: str,
    metadata: Mapping[str, str],
    description: str | None,
    receipt_email: str | None,
) -> Document:
    if amount < 1:
        raise invalid(
            "This value must be greater than or equal to 1.", param="amount", code="parameter_invalid_integer"
        )
    if amount > MAX_AMOUNT:
        raise invalid(f"Amount must be no more than {MAX_AMOUNT}.", param="amount", code="amount_too_large")
    if not (len(currency) == 3 and currency.isascii() and currency.isalpha()):
        raise invalid(f"Invalid currency: {currency}.", param="currency")
    intent = new_intent(amount=amount, currency=currency.lower(), metadata=metadata, created=records.now())
    intent |= {"description": description, "receipt_email": receipt_email}
    records.put(intent)
    records.add_event("payment_intent.created", intent, cause)
    return intent


def confirm(records: Records, intent: Document, card: Card, cause: Cause) -> Document:
    """Pay an intent with a card. Raises ApiError with status 402 if the bank declines at once."""
    if intent["status"] not in CONFIRMABLE:
        raise _unexpected_state(
            intent, f"You cannot confirm this PaymentIntent because it has a status of {intent['status']}."
        )
    method = new_payment_method(card, records.now())
    intent |= {"payment_method": method["id"], "last_payment_error": None, "next_action": None}
    match card.outcome:
        case Outcome.SUCCESS:
            return _succeed(records, intent, card, cause)
        case Outcome.DECLINE:
            _fail(records, intent, method, cause)
            details = dict(intent["last_payment_error"])
            message, kind = details.pop("message"), details.pop("type")
            raise ApiError(402, kind, message, is_final=True, payment_intent=intent, **details)
        case Outcome.SLOW_SUCCESS | Outcome.SLOW_DECLINE | Outcome.NEVER:
            intent["status"] = "processing"
            records.put(method)
            records.put(intent)
            records.add_event("payment_intent.processing", intent, cause)
            if card.outcome is not Outcome.NEVER:
                records.add_bank_task("settle", intent, SLOW_S)
        case Outcome.LATE_SUCCESS:
            intent |= {"status": "requires_action", "next_action": {"type": "use_stripe_sdk", "use_stripe_sdk": {}}}
            records.put(method)
            records.put(intent)
            records.add_event("payment_intent.requires_action", intent, cause)
            records.add_bank_task("settle", intent, LATE_S)
    return intent


def cancel(records: Records, intent: Document, reason: str | None, cause: Cause) -> Document:
    if reason is not None and reason not in CANCELLATION_REASONS:
        message = f"Invalid cancellation_reason: must be one of {', '.join(CANCELLATION_REASONS)}"
        raise invalid(message, param="cancellation_reason")
    if intent["status"] not in CANCELABLE:
        raise _unexpected_state(
            intent,
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. Only a PaymentIntent"
            f" with one of the following statuses may be canceled: {', '.join(CANCELABLE)}.",
        )
    intent |= {
        "status": "canceled",
        "canceled_at": records.now(),
        "cancellation_reason": reason,
        "next_action": None,
    }
    records.put(intent)
    records.add_event("payment_intent.canceled", intent, cause)
    return intent


def settle(records: Records, intent: Document, *, succeeds: bool | None = None) -> Document:
    """Let the bank decide on a payment that was confirmed, even if it has been canceled since.

    `succeeds` is the decision; by default, it depends on the card.
    """
    if intent["status"] == "succeeded":
        return intent
    # Only the methods of payments that the bank decides later are kept.
    method = records.find("payment_method", intent["payment_method"] or "")
    if method is None:
        raise invalid("This PaymentIntent was never confirmed, so there is nothing to settle.")
    card = card_ending(method["card"]["last4"])
    if succeeds is None:
        succeeds = card.outcome is not Outcome.SLOW_DECLINE
    if succeeds:
        return _succeed(records, intent, card, BANK)
    if intent["status"] != "canceled":
        _fail(records, intent, method, BANK)
    return intent


def _succeed(records: Records, intent: Document, card: Card, cause: Cause) -> Document:
    charge = new_charge(intent, card, method=intent["payment_method"], created=records.now(), is_paid=True)
    intent |= {
        "status": "succeeded",
        "amount_received": intent["amount"],
        "latest_charge": charge["id"],
        "next_action": None,
        "canceled_at": None,
        "cancellation_reason": None,
    }
    records.put(charge)
    records.put(intent)
    records.add_entry("charge", charge, charge["amount"], charge["metadata"])
    records.add_event("payment_intent.succeeded", intent, cause, copies=card.copies)
    if card.dispute:
        records.add_bank_task("dispute", charge, DISPUTE_AFTER_S)
    return intent


def _fail(records: Records, intent: Document, method: Document, cause: Cause) -> None:
    card = card_ending(method["card"]["last4"])
    charge = new_charge(intent, card, method=method["id"], created=records.now(), is_paid=False)
    intent |= {
        "status": "requires_payment_method",
        "latest_charge": charge["id"],
        "last_payment_error": decline(card, charge, method),
        "payment_method": None,
        "next_action": None,
    }
    records.put(charge)
    records.put(intent)
    records.add_event("payment_intent.payment_failed", intent, cause)


def _unexpected_state(intent: Document, message: str) -> ApiError:
    return wrong_state(message, code="payment_intent_unexpected_state", payment_intent=intent)


def dispute_reason(charge: Document) -> str:
    """Return the reason for the dispute that follows a payment with a disputed card."""
    return card_ending(charge["payment_method_details"]["card"]["last4"]).dispute
