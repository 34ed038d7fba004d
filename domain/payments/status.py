"""The status of an order, as a pure function of the provider's facts and our own decisions.

Webhooks, the buyer's confirmation and the reconciliation all store facts and then call
`derive_status`. None of them sets a status itself, so it does not matter which of them comes first.
"""

from domain.orders import Order, OrderStatus
from domain.payments.facts import FactKind, FactState, ProviderFact
from domain.payments.payment import EffectState, FreedBy, LateOutcome, Payment, Refund

_STATUS_WHEN_FREED = {
    FreedBy.PAYMENT_FAILED: OrderStatus.PAYMENT_FAILED,
    FreedBy.EXPIRED: OrderStatus.EXPIRED,
    FreedBy.CANCELLED: OrderStatus.CANCELLED,
    FreedBy.MISMATCH: OrderStatus.CANCELLED,
}

_UNPAID_ENDS = {OrderStatus.PAYMENT_FAILED, OrderStatus.EXPIRED, OrderStatus.CANCELLED}
_AFTER_PAYMENT = {OrderStatus.REFUND_PENDING, OrderStatus.REFUNDED, OrderStatus.DISPUTE_LOST}

NEXT_STATUS: dict[OrderStatus, set[OrderStatus]] = {
    OrderStatus.PENDING_PAYMENT: {OrderStatus.PAID, *_UNPAID_ENDS, *_AFTER_PAYMENT},
    OrderStatus.PAID: {OrderStatus.FULFILLED, *_AFTER_PAYMENT},
    OrderStatus.FULFILLED: _AFTER_PAYMENT,
    # A partial refund has succeeded, so the order is paid again, with fewer tickets.
    OrderStatus.REFUND_PENDING: {OrderStatus.PAID, OrderStatus.FULFILLED, *_AFTER_PAYMENT},
    # A refund that succeeded can fail later. The money is then returned again. If nothing had been
    # decided yet about a late payment, the decision follows.
    OrderStatus.REFUNDED: {OrderStatus.REFUND_PENDING, OrderStatus.LATE_PAYMENT, OrderStatus.DISPUTE_LOST},
    OrderStatus.DISPUTE_LOST: set(),
    OrderStatus.LATE_PAYMENT: {OrderStatus.PAID, *_AFTER_PAYMENT},
    **{status: {OrderStatus.LATE_PAYMENT, *_AFTER_PAYMENT} for status in _UNPAID_ENDS},
    OrderStatus.VOID: set(),
    OrderStatus.WITHDRAWN: set(),
}
"""Maps each status to those that may follow it. The provider's messages come in any order, so an
order can be refunded before its payment is known, and statuses in between may be skipped.
"""


def derive_status(order: Order) -> OrderStatus:
    if order.status in (OrderStatus.VOID, OrderStatus.WITHDRAWN):
        return order.status
    if order.payment is not None and order.payment.attempts and accepted_payment(order) is None:
        return _status_when_unpaid(order)
    if is_dispute_lost(order):
        return OrderStatus.DISPUTE_LOST
    if is_refunded(order):
        return OrderStatus.REFUNDED
    payment = order.payment
    if payment is not None and payment.freed_by is not None and payment.late is None:
        return OrderStatus.LATE_PAYMENT
    if outstanding_refunds(order, of_accepted=True):
        return OrderStatus.REFUND_PENDING
    if payment is not None and (payment.late is LateOutcome.REFUSED or not order.units):
        # A paid order without units never becomes active again, even if the refund that ended it
        # fails later: its units may have been sold to others.
        return OrderStatus.REFUND_PENDING
    return OrderStatus.FULFILLED if _is_fulfilled(order) else OrderStatus.PAID


def _is_fulfilled(order: Order) -> bool:
    states = order.effects.states
    return all(states.get(name) is EffectState.DONE for name in ("tickets", "document"))


def _status_when_unpaid(order: Order) -> OrderStatus:
    assert order.payment is not None
    if mismatched_payments(order):
        refunded = all(
            _refunded_minor(order, fact.intent_id) >= fact.amount_minor for fact in mismatched_payments(order)
        )
        return OrderStatus.REFUNDED if refunded else OrderStatus.REFUND_PENDING
    return _STATUS_WHEN_FREED[order.payment.freed_by] if order.payment.freed_by else OrderStatus.PENDING_PAYMENT


def successes(order: Order) -> tuple[ProviderFact, ...]:
    """Return every successful payment that the provider has reported."""
    if order.payment is None:
        return ()
    return tuple(
        fact for fact in order.payment.facts if fact.kind is FactKind.PAYMENT and fact.state is FactState.SUCCEEDED
    )


def accepted_payment(order: Order) -> ProviderFact | None:
    """Return the payment for the order: a successful payment of the recorded intent, for exactly
    the total.
    """
    return next((fact for fact in successes(order) if _is_recorded(order, fact) and _pays_total(order, fact)), None)


def mismatched_payments(order: Order) -> tuple[ProviderFact, ...]:
    """Return the successful payments of the recorded intent with a wrong amount or currency."""
    return tuple(fact for fact in successes(order) if _is_recorded(order, fact) and not _pays_total(order, fact))


def second_payments(order: Order) -> tuple[ProviderFact, ...]:
    """Return the successful payments of intents other than the recorded one."""
    return tuple(fact for fact in successes(order) if not _is_recorded(order, fact))


def is_dispute_lost(order: Order) -> bool:
    return any(fact.state is FactState.LOST for fact in disputes(order))


def is_disputed(order: Order) -> bool:
    """Return whether a dispute is open. The tickets are then suspended, and the stock is kept."""
    return any(fact.state is FactState.OPEN for fact in disputes(order))


def has_lost_its_units(order: Order) -> bool:
    """Return whether an order that was paid has no units left, and will never get any again.

    An order does not count while the bank is deciding about its money, or after the bank has
    returned the money.
    """
    payment = order.payment
    if payment is None or order.units or not order.released_units or accepted_payment(order) is None:
        return False
    waits_for_units = payment.freed_by is not None and payment.late is None
    return not waits_for_units and not is_disputed(order) and not is_dispute_lost(order)


def disputes(order: Order) -> tuple[ProviderFact, ...]:
    """Return the disputes about the payment for the order."""
    accepted = accepted_payment(order)
    if order.payment is None or accepted is None:
        return ()
    return tuple(
        fact for fact in order.payment.facts if fact.kind is FactKind.DISPUTE and fact.intent_id == accepted.intent_id
    )


def refund_fact(order: Order, refund: Refund) -> ProviderFact | None:
    """Return what the provider has reported about one of our refunds.

    A refund that was replaced may have been made after all. It then counts in place of its
    replacement, unless it fails.
    """
    if order.payment is None:
        return None
    facts = {fact.row: fact for fact in order.payment.facts if fact.kind is FactKind.REFUND and fact.row is not None}
    own = facts.get(refund.number)
    tried = (own, *(facts.get(number) for number in replaced_by(order.payment, refund)))
    return next((fact for fact in tried if fact is not None and fact.state is not FactState.FAILED), own)


def replaced_by(payment: Payment, refund: Refund) -> tuple[int, ...]:
    """Return the numbers of the refunds that this one replaces, directly or indirectly, latest
    first.
    """
    by_number = {one.number: one for one in payment.refunds}
    numbers: list[int] = []
    while refund.replaces is not None:
        numbers.append(refund.replaces)
        refund = by_number[refund.replaces]
    return tuple(numbers)


def outstanding_refunds(order: Order, *, of_accepted: bool = False) -> tuple[Refund, ...]:
    """Return our refunds whose money has not been returned, without those that were replaced."""
    if order.payment is None:
        return ()
    accepted = accepted_payment(order)
    replaced = {refund.replaces for refund in order.payment.refunds}
    found = []
    for refund in order.payment.refunds:
        fact = refund_fact(order, refund)
        is_done = refund.intent_id is None or (fact is not None and fact.state is FactState.SUCCEEDED)
        is_counted = not of_accepted or accepted is None or refund.intent_id == accepted.intent_id
        if refund.number not in replaced and not is_done and is_counted:
            found.append(refund)
    return tuple(found)


def is_refunded(order: Order) -> bool:
    """Return whether the whole price has been returned, by our refunds or in the provider's
    dashboard.

    A partial refund in the dashboard is goodwill: no ticket becomes invalid.
    """
    accepted = accepted_payment(order)
    if accepted is None:
        return not order.units and bool(order.released_units)
    return _refunded_minor(order, accepted.intent_id) >= accepted.amount_minor


def goodwill_minor(order: Order) -> int:
    """Return the money that refunds made outside Onsale returned for our payments."""
    facts = order.payment.facts if order.payment else ()
    rows = {refund.number for refund in order.payment.refunds} if order.payment else set()
    return sum(
        fact.amount_minor
        for fact in facts
        if fact.kind is FactKind.REFUND and fact.state is FactState.SUCCEEDED and fact.row not in rows
    )


def _refunded_minor(order: Order, intent_id: str) -> int:
    facts = order.payment.facts if order.payment else ()
    return sum(
        fact.amount_minor
        for fact in facts
        if fact.kind is FactKind.REFUND and fact.state is FactState.SUCCEEDED and fact.intent_id == intent_id
    )


def _is_recorded(order: Order, fact: ProviderFact) -> bool:
    payment = order.payment
    return payment is not None and bool(payment.attempts) and fact.intent_id == payment.attempt.intent_id


def _pays_total(order: Order, fact: ProviderFact) -> bool:
    return fact.amount_minor == order.total.minor and fact.currency == order.currency
