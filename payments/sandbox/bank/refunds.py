"""Refunds of payments."""

from collections.abc import Mapping

from payments.sandbox.bank.cards import SLOW_S, RefundOutcome, card_ending
from payments.sandbox.bank.documents import Document, new_refund
from payments.sandbox.errors import invalid, wrong_state
from payments.sandbox.records import BANK, Cause, Records

REASONS = ("duplicate", "fraudulent", "requested_by_customer")


def create(
    records: Records,
    cause: Cause,
    charge: Document,
    *,
    amount: int | None,
    reason: str | None,
    metadata: Mapping[str, str],
) -> Document:
    """Refund a charge, or a part of it. Raises ApiError."""
    if reason is not None and reason not in REASONS:
        raise invalid(f"Invalid reason: must be one of {', '.join(REASONS)}", param="reason")
    amount = _checked_amount(records, charge, amount)
    outcome = card_ending(charge["payment_method_details"]["card"]["last4"]).refund
    refund = new_refund(
        charge,
        amount=amount,
        reason=reason,
        metadata=metadata,
        created=records.now(),
        status="pending" if outcome is RefundOutcome.PENDING else "succeeded",
    )
    records.put(refund)
    _add_refunded(records, charge, amount)
    records.add_event("refund.created", refund, cause)
    records.add_event("charge.refunded", charge, cause)
    if outcome is RefundOutcome.PENDING:
        records.add_bank_task("refund_success", refund, SLOW_S)
        return refund
    records.add_entry("refund", refund, -amount, charge["metadata"])
    if outcome is RefundOutcome.FAILURE:
        records.add_bank_task("refund_failure", refund, SLOW_S)
    return refund


def settle(records: Records, refund: Document, *, succeeds: bool) -> Document:
    """Let the bank decide on a pending refund, or return the money of one that succeeded."""
    charge = records.find("charge", refund["charge"])
    assert charge is not None
    if succeeds:
        return _succeed(records, refund, charge)
    return _fail(records, refund, charge)


def _succeed(records: Records, refund: Document, charge: Document) -> Document:
    if refund["status"] != "pending":
        return refund
    refund["status"] = "succeeded"
    records.put(refund)
    records.add_entry("refund", refund, -refund["amount"], charge["metadata"])
    records.add_event("refund.updated", refund, BANK)
    return refund


def _fail(records: Records, refund: Document, charge: Document) -> Document:
    if refund["status"] == "failed":
        return refund
    if refund["status"] == "succeeded":
        records.add_entry("refund_failure", refund, refund["amount"], charge["metadata"])
    refund |= {"status": "failed", "failure_reason": "expired_or_canceled_card"}
    records.put(refund)
    _add_refunded(records, charge, -refund["amount"])
    records.add_event("refund.updated", refund, BANK)
    records.add_event("refund.failed", refund, BANK)
    return refund


def _checked_amount(records: Records, charge: Document, amount: int | None) -> int:
    if not charge["paid"]:
        raise wrong_state(f"Charge {charge['id']} was not paid.", code="charge_not_refundable")
    disputes = records.find_by_intent("dispute", charge["payment_intent"])
    lost = sum(dispute["amount"] for dispute in disputes if dispute["status"] == "lost")
    remaining = charge["amount"] - charge["amount_refunded"] - lost
    # After a lost dispute about a part of the charge, the rest can be refunded.
    if any(dispute["status"] not in ("won", "lost") for dispute in disputes) or (lost and remaining <= 0):
        message = f"Charge {charge['id']} has been charged back; cannot issue a refund."
        raise wrong_state(message, code="charge_disputed")
    if remaining == 0:
        message = f"Charge {charge['id']} has already been refunded."
        raise wrong_state(message, code="charge_already_refunded")
    if amount is None:
        return int(remaining)
    if amount < 1:
        raise invalid("Invalid positive integer", param="amount", code="parameter_invalid_integer")
    if amount > remaining:
        message = f"Refund amount ({amount}) is greater than unrefunded amount on charge ({remaining})"
        raise invalid(message, param="amount")
    return amount


def _add_refunded(records: Records, charge: Document, amount: int) -> None:
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    records.put(charge)
