"""Reports to the store, in batches, which people are connected to this process.

The reports stay valid while this module renews a lease.
"""

import secrets
import time

from domain.ids import ConcertId, PersonId
from storage.hot.queues import LeaseExpired
from subscriptions.interfaces import PresenceStore

RENEW_EVERY_S = 5.0
BATCH = 500
MAX_BATCHES = 4
"""The maximum number of batches in one sync. Together they take about as long as a refresh.

Further batches wait for the next tick.
"""


class Presence:
    """The people connected to this process for one concert.

    All of them are reported again after the lease expires or the store loses its state.
    """

    def __init__(self, concert_id: ConcertId, store: PresenceStore) -> None:
        self._concert_id = concert_id
        self._store = store
        self._process = _new_process_name()
        self._sequence = 0
        self._is_known = False
        self._people: set[PersonId] = set()
        self._unsynced: dict[PersonId, bool] = {}
        self._renewed_at = float("-inf")

    def connected(self, person_id: PersonId) -> None:
        self._people.add(person_id)
        self._unsynced[person_id] = True

    def disconnected(self, person_id: PersonId) -> None:
        if person_id in self._people:
            self._people.remove(person_id)
            self._unsynced[person_id] = False

    def resync_all(self) -> None:
        """Report every person again under a new process name.

        Reports under the old name become invalid when its lease expires.
        """
        self._process = _new_process_name()
        self._is_known = False
        self._unsynced = dict.fromkeys(self._people, True)

    @property
    def is_synced(self) -> bool:
        return not self._unsynced

    async def sync(self) -> None:
        """Report connections and disconnections, and renew the lease if it is due.

        Raises TemporarilyUnavailable; the reports are then kept for the next sync.
        """
        is_renewal_due = time.monotonic() - self._renewed_at > RENEW_EVERY_S
        if self._people and is_renewal_due and not self._unsynced:
            await self._sync_batch()
        for _ in range(MAX_BATCHES):
            if self._unsynced:
                await self._sync_batch()

    async def _sync_batch(self) -> None:
        batch = list(self._unsynced.items())[:BATCH]
        self._sequence += 1
        report = [(person_id, self._sequence if is_connected else -self._sequence) for person_id, is_connected in batch]
        try:
            await self._store.sync_presence(self._concert_id, self._process, report, is_known=self._is_known)
        except LeaseExpired:
            self.resync_all()
            return
        self._renewed_at = time.monotonic()
        self._is_known = True
        for person_id, is_connected in batch:
            # The person may have connected or disconnected since the report was built.
            if self._unsynced.get(person_id) is is_connected:
                del self._unsynced[person_id]


def _new_process_name() -> str:
    """Return a random name. It is short, because the store keeps it twice for each person."""
    return secrets.token_urlsafe(6)
