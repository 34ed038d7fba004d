"""The refunds of an order, and the rules for what a buyer or an organizer may still refund.

A refund is requested for the whole order or for a number of tickets in some tiers. Units whose
refund has been requested are not refunded again.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from domain.holds import TicketLine, TicketRequest
from domain.ids import Unit, ordinal_of, tier_of
from domain.orders import Order, OrderStatus
from domain.payments.balances import refundable_units
from domain.payments.errors import NotRefundable, NotRefundableReason
from domain.payments.facts import FactKind, FactState
from domain.payments.payment import Refund
from domain.payments.status import is_disputed, outstanding_refunds

_PAID = frozenset({OrderStatus.PAID, OrderStatus.FULFILLED, OrderStatus.REFUND_PENDING})
"""The statuses of orders that may have units left to refund."""
_NOT_PAID = frozenset(
    {OrderStatus.PENDING_PAYMENT, OrderStatus.PAYMENT_FAILED, OrderStatus.EXPIRED, OrderStatus.CANCELLED}
)


class RefundState(StrEnum):
    PENDING = "PENDING"
    """The provider has not confirmed it yet. A refund that fails is repeated."""
    SUCCEEDED = "SUCCEEDED"


def shown_refunds(order: Order) -> tuple[Refund, ...]:
    """Return our refunds, oldest first, without those that were replaced by a later attempt."""
    refunds = order.payment.refunds if order.payment else ()
    replaced = {refund.replaces for refund in refunds}
    return tuple(refund for refund in refunds if refund.number not in replaced)


def refund_state(order: Order, refund: Refund) -> RefundState:
    return RefundState.PENDING if refund in outstanding_refunds(order) else RefundState.SUCCEEDED


def refund_lines(order: Order, refund: Refund) -> tuple[TicketLine, ...]:
    """Return the tickets of a refund, at the prices of the order."""
    counts = Counter(tier_of(unit) for unit in refund.units)
    prices = {line.tier_id: line.unit_price_minor for line in order.lines}
    return tuple(TicketLine(tier_id, counts[tier_id], prices[tier_id]) for tier_id in sorted(counts, key=ordinal_of))


def refunded_minor(order: Order) -> int:
    """Return the money that the provider has returned to the buyer, for any reason."""
    facts = order.payment.facts if order.payment else ()
    return sum(
        fact.amount_minor for fact in facts if fact.kind is FactKind.REFUND and fact.state is FactState.SUCCEEDED
    )


def raise_unless_refundable(order: Order) -> None:
    """Raise NotRefundable for an order that is not paid, is refunded, or is disputed."""
    if order.status in _NOT_PAID:
        raise NotRefundable(NotRefundableReason.NOT_PAID, order.status)
    if is_disputed(order) or order.status is OrderStatus.DISPUTE_LOST:
        raise NotRefundable(NotRefundableReason.DISPUTED, order.status)
    if order.status not in _PAID or not refundable_units(order):
        raise NotRefundable(NotRefundableReason.NOTHING_LEFT, order.status)


def raise_unless_buyer_may_refund(order: Order, refunds_until: datetime | None, now: datetime) -> None:
    """Raise NotRefundable unless the concert lets its buyers refund their orders at this time."""
    if refunds_until is None or now >= refunds_until:
        raise NotRefundable(NotRefundableReason.TOO_LATE, order.status, until=refunds_until)


def choose_units(order: Order, lines: Sequence[TicketRequest]) -> tuple[Unit, ...]:
    """Return the units to refund for these lines, the same ones for the same order and lines.

    Raises NotRefundable if a tier has fewer units left than requested.
    """
    left = refundable_units(order)
    chosen: list[Unit] = []
    for line in lines:
        units = [unit for unit in left if tier_of(unit) == line.tier_id]
        if len(units) < line.quantity:
            raise NotRefundable(NotRefundableReason.TOO_MANY, order.status, left=len(units))
        chosen += units[: line.quantity]
    return tuple(chosen)
