"""The tickets and revocations that follow from a change to an order.

This is part of each change to an order, so an order is never stored with a paid unit that has no
ticket, or with an invalid ticket whose code is not revoked.
"""

from dataclasses import replace
from datetime import datetime

from domain.ids import TicketId, ticket_id
from domain.orders import Order
from domain.tickets.state import TicketState, ticket_state, unit_state
from domain.tickets.ticket import Revocation, Ticket


def follow(before: Order, after: Order, now: datetime) -> Order:
    """Return the changed order with the tickets and revocations that its change causes.

    - A unit of a paid order gets a ticket, unless it is being refunded.
    - A code is revoked when its ticket becomes invalid or gets a new generation.
    - A ticket that is valid again, because a dispute was won, gets a new generation.

    The caller raises the version. The same order is returned if nothing follows.
    """
    after = _with_missing_tickets(after)
    revoked = {(revocation.ticket_id, revocation.generation) for revocation in after.revocations}
    tickets = tuple(_renewed(after, ticket, revoked) for ticket in after.tickets)
    if tickets != after.tickets:
        after = replace(after, tickets=tickets)
    dead = [code for code in (*_replaced_codes(before, after), *_dead_codes(after)) if code not in revoked]
    if not dead:
        return after
    return replace(after, revocations=(*after.revocations, *(Revocation(*code, now) for code in dead)))


def _with_missing_tickets(order: Order) -> Order:
    issued = {ticket.unit for ticket in order.tickets}
    missing = [unit for unit in order.units if unit not in issued and unit_state(order, unit) is not TicketState.VOID]
    if not missing:
        return order
    new = (Ticket(unit, 1, order.person_id, order.customer.name) for unit in missing)
    return replace(order, tickets=(*order.tickets, *new))


def _renewed(order: Order, ticket: Ticket, revoked: set[tuple[TicketId, int]]) -> Ticket:
    is_valid = ticket_state(order, ticket) is TicketState.VALID
    if is_valid and (ticket_id(order.id, ticket.unit), ticket.generation) in revoked:
        return replace(ticket, generation=ticket.generation + 1, renewals=ticket.renewals + 1)
    return ticket


def _replaced_codes(before: Order, after: Order) -> list[tuple[TicketId, int]]:
    generations = {ticket.unit: ticket.generation for ticket in after.tickets}
    return [
        (ticket_id(after.id, ticket.unit), ticket.generation)
        for ticket in before.tickets
        if generations[ticket.unit] != ticket.generation
    ]


def _dead_codes(order: Order) -> list[tuple[TicketId, int]]:
    return [
        (ticket_id(order.id, ticket.unit), ticket.generation)
        for ticket in order.tickets
        if ticket_state(order, ticket) is not TicketState.VALID
    ]
