"""What this process says of who has a socket here: news that rise, in batches, under a lease it renews."""

import secrets
import time

from domain.ids import ConcertId, PersonId
from storage.hot.queues import LeaseExpired
from subscriptions.reader import Liveness

RENEW_S = 5.0
BATCH = 500
MOST_BATCHES = 4
"""In one go, about as long as a look takes; more wait for the next tick."""


class Attachments:
    """For one concert. Also says so again for everybody after the store gave the process up, or forgot."""

    def __init__(self, concert_id: ConcertId, liveness: Liveness) -> None:
        self._concert_id = concert_id
        self._liveness = liveness
        self._process = _new_name()
        self._news = 0
        self._said_before = False
        self._present: set[PersonId] = set()
        self._unsaid: dict[PersonId, bool] = {}
        self._renewed_at = float("-inf")

    def come(self, person_id: PersonId) -> None:
        self._present.add(person_id)
        self._unsaid[person_id] = True

    def go(self, person_id: PersonId) -> None:
        if person_id in self._present:
            self._present.remove(person_id)
            self._unsaid[person_id] = False

    def say_all_again(self) -> None:
        """The store may have forgotten who is here, and who has gone: what the old name said ends with its lease."""
        self._process = _new_name()
        self._said_before = False
        self._unsaid = dict.fromkeys(self._present, True)

    @property
    def is_said(self) -> bool:
        return not self._unsaid

    async def say(self) -> None:
        """Passes news on and renews the lease when it is time. Raises TemporarilyUnavailable; nothing is lost then."""
        is_time = time.monotonic() - self._renewed_at > RENEW_S
        if self._present and is_time and not self._unsaid:
            await self._say_some()
        for _ in range(MOST_BATCHES):
            if self._unsaid:
                await self._say_some()

    async def _say_some(self) -> None:
        batch = list(self._unsaid.items())[:BATCH]
        self._news += 1
        news = [(person_id, self._news if is_here else -self._news) for person_id, is_here in batch]
        try:
            await self._liveness.sync_presence(self._concert_id, self._process, news, is_known=self._said_before)
        except LeaseExpired:
            self.say_all_again()
            return
        self._renewed_at = time.monotonic()
        self._said_before = True
        for person_id, is_here in batch:
            # Somebody may have come or gone while this was being said.
            if self._unsaid.get(person_id) is is_here:
                del self._unsaid[person_id]


def _new_name() -> str:
    """Short: the store keeps it twice for each person."""
    return secrets.token_urlsafe(6)
