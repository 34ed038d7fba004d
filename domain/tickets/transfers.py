"""The transfer of a ticket to another person, as pure functions of its order.

The holder offers a ticket, and a link with a secret is sent to an email address. The ticket stays
with its holder until the person with this address accepts it. The acceptance raises the generation
of the ticket, so the same change invalidates the code of the earlier holder. The order, its share
of the purchase limit, and every refund stay with the buyer.
"""

import hmac
from dataclasses import replace
from datetime import datetime, timedelta

from domain.ids import PersonId, TicketId
from domain.orders import Order
from domain.payments.conclusion import TRANSFER_ACCEPTED, TRANSFER_CANCELED, TRANSFER_REQUESTED, conclude
from domain.text.email_addresses import clean_email
from domain.tickets.errors import TransferProblem, TransferRefused
from domain.tickets.state import TicketState, ticket_state
from domain.tickets.ticket import Ticket, Transfer
from domain.tickets.tickets import find_ticket, with_ticket

TRANSFER_DAYS = 7
TRANSFER_LASTS = timedelta(days=TRANSFER_DAYS)
"""Long enough to read an email after a holiday. The holder can cancel the transfer at any time."""
MAX_GENERATION = 50
"""Each acceptance adds an entry to the revocation list, which every gate must load."""

_PROBLEMS = {
    TicketState.VOID: TransferProblem.TICKET_VOID,
    TicketState.SUSPENDED: TransferProblem.TICKET_SUSPENDED,
}


def request_transfer(
    order: Order, ticket_id: TicketId, *, holder: PersonId, email: str, secret_digest: str, now: datetime
) -> Order:
    """Offer the ticket to the person with this address. Any earlier offer ends.

    Raises TransferRefused.
    """
    ticket = _held_ticket(order, ticket_id, holder)
    _raise_unless_transferable(order, ticket)
    transfer = Transfer(secret_digest, email, now, now + TRANSFER_LASTS)
    return conclude(order, with_ticket(order, replace(ticket, transfer=transfer)), now, kind=TRANSFER_REQUESTED)


def cancel_transfer(order: Order, ticket_id: TicketId, *, holder: PersonId, now: datetime) -> Order:
    """Withdraw the offer. Nothing changes if there is none. Raises TransferRefused."""
    ticket = _held_ticket(order, ticket_id, holder)
    if pending_transfer(ticket, now) is None:
        return order
    return conclude(order, with_ticket(order, replace(ticket, transfer=None)), now, kind=TRANSFER_CANCELED)


def accept_transfer(
    order: Order,
    ticket_id: TicketId,
    *,
    secret_digest: str,
    person_id: PersonId,
    email: str | None,
    is_email_verified: bool,
    name: str,
    now: datetime,
) -> Order:
    """Give the ticket, with a new generation, to the person to whom it was offered.

    Nothing changes if this person has already accepted it. Raises TransferRefused.
    """
    ticket = find_ticket(order, ticket_id)
    transfer = ticket.transfer if ticket else None
    if ticket is None or transfer is None or not hmac.compare_digest(transfer.secret_digest, secret_digest):
        raise TransferRefused(TransferProblem.LINK_NOT_VALID)
    if transfer.accepted_at is not None:
        if ticket.holder_id == person_id:
            return order
        raise TransferRefused(TransferProblem.LINK_USED)
    if now >= transfer.expires_at:
        raise TransferRefused(TransferProblem.LINK_EXPIRED)
    if not is_same_address(email, transfer.email):
        raise TransferRefused(TransferProblem.WRONG_PERSON)
    if not is_email_verified:
        # Anyone may have entered this address at the issuer.
        raise TransferRefused(TransferProblem.EMAIL_NOT_VERIFIED)
    _raise_unless_transferable(order, ticket)
    accepted = replace(
        ticket,
        generation=ticket.generation + 1,
        holder_id=person_id,
        holder_name=name,
        holder_email=transfer.email,
        renewals=0,
        transfer=replace(transfer, accepted_at=now),
    )
    return conclude(order, with_ticket(order, accepted), now, kind=TRANSFER_ACCEPTED)


def pending_transfer(ticket: Ticket, now: datetime) -> Transfer | None:
    """Return the ticket's offer if it can be accepted, otherwise None."""
    transfer = ticket.transfer
    if transfer is None or transfer.accepted_at is not None or now >= transfer.expires_at:
        return None
    return transfer


def is_same_address(one: str | None, other: str) -> bool:
    """Return whether two email addresses are the same, regardless of case.

    A mail provider may distinguish case in addresses, but no common one does.
    """
    return one is not None and clean_email(one) != "" and clean_email(one).casefold() == clean_email(other).casefold()


def _held_ticket(order: Order, ticket_id: TicketId, holder: PersonId) -> Ticket:
    ticket = find_ticket(order, ticket_id)
    if ticket is None or ticket.holder_id != holder:
        raise TransferRefused(TransferProblem.NOT_HOLDER)
    return ticket


def _raise_unless_transferable(order: Order, ticket: Ticket) -> None:
    state = ticket_state(order, ticket)
    if state in _PROBLEMS:
        raise TransferRefused(_PROBLEMS[state])
    if ticket.check_in is not None:
        raise TransferRefused(TransferProblem.CHECKED_IN)
    if ticket.generation >= MAX_GENERATION:
        raise TransferRefused(TransferProblem.TOO_OFTEN)
