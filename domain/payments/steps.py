"""The steps that are due for an order.

A step is a call to the provider or to the stock. The order worker does one step at a time and
stores its result, so a crash between two steps loses nothing: the stored order still says which
step is due.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.orders import Order, OrderStatus
from domain.payments.balances import kept_minor, lost_minor
from domain.payments.facts import FactState
from domain.payments.payment import Payment, Refund
from domain.payments.status import outstanding_refunds, refund_fact, replaced_by

CREATION_WINDOW = timedelta(seconds=5)
"""The time that the purchase itself has to create the intent. Afterward, the worker takes over."""
POLL_PENDING_REFUND_AFTER = timedelta(hours=1)
"""When to ask about a refund that the provider has accepted. Its webhook is usually faster."""
RETRY_FAILED_REFUND_AFTER = timedelta(minutes=1)
LONGEST_REFUND_PAUSE = timedelta(hours=6)


class StepKind(StrEnum):
    CREATE_INTENT = "CREATE_INTENT"
    CLOSE = "CLOSE"
    """Cancel the intent, and free the units once the provider has confirmed it."""
    TAKE_UNITS = "TAKE_UNITS"
    """Take units for a payment that arrived after the order's units had been released."""
    SEND_REFUND = "SEND_REFUND"


@dataclass(frozen=True, slots=True)
class Step:
    kind: StepKind
    due_at: datetime
    refund: Refund | None = None
    """Set only for SEND_REFUND."""


def next_step(order: Order, now: datetime, *, grace_until: datetime | None = None) -> Step | None:
    """Return the step that has been due longest, or None if no step is due.

    No buyer's deadline passes before `grace_until`, when the grace period that follows a gap in the
    workers' heartbeats ends.
    """
    due = [step for step in _steps(order, grace_until) if step.due_at <= now]
    if any(step.kind is StepKind.CLOSE for step in due):
        due = [step for step in due if step.kind is not StepKind.CREATE_INTENT]
    return min(due, key=lambda step: step.due_at, default=None)


def work_at(order: Order) -> datetime | None:
    """Return when the next step is due, or None if the order needs no work."""
    return min((step.due_at for step in _steps(order)), default=None)


def _steps(order: Order, grace_until: datetime | None = None) -> list[Step]:
    payment = order.payment
    if payment is None:
        return []
    steps = [_refund_step(order, payment, refund) for refund in _sendable_refunds(order)]
    if order.status is OrderStatus.LATE_PAYMENT:
        steps.append(Step(StepKind.TAKE_UNITS, order.events[-1].at))
    if order.status is OrderStatus.PENDING_PAYMENT:
        deadline = max(payment.expires_at, grace_until or payment.expires_at)
        steps.append(Step(StepKind.CLOSE, min(payment.cancel_requested_at or deadline, deadline)))
        if payment.attempt.intent_id is None and payment.cancel_requested_at is None:
            # Only the purchase makes the first attempt, and only the worker makes later ones.
            window = CREATION_WINDOW if payment.attempt.number == 1 else timedelta()
            created_by = payment.attempt.started_at + window
            if created_by < deadline:
                steps.append(Step(StepKind.CREATE_INTENT, created_by))
    return steps


def _sendable_refunds(order: Order) -> list[Refund]:
    """Return the outstanding refunds, except refunds of money that the bank has taken back."""
    return [refund for refund in outstanding_refunds(order) if not _is_taken_back(order, refund)]


def _is_taken_back(order: Order, refund: Refund) -> bool:
    """Return whether lost disputes have left no money to refund. If they have left less than the
    refund returns, the provider refuses it, and it is replaced by a smaller one.
    """
    intent_id = refund.intent_id
    return intent_id is not None and lost_minor(order, intent_id) > 0 and kept_minor(order, intent_id) == 0


def _refund_step(order: Order, payment: Payment, refund: Refund) -> Step:
    fact = refund_fact(order, refund)
    repeats = len(replaced_by(payment, refund))
    if fact is None:
        # The first replacement is sent immediately: a spent key says nothing about the refund.
        pause = _pause(repeats - 2) if repeats > 1 else timedelta()
        return Step(StepKind.SEND_REFUND, refund.requested_at + pause, refund)
    if fact.state is FactState.FAILED:
        return Step(StepKind.SEND_REFUND, fact.at + _pause(repeats), refund)
    return Step(StepKind.SEND_REFUND, fact.at + POLL_PENDING_REFUND_AFTER, refund)


def _pause(repeats: int) -> timedelta:
    """Return the pause before a refund is repeated. It grows with each repetition."""
    factor: int = 4 ** min(repeats, 10)
    return min(RETRY_FAILED_REFUND_AFTER * factor, LONGEST_REFUND_PAUSE)
