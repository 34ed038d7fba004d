"""Turns queued mails into messages, and holds what a process needs to send them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage

from domain.concerts import Concert
from domain.limits.rates import Rate
from domain.mails.mail import Mail
from domain.orders import Order
from domain.text.characters import plain_line
from domain.text.email_addresses import ascii_email
from mail.documents import Attachment, NoDocuments, OrderDocuments
from mail.letters import Letter, Site, write_letter
from mail.messages import build_message, is_attachable
from mail.smtp import SmtpServer


@dataclass(frozen=True, slots=True)
class ReadyMail:
    message: EmailMessage
    recipient: str
    """The address for the mail server, in ASCII if possible."""


@dataclass(frozen=True, slots=True)
class Mailer:
    server: SmtpServer | None
    """None in a development installation without a mail server."""
    sender: Address
    site: Site
    keeps_copies: bool
    """Whether the mailbox page shows sent mails; never in production."""
    documents: OrderDocuments = field(default_factory=NoDocuments)
    per_recipient: Rate | None = None
    transfers_per_recipient: Rate | None = None
    per_person: Rate | None = None

    async def prepare(self, mail: Mail, order: Order, concert: Concert, now: datetime) -> ReadyMail:
        files = await self._files(mail, order, concert)
        letter = write_letter(mail, order, concert, self.site, has_documents=bool(files), now=now)
        recipient = ascii_email(letter.recipient) or letter.recipient
        to = _address(letter, recipient)
        message = build_message(mail, letter, files, sender=self.sender, recipient=to, now=now)
        return ReadyMail(message, recipient)

    async def _files(self, mail: Mail, order: Order, concert: Concert) -> Sequence[Attachment]:
        if not mail.has_documents:
            return ()
        files = await self.documents.documents_for(order, concert, mail.person_id)
        return files if is_attachable(files) else ()


def _address(letter: Letter, recipient: str) -> Address:
    username, _, domain = recipient.rpartition("@")
    return Address(plain_line(letter.name), username=username, domain=domain)
