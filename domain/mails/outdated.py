"""Decides whether a queued mail is still true when it is due."""

from datetime import datetime, timedelta

from domain.concerts import Concert, ConcertStatus
from domain.ids import ticket_id
from domain.mails.mail import Mail, MailKind, living_units, mails_of
from domain.orders import Order
from domain.tickets.transfer_links import transfer_mail_id
from domain.tickets.transfers import pending_transfer

TOLD_UNTIL = timedelta(days=1)
"""How long after the start of a concert its mails are still sent."""


def why_outdated(mail: Mail, order: Order, concert: Concert, *, newest_notice: int, now: datetime) -> str | None:
    """Return why a mail must no longer be sent, or None. `newest_notice` is the version of the
    latest notice about the concert.
    """
    is_of_order = mail.kind in (MailKind.CONFIRMATION, MailKind.REFUND, MailKind.RENEWED)
    if is_of_order and mail.id not in {one.id for one in mails_of(order, now)}:
        return "the order has changed"
    if mail.kind is MailKind.REFUND:
        return None
    if mail.kind is MailKind.TRANSFER and not _is_offered(mail, order, now):
        return "the ticket is no longer offered"
    if mail.kind in (MailKind.MOVED, MailKind.CANCELED) and mail.unit is not None and not _is_holder(mail, order):
        return "the ticket was passed on again"
    is_canceled = concert.status is ConcertStatus.CANCELLED
    if mail.kind is MailKind.CANCELED:
        return None if is_canceled else "the concert was not canceled"
    if is_canceled:
        return "the concert was canceled"
    if now >= concert.terms.starts_at + TOLD_UNTIL:
        return "the concert is over"
    if mail.kind is MailKind.MOVED and newest_notice > mail.number:
        return "the concert was moved again"
    units = living_units(order)
    is_valid = mail.unit in units if mail.unit is not None else units
    return None if is_valid else "the tickets are no longer valid"


def _is_offered(mail: Mail, order: Order, now: datetime) -> bool:
    """Return whether the ticket is still offered with the link of this mail."""
    ticket = next((ticket for ticket in order.tickets if ticket.unit == mail.unit), None)
    transfer = pending_transfer(ticket, now) if ticket else None
    if ticket is None or transfer is None:
        return False
    return mail.id == transfer_mail_id(ticket_id(order.id, ticket.unit), ticket.generation, transfer)


def _is_holder(mail: Mail, order: Order) -> bool:
    """Return whether the recipient of the mail still holds the ticket."""
    return any(ticket.unit == mail.unit and ticket.holder_id == mail.person_id for ticket in order.tickets)
