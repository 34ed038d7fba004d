"""Which concerts the workers look after: those whose hot state is kept. Asked for every two seconds."""

import time
from datetime import UTC, datetime

from domain.concerts import Concert
from domain.errors import TemporarilyUnavailable
from storage.connect import Stores
from storage.hot_state import KEYS_OUTLIVE_CONCERT
from storage.recovery import is_history

REFRESH_S = 2.0


class LivingConcerts:
    """A database that is away leaves the last list standing: holds still expire."""

    def __init__(self) -> None:
        self._concerts: tuple[Concert, ...] | None = None
        self._read_at = float("-inf")

    async def get(self, stores: Stores) -> tuple[Concert, ...]:
        if time.monotonic() - self._read_at > REFRESH_S:
            try:
                found = await stores.concerts.living(ended_before=datetime.now(UTC) - KEYS_OUTLIVE_CONCERT)
                self._concerts = tuple(concert for concert in found if not is_history(concert))
            except TemporarilyUnavailable:
                if self._concerts is None:
                    raise
            self._read_at = time.monotonic()
        return self._concerts or ()
