"""Proofs of work: a person joins a queue only after their device has solved a challenge."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

MAX_NONCE_CHARACTERS = 64


class ChallengeReason(StrEnum):
    """Why a challenge has to be solved."""

    MISSING = "MISSING"
    INVALID = "INVALID"
    """Not a challenge for this person and concert, now too easy, or not solved by the nonce."""
    EXPIRED = "EXPIRED"
    USED = "USED"
    """The person has already joined with this challenge, or with a newer one."""


@dataclass(frozen=True, slots=True)
class Challenge:
    text: str
    bits: int
    """How many leading bits of the SHA-256 of `text` and the nonce must be zero."""
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ProofOfWork:
    challenge: str
    nonce: str

    def is_solved(self, bits: int) -> bool:
        if len(self.nonce) > MAX_NONCE_CHARACTERS or not self.nonce.isascii():
            return False
        digest = hashlib.sha256((self.challenge + self.nonce).encode()).digest()
        return int.from_bytes(digest) >> (256 - bits) == 0
