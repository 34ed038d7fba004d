"""Resolvers for the transfer of tickets.

The offer is stored with the order first, and the email with its link is stored after that. If a
process stops between the two, the holder sees an offer whose link never arrives; repeating the
request replaces it with a new one.
"""

from dataclasses import dataclass
from datetime import datetime

from domain.errors import NotFound
from domain.ids import ConcertId, TicketId, TierId, tier_of
from domain.orders import Order
from domain.text.characters import clean_line, line_problems
from domain.text.email_addresses import clean_email, email_problems
from domain.tickets import transfers
from domain.tickets.errors import TransferProblem, TransferRefused
from domain.tickets.ticket import Ticket
from domain.tickets.tickets import find_ticket
from domain.tickets.transfer_links import new_transfer_token, parse_transfer_token, transfer_mail_id
from domain.validation import MAX_NAME, raise_problems
from payments.saga.order_payments import now_ms
from resolvers.context import Context
from resolvers.permissions import may_see
from resolvers.tickets.changes import change_order
from resolvers.tickets.transfer_mails import TransferMail
from storage.mongo.tickets.tickets import OrderTicket


async def transfer_ticket(context: Context, concert_id: ConcertId, ticket_id: TicketId, email: str) -> OrderTicket:
    """Offer a ticket of the viewer to the person with this address, send the link, and return the
    ticket.

    Repeating the request sends no second email. Raises NotFound, TransferRefused or RateLimited.
    """
    raise_problems(email_problems("email", email))
    viewer, address = context.signed_in(), clean_email(email)
    found = await _get_ticket(context, concert_id, ticket_id)
    if found.ticket.holder_id == viewer.person_id and await _is_offered(context, found.ticket, ticket_id, address):
        return found
    context.call_limits.count_transfer(viewer.person_id, context.address)
    return await context.stores.detached_tasks.run(_offer(context, found.order, ticket_id, address))


async def cancel_ticket_transfer(context: Context, concert_id: ConcertId, ticket_id: TicketId) -> OrderTicket:
    """Withdraw the offer of a ticket, so that its link no longer works, and return the ticket.

    Raises NotFound or TransferRefused.
    """
    holder = context.signed_in().person_id
    found = await _get_ticket(context, concert_id, ticket_id)
    order = await change_order(
        context, found.order, lambda order: transfers.cancel_transfer(order, ticket_id, holder=holder, now=now_ms())
    )
    return _ticket_of(order, ticket_id)


@dataclass(frozen=True, slots=True)
class TicketOffer:
    """The part of an offer that its link shows: neither the people nor their addresses."""

    concert_id: ConcertId
    tier_id: TierId
    expires_at: datetime
    problem: TransferProblem | None
    """Why the viewer cannot accept the ticket. For a viewer who is signed out, only the ticket and
    the link are checked.
    """


async def find_ticket_offer(context: Context, token: str) -> TicketOffer | None:
    """Return the offer behind a link, or None if the link is not complete or no longer valid."""
    parsed = parse_transfer_token(token)
    found = await context.stores.tickets.get(parsed.concert_id, parsed.ticket_id) if parsed else None
    if parsed is None or found is None:
        return None
    try:
        ticket, transfer = transfers.find_offer(found.order, parsed.ticket_id, secret_digest=parsed.digest)
    except TransferRefused:
        return None
    viewer = context.viewer
    recipient = transfers.Recipient(viewer.person_id, viewer.email, viewer.is_email_verified) if viewer else None
    problem = transfers.offer_problem(found.order, ticket, transfer, recipient=recipient, now=now_ms())
    return TicketOffer(parsed.concert_id, tier_of(ticket.unit), transfer.expires_at, problem)


async def accept_ticket_transfer(context: Context, token: str, holder_name: str | None) -> OrderTicket:
    """Give the viewer the ticket that the link offers, and return the ticket.

    Without `holder_name`, the ticket bears the name of the viewer's account.

    Raises TransferRefused.
    """
    if holder_name is not None:
        raise_problems(line_problems("holderName", holder_name, longest=MAX_NAME))
    viewer, parsed = context.signed_in(), parse_transfer_token(token)
    found = await context.stores.tickets.get(parsed.concert_id, parsed.ticket_id) if parsed else None
    if parsed is None or found is None:
        raise TransferRefused(TransferProblem.LINK_NOT_VALID)

    def accept(order: Order) -> Order:
        return transfers.accept_transfer(
            order,
            parsed.ticket_id,
            secret_digest=parsed.digest,
            person_id=viewer.person_id,
            email=viewer.email,
            is_email_verified=viewer.is_email_verified,
            name=clean_line(viewer.name if holder_name is None else holder_name)[:MAX_NAME],
            now=now_ms(),
        )

    return _ticket_of(await change_order(context, found.order, accept), parsed.ticket_id)


async def _is_offered(context: Context, ticket: Ticket, ticket_id: TicketId, address: str) -> bool:
    """Return whether the ticket is offered to this address and the email with the link exists."""
    transfer = transfers.pending_transfer(ticket, now_ms())
    if transfer is None or not transfers.is_same_address(transfer.email, address):
        return False
    return await context.transfer_mails.exists(transfer_mail_id(ticket_id, ticket.generation, transfer))


async def _offer(context: Context, order: Order, ticket_id: TicketId, address: str) -> OrderTicket:
    token, holder = new_transfer_token(order.concert_id, ticket_id), context.signed_in().person_id

    def offer(order: Order) -> Order:
        return transfers.request_transfer(
            order, ticket_id, holder=holder, email=address, secret_digest=token.digest, now=now_ms()
        )

    made = _ticket_of(await change_order(context, order, offer), ticket_id)
    assert made.ticket.transfer is not None
    await context.transfer_mails.add(TransferMail(made.order, made.ticket, made.ticket.transfer, token))
    return made


def _ticket_of(order: Order, ticket_id: TicketId) -> OrderTicket:
    ticket = find_ticket(order, ticket_id)
    assert ticket is not None
    return OrderTicket(order, ticket)


async def _get_ticket(context: Context, concert_id: ConcertId, ticket_id: TicketId) -> OrderTicket:
    """Return a ticket that the viewer holds, has bought, or sees as an organizer.

    Raises NotFound.
    """
    found = await context.stores.tickets.get(concert_id, ticket_id)
    if found is None:
        raise NotFound("Ticket", ticket_id)
    is_holder = found.ticket.holder_id == context.signed_in().person_id
    if not is_holder and not await may_see(context, concert_id, owner=found.order.person_id):
        raise NotFound("Ticket", ticket_id)
    return found
