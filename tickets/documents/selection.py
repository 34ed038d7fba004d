"""The tickets that a document of an order shows: the valid ones that one person holds.

A document never has the code of a ticket that was passed on, or is no longer valid.
"""

from collections.abc import Sequence

from domain.ids import PersonId, TicketId, fingerprint, ticket_id
from domain.orders import Order
from domain.tickets.state import TicketState, ticket_state
from domain.tickets.ticket import Ticket


def held_tickets(order: Order, person_id: PersonId) -> tuple[Ticket, ...]:
    """Return all tickets of the order that the person holds, including void ones."""
    return tuple(ticket for ticket in order.tickets if ticket.holder_id == person_id)


def valid_tickets(order: Order, person_id: PersonId, only: TicketId | None = None) -> tuple[Ticket, ...]:
    """Return the valid tickets that the person holds, or only the one with this id."""
    return tuple(
        ticket
        for ticket in held_tickets(order, person_id)
        if ticket_state(order, ticket) is TicketState.VALID and only in (None, ticket_id(order.id, ticket.unit))
    )


def tickets_digest(order: Order, tickets: Sequence[Ticket]) -> str:
    """Return the fingerprint of the tickets, which changes when any of them gets a new code."""
    return fingerprint(*(f"{ticket_id(order.id, ticket.unit)}:{ticket.generation}" for ticket in tickets))
