"""Which concerts the workers look after: those whose hot state is kept. One list a process, read every two seconds.

Who asks never waits for the database once there is a list: a MongoDB that hangs must not keep holds from expiring.
"""

import asyncio
import logging
import time
from datetime import UTC, datetime

from domain.concerts import Concert, ConcertStatus
from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId
from storage.concerts import ConcertStore
from storage.hot_state import KEYS_OUTLIVE_CONCERT
from storage.recovery import is_history

log = logging.getLogger(__name__)

REFRESH_S = 2.0
SOONEST_S = 0.2
"""However many unknown concerts are heard of."""


class LivingConcerts:
    """Owns the task of a reading that is under way."""

    def __init__(self, concerts: ConcertStore) -> None:
        self._store = concerts
        self._concerts: dict[ConcertId, Concert] | None = None
        self._read_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self._lacks_one = False

    async def get(self) -> tuple[Concert, ...]:
        """Raises TemporarilyUnavailable only while there never was a list."""
        if self._concerts is None:
            await self._read()
        elif self._reading is None and time.monotonic() - self._read_at > (SOONEST_S if self._lacks_one else REFRESH_S):
            self._reading = asyncio.create_task(self._read_again())
        return tuple((self._concerts or {}).values())

    def miss(self, concert_id: ConcertId) -> None:
        """Somebody heard of a concert that may not be in the list yet: it is read again when next asked for."""
        self._lacks_one |= self._concerts is not None and concert_id not in self._concerts

    async def find(self, concert_id: ConcertId, *, version: int = 0) -> Concert | None:
        """A concert of this version or a later one, as it was two seconds ago at the most; what the list lacks is read.

        An older one where the database is away: a line goes on under the settings that are known.
        """
        await self.get()
        known = (self._concerts or {}).get(concert_id)
        if known is not None and known.version >= version:
            return known
        try:
            found = await self._store.get(concert_id)
        except TemporarilyUnavailable:
            if known is None:
                raise
            return known
        if known is not None and found is not None:
            self.note(found)
        return found

    def note(self, concert: Concert) -> None:
        """What this process changed itself it need not read."""
        if self._concerts is not None and concert.status is not ConcertStatus.DRAFT:
            self._concerts[concert.id] = concert

    async def aclose(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self) -> None:
        self._lacks_one = False
        found = await self._store.living(starts_after=datetime.now(UTC) - KEYS_OUTLIVE_CONCERT)
        self._concerts = {concert.id: concert for concert in found if not is_history(concert)}
        self._read_at = time.monotonic()

    async def _read_again(self) -> None:
        try:
            await self._read()
        except Exception as error:
            level = logging.DEBUG if isinstance(error, TemporarilyUnavailable) else logging.WARNING
            log.log(level, "the list of concerts cannot be read: %s", error)
        finally:
            # Whatever came of it, the list stands, and is read again after the usual time.
            self._read_at = time.monotonic()
            self._reading = None
