"""The transfer of a ticket to another person, as pure functions of its order.

The holder offers a ticket, and a link with a secret is sent to an email address. The ticket stays
with its holder until the person with this address accepts it. The acceptance raises the generation
of the ticket, so the same change invalidates the code of the earlier holder. The order, its share
of the purchase limit, and every refund stay with the buyer.
"""

import hmac
from dataclasses import dataclass, field, replace
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


@dataclass(frozen=True, slots=True)
class Recipient:
    """A person who opens the link of an offer, as their issuer knows them."""

    person_id: PersonId
    email: str | None = field(repr=False)
    is_email_verified: bool


def request_transfer(
    order: Order, ticket_id: TicketId, *, holder: PersonId, email: str, secret_digest: str, now: datetime
) -> Order:
    """Offer the ticket to the person with this address. Any earlier offer ends.

    Raises TransferRefused.
    """
    ticket = _held_ticket(order, ticket_id, holder)
    if problem := _ticket_problem(order, ticket):
        raise TransferRefused(problem)
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
    ticket, transfer = find_offer(order, ticket_id, secret_digest=secret_digest)
    if transfer.accepted_at is not None and ticket.holder_id == person_id:
        return order
    recipient = Recipient(person_id, email, is_email_verified)
    if problem := offer_problem(order, ticket, transfer, recipient=recipient, now=now):
        raise TransferRefused(problem)
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


def find_offer(order: Order, ticket_id: TicketId, *, secret_digest: str) -> tuple[Ticket, Transfer]:
    """Return the ticket that a link offers, and its newest offer, which may be accepted already.

    Raises TransferRefused if the link has no such offer, or an earlier one.
    """
    ticket = find_ticket(order, ticket_id)
    transfer = ticket.transfer if ticket else None
    if ticket is None or transfer is None or not hmac.compare_digest(transfer.secret_digest, secret_digest):
        raise TransferRefused(TransferProblem.LINK_NOT_VALID)
    return ticket, transfer


def offer_problem(
    order: Order, ticket: Ticket, transfer: Transfer, *, recipient: Recipient | None, now: datetime
) -> TransferProblem | None:
    """Return why this person cannot accept the offer, or None if they can or already have.

    Without a person, only the problems of the offer and of the ticket count.
    """
    if transfer.accepted_at is not None:
        is_holder = recipient is not None and ticket.holder_id == recipient.person_id
        return None if is_holder else TransferProblem.LINK_USED
    if now >= transfer.expires_at:
        return TransferProblem.LINK_EXPIRED
    if recipient is not None and not is_same_address(recipient.email, transfer.email):
        return TransferProblem.WRONG_PERSON
    if recipient is not None and not recipient.is_email_verified:
        # Anyone may have entered this address at the issuer.
        return TransferProblem.EMAIL_NOT_VERIFIED
    return _ticket_problem(order, ticket)


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


def _ticket_problem(order: Order, ticket: Ticket) -> TransferProblem | None:
    """Return why the ticket cannot be passed on, or None if it can."""
    state = ticket_state(order, ticket)
    if state in _PROBLEMS:
        return _PROBLEMS[state]
    if ticket.check_in is not None:
        return TransferProblem.CHECKED_IN
    return TransferProblem.TOO_OFTEN if ticket.generation >= MAX_GENERATION else None
