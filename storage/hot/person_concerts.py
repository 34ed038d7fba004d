"""The index of the concerts at which a person may have a queue entry or a hold.

A concert is added in the same round trip as a join or a hold, and again by recovery and order sync.
It is removed when its keys expire. The query `me` reads only these concerts.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.concerts import Concert
from domain.ids import ConcertId, PersonId
from domain.limits.recently_used import RecentlyUsed
from storage import scripts
from storage.hot import replies
from storage.hot.hot_state import keys_expire_at
from storage.hot.script_client import ScriptClient
from storage.keys import person_concerts_key

MAX_CONCERTS = 200
"""The limit per person. Beyond it, the concerts that expire first are dropped."""
MAX_KNOWN = 20_000
"""The number of people of whom a process knows a concert that is in their index, about 5 MB."""
KNOWN_FOR_S = 600.0
"""How long it relies on that. Only a person who is added to 200 other concerts within this time
may lose the concert from their index.
"""


@dataclass(frozen=True, slots=True)
class _Known:
    """A concert that is in a person's index while its epoch lasts: a store that loses its state is
    recovered at a higher epoch.
    """

    concert_id: ConcertId
    concert_version: int
    epoch: int
    until_s: float


class Addition:
    """The addition of a concert to a person's index, along with one hold. `complete` must follow
    the hold unless `is_complete_at`, or `abandon` if there is none.
    """

    __slots__ = ("_answer", "_concert", "_incarnation", "_index", "_known_epoch", "_person_id")

    def __init__(self, index: "PersonConcerts", person_id: PersonId, concert: Concert) -> None:
        """Send the addition, unless the index is known to have the concert."""
        self._index = index
        self._person_id = person_id
        self._concert = concert
        self._incarnation = ""
        self._answer: asyncio.Future[list[Any]] | None = None
        self._known_epoch = index.known_epoch(person_id, concert)
        if self._known_epoch is None:
            self._incarnation = index.incarnation
            self._answer = index.send(person_id, concert)

    def is_complete_at(self, epoch: int) -> bool:
        """Return whether the index has the concert, given the epoch at which the hold was read."""
        return self._known_epoch == epoch

    async def complete(self, epoch: int) -> None:
        """Wait until the index has the concert. Raises TemporarilyUnavailable."""
        index = self._index
        if self._answer is None:
            # The concert was recovered in the meantime, so its store may have lost the index.
            self._incarnation = index.incarnation
            self._answer = index.send(self._person_id, self._concert)
        answer = await self._answer
        replies.expect(scripts.ADD_PERSON_CONCERT, scripts.ADD_PERSON_CONCERT.decode_word(answer[0]), "ADDED")
        if self._incarnation and self._incarnation == index.incarnation:
            index.remember(self._person_id, self._concert, epoch)

    def abandon(self) -> None:
        """Let the addition end by itself, whatever becomes of it."""
        if self._answer is not None:
            self._answer.add_done_callback(_retrieve_error)


def _retrieve_error(answer: "asyncio.Future[list[Any]]") -> None:
    """Retrieve an error, so that asyncio does not log it."""
    if not answer.cancelled():
        answer.exception()


class PersonConcerts:
    """The indexes, and what this process knows of them."""

    def __init__(self, client: ScriptClient, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._known: RecentlyUsed[PersonId, _Known] = RecentlyUsed(MAX_KNOWN)

    @property
    def incarnation(self) -> str:
        return self._client.incarnation

    def begin_addition(self, person_id: PersonId, concert: Concert) -> Addition:
        """Send the addition of a concert with the next batch, unless its index is known to have it.

        Raises TemporarilyUnavailable.
        """
        return Addition(self, person_id, concert)

    def known_epoch(self, person_id: PersonId, concert: Concert) -> int | None:
        """Return the epoch at which this process added this version of the concert to the index,
        unless that is long ago.
        """
        known = self._known.get(person_id)
        if (
            known is None
            or known.concert_id != concert.id
            or known.concert_version != concert.version
            or known.until_s < self._clock()
        ):
            return None
        return known.epoch

    def remember(self, person_id: PersonId, concert: Concert, epoch: int) -> None:
        """Remember that the index has the concert at this epoch."""
        self._known.put(person_id, _Known(concert.id, concert.version, epoch, self._clock() + KNOWN_FOR_S))

    def send(self, person_id: PersonId, concert: Concert) -> "asyncio.Future[list[Any]]":
        """Send the addition with the next batch, and return a future of its reply."""
        keys, expire_at_ms = (person_concerts_key(person_id),), int(keys_expire_at(concert).timestamp() * 1000)
        return self._client.send(scripts.ADD_PERSON_CONCERT, keys, (concert.id, expire_at_ms, MAX_CONCERTS))

    async def add(self, person_id: PersonId, concert_id: ConcertId, *, expires_at: datetime) -> None:
        """Add the concert until its keys expire. Raises TemporarilyUnavailable."""
        keys, expire_at_ms = (person_concerts_key(person_id),), int(expires_at.timestamp() * 1000)
        word, _ = await self._client.call_with_keys(
            scripts.ADD_PERSON_CONCERT, keys, concert_id, expire_at_ms, MAX_CONCERTS
        )
        replies.expect(scripts.ADD_PERSON_CONCERT, word, "ADDED")

    async def list(self, person_id: PersonId) -> tuple[ConcertId, ...]:
        """Return the concerts, latest expiry first. Raises TemporarilyUnavailable."""
        keys = (person_concerts_key(person_id),)
        word, rest = await self._client.call_with_keys(scripts.READ_PERSON_CONCERTS, keys, MAX_CONCERTS)
        replies.expect(scripts.READ_PERSON_CONCERTS, word, "CONCERTS")
        return tuple(ConcertId(replies.text(concert_id)) for concert_id in rest)
