"""The changes of a paid order, as pure functions.

Each function returns the order as it is to be stored, or the same order if nothing changes.
Repeating a change, or applying the same facts again, changes nothing.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from domain.ids import PersonId, Unit
from domain.orders import Order, OrderEvent, OrderStatus
from domain.payments.balances import left_of, next_refund_number, price_of
from domain.payments.facts import FactKind, FactState, ProviderFact, merge_facts
from domain.payments.payment import (
    Effects,
    EffectState,
    FreedBy,
    LateOutcome,
    Payment,
    PaymentAttempt,
    Refund,
    RefundReason,
)
from domain.payments.status import (
    accepted_payment,
    derive_status,
    has_lost_its_units,
    is_dispute_lost,
    is_refunded,
    mismatched_payments,
    outstanding_refunds,
    second_payments,
    successes,
)
from domain.payments.steps import work_at

EFFECTS = ("tickets", "document", "mail", "sales")
"""The effects of a paid order, by name. Each has its own worker."""

DECLINED = "PAYMENT_DECLINED"
FACTS_ADDED = "PROVIDER_REPORTED"
INTENT_RECORDED = "PAYMENT_READY"
CANCEL_REQUESTED = "CANCEL_REQUESTED"
REFUND_REQUESTED = "REFUND_REQUESTED"
REFUND_REPEATED = "REFUND_REPEATED"
ATTEMPT_STARTED = "ATTEMPT_STARTED"
WAITING = "WAITING_FOR_PROVIDER"
_REPEATED = frozenset({DECLINED, FACTS_ADDED, REFUND_REPEATED, ATTEMPT_STARTED})
"""Events of which only the last one in a row is kept, so that the history stays short."""

_ALIVE = frozenset({OrderStatus.PAID, OrderStatus.FULFILLED})


def due_effects() -> Effects:
    return Effects(dict.fromkeys(EFFECTS, EffectState.DUE))


def paid_at_once(order: Order) -> Order:
    """Return a new order that costs nothing, as PAID, with its effects."""
    return replace(order, status=OrderStatus.PAID, payment=None, effects=due_effects())


def awaiting_payment(order: Order, *, provider: str, expires_at: datetime) -> Order:
    """Return a new order with its first attempt to pay, which claims the calls to the provider."""
    attempt = PaymentAttempt(1, order.created_at)
    payment = Payment(provider=provider, expires_at=expires_at, attempts=(attempt,))
    pending = replace(order, status=OrderStatus.PENDING_PAYMENT, payment=payment)
    return replace(pending, work_at=work_at(pending))


def apply_facts(order: Order, facts: Iterable[ProviderFact], now: datetime) -> Order:
    """Merge facts into the order, with everything that follows from them."""
    payment = order.payment
    if payment is None:
        return order
    merged = merge_facts(payment.facts, facts)
    new = set(merged) - set(payment.facts)
    is_decline = bool(new) and all(fact.kind in (FactKind.DECLINE, FactKind.PAYMENT) for fact in new)
    is_decline = is_decline and any(fact.kind is FactKind.DECLINE for fact in new)
    changed = _with_payment(order, facts=merged)
    return _conclude(order, _adopt_reported_intent(changed), now, kind=DECLINED if is_decline else FACTS_ADDED)


def record_intent(
    order: Order,
    *,
    attempt: int,
    intent_id: str,
    client_secret: str | None,
    facts: Iterable[ProviderFact],
    now: datetime,
) -> Order:
    """Record the intent that the provider has created for an attempt, unless another one is
    recorded, and merge the facts about it.
    """
    payment = order.payment
    if payment is None:
        return order
    changed = _with_payment(order, facts=merge_facts(payment.facts, facts))
    current = payment.attempt
    if current.number == attempt and current.intent_id in (None, intent_id):
        secret = client_secret or current.client_secret
        changed = _with_attempt(changed, replace(current, intent_id=intent_id, client_secret=secret))
    return _conclude(order, changed, now, kind=INTENT_RECORDED)


def start_attempt(order: Order, now: datetime, *, after: int) -> Order:
    """Begin another attempt, after the provider has proved to have no intent for attempt `after`
    and does not accept its idempotency key anymore.
    """
    payment = order.payment
    if payment is None or payment.attempt.number != after or payment.attempt.intent_id is not None:
        return order
    attempts = (*payment.attempts, PaymentAttempt(after + 1, now))
    return _conclude(order, _with_payment(order, attempts=attempts), now, kind=ATTEMPT_STARTED)


def request_cancel(order: Order, reason: str, now: datetime) -> Order:
    """Record that a pending order is to be canceled. Only the first request counts."""
    payment = order.payment
    if payment is None or order.status is not OrderStatus.PENDING_PAYMENT or payment.cancel_requested_at is not None:
        return order
    changed = _with_payment(order, cancel_requested_at=now, cancel_reason=reason)
    return _conclude(order, changed, now, kind=CANCEL_REQUESTED)


def free_without_intent(order: Order, now: datetime, *, attempt: int) -> Order:
    """Free the units of a pending order after the provider has proved that it has no intent for the
    attempt.
    """
    payment = order.payment
    if payment is None or order.status is not OrderStatus.PENDING_PAYMENT:
        return order
    if payment.attempt.number != attempt or payment.attempt.intent_id is not None:
        return order
    return _conclude(order, _with_payment(order, freed_by=_freed_by(payment, now)), now, kind=FACTS_ADDED)


def note_waiting(order: Order, now: datetime) -> Order:
    """Note in the history of a pending order that the provider has not yet said whether it was
    paid.
    """
    if order.status is not OrderStatus.PENDING_PAYMENT or order.events[-1].kind == WAITING:
        return order
    changed = replace(order, events=(*order.events, OrderEvent(WAITING, now)), version=order.version + 1)
    return replace(changed, work_at=work_at(changed))


def take_units(order: Order, units: tuple[Unit, ...], now: datetime) -> Order:
    """Give units to an order whose payment came late."""
    if order.status is not OrderStatus.LATE_PAYMENT:
        return order
    released = tuple(unit for unit in order.released_units if unit not in units)
    changed = replace(_with_payment(order, late=LateOutcome.TAKEN), units=units, released_units=released)
    return _conclude(order, changed, now, kind=FACTS_ADDED)


def refuse_late_payment(order: Order, now: datetime) -> Order:
    """Decide to refund a payment that came late, because no units could be taken for it."""
    if order.status is not OrderStatus.LATE_PAYMENT:
        return order
    return _conclude(order, _with_payment(order, late=LateOutcome.REFUSED), now, kind=FACTS_ADDED)


def add_refund(
    order: Order,
    units: tuple[Unit, ...],
    *,
    reason: RefundReason,
    now: datetime,
    requested_by: PersonId | None = None,
    request_key: str = "",
    request_digest: str = "",
) -> Order:
    """Decide to refund units of a paid order.

    An order without a payment is refunded immediately, because there is no money to return. A
    refund never exceeds the money that is left of the payment.
    """
    if not units:
        return order
    accepted = accepted_payment(order)
    payment = order.payment or Payment(provider="", expires_at=order.created_at, attempts=())
    amount = min(price_of(order, units), left_of(order, accepted)) if accepted else 0
    if accepted is not None and set(units) >= set(order.units):
        # The last refund returns everything that is left.
        amount = left_of(order, accepted)
    refund = Refund(
        number=next_refund_number(payment),
        intent_id=accepted.intent_id if accepted and amount else None,
        amount_minor=amount,
        units=units,
        reason=reason,
        requested_at=now,
        requested_by=requested_by,
        request_key=request_key,
        request_digest=request_digest,
    )
    changed = replace(order, payment=replace(payment, refunds=(*payment.refunds, refund)))
    return _conclude(order, changed, now, kind=REFUND_REQUESTED)


def replace_refund(order: Order, refund: Refund, now: datetime) -> Order:
    """Replace a refund that failed, or that the provider never made, by one with a new number.

    The new one returns what is left of the payment, at most the amount of the old one.
    """
    payment = order.payment
    if payment is None or refund not in outstanding_refunds(order):
        return order
    paid = next((fact for fact in successes(order) if fact.intent_id == refund.intent_id), None)
    left = left_of(order, paid, without=refund) if paid else 0
    amount = min(refund.amount_minor, left)
    again = replace(
        refund,
        number=next_refund_number(payment),
        amount_minor=amount,
        intent_id=refund.intent_id if amount else None,
        requested_at=now,
        replaces=refund.number,
    )
    return _conclude(order, _with_payment(order, refunds=(*payment.refunds, again)), now, kind=REFUND_REPEATED)


def _conclude(before: Order, changed: Order, now: datetime, *, kind: str) -> Order:
    """Return the changed order with everything that follows, or `before` if nothing changed.

    `kind` names the event if the status remains the same.
    """
    for rule in _RULES:
        changed = rule(changed, now)
    changed = _release_dead_units(changed)
    status = derive_status(changed)
    changed = replace(changed, status=status)
    if status in _ALIVE and not changed.effects.states:
        changed = replace(changed, effects=due_effects())
    if changed == before:
        return before
    event = OrderEvent(kind if status is before.status else status.value, now)
    changed = replace(changed, events=_with_event(before.events, event), version=before.version + 1)
    # A step may be due since the last event.
    return replace(changed, work_at=work_at(changed))


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
    return _with_payment(order, freed_by=_freed_by(payment, now)) if is_canceled else order


def _free_after_mismatch(order: Order, now: datetime) -> Order:
    del now
    payment = order.payment
    if payment is None or payment.freed_by is not None or not mismatched_payments(order):
        return order
    return _with_payment(order, freed_by=FreedBy.MISMATCH)


def _refuse_payment_of_canceled_order(order: Order, now: datetime) -> Order:
    """Refund, rather than take units again, if the buyer or the end of the concert had canceled the
    order.
    """
    del now
    payment = order.payment
    if payment is None or payment.freed_by is not FreedBy.CANCELLED or payment.late is not None:
        return order
    return _with_payment(order, late=LateOutcome.REFUSED) if accepted_payment(order) else order


def _refund_unwanted_payments(order: Order, now: datetime) -> Order:
    """Decide the refunds that are missing: of wrong, second and refused payments, and of money
    that came back, because a refund failed, after the order had lost its units.
    """
    payment = order.payment
    if payment is None:
        return order
    unwanted = [(fact, RefundReason.MISMATCH) for fact in mismatched_payments(order)]
    unwanted += [(fact, RefundReason.SECOND_PAYMENT) for fact in second_payments(order)]
    accepted = accepted_payment(order)
    if accepted is not None and (payment.late is LateOutcome.REFUSED or has_lost_its_units(order)):
        reason = RefundReason.HOLD_EXPIRED if payment.late is LateOutcome.REFUSED else RefundReason.REQUESTED
        unwanted.append((accepted, RefundReason.CONCERT_CANCELLED if payment.cancel_reason == "CONCERT" else reason))
    for fact, reason in unwanted:
        left = left_of(order, fact)
        if left > 0:
            refund = Refund(next_refund_number(payment), fact.intent_id, left, (), reason, now)
            payment = replace(payment, refunds=(*payment.refunds, refund))
            order = replace(order, payment=payment)
    return order


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
    return _with_payment(order, refunds=(*payment.refunds, refund))


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


def _adopt_reported_intent(order: Order) -> Order:
    """Record the intent of the current attempt if the provider's message came before our write.

    An intent that is open is left to the purchase or the worker: a message has
    no client secret, and an attempt that has an intent is not given another one.
    """
    payment = order.payment
    if payment is None or not payment.attempts or payment.attempt.intent_id is not None:
        return order
    attempt = payment.attempt
    reported = [
        fact
        for fact in payment.facts
        if fact.kind is FactKind.PAYMENT and fact.row == attempt.number and fact.state is not FactState.OPEN
    ]
    if not reported:
        return order
    # Several exist only if the provider forgot the idempotency key. One that was paid counts first.
    best = max(reported, key=lambda fact: (fact.state is FactState.SUCCEEDED, fact.id))
    return _with_attempt(order, replace(attempt, intent_id=best.intent_id))


def _freed_by(payment: Payment, now: datetime) -> FreedBy:
    if payment.cancel_requested_at is not None:
        return FreedBy.CANCELLED
    if any(fact.kind is FactKind.DECLINE for fact in payment.facts):
        return FreedBy.PAYMENT_FAILED
    # An intent that was canceled in the provider's dashboard ends the order before its deadline.
    return FreedBy.EXPIRED if now >= payment.expires_at else FreedBy.CANCELLED


def _with_payment(order: Order, **changes: object) -> Order:
    assert order.payment is not None
    return replace(order, payment=replace(order.payment, **changes))  # type: ignore[arg-type]


def _with_attempt(order: Order, attempt: PaymentAttempt) -> Order:
    assert order.payment is not None
    return _with_payment(order, attempts=(*order.payment.attempts[:-1], attempt))
