"""Ticket codes: what a gate scans.

A code is computed from the ticket and the key of its concert whenever it is shown, and never
stored. Ed25519 is deterministic, so a ticket of one generation has one code. The signature covers
the bytes before it and is checked over those bytes as they were received.

| Bytes | Content |
|---|---|
| 1 | version: 1 |
| 8 | id of the key |
| 16 | id of the ticket |
| 4 | generation of the ticket |
| 8 | first bytes of the fingerprint of the concert |
| 2 | ordinal of the tier |
| 8 | end of its validity, in seconds since 1970 |
| 64 | Ed25519 signature |

The bytes are written in Base45, 167 characters that a QR code holds in alphanumeric mode.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from domain.ids import ConcertId, TicketId, fingerprint
from tickets import base45
from tickets.keys import KeyId, TicketKey

VERSION = 1
SIGNATURE_BYTES = 64
_FIELDS = struct.Struct(">B8s16sI8sHQ")
CODE_BYTES = _FIELDS.size + SIGNATURE_BYTES
CODE_CHARACTERS = CODE_BYTES // 2 * 3 + CODE_BYTES % 2 * 2
VALID_AFTER_START = timedelta(days=400)
"""Longer than any postponement of a concert, because a printed code must still be valid on the new
date.
"""
_LATEST = int(datetime.max.replace(tzinfo=UTC, microsecond=0).timestamp())


class CodeProblem(StrEnum):
    MALFORMED = "MALFORMED"
    """Not a code of this version: truncated, too long, or from another system."""
    OTHER_CONCERT = "OTHER_CONCERT"
    UNKNOWN_KEY = "UNKNOWN_KEY"
    BAD_SIGNATURE = "BAD_SIGNATURE"
    """Forged or altered."""
    EXPIRED = "EXPIRED"


class BadCode(Exception):
    def __init__(self, problem: CodeProblem) -> None:
        super().__init__(problem.value)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class CodeContent:
    ticket_id: TicketId
    generation: int
    tier_ordinal: int
    valid_until: datetime


def concert_digest(concert_id: ConcertId) -> bytes:
    """Return the eight bytes that identify a concert in its codes."""
    return bytes.fromhex(fingerprint("concert", concert_id)[:16])


def sign_code(key: TicketKey, content: CodeContent) -> str:
    signed = _FIELDS.pack(
        VERSION,
        bytes.fromhex(key.id),
        bytes.fromhex(content.ticket_id),
        content.generation,
        concert_digest(key.concert_id),
        content.tier_ordinal,
        int(content.valid_until.timestamp()),
    )
    return base45.encode(signed + key.sign(signed))


def read_code(
    text: str, concert_id: ConcertId, public_keys: Mapping[KeyId, bytes], *, now: datetime | None
) -> CodeContent:
    """Verify a code for a concert, and return what it says. Without `now`, an expired code is
    accepted.

    Raises BadCode. A genuine code may have been revoked: the order or the revocation list decides.
    """
    received = _decode(text)
    signed, signature = received[: _FIELDS.size], received[_FIELDS.size :]
    version, key_id, ticket, generation, concert, tier_ordinal, valid_until = _FIELDS.unpack(signed)
    if version != VERSION:
        raise BadCode(CodeProblem.MALFORMED)
    if concert != concert_digest(concert_id):
        raise BadCode(CodeProblem.OTHER_CONCERT)
    public_key = public_keys.get(KeyId(key_id.hex()))
    if public_key is None:
        raise BadCode(CodeProblem.UNKNOWN_KEY)
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, signed)
    except InvalidSignature as error:
        raise BadCode(CodeProblem.BAD_SIGNATURE) from error
    content = CodeContent(
        TicketId(ticket.hex()), generation, tier_ordinal, datetime.fromtimestamp(min(valid_until, _LATEST), UTC)
    )
    if now is not None and now > content.valid_until:
        raise BadCode(CodeProblem.EXPIRED)
    return content


def valid_until(starts_at: datetime) -> datetime:
    """Return when a concert's codes expire."""
    latest = datetime.max.replace(tzinfo=UTC) - VALID_AFTER_START
    return min(starts_at, latest) + VALID_AFTER_START


def _decode(text: str) -> bytes:
    # The length is checked first, so a text of any size is cheap to refuse.
    if len(text) != CODE_CHARACTERS:
        raise BadCode(CodeProblem.MALFORMED)
    try:
        received = base45.decode(text)
    except ValueError as error:
        raise BadCode(CodeProblem.MALFORMED) from error
    if len(received) != CODE_BYTES:
        raise BadCode(CodeProblem.MALFORMED)
    return received
