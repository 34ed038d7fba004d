"""Emails with transfer links, in memory."""

from dataclasses import dataclass, field

from domain.errors import TemporarilyUnavailable
from resolvers.tickets.transfer_mails import TransferMail


@dataclass
class MailsInMemory:
    """The emails with links. While `is_down` is true, none can be added."""

    sent: dict[str, TransferMail] = field(default_factory=dict)
    is_down: bool = False

    async def add(self, mail: TransferMail) -> None:
        if self.is_down:
            raise TemporarilyUnavailable("The mail database does not answer")
        self.sent.setdefault(mail.id, mail)

    async def exists(self, mail_id: str) -> bool:
        return mail_id in self.sent

    def token_for(self, address: str) -> str:
        """Return the token of the newest link to this address."""
        return str([mail for mail in self.sent.values() if mail.transfer.email == address][-1].token)
