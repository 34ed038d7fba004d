"""Resolvers for tickets: who sees them, and who sees their codes.

A ticket is visible to its holder, its buyer, and the gate staff and the organizer of its concert.
Only its holder sees its code, so a buyer who has passed a ticket on cannot use it.
"""

from auth.viewer import Role
from domain.concerts import Concert
from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId, PersonId, TicketId
from domain.orders import Order
from domain.page import Page, PageRequest
from domain.tickets.ticket import Ticket
from resolvers.context import Context
from storage.mongo.tickets.tickets import OrderTicket


async def get_ticket(context: Context, concert_id: ConcertId, id_: TicketId) -> OrderTicket | None:
    """Return the ticket if the viewer may see it; otherwise None."""
    viewer = context.signed_in()
    found = await context.stores.tickets.get(concert_id, id_)
    if found is None or viewer.person_id in (found.ticket.holder_id, found.order.person_id):
        return found
    concert = await context.stores.concert_cache.get(concert_id)
    is_at_gate = concert is not None and Role.GATE in viewer.roles and viewer.person_id in concert.gate_people
    return found if is_at_gate or (concert and viewer.organizes(concert.organizer_id)) else None


async def page_viewer_tickets(context: Context, request: PageRequest) -> Page[OrderTicket]:
    """Return one page of the tickets that the viewer holds, from the newest order to the oldest."""
    return await context.stores.tickets.page_of_holder(context.signed_in().person_id, request)


async def find_staff(context: Context, order: Order, ticket: Ticket) -> tuple[PersonId | None, tuple[PersonId, ...]]:
    """Return the organizer and the gate staff of the ticket's concert.

    If the viewer is the holder or the buyer, the staff cannot matter, so this returns None and no
    gate staff without a read.
    """
    if context.signed_in().person_id in (ticket.holder_id, order.person_id):
        return None, ()
    concert = await context.stores.concert_cache.get(order.concert_id)
    return (concert.organizer_id, concert.gate_people) if concert else (None, ())


async def show_code(context: Context, order: Order, ticket: Ticket) -> str | None:
    """Return the code of a ticket, or None if it is not valid or the viewer is not its holder.

    Raises TemporarilyUnavailable.
    """
    if context.viewer is None or context.viewer.person_id != ticket.holder_id:
        return None
    concert = await context.concerts.get(order.concert_id, lambda: _get_concert(context, order.concert_id))
    if concert is None:
        raise TemporarilyUnavailable("The concert of this ticket cannot be read")
    return await context.concert_keys.sign_code(order, ticket, concert)


async def _get_concert(context: Context, concert_id: ConcertId) -> Concert | None:
    return await context.stores.concerts.get(concert_id)
