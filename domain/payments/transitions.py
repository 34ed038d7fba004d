"""Changes to an order and its payment, as pure functions.

Each function returns the order to store, or the same order if nothing changes.
Repeating a change, or applying the same facts again, changes nothing.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from domain.ids import PersonId, Unit
from domain.orders import Order, OrderEvent, OrderStatus
from domain.payments.balances import left_of, next_refund_number, price_of
from domain.payments.conclusion import (
    ATTEMPT_STARTED,
    CANCEL_REQUESTED,
    DECLINED,
    EFFECTS_DONE,
    FACTS_ADDED,
    INTENT_RECORDED,
    REFUND_REPEATED,
    REFUND_REQUESTED,
    TICKETS_ISSUED,
    WAITING,
    conclude,
    freed_by,
    with_payment,
)
from domain.payments.effects import effects_after
from domain.payments.facts import FactKind, FactState, ProviderFact, merge_facts
from domain.payments.payment import (
    EffectState,
    LateOutcome,
    Payment,
    PaymentAttempt,
    Refund,
    RefundReason,
)
from domain.payments.status import accepted_payment, outstanding_refunds, successes
from domain.payments.steps import work_at
from domain.tickets.follow import follow


def paid_at_once(order: Order) -> Order:
    """Return a new free order as PAID, with its tickets and effects."""
    paid = follow(order, replace(order, status=OrderStatus.PAID, payment=None), order.created_at)
    return replace(paid, effects=effects_after(order, paid), effects_at=order.created_at)


def awaiting_payment(order: Order, *, provider: str, expires_at: datetime) -> Order:
    """Return a new order with its first payment attempt, for which the provider is called later."""
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
    changed = with_payment(order, facts=merged)
    return conclude(order, _adopt_reported_intent(changed), now, kind=DECLINED if is_decline else FACTS_ADDED)


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
    changed = with_payment(order, facts=merge_facts(payment.facts, facts))
    current = payment.attempt
    if current.number == attempt and current.intent_id in (None, intent_id):
        secret = client_secret or current.client_secret
        changed = _with_attempt(changed, replace(current, intent_id=intent_id, client_secret=secret))
    return conclude(order, changed, now, kind=INTENT_RECORDED)


def start_attempt(order: Order, now: datetime, *, after: int) -> Order:
    """Begin another attempt, once it is certain that the provider has no intent for attempt `after`
    and no longer accepts its idempotency key.
    """
    payment = order.payment
    if payment is None or payment.attempt.number != after or payment.attempt.intent_id is not None:
        return order
    attempts = (*payment.attempts, PaymentAttempt(after + 1, now))
    return conclude(order, with_payment(order, attempts=attempts), now, kind=ATTEMPT_STARTED)


def request_cancel(order: Order, reason: str, now: datetime) -> Order:
    """Record that a pending order is to be canceled. Only the first request counts."""
    payment = order.payment
    if payment is None or order.status is not OrderStatus.PENDING_PAYMENT or payment.cancel_requested_at is not None:
        return order
    changed = with_payment(order, cancel_requested_at=now, cancel_reason=reason)
    return conclude(order, changed, now, kind=CANCEL_REQUESTED)


def free_without_intent(order: Order, now: datetime, *, attempt: int, lost_intent_id: str | None = None) -> Order:
    """Free the units of a pending order after the provider has confirmed that it has no intent for
    the attempt, or that it has lost the one that was recorded.
    """
    payment = order.payment
    if payment is None or order.status is not OrderStatus.PENDING_PAYMENT:
        return order
    if payment.attempt.number != attempt or payment.attempt.intent_id != lost_intent_id:
        return order
    return conclude(order, with_payment(order, freed_by=freed_by(payment, now)), now, kind=FACTS_ADDED)


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
    changed = replace(with_payment(order, late=LateOutcome.TAKEN), units=units, released_units=released)
    return conclude(order, changed, now, kind=FACTS_ADDED)


def refuse_late_payment(order: Order, now: datetime) -> Order:
    """Decide to refund a payment that came late, because no units could be taken for it."""
    if order.status is not OrderStatus.LATE_PAYMENT:
        return order
    return conclude(order, with_payment(order, late=LateOutcome.REFUSED), now, kind=FACTS_ADDED)


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
    return conclude(order, changed, now, kind=REFUND_REQUESTED)


def replace_refund(order: Order, refund: Refund, now: datetime) -> Order:
    """Replace a refund that failed, or that the provider never made, with one that has a new
    number.

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
    return conclude(order, with_payment(order, refunds=(*payment.refunds, again)), now, kind=REFUND_REPEATED)


def issue_tickets(order: Order, now: datetime) -> Order:
    """Issue the tickets of an order that was paid under an earlier version of Onsale."""
    return conclude(order, order, now, kind=TICKETS_ISSUED)


def finish_effects(order: Order, names: Iterable[str], now: datetime) -> Order:
    """Record that effects have been done for the order in its current state."""
    states = order.effects.states | dict.fromkeys(names, EffectState.DONE)
    return conclude(order, replace(order, effects=replace(order.effects, states=states)), now, kind=EFFECTS_DONE)


def _adopt_reported_intent(order: Order) -> Order:
    """Record the intent of the current attempt if the provider's message came before our write.

    An open intent is left to the purchase or the worker: a message has no client secret, and an
    attempt that has an intent is not given another one.
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
    # There are several only if the provider forgot the idempotency key. A paid intent wins.
    best = max(reported, key=lambda fact: (fact.state is FactState.SUCCEEDED, fact.id))
    return _with_attempt(order, replace(attempt, intent_id=best.intent_id))


def _with_attempt(order: Order, attempt: PaymentAttempt) -> Order:
    assert order.payment is not None
    return with_payment(order, attempts=(*order.payment.attempts[:-1], attempt))
