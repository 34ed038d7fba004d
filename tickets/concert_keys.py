"""The public keys of concerts, and the codes of tickets.

A key is stored before the first code that it signs is shown, so every existing code can be
verified, even after its master key has been replaced.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from domain.concerts import Concert
from domain.ids import ConcertId, ordinal_of, ticket_id, tier_of
from domain.orders import Order
from domain.tickets.state import TicketState, ticket_state
from domain.tickets.ticket import Ticket
from tickets.codes import CodeContent, sign_code, valid_until
from tickets.keys import KeyId, TicketKeys

REFRESH_S = 10.0
"""How long the stored keys of a concert are used before they are read again."""
MAX_CONCERTS = 1_000


class PublicKeys(Protocol):
    """The stored public keys of concerts. Both methods raise TemporarilyUnavailable."""

    def put(self, concert_id: ConcertId, keys: Mapping[str, bytes]) -> Awaitable[None]: ...

    def list(self, concert_id: ConcertId) -> Awaitable[Mapping[str, bytes]]: ...


@dataclass(frozen=True, slots=True)
class _Ring:
    keys: Mapping[KeyId, bytes]
    read_at: float


class KeyRings:
    """The public keys of the concerts whose codes a process has recently shown or verified."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rings: dict[ConcertId, _Ring] = {}

    def get(self, concert_id: ConcertId) -> Mapping[KeyId, bytes] | None:
        ring = self._rings.get(concert_id)
        return ring.keys if ring is not None and self._clock() - ring.read_at < REFRESH_S else None

    def put(self, concert_id: ConcertId, keys: Mapping[KeyId, bytes]) -> None:
        self._rings.pop(concert_id, None)
        if len(self._rings) >= MAX_CONCERTS:
            self._rings.pop(next(iter(self._rings)))
        self._rings[concert_id] = _Ring(keys, self._clock())


class ConcertKeys:
    """The keys of concerts: the ones derived by this installation, and all that were ever
    stored.
    """

    def __init__(self, keys: TicketKeys, stored: PublicKeys, rings: KeyRings | None = None) -> None:
        self._keys = keys
        self._stored = stored
        self._rings = rings or KeyRings()

    async def load_ring(self, concert_id: ConcertId) -> Mapping[KeyId, bytes]:
        """Store the public keys that this process derives for a concert, and return all of the
        concert's keys.

        Raises TemporarilyUnavailable.
        """
        ring = self._rings.get(concert_id)
        if ring is None:
            own: dict[KeyId, bytes] = {key.id: key.public for key in self._keys.keys_of(concert_id)}
            stored = {KeyId(id_): key for id_, key in (await self._stored.list(concert_id)).items()}
            missing: dict[str, bytes] = {id_: key for id_, key in own.items() if id_ not in stored}
            if missing:
                await self._stored.put(concert_id, missing)
            ring = stored | own
            self._rings.put(concert_id, ring)
        return ring

    async def sign_code(self, order: Order, ticket: Ticket, concert: Concert) -> str | None:
        """Return the code of a ticket, or None if it is not valid.

        Raises TemporarilyUnavailable.
        """
        if ticket_state(order, ticket) is not TicketState.VALID:
            return None
        await self.load_ring(concert.id)
        return sign_code(self._keys.signing_key(concert.id), content_of(order, ticket, concert))


def content_of(order: Order, ticket: Ticket, concert: Concert) -> CodeContent:
    return CodeContent(
        ticket_id(order.id, ticket.unit),
        ticket.generation,
        ordinal_of(tier_of(ticket.unit)),
        valid_until(concert.terms.starts_at),
    )
