"""The concert cache of a process: a list of the live concerts, read every two seconds, and
individual concerts that are not on it, kept for two seconds.

Once the list has been read, getting a live concert does not wait for the database, because a
MongoDB that hangs must not keep holds from expiring. A draft or an unknown concert is read on each
call, because another process may have published it. Concurrent reads of the list or of the same
concert are shared.
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from domain.concerts import Concert, ConcertStatus
from domain.errors import TemporarilyUnavailable, describe_cause
from domain.ids import ConcertId
from storage.hot.hot_state import KEYS_OUTLIVE_CONCERT, is_history
from storage.mongo.concerts import ConcertStore
from storage.sync.detached import DetachedTasks
from storage.sync.single_flight import SingleFlight
from telemetry.outage_log import OutageLog

log = logging.getLogger(__name__)

REFRESH_S = 2.0
MIN_REFRESH_S = 0.2
"""The minimum time between two reads of the list, however many unknown concerts are requested."""
MAX_SEEN = 1_000


@dataclass(frozen=True, slots=True)
class _Seen:
    """A concert as this process read or wrote it at time `at`."""

    concert: Concert
    at: float

    def is_fresh(self, now: float) -> bool:
        return now - self.at < REFRESH_S and not _may_be_published(self.concert)


class ConcertCache:
    """A cache that owns its reading tasks."""

    def __init__(
        self,
        concerts: ConcertStore,
        *,
        on_read: Callable[[Sequence[Concert]], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`on_read` is given each list that was read. It must not block or raise."""
        self._store = concerts
        self._clock = clock
        self._on_read = on_read
        self._concerts: dict[ConcertId, Concert] | None = None
        self._read_at = float("-inf")
        self._is_incomplete = False
        self._outage = OutageLog(log, "reading the list of concerts", clock=clock)
        self._seen: dict[ConcertId, _Seen] = {}
        self._tasks = DetachedTasks()
        self._list_reads = SingleFlight[None, None]()
        self._reads = SingleFlight[tuple[ConcertId, int], Concert | None]()

    async def list_all(self) -> tuple[Concert, ...]:
        """Return the live concerts.

        Raises TemporarilyUnavailable only if no list has been read yet.
        """
        return tuple((await self._current_list()).values())

    def refresh_for(self, concert_id: ConcertId) -> None:
        """Make the next `list_all` read the list again, unless this concert is in it."""
        self._is_incomplete |= self._concerts is not None and concert_id not in self._concerts

    async def get(self, concert_id: ConcertId, *, version: int = 0) -> Concert | None:
        """Return the concert at `version` or a later version, or None for an unknown id.

        Changes by other processes are visible within two seconds. Changes by this process, and
        concerts published before the call, are visible immediately. If the database does not
        answer, an older version of a listed concert is returned, so that its queue continues under
        the known settings; for any other concert, TemporarilyUnavailable is raised.
        """
        listed = (await self._current_list()).get(concert_id)
        if listed is not None and listed.version >= version:
            return listed
        seen = self._seen.get(concert_id)
        if seen is not None and seen.concert.version >= version and seen.is_fresh(self._clock()):
            return seen.concert
        try:
            return await self._read_shared(concert_id, version)
        except TemporarilyUnavailable as error:
            if listed is None:
                raise
            log.warning("concert %s stays as it was read before: %s", concert_id, describe_cause(error))
            return listed

    def find_listed(self, concert_id: ConcertId) -> Concert | None:
        """Return a live concert as `get` does, without waiting, if it is in the list; else None."""
        if self._concerts is None:
            return None
        self._refresh_list()
        return self._concerts.get(concert_id)

    def put(self, concert: Concert) -> None:
        """Store a concert that this process changed; reads that began earlier do not replace it."""
        self._keep(concert.id, concert, self._clock())

    def remove(self, concert_id: ConcertId) -> None:
        """Forget a draft that this process deleted."""
        self._seen.pop(concert_id, None)

    async def aclose(self) -> None:
        await self._tasks.aclose(patience_s=0)

    async def _current_list(self) -> dict[ConcertId, Concert]:
        """Return the list, and start reading it again if it is old."""
        if self._concerts is None:
            await self._list_reads.run(None, self._read, owner=self._tasks)
        else:
            self._refresh_list()
        return self._concerts or {}

    def _refresh_list(self) -> None:
        """Start reading the list again if it is old."""
        if self._clock() - self._read_at > (MIN_REFRESH_S if self._is_incomplete else REFRESH_S):
            with suppress(TemporarilyUnavailable):
                self._list_reads.start(None, self._read_again, owner=self._tasks)

    async def _read(self) -> None:
        self._is_incomplete = False
        began = self._clock()
        found = await self._store.list_active(starts_after=datetime.now(UTC) - KEYS_OUTLIVE_CONCERT)
        read = {concert.id: concert for concert in found}
        newest = {id_: self._newest(id_, read.get(id_), began) for id_ in (*read, *self._seen)}
        self._concerts = {id_: concert for id_, concert in newest.items() if concert is not None and _is_live(concert)}
        self._read_at = self._clock()
        self._on_read(found)

    async def _read_again(self) -> None:
        try:
            await self._read()
        except Exception as error:
            self._outage.failed("list", error)
        else:
            self._outage.succeeded("list")
        finally:
            # Even after a failure, the list is kept and read again after the usual time.
            self._read_at = self._clock()

    async def _read_shared(self, concert_id: ConcertId, version: int) -> Concert | None:
        # The version is part of the key, because a read for an earlier version may not see this
        # one.
        key = (concert_id, version)
        began_before = self._reads.is_running(key)
        found = await self._reads.run(key, lambda: self._read_one(concert_id), owner=self._tasks)
        if began_before and _may_be_published(found):
            # The concert may have been published after that read began, but before this call.
            found = await self._reads.run(key, lambda: self._read_one(concert_id), owner=self._tasks)
        return found

    async def _read_one(self, concert_id: ConcertId) -> Concert | None:
        began = self._clock()
        return self._keep(concert_id, await self._store.get(concert_id), began)

    def _keep(self, concert_id: ConcertId, found: Concert | None, at: float) -> Concert | None:
        """Store a concert that was read, unless a later version was seen. Return the later of the
        two.
        """
        newest = self._newest(concert_id, found, at)
        if newest is not found:
            return newest
        self._seen.pop(concert_id, None)
        if found is None:
            return None
        if len(self._seen) >= MAX_SEEN:
            del self._seen[next(iter(self._seen))]
        self._seen[concert_id] = _Seen(found, at)
        listed = (self._concerts or {}).get(concert_id)
        if self._concerts is not None and _is_live(found) and found.version >= _version(listed):
            self._concerts[concert_id] = found
        return found

    def _newest(self, concert_id: ConcertId, found: Concert | None, began: float) -> Concert | None:
        """Return the later of two versions: the one found by a read that began at `began`, and the
        one seen since then or shortly before.

        A version seen long before does not count, so that a database restored from a backup is
        trusted.
        """
        seen = self._seen.get(concert_id)
        is_later = seen is not None and began - seen.at < REFRESH_S and seen.concert.version > _version(found)
        return seen.concert if seen is not None and is_later else found


def _version(concert: Concert | None) -> int:
    return 0 if concert is None else concert.version


def _may_be_published(concert: Concert | None) -> bool:
    return concert is None or concert.status is ConcertStatus.DRAFT


def _is_live(concert: Concert) -> bool:
    return concert.status is not ConcertStatus.DRAFT and not is_history(concert)
