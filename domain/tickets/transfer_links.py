"""The secret link of a transfer.

The link carries a token: the concert, the ticket and a random secret. Only the fingerprint of the
secret is stored with the order; the secret itself is only in the email.
"""

import re
import secrets
from dataclasses import dataclass, field

from domain.ids import ConcertId, TicketId, fingerprint
from domain.tickets.ticket import Transfer

SECRET_BYTES = 32
_TOKEN = re.compile(r"([a-z0-9-]{1,64})\.([0-9a-f]{32})\.([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class TransferToken:
    concert_id: ConcertId
    ticket_id: TicketId
    secret: str = field(repr=False)

    @property
    def digest(self) -> str:
        return fingerprint("transfer", self.secret)

    def __str__(self) -> str:
        return f"{self.concert_id}.{self.ticket_id}.{self.secret}"


def new_transfer_token(concert_id: ConcertId, ticket_id: TicketId) -> TransferToken:
    return TransferToken(concert_id, ticket_id, secrets.token_urlsafe(SECRET_BYTES))


def parse_transfer_token(text: str) -> TransferToken | None:
    """Return the token, or None for a text that is not a complete token."""
    found = _TOKEN.fullmatch(text)
    return TransferToken(ConcertId(found[1]), TicketId(found[2]), found[3]) if found else None


def transfer_mail_id(ticket_id: TicketId, generation: int, transfer: Transfer) -> str:
    """Return the id of the email with the link. Each offer of a ticket has its own email."""
    return f"transfer:{ticket_id}:{generation}:{transfer.secret_digest[:16]}"
