"""Solves the challenge of a queue."""

import hashlib
import itertools

from domain.limits.challenges import Challenge, ProofOfWork


def find_nonce(challenge: str, bits: int) -> str:
    for nonce in map(str, itertools.count()):
        digest = hashlib.sha256((challenge + nonce).encode()).digest()
        if int.from_bytes(digest) >> (256 - bits) == 0:
            return nonce
    raise AssertionError


def solve(challenge: Challenge) -> ProofOfWork:
    return ProofOfWork(challenge.text, find_nonce(challenge.text, challenge.bits))
