"""The emails with transfer links, as the resolvers use them."""

from dataclasses import dataclass
from typing import Protocol

from domain.errors import TemporarilyUnavailable
from domain.mails.mail import Mail, MailKind
from domain.orders import Order
from domain.tickets.ticket import Ticket, Transfer
from domain.tickets.transfer_links import TransferToken, transfer_mail_id
from storage.mongo.mails.outbox import MailOutbox
from telemetry import traces


@dataclass(frozen=True, slots=True)
class TransferMail:
    """An email that offers a ticket. `ticket` and `order` already contain the offer."""

    order: Order
    ticket: Ticket
    transfer: Transfer
    token: TransferToken

    @property
    def id(self) -> str:
        return transfer_mail_id(self.token.ticket_id, self.ticket.generation, self.transfer)


class TransferMails(Protocol):
    """A queue of emails, each of which is sent at least once."""

    async def add(self, mail: TransferMail) -> None:
        """Add the email, unless one with its id exists. Raises TemporarilyUnavailable."""

    async def exists(self, mail_id: str) -> bool:
        """Return whether an email with this id was added. Raises TemporarilyUnavailable."""


class QueuedTransferMails:
    """Puts the emails into the outbox, from which a worker sends them."""

    def __init__(self, outbox: MailOutbox) -> None:
        self._outbox = outbox

    async def add(self, mail: TransferMail) -> None:
        now = mail.transfer.requested_at
        queued = Mail(
            id=mail.id,
            kind=MailKind.TRANSFER,
            concert_id=mail.order.concert_id,
            order_id=mail.order.id,
            person_id=mail.ticket.holder_id,
            created_at=now,
            due_at=now,
            number=mail.ticket.generation,
            unit=mail.ticket.unit,
            secret=str(mail.token),
            traceparent=traces.current_traceparent(),
        )
        await self._outbox.insert([queued])

    async def exists(self, mail_id: str) -> bool:
        return await self._outbox.get(mail_id) is not None


class NoTransferMails:
    """The emails of a process that sends none: tickets cannot be transferred."""

    async def add(self, mail: TransferMail) -> None:
        raise TemporarilyUnavailable(
            f"This server sends no emails, so ticket {mail.token.ticket_id} cannot be transferred"
        )

    async def exists(self, mail_id: str) -> bool:
        del mail_id
        return False
