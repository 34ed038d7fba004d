"""The refunds of an order, and the rules for what a buyer or an organizer may still refund.

A refund is requested for the whole order, for a number of tickets in some tiers, or for particular
tickets. Units whose refund has been requested are not refunded again. A buyer cannot refund a
ticket that was checked in; the organizer can.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum

from domain.errors import NotFound
from domain.holds import TicketLine, TicketRequest
from domain.ids import TicketId, Unit, ordinal_of, tier_of
from domain.inputs.problems import FieldProblem, InputRule
from domain.orders import Order, OrderStatus
from domain.payments.balances import refundable_units
from domain.payments.errors import NotRefundable, NotRefundableReason
from domain.payments.facts import FactKind, FactState
from domain.payments.payment import Refund
from domain.payments.status import is_disputed, outstanding_refunds
from domain.tickets.tickets import checked_in_units, find_ticket

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


def raise_if_checked_in(order: Order, units: Iterable[Unit]) -> None:
    """Raise NotRefundable if the ticket of any of these units was checked in."""
    used = checked_in_units(order).intersection(units)
    if used:
        raise NotRefundable(NotRefundableReason.CHECKED_IN, order.status, used=len(used))


def refund_choice_problems(
    lines: Sequence[TicketRequest] | None, tickets: Sequence[TicketId] | None
) -> Iterator[FieldProblem]:
    """Yield the problems with the choice of tickets to refund. An empty id represents a malformed
    one.
    """
    if tickets is None:
        return
    if lines is not None:
        message = "cannot be sent with `lines`; send one or the other"
        yield FieldProblem("tickets", message, InputRule.CONFLICT, other="lines")
    if not tickets:
        yield FieldProblem(
            "tickets", "is empty; send the ids of the tickets, or omit it to refund all", InputRule.EMPTY
        )
    for index, id_ in enumerate(tickets):
        if id_ and id_ in tickets[:index]:
            message = "repeats an earlier ticket; send each ticket once"
            yield FieldProblem(f"tickets.{index}", message, InputRule.REPEATED)


def units_of_tickets(order: Order, tickets: Sequence[TicketId]) -> tuple[Unit, ...]:
    """Return the units of these tickets.

    Raises NotFound for a ticket of another order, and NotRefundable if a ticket was already
    refunded.
    """
    found = {id_: find_ticket(order, id_) for id_ in tickets}
    units = tuple(ticket.unit for ticket in found.values() if ticket is not None)
    if len(units) < len(found):
        raise NotFound("Ticket", next(id_ for id_, ticket in found.items() if ticket is None))
    if not set(units) <= set(refundable_units(order)):
        raise NotRefundable(NotRefundableReason.NOTHING_LEFT, order.status)
    return units


def choose_units(order: Order, lines: Sequence[TicketRequest]) -> tuple[Unit, ...]:
    """Return the units to refund for these lines, always the same units for the same order and
    lines. Units whose tickets were checked in come last.

    Raises NotRefundable if a tier has fewer units left than requested.
    """
    used = checked_in_units(order)
    left = sorted(refundable_units(order), key=lambda unit: unit in used)
    chosen: list[Unit] = []
    for line in lines:
        units = [unit for unit in left if tier_of(unit) == line.tier_id]
        if len(units) < line.quantity:
            raise NotRefundable(NotRefundableReason.TOO_MANY, order.status, left=len(units))
        chosen += units[: line.quantity]
    return tuple(chosen)
