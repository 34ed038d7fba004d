"""Opaque global ids: the base64url encoding of a kind and domain ids, such as
`Hold:<concert>:<hold>`.

Decoding is strict: the value must be exactly what `_encode` returns, and its parts may contain only
characters that are used in ids, so client input cannot change the meaning of a store key.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import chain

import strawberry

from domain.errors import BadUserInput, InvalidInput
from domain.ids import ConcertId, EntryId, HoldId, OrderId, PersonId, TicketId, TierId, fingerprint
from domain.inputs.problems import FieldProblem, InputRule


class Kind(StrEnum):
    CONCERT = "Concert"
    TIER = "Tier"
    HOLD = "Hold"
    ORDER = "Order"
    QUEUE_ENTRY = "QueueEntry"
    TICKET = "Ticket"
    VIEWER = "Viewer"


DATABASE_EPOCH = 0
"""The epoch of objects in MongoDB, whose versions never restart."""
_PARTS = {
    Kind.CONCERT: 1,
    Kind.TIER: 1,
    Kind.HOLD: 2,
    Kind.ORDER: 1,
    Kind.QUEUE_ENTRY: 2,
    Kind.TICKET: 2,
    Kind.VIEWER: 1,
}
_PART = re.compile(r"[a-z0-9-]{1,64}")
_LONGEST = 256
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_FINGERPRINT_HEX = 32
"""128 bits, as in other ids."""
MAX_DECODED_KEPT = 4_096
"""The maximum number of ids whose decoded form is cached. All requests for a concert send the same
ids of the concert and its tiers, and decoding one takes as long as ten plain fields.
"""


@dataclass(frozen=True, slots=True)
class GlobalId:
    kind: Kind
    parts: tuple[str, ...]


class MalformedId(ValueError):
    """A global id that cannot be decoded.

    `str(error)` says what is wrong and where to get a valid id.
    """


@strawberry.interface(description="An object with a global id. `node(id:)` returns it.")
class Node:
    id: strawberry.ID = strawberry.field(description="An opaque, stable id. Do not parse it.")


def _encode(kind: Kind, *parts: str) -> strawberry.ID:
    text = ":".join((kind, *parts)).encode()
    return strawberry.ID(binascii.b2a_base64(text, newline=False).translate(_URL_SAFE, b"=").decode())


@lru_cache(maxsize=MAX_DECODED_KEPT)
def of_concert(concert_id: ConcertId) -> strawberry.ID:
    return _encode(Kind.CONCERT, concert_id)


@lru_cache(maxsize=MAX_DECODED_KEPT)
def of_tier(tier_id: TierId) -> strawberry.ID:
    return _encode(Kind.TIER, tier_id)


def of_hold(concert_id: ConcertId, hold_id: HoldId) -> strawberry.ID:
    return _encode(Kind.HOLD, concert_id, hold_id)


def of_order(order_id: OrderId) -> strawberry.ID:
    return _encode(Kind.ORDER, order_id)


def of_entry(concert_id: ConcertId, entry_id: EntryId) -> strawberry.ID:
    """Return the id of an entry, which stays the same when its number changes."""
    return _encode(Kind.QUEUE_ENTRY, concert_id, str(entry_id))


def of_ticket(concert_id: ConcertId, ticket_id: TicketId) -> strawberry.ID:
    return _encode(Kind.TICKET, concert_id, ticket_id)


def of_viewer(person_id: PersonId) -> strawberry.ID:
    """Return the id of a person: a fingerprint of their `sub`, which may contain any characters."""
    return _encode(Kind.VIEWER, fingerprint("viewer", person_id)[:_FINGERPRINT_HEX])


def decode(value: str, *allowed: Kind) -> GlobalId:
    """Return the decoded id.

    Raises MalformedId if the id is not well-formed or its kind is not allowed.
    """
    decoded = _decode(value)
    if allowed and decoded.kind not in allowed:
        raise MalformedId(f"this is the id of a {decoded.kind}; use the id of a {' or '.join(allowed)}")
    return decoded


@lru_cache(maxsize=MAX_DECODED_KEPT)
def _decode(value: str) -> GlobalId:
    try:
        text = base64.b64decode(value[:_LONGEST] + "=" * (-len(value) % 4), altchars=b"-_", validate=True).decode()
        kind = Kind(text.partition(":")[0])
    except (binascii.Error, ValueError):
        raise MalformedId(f"{value[:_LONGEST]!r} is not a valid id; use an `id` that a query returned") from None
    parts = tuple(text.split(":")[1:])
    if len(parts) != _PARTS[kind] or not all(map(_PART.fullmatch, parts)) or _encode(kind, *parts) != value:
        raise MalformedId(f"{value[:_LONGEST]!r} is not a valid id; use an `id` that a query returned")
    return GlobalId(kind, parts)


def argument(name: str, value: str, *allowed: Kind) -> GlobalId:
    """Return the id in a query argument. Raises BadUserInput."""
    try:
        return decode(value, *allowed)
    except MalformedId as error:
        raise BadUserInput(f"`{name}`: {error}.") from None


def concert_argument(value: str) -> ConcertId:
    """Return the concert id in a query argument. Raises BadUserInput."""
    return ConcertId(argument("concertId", value, Kind.CONCERT).parts[0])


class IdReader:
    """Reads the ids of one input and reports all malformed ones together."""

    def __init__(self) -> None:
        self._problems: list[FieldProblem] = []

    def concert(self, path: str, value: str) -> ConcertId:
        return ConcertId(self._read(path, value, Kind.CONCERT)[0])

    def tier(self, path: str, value: str) -> TierId:
        return TierId(self._read(path, value, Kind.TIER)[0])

    def hold(self, path: str, value: str) -> tuple[ConcertId, HoldId]:
        concert, hold = self._read(path, value, Kind.HOLD)
        return ConcertId(concert), HoldId(hold)

    def order(self, path: str, value: str) -> OrderId:
        return OrderId(self._read(path, value, Kind.ORDER)[0])

    def ticket(self, path: str, value: str) -> tuple[ConcertId, TicketId]:
        concert, ticket = self._read(path, value, Kind.TICKET)
        return ConcertId(concert), TicketId(ticket)

    def tickets(self, path: str, values: Iterable[str]) -> list[TicketId]:
        return [self.ticket(f"{path}.{index}", value)[1] for index, value in enumerate(values)]

    def tiers(self, path: str, values: Iterable[str]) -> tuple[TierId, ...]:
        return tuple(self.tier(f"{path}.{index}", value) for index, value in enumerate(values))

    def finish(self, *others: Iterable[FieldProblem]) -> None:
        """Raise InvalidInput if any id was malformed; such ids were read as empty strings.

        `others` yield the problems with the other fields. They are read only to complete the error;
        if all ids are well-formed, the resolver checks the other fields.
        """
        if self._problems:
            raise InvalidInput(*self._problems, *chain.from_iterable(others))

    def _read(self, path: str, value: str, kind: Kind) -> tuple[str, ...]:
        try:
            return decode(value, kind).parts
        except MalformedId as error:
            self._problems.append(FieldProblem(path, str(error), InputRule.INVALID_ID))
            return ("",) * _PARTS[kind]


def read_concert(value: str, *others: Iterable[FieldProblem]) -> ConcertId:
    """Return the `concertId` of an input that has no other id.

    Raises InvalidInput, which also lists the problems with the other fields.
    """
    reader = IdReader()
    concert_id = reader.concert("concertId", value)
    reader.finish(*others)
    return concert_id


def read_order(value: str) -> OrderId:
    """Return the `orderId` of an input that has no other field. Raises InvalidInput."""
    reader = IdReader()
    order_id = reader.order("orderId", value)
    reader.finish()
    return order_id
