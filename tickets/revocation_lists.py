"""The revocation list of a concert, for gates that verify codes offline.

A list is a gzip file with two lines: `onsale-revocations-1 <key id> <signature>` and a JSON
object. The Ed25519 signature covers the word, a line feed and the bytes of the object as they are.
The sequence is the number of entries. It never decreases, so a gate can refuse an older list.
"""

import base64
import gzip
import json
from collections.abc import Sequence
from datetime import UTC, datetime

from domain.tickets.ticket import Revocation
from tickets.codes import concert_digest
from tickets.keys import TicketKey

WORD = "onsale-revocations-1"


def make_list(key: TicketKey, revocations: Sequence[Revocation], at: datetime) -> bytes:
    """Return the signed list of all revocations of the key's concert, as known at the time `at`."""
    content = {
        "concert": concert_digest(key.concert_id).hex(),
        "sequence": len(revocations),
        "at": at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "revoked": sorted(f"{one.ticket_id}:{one.generation}" for one in revocations),
    }
    body = json.dumps(content, separators=(",", ":")).encode()
    signature = base64.urlsafe_b64encode(key.sign(f"{WORD}\n".encode() + body)).decode().rstrip("=")
    return gzip.compress(f"{WORD} {key.id} {signature}\n".encode() + body, mtime=0)
