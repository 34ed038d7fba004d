"""Finds and replaces tickets of an order."""

from dataclasses import replace

from domain.ids import TicketId, Unit, ticket_id
from domain.orders import Order
from domain.tickets.ticket import Ticket


def find_ticket(order: Order, id_: TicketId) -> Ticket | None:
    return next((ticket for ticket in order.tickets if ticket_id(order.id, ticket.unit) == id_), None)


def with_ticket(order: Order, changed: Ticket) -> Order:
    """Return the order with this ticket in place of the one for the same unit."""
    return replace(order, tickets=tuple(changed if one.unit == changed.unit else one for one in order.tickets))


def checked_in_units(order: Order) -> frozenset[Unit]:
    """Return the units whose tickets were checked in."""
    return frozenset(ticket.unit for ticket in order.tickets if ticket.check_in is not None)
