"""The state of a ticket, derived from its order."""

from enum import StrEnum

from domain.ids import Unit
from domain.orders import Order, OrderStatus
from domain.payments.status import is_disputed
from domain.tickets.ticket import Ticket

LIVING = frozenset({OrderStatus.PAID, OrderStatus.FULFILLED, OrderStatus.REFUND_PENDING})
"""The statuses of orders that may have valid tickets."""


class TicketState(StrEnum):
    VALID = "VALID"
    SUSPENDED = "SUSPENDED"
    """The bank is deciding a dispute about the payment."""
    VOID = "VOID"
    """A refund of the ticket has been decided, or its order is no longer paid."""


def ticket_state(order: Order, ticket: Ticket) -> TicketState:
    return unit_state(order, ticket.unit)


def unit_state(order: Order, unit: Unit) -> TicketState:
    """Return the state of the ticket for a unit. A refund voids the ticket as soon as the refund is
    stored, before the provider is called.
    """
    if order.status not in LIVING or unit not in order.units or unit in refunded_units(order):
        return TicketState.VOID
    return TicketState.SUSPENDED if is_disputed(order) else TicketState.VALID


def refunded_units(order: Order) -> frozenset[Unit]:
    """Return the units in the refunds of the order, whatever the state of the refunds."""
    refunds = order.payment.refunds if order.payment else ()
    return frozenset(unit for refund in refunds for unit in refund.units)
