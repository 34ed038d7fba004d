"""Disputes: the card holder asks the bank for the money back, and the bank decides."""

from payments.sandbox.bank.documents import Document, new_dispute
from payments.sandbox.errors import wrong_state
from payments.sandbox.records import BANK, Cause, Records


def open_dispute(records: Records, charge: Document, *, reason: str, amount: int | None = None) -> Document:
    """Open a dispute. The bank takes the money until it has decided. Raises ApiError."""
    if charge["disputed"]:
        raise wrong_state(f"Charge {charge['id']} is already disputed.", code="charge_disputed")
    remaining = charge["amount"] - charge["amount_refunded"]
    if not charge["paid"] or remaining <= 0:
        raise wrong_state(f"Charge {charge['id']} has no money left to dispute.", code="charge_already_refunded")
    amount = min(amount or remaining, remaining)
    dispute = new_dispute(charge, amount=amount, reason=reason, created=records.now())
    charge["disputed"] = True
    records.put(charge)
    records.put(dispute)
    records.add_entry("dispute_opened", dispute, -amount, charge["metadata"])
    records.add_event("charge.dispute.created", dispute, BANK)
    records.add_event("charge.dispute.funds_withdrawn", dispute, BANK)
    return dispute


def close(records: Records, dispute: Document, *, is_won: bool, cause: Cause = BANK) -> Document:
    """Decide a dispute. If it is won, the merchant gets the money back. Raises ApiError."""
    if dispute["status"] in ("won", "lost"):
        message = f"The dispute {dispute['id']} is already closed as {dispute['status']}."
        raise wrong_state(message, code="dispute_already_closed")
    charge = records.find("charge", dispute["charge"])
    assert charge is not None
    dispute["status"] = "won" if is_won else "lost"
    records.put(dispute)
    if is_won:
        records.add_entry("dispute_won", dispute, dispute["amount"], charge["metadata"])
        records.add_event("charge.dispute.funds_reinstated", dispute, cause)
    else:
        records.add_entry("dispute_lost", dispute, 0, charge["metadata"])
    records.add_event("charge.dispute.closed", dispute, cause)
    return dispute
