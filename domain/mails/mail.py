"""The mails that people get. The id of a mail follows from its cause, so the mail is queued once,
however often the cause is processed.

A mail names the order that it is about. Its text is written from the current order when it is sent,
so it never promises anything that has changed since.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from domain.ids import ConcertId, OrderId, PersonId, Unit, ticket_id
from domain.orders import Order
from domain.payments.payment import Refund, RefundReason
from domain.payments.refunds import RefundState, refund_state, shown_refunds
from domain.tickets.state import TicketState, ticket_state
from domain.tickets.ticket import Ticket

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)
GIVE_UP_AFTER = timedelta(hours=72)
"""As long as mail servers usually retry."""
MAX_UNANSWERED = 5
"""The maximum number of copies a person gets from a server that takes mails without an answer."""


class MailKind(StrEnum):
    CONFIRMATION = "CONFIRMATION"
    REFUND = "REFUND"
    TRANSFER = "TRANSFER"
    RENEWED = "RENEWED"
    """The tickets are valid again, with new codes, after a dispute about their payment."""
    MOVED = "MOVED"
    """The concert takes place at a different time or venue."""
    CANCELED = "CANCELED"
    """The concert does not take place."""


class MailState(StrEnum):
    DUE = "DUE"
    SENT = "SENT"
    """A mail server has accepted it, or it is in the mailbox of a development installation."""
    DROPPED = "DROPPED"
    """It is no longer true."""
    DEAD = "DEAD"
    """It could not be sent. It is kept for an operator, who may try again."""


@dataclass(frozen=True, slots=True)
class Mail:
    id: str
    """Names the cause. It is also the left part of the Message-ID, with dots instead of colons."""
    kind: MailKind
    concert_id: ConcertId
    order_id: OrderId
    person_id: PersonId
    """The person whose action caused the mail; their rate of mails is limited."""
    created_at: datetime
    due_at: datetime | None
    """When the mail is due; None once it was sent, dropped or given up."""
    number: int = 0
    """The number of the refund, the generation of the ticket, or the version of the concert."""
    unit: Unit | None = None
    """The unit of the ticket that is offered, or that its recipient holds; None for a mail to the
    buyer.
    """
    secret: str | None = field(default=None, repr=False)
    """The secret of the link in a transfer. It is erased once the mail has been sent or dropped."""
    state: MailState = MailState.DUE
    attempts: int = 0
    """Attempts that failed because of this mail, not because of the mail server."""
    failing_since: datetime | None = None
    unanswered: int = 0
    """Attempts after which the server may have taken the mail without an answer."""
    problem: str = ""
    traceparent: str | None = None
    """The trace to which the sending belongs, as W3C Trace Context writes it."""

    @property
    def has_documents(self) -> bool:
        """Return whether the tickets are attached."""
        return self.kind in (MailKind.CONFIRMATION, MailKind.RENEWED, MailKind.MOVED)

    def sent(self) -> "Mail":
        return replace(self, state=MailState.SENT, due_at=None, problem="", secret=None)

    def dropped(self, why: str) -> "Mail":
        return replace(self, state=MailState.DROPPED, due_at=None, problem=why, secret=None)

    def dead(self, problem: str) -> "Mail":
        return replace(self, state=MailState.DEAD, due_at=None, problem=problem)

    def delayed(self, until: datetime) -> "Mail":
        """Return the mail with a later due time. This does not count as a failure."""
        return replace(self, due_at=until)

    def without_answer(self, problem: str, now: datetime) -> "Mail":
        """Return the mail after an attempt that may have sent it. After the last such attempt it is
        a dead letter, because the recipient may have got a copy each time.
        """
        counted = replace(self, unanswered=self.unanswered + 1)
        return counted.dead(problem) if counted.unanswered >= MAX_UNANSWERED else counted.failed(problem, now)

    def failed(self, problem: str, now: datetime) -> "Mail":
        """Return the mail with its next attempt, or as a dead letter after 72 hours."""
        since = self.failing_since or now
        if now - since >= GIVE_UP_AFTER:
            return self.dead(problem)
        pause = min(FIRST_PAUSE * 2 ** min(self.attempts, 10), LONGEST_PAUSE)
        return replace(self, attempts=self.attempts + 1, failing_since=since, problem=problem, due_at=now + pause)


def mails_of(order: Order, now: datetime) -> tuple[Mail, ...]:
    """Return the mails that an order has caused so far: its confirmation, mails about new codes,
    mails about the cancellation for which it is refunded, and one for each refund whose money has
    been returned.
    """
    found = []
    if living_units(order):
        found.append(_mail(order, f"confirm:{order.id}", MailKind.CONFIRMATION, now))
    found += _renewal_mails(order, now)
    refunds = [refund for refund in shown_refunds(order) if refund.number not in order.effects.silent_refunds]
    if any(_is_for_cancellation(refund) for refund in refunds):
        found += notices_of(order, MailKind.CANCELED, 0, now)
    for refund in refunds:
        if refund.amount_minor and refund_state(order, refund) is RefundState.SUCCEEDED:
            mail = _mail(order, f"refund:{order.id}:{refund.number}", MailKind.REFUND, now)
            found.append(replace(mail, number=refund.number))
    return tuple(found)


def notices_of(order: Order, kind: MailKind, version: int, now: datetime) -> tuple[Mail, ...]:
    """Return the mails that announce that a concert was moved or canceled: one to the buyer, and
    one to each person to whom the buyer has passed tickets on.
    """
    is_moved = kind is MailKind.MOVED
    id_ = f"moved:{order.concert_id}:{version}:{order.id}" if is_moved else cancellation_id(order)
    buyer = replace(_mail(order, id_, kind, now), number=version)
    others = [
        replace(buyer, id=f"{id_}:{ticket_id(order.id, ticket.unit)}", person_id=ticket.holder_id, unit=ticket.unit)
        for ticket in _one_per_holder(order, order.tickets)
    ]
    return (buyer, *others)


def _renewal_mails(order: Order, now: datetime) -> Iterator[Mail]:
    """Yield the mails about new codes after a dispute was won: one to the buyer, who may hold
    several of the tickets, and one to each other holder.
    """
    renewed = [
        ticket for ticket in order.tickets if ticket.renewals and ticket_state(order, ticket) is TicketState.VALID
    ]
    mail = _mail(order, f"renewed:{order.id}", MailKind.RENEWED, now)
    own = max((ticket.renewals for ticket in renewed if not is_passed_on(order, ticket)), default=0)
    if own:
        yield replace(mail, id=f"{mail.id}:{own}", number=own)
    for ticket in _one_per_holder(order, renewed):
        id_ = f"{mail.id}:{ticket_id(order.id, ticket.unit)}:{ticket.generation}"
        yield replace(mail, id=id_, person_id=ticket.holder_id, number=ticket.generation, unit=ticket.unit)


def _one_per_holder(order: Order, tickets: Sequence[Ticket]) -> list[Ticket]:
    """Return the first ticket of each person to whom the buyer has passed tickets on."""
    first = {ticket.holder_id: ticket for ticket in reversed(tickets) if is_passed_on(order, ticket)}
    return [ticket for _, ticket in sorted(first.items())]


def cancellation_id(order: Order) -> str:
    """Return the id of the mail that tells the buyer that the concert was canceled."""
    return f"canceled:{order.concert_id}:{order.id}"


def is_refunded_for_cancellation(order: Order) -> bool:
    """Return whether tickets of the order are refunded because its concert was canceled."""
    refunds = order.payment.refunds if order.payment else ()
    return any(_is_for_cancellation(refund) for refund in refunds)


def _is_for_cancellation(refund: Refund) -> bool:
    return refund.reason is RefundReason.CONCERT_CANCELLED and bool(refund.units)


def is_passed_on(order: Order, ticket: Ticket) -> bool:
    """Return whether another person, whose address is known, holds the ticket."""
    return ticket.holder_id != order.person_id and ticket.holder_email is not None


def living_units(order: Order) -> tuple[Unit, ...]:
    """Return the units of an order that have a ticket, valid or suspended."""
    return tuple(ticket.unit for ticket in order.tickets if ticket_state(order, ticket) is not TicketState.VOID)


def _mail(order: Order, id_: str, kind: MailKind, now: datetime) -> Mail:
    return Mail(
        id_,
        kind,
        order.concert_id,
        order.id,
        order.person_id,
        created_at=now,
        due_at=now,
        traceparent=order.traceparent,
    )
