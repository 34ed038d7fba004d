"""The index of the concerts at which a person may have a queue entry or a hold.

A concert is added before the person joins its queue, in the same round trip as each hold, and again
by recovery and order sync. It is removed when its keys expire. The query `me` reads only these
concerts.
"""

from datetime import datetime

from domain.ids import ConcertId, PersonId
from storage import scripts
from storage.hot import replies
from storage.hot.script_client import ScriptClient
from storage.keys import person_concerts_key

MAX_CONCERTS = 200
"""The limit per person. Beyond it, the concerts that expire first are dropped."""


class PersonConcerts:
    def __init__(self, client: ScriptClient) -> None:
        self._client = client

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
