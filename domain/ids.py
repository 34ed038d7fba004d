"""The ids of all entities, and the fingerprints by which repeated requests are recognized.

A concert id has 12 characters; a tier id is the concert id plus a number, so it identifies its
concert. A hold and the order it becomes share one id, derived from the person, the concert, the
operation and the idempotency key.
"""

import hashlib
import re
import secrets
from typing import NewType

ConcertId = NewType("ConcertId", str)
TierId = NewType("TierId", str)
HoldId = NewType("HoldId", str)
OrderId = NewType("OrderId", str)
PersonId = NewType("PersonId", str)
Unit = NewType("Unit", str)
TicketId = NewType("TicketId", str)
"""The id of a ticket: 128 bits in hex, like the id of an order."""
EntryId = NewType("EntryId", int)
"""The id of a queue entry, assigned when a person joins and never reused within the concert."""

# Characters that look alike (0 and o; 1, l and i) are omitted, because people copy ids by hand.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_CONCERT_LETTERS = 12

_ID_HEX = 32
"""The length of the id of a hold or an order: 128 bits in hex."""
_NUMBER_HEX = 15
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_AS_TYPED = str.maketrans("OIL", "011", " -")

HOUSE = PersonId("house")
"""The account that buys units to take them off sale when a capacity is lowered."""

# Keycloak sends a UUID, or f:<store>:<name> for people from another directory. Braces would be hash
# tags in Redis keys.
_PERSON_ID = re.compile(r"[!-z|~]{1,255}")


def is_person_id(text: str) -> bool:
    """Return whether the text may be the `sub` of a token. No one may sign in as HOUSE, which owns
    the stock that is taken off sale.
    """
    return _PERSON_ID.fullmatch(text) is not None and text != HOUSE


def new_concert_id() -> ConcertId:
    return ConcertId("".join(secrets.choice(_ALPHABET) for _ in range(_CONCERT_LETTERS)))


def tier_id(concert_id: ConcertId, ordinal: int) -> TierId:
    return TierId(f"{concert_id}-{ordinal}")


def concert_of(tier: TierId) -> ConcertId:
    return ConcertId(tier.rpartition("-")[0])


def ordinal_of(tier: TierId) -> int:
    """Return the number of a tier in its concert; tiers are shown in this order."""
    return int(tier.rpartition("-")[2])


def tier_of(unit: Unit) -> TierId:
    return TierId(unit.rpartition(":")[0])


def fingerprint(*parts: str) -> str:
    """Return the SHA-256 of the parts, in hex.

    Length prefixes keep different lists of parts distinct.
    """
    text = b""
    for part in parts:
        encoded = part.encode()
        text += len(encoded).to_bytes(8, "big") + encoded
    return hashlib.sha256(text).hexdigest()


def order_number(order_id: OrderId) -> str:
    """Return the order number that people read and type: the first 60 bits of the id, as twelve
    characters in Crockford's Base32.
    """
    value = int(order_id[:_NUMBER_HEX], 16)
    return "".join(_CROCKFORD[value >> shift & 31] for shift in range(55, -1, -5))


def ticket_id(order_id: OrderId, unit: Unit) -> TicketId:
    """Return the id of the ticket for a unit of an order: the first 128 bits of the fingerprint of
    both. A unit that is sold again belongs to another order and has another ticket.
    """
    return TicketId(fingerprint("ticket", order_id, unit)[:_ID_HEX])


def order_ids_of_number(number: str) -> tuple[OrderId, OrderId]:
    """Return the lowest and the highest order id with this number.

    Accepts what people type: lower case, spaces, hyphens, and O, I and L for 0 and 1. Raises
    ValueError if the text is not an order number.
    """
    text = number.upper().translate(_AS_TYPED)
    if len(text) != 12 or not set(text) <= set(_CROCKFORD):
        raise ValueError(f"{number!r} is not an order number, which has 12 letters and digits")
    value = 0
    for character in text:
        value = value << 5 | _CROCKFORD.index(character)
    prefix = f"{value:0{_NUMBER_HEX}x}"
    return OrderId(prefix.ljust(_ID_HEX, "0")), OrderId(prefix.ljust(_ID_HEX, "f"))


def copied_concert_id(person_id: PersonId, source_id: ConcertId, idempotency_key: str) -> ConcertId:
    """Return the id of a copy of a concert. A repeated request returns the same id."""
    value = int(fingerprint("copy", person_id, source_id, idempotency_key), 16)
    letters = []
    for _ in range(_CONCERT_LETTERS):
        value, letter = divmod(value, len(_ALPHABET))
        letters.append(_ALPHABET[letter])
    return ConcertId("".join(letters))


def hold_id(person_id: PersonId, concert_id: ConcertId, operation: str, idempotency_key: str) -> HoldId:
    """Return the hold id of a request: the first 128 bits of the arguments' fingerprint, in hex.

    A repeated request therefore has the same id.
    """
    return HoldId(fingerprint(person_id, concert_id, operation, idempotency_key)[:_ID_HEX])
