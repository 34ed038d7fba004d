"""Everything that follows from a change to an order: refunds, freed units, tickets and effects.

Every change to an order with a payment or tickets goes through this module, so no order is stored
without its consequences.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from domain.ids import Unit
from domain.orders import Order, OrderEvent
from domain.payments.balances import left_of, next_refund_number
from domain.payments.effects import effects_after, effects_at
from domain.payments.facts import FactKind, FactState
from domain.payments.payment import FreedBy, LateOutcome, Payment, Refund, RefundReason
from domain.payments.status import (
    accepted_payment,
    derive_status,
    has_lost_its_units,
    is_dispute_lost,
    is_refunded,
    mismatched_payments,
    outstanding_refunds,
    second_payments,
)
from domain.payments.steps import work_at
from domain.tickets.follow import follow

DECLINED = "PAYMENT_DECLINED"
FACTS_ADDED = "PROVIDER_REPORTED"
INTENT_RECORDED = "PAYMENT_READY"
CANCEL_REQUESTED = "CANCEL_REQUESTED"
REFUND_REQUESTED = "REFUND_REQUESTED"
REFUND_REPEATED = "REFUND_REPEATED"
ATTEMPT_STARTED = "ATTEMPT_STARTED"
WAITING = "WAITING_FOR_PROVIDER"
TICKETS_ISSUED = "TICKETS_ISSUED"
EFFECTS_DONE = "EFFECTS_DONE"
CHECKED_IN = "CHECKED_IN"
DEAD_CODE_ADMITTED = "DEAD_CODE_ADMITTED"
TRANSFER_REQUESTED = "TRANSFER_REQUESTED"
TRANSFER_CANCELED = "TRANSFER_CANCELED"
TRANSFER_ACCEPTED = "TRANSFER_ACCEPTED"
_REPEATED = frozenset(
    {
        DECLINED,
        FACTS_ADDED,
        REFUND_REPEATED,
        ATTEMPT_STARTED,
        EFFECTS_DONE,
        CHECKED_IN,
        DEAD_CODE_ADMITTED,
        TRANSFER_REQUESTED,
        TRANSFER_CANCELED,
    }
)
"""Events of which only the last in a row is kept, so that the history stays short."""


def conclude(before: Order, changed: Order, now: datetime, *, kind: str) -> Order:
    """Return the changed order with everything that follows, or `before` if nothing changed.

    `kind` names the event if the status remains the same.
    """
    for rule in _RULES:
        changed = rule(changed, now)
    changed = _release_dead_units(changed)
    changed = replace(changed, status=derive_status(changed))
    changed = follow(before, changed, now)
    changed = replace(changed, effects=effects_after(before, changed))
    # The last effect may just have been done.
    status = derive_status(changed)
    changed = replace(changed, status=status)
    if changed == before:
        return before
    event = OrderEvent(kind if status is before.status else status.value, now)
    changed = replace(changed, events=_with_event(before.events, event), version=before.version + 1)
    # A step or an effect may be due since the last event.
    return replace(changed, work_at=work_at(changed), effects_at=effects_at(before, changed, now))


def _with_event(events: tuple[OrderEvent, ...], event: OrderEvent) -> tuple[OrderEvent, ...]:
    if events and event.kind in _REPEATED and events[-1].kind in _REPEATED:
        return (*events[:-1], event)
    return (*events, event)


def _free_after_canceled_intent(order: Order, now: datetime) -> Order:
    payment = order.payment
    if payment is None or payment.freed_by is not None or accepted_payment(order) or mismatched_payments(order):
        return order
    is_canceled = any(
        fact.kind is FactKind.PAYMENT
        and fact.state is FactState.CANCELED
        and fact.intent_id == payment.attempt.intent_id
        for fact in payment.facts
        if payment.attempts
    )
    return with_payment(order, freed_by=freed_by(payment, now)) if is_canceled else order


def _free_after_mismatch(order: Order, now: datetime) -> Order:
    del now
    payment = order.payment
    if payment is None or payment.freed_by is not None or not mismatched_payments(order):
        return order
    return with_payment(order, freed_by=FreedBy.MISMATCH)


def _refuse_payment_of_canceled_order(order: Order, now: datetime) -> Order:
    """Refuse a late payment, rather than take units again, if the order was canceled, by its buyer
    or with its concert.
    """
    del now
    payment = order.payment
    if payment is None or payment.freed_by is not FreedBy.CANCELLED or payment.late is not None:
        return order
    return with_payment(order, late=LateOutcome.REFUSED) if accepted_payment(order) else order


def _refund_unwanted_payments(order: Order, now: datetime) -> Order:
    """Add the missing refunds: of wrong, second and refused payments, of the money that a lost
    dispute has left, and of money that came back from a failed refund after the order had lost its
    units.
    """
    payment = order.payment
    if payment is None:
        return order
    unwanted = [(fact, RefundReason.MISMATCH) for fact in mismatched_payments(order)]
    unwanted += [(fact, RefundReason.SECOND_PAYMENT) for fact in second_payments(order)]
    accepted = accepted_payment(order)
    if accepted is not None and (payment.late is LateOutcome.REFUSED or has_lost_its_units(order)):
        unwanted.append((accepted, _reason_of_end(payment)))
    if accepted is not None and is_dispute_lost(order):
        # The order has ended, even if the card holder disputed only a part of the payment.
        unwanted.append((accepted, RefundReason.DISPUTE_LOST))
    for fact, reason in unwanted:
        left = left_of(order, fact)
        if left > 0:
            refund = Refund(next_refund_number(payment), fact.intent_id, left, (), reason, now)
            payment = replace(payment, refunds=(*payment.refunds, refund))
            order = replace(order, payment=payment)
    return order


def _reason_of_end(payment: Payment) -> RefundReason:
    """Return why the payment of an order that has ended is refunded."""
    if payment.cancel_reason == "CONCERT":
        return RefundReason.CONCERT_CANCELLED
    if payment.late is not LateOutcome.REFUSED:
        return RefundReason.REQUESTED
    is_canceled = payment.freed_by is FreedBy.CANCELLED
    return RefundReason.ORDER_CANCELLED if is_canceled else RefundReason.HOLD_EXPIRED


def _refund_paid_order_of_canceled_concert(order: Order, now: datetime) -> Order:
    payment, accepted = order.payment, accepted_payment(order)
    if payment is None or accepted is None or payment.cancel_reason != "CONCERT" or not order.units:
        return order
    left = left_of(order, accepted)
    if left <= 0 or (payment.freed_by is not None and payment.late is None):
        return order
    refund = Refund(
        next_refund_number(payment), accepted.intent_id, left, order.units, RefundReason.CONCERT_CANCELLED, now
    )
    return with_payment(order, refunds=(*payment.refunds, refund))


_RULES: tuple[Callable[[Order, datetime], Order], ...] = (
    _free_after_canceled_intent,
    _free_after_mismatch,
    _refuse_payment_of_canceled_order,
    _refund_unwanted_payments,
    _refund_paid_order_of_canceled_concert,
)


def _release_dead_units(order: Order) -> Order:
    """Move the units that the order no longer has to its released units."""
    released = [unit for unit in order.units if _is_dead(order, unit)]
    if not released:
        return order
    return replace(
        order,
        units=tuple(unit for unit in order.units if unit not in released),
        released_units=(*order.released_units, *released),
    )


def _is_dead(order: Order, unit: Unit) -> bool:
    payment = order.payment
    if payment is None:
        return False
    if accepted_payment(order) is None and payment.freed_by is not None:
        return True
    if is_dispute_lost(order) or (payment.attempts and accepted_payment(order) and is_refunded(order)):
        return True
    outstanding = outstanding_refunds(order)
    replaced = {refund.replaces for refund in payment.refunds}
    return any(
        unit in refund.units and refund.number not in replaced and refund not in outstanding
        for refund in payment.refunds
    )


def freed_by(payment: Payment, now: datetime) -> FreedBy:
    if payment.cancel_requested_at is not None:
        return FreedBy.CANCELLED
    if any(fact.kind is FactKind.DECLINE for fact in payment.facts):
        return FreedBy.PAYMENT_FAILED
    # An intent that was canceled in the provider's dashboard ends the order before its deadline.
    return FreedBy.EXPIRED if now >= payment.expires_at else FreedBy.CANCELLED


def with_payment(order: Order, **changes: object) -> Order:
    assert order.payment is not None
    return replace(order, payment=replace(order.payment, **changes))  # type: ignore[arg-type]
