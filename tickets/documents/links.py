"""Signed links with which a browser downloads a document without signing in, for five minutes.

A link is for the tickets of one holder with the codes they had when it was made. It is signed with
HMAC-SHA-256, with a key that is derived from a master key and the day on which the link expires.
Signing keys thus change every day, and once all processes have a new master key, links of the old
one no longer work.
"""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from domain.ids import OrderId, PersonId, TicketId
from tickets.keys import TicketKeys

LASTS = timedelta(minutes=5)
MAX_CHARACTERS = 2_000
"""Longer than any of our links, and short enough to be cheap to check."""
_DAY_S = 86_400


class LinkProblem(StrEnum):
    ALTERED = "ALTERED"
    """Not signed by this server, or changed afterward."""
    EXPIRED = "EXPIRED"


class BadLink(Exception):
    def __init__(self, problem: LinkProblem) -> None:
        super().__init__(problem.value)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class DownloadLink:
    order_id: OrderId
    ticket_id: TicketId | None
    """The only ticket in the document. None if the document has all tickets of the holder."""
    person_id: PersonId = field(repr=False)
    tickets_digest: str
    """The fingerprint of the tickets and their generations."""
    expires_at: datetime


class DownloadLinks:
    def __init__(self, keys: TicketKeys) -> None:
        self._keys = keys

    def sign(self, link: DownloadLink) -> str:
        """Return the text of a link, to be part of a URL."""
        expires_s = int(link.expires_at.timestamp())
        fields = [link.order_id, link.ticket_id, link.person_id, link.tickets_digest, expires_s]
        signed = _encode(json.dumps(fields, separators=(",", ":")).encode())
        return f"{signed}.{self._signatures(signed, expires_s)[0]}"

    def read(self, text: str, now: datetime) -> DownloadLink:
        """Verify a link. Raises BadLink."""
        signed, _, signature = text.rpartition(".")
        if len(text) > MAX_CHARACTERS or not text.isascii():
            raise BadLink(LinkProblem.ALTERED)
        try:
            order_id, ticket_id, person_id, digest, expires_s = json.loads(_decode(signed))
            known = self._signatures(signed, int(expires_s))
        except (ValueError, TypeError, OverflowError, RecursionError):
            raise BadLink(LinkProblem.ALTERED) from None
        # Nothing from the link is used before its signature has been verified.
        if not any(hmac.compare_digest(signature, one) for one in known):
            raise BadLink(LinkProblem.ALTERED)
        expires_at = datetime.fromtimestamp(expires_s, UTC)
        if now >= expires_at:
            raise BadLink(LinkProblem.EXPIRED)
        return DownloadLink(order_id, ticket_id, person_id, digest, expires_at)

    def _signatures(self, signed: str, expires_s: int) -> list[str]:
        """Return a signature for each key of the day; the first one is used for new links."""
        keys = self._keys.secrets_for(b"download link %d" % (expires_s // _DAY_S))
        return [_encode(hmac.digest(key, signed.encode(), hashlib.sha256)) for key in keys]


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
