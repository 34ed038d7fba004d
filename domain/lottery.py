"""The lottery that puts those who came before the opening into an order: commit, reveal, draw, prove.

Everything an outsider needs to check it is here and in docs/lottery.md, which has test vectors. A secret that is not
revealed yet is shown to nobody; a `Reveal` never changes.
"""

import hashlib
import secrets
import sys
from array import array
from dataclasses import dataclass
from datetime import datetime

BYTES_A_NUMBER = 4


@dataclass(frozen=True, slots=True)
class Permutation:
    """Who drew what: `ranks` has the number of each lot, `order` the lot of each number. Both count from 1."""

    ranks: bytes
    """4 bytes, big-endian, a lot."""
    order: bytes
    """4 bytes, big-endian, a number."""

    def __len__(self) -> int:
        return len(self.ranks) // BYTES_A_NUMBER

    def number_of(self, lot: int) -> int:
        return _read(self.ranks, lot)

    def lot_of(self, number: int) -> int:
        return _read(self.order, number)


@dataclass(frozen=True, slots=True)
class Reveal:
    """What became known when a lottery was opened."""

    round: int
    registrations: int
    """How many lots were drawn."""
    digest: str
    """SHA-1 chain over the registrations in their order, hex; empty if there were none."""
    secret: str
    seed: str
    commitment: str
    revealed_at: datetime

    def proof(self, lot: int, number: int) -> "LotteryProof":
        return LotteryProof(lot, number, self)


@dataclass(frozen=True, slots=True)
class LotteryProof:
    """That this lot drew this number: anybody can work it out from `reveal`."""

    lot: int
    number: int
    reveal: Reveal


def new_secret() -> str:
    """32 random bytes, hex."""
    return secrets.token_hex(32)


def commitment_of(secret: str) -> str:
    """SHA-256 of the secret's 32 bytes, hex: published before anybody registers."""
    return hashlib.sha256(bytes.fromhex(secret)).hexdigest()


def seed_of(secret: str, digest: str) -> str:
    """SHA-256, hex, of the secret's 32 bytes and then the digest's hexadecimal text in ASCII (40 letters, or none)."""
    return hashlib.sha256(bytes.fromhex(secret) + digest.encode("ascii")).hexdigest()


def draw(seed: str, count: int) -> Permutation:
    """The number of a lot is its rank among SHA-256(32 bytes of the seed, then the lot as 8 bytes, big-endian).

    Equal hashes would be ranked by lot. 100,000 take about 0.2 s of a thread.
    """
    ranks, order = array("I", bytes(BYTES_A_NUMBER * count)), array("I", bytes(BYTES_A_NUMBER * count))
    number = 0
    for bucket in _hashed(bytes.fromhex(seed), count):
        bucket.sort()
        for ticket in bucket:
            lot = int.from_bytes(ticket[-8:], "big")
            order[number] = lot
            number += 1
            ranks[lot - 1] = number
    return Permutation(_big_endian(ranks), _big_endian(order))


def _hashed(seed: bytes, count: int) -> list[list[bytes]]:
    """Hash and lot of each lot, in buckets by first byte: no single sort keeps other threads waiting for long."""
    buckets: list[list[bytes]] = [[] for _ in range(256)]
    seeded = hashlib.sha256(seed)
    for lot in range(1, count + 1):
        lot_bytes = lot.to_bytes(8, "big")
        sha = seeded.copy()
        sha.update(lot_bytes)
        hashed = sha.digest()
        buckets[hashed[0]].append(hashed + lot_bytes)
    return buckets


def _big_endian(numbers: "array[int]") -> bytes:
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers.tobytes()


def _read(packed: bytes, index: int) -> int:
    """Raises IndexError outside 1..len."""
    end = index * BYTES_A_NUMBER
    if not 0 < end <= len(packed):
        raise IndexError(f"{index} is not one of {len(packed) // BYTES_A_NUMBER}")
    return int.from_bytes(packed[end - BYTES_A_NUMBER : end], "big")
