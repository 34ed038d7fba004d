"""Signs the challenges that people solve before they join a queue, and checks their proofs.

A challenge is `expires_ms.bits.mac`. The MAC also covers the concert and the person, so a challenge
is of no use to anyone else, and no challenge has to be stored. All processes that share the
queue-pass key accept each other's challenges.
"""

import hashlib
import hmac
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from domain.ids import ConcertId, PersonId
from domain.limits.challenges import Challenge, ChallengeReason, ProofOfWork

LIFETIME_S = 120
_CHALLENGE = re.compile(r"([0-9]{13})\.([0-9]{1,2})\.[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class CheckedProof:
    expires_ms: int | None
    """When the solved challenge expires: 0 if none was solved, None if none is needed."""
    problem: ChallengeReason | None = None


class ChallengeSigner:
    def __init__(self, key: bytes, *, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._clock = clock

    def issue(self, concert_id: ConcertId, person_id: PersonId, bits: int) -> Challenge:
        expires_ms = int((self._clock() + LIFETIME_S) * 1000)
        text = self._sign(concert_id, person_id, expires_ms=expires_ms, bits=bits)
        return Challenge(text, bits, datetime.fromtimestamp(expires_ms / 1000, UTC))

    def check(
        self, proof: ProofOfWork | None, concert_id: ConcertId, person_id: PersonId, *, bits: int
    ) -> CheckedProof:
        """Check a proof for a queue that requires `bits`. This does not check whether it was used
        before.
        """
        if bits == 0:
            return CheckedProof(None)
        if proof is None:
            return CheckedProof(0, ChallengeReason.MISSING)
        found = _CHALLENGE.fullmatch(proof.challenge)
        if found is None:
            return CheckedProof(0, ChallengeReason.INVALID)
        expires_ms, given_bits = int(found[1]), int(found[2])
        expected = self._sign(concert_id, person_id, expires_ms=expires_ms, bits=given_bits)
        is_genuine = hmac.compare_digest(expected, proof.challenge)
        if not is_genuine or given_bits < bits or not proof.is_solved(given_bits):
            return CheckedProof(0, ChallengeReason.INVALID)
        if expires_ms <= self._clock() * 1000:
            return CheckedProof(0, ChallengeReason.EXPIRED)
        return CheckedProof(expires_ms)

    def _sign(self, concert_id: ConcertId, person_id: PersonId, *, expires_ms: int, bits: int) -> str:
        shown = f"{expires_ms}.{bits}"
        # A concert id contains no dot, so the text can be split into these parts in only one way.
        mac = hmac.new(self._key, f"{shown}.{concert_id}.{person_id}".encode(), hashlib.sha256)
        return f"{shown}.{mac.hexdigest()}"
