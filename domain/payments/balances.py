"""The refunded and the remaining money and units of an order."""

from collections.abc import Iterable

from domain.ids import Unit
from domain.money import Money
from domain.orders import Order, OrderStatus
from domain.payments.facts import FactKind, FactState, ProviderFact
from domain.payments.payment import Payment, Refund
from domain.payments.status import refund_fact, successes

_REFUNDABLE = frozenset({OrderStatus.PAID, OrderStatus.FULFILLED, OrderStatus.REFUND_PENDING})


def find_refund(order: Order, request_key: str) -> Refund | None:
    """Return the first refund that was made for a request, or None."""
    refunds = order.payment.refunds if order.payment else ()
    return next((refund for refund in refunds if refund.request_key == request_key), None)


def refundable_units(order: Order) -> tuple[Unit, ...]:
    """Return the units of a paid order whose refund has not been requested yet."""
    if order.status not in _REFUNDABLE:
        return ()
    requested = {unit for refund in (order.payment.refunds if order.payment else ()) for unit in refund.units}
    return tuple(unit for unit in order.units if unit not in requested)


def price_of(order: Order, units: Iterable[Unit]) -> int:
    prices = {line.tier_id: line.unit_price_minor for line in order.lines}
    return sum(price for unit in units for tier_id, price in prices.items() if unit.startswith(f"{tier_id}:"))


def refund_amount(order: Order, refund: Refund) -> Money:
    """Return the money of a refund, in the currency of the payment that it belongs to."""
    paid = next((fact for fact in successes(order) if fact.intent_id == refund.intent_id), None)
    return Money(refund.amount_minor, paid.currency if paid and paid.currency else order.currency)


def is_larger_than_payment(order: Order, refund: Refund) -> bool:
    """Return whether other refunds have left less of the payment than this refund returns."""
    paid = next((fact for fact in successes(order) if fact.intent_id == refund.intent_id), None)
    return paid is not None and refund.amount_minor > left_of(order, paid, without=refund)


def left_of(order: Order, paid: ProviderFact | None, *, without: Refund | None = None) -> int:
    """Return the money of a payment that has not been refunded, is not about to be, and has not
    been taken back by the bank.
    """
    if paid is None or order.payment is None:
        return 0
    rows = {refund.number for refund in order.payment.refunds}
    replaced = {refund.replaces for refund in order.payment.refunds}
    # A replaced refund that was made after all counts in place of its replacement.
    counted = [
        (refund, refund_fact(order, refund))
        for refund in order.payment.refunds
        if refund.intent_id == paid.intent_id and refund.number not in replaced and refund is not without
    ]
    standing = {fact.id: fact for refund, fact in counted if fact is not None and fact.row != refund.number}
    ours = sum(
        max(refund.amount_minor, fact.amount_minor if fact is not None and fact.id in standing else 0)
        for refund, fact in counted
    )
    others = sum(
        fact.amount_minor
        for fact in order.payment.facts
        if fact.kind is FactKind.REFUND
        and fact.intent_id == paid.intent_id
        and fact.state is not FactState.FAILED
        and (fact.row not in rows or fact.row in replaced)
        and fact.id not in standing
    )
    return max(paid.amount_minor - ours - others - lost_minor(order, paid.intent_id), 0)


def lost_minor(order: Order, intent_id: str) -> int:
    """Return the money of a payment that the bank has taken back after disputes."""
    return _sum_of(order, FactKind.DISPUTE, intent_id, FactState.LOST)


def kept_minor(order: Order, intent_id: str) -> int:
    """Return the money of a payment that, according to the provider, has been neither refunded nor
    taken back by the bank. Refunds that are still to be sent do not count.
    """
    paid = sum(fact.amount_minor for fact in successes(order) if fact.intent_id == intent_id)
    refunded = _sum_of(order, FactKind.REFUND, intent_id, FactState.PENDING, FactState.SUCCEEDED)
    return max(paid - refunded - lost_minor(order, intent_id), 0)


def _sum_of(order: Order, kind: FactKind, intent_id: str, *states: FactState) -> int:
    facts = order.payment.facts if order.payment else ()
    return sum(
        fact.amount_minor
        for fact in facts
        if fact.kind is kind and fact.intent_id == intent_id and fact.state in states
    )


def next_refund_number(payment: Payment) -> int:
    return max((refund.number for refund in payment.refunds), default=0) + 1
