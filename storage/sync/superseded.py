"""Concerts that another store has taken over, while this process still talks to the old one.

After a failover, an old primary that was only cut off still trusts its own state. MongoDB records
in which store each concert was last recovered, so a process whose store trusts a concert that was
recovered elsewhere refuses its calls: otherwise both stores could grant a person the limit.

Processes renew a lease for the store that they use. If no process renews that of the other store
any more, this one takes the concert back: it stops trusting its state and recovers it from MongoDB.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any, Protocol

from domain.concerts import Concert
from domain.errors import TemporarilyUnavailable, describe_cause
from domain.ids import ConcertId
from storage.hot.hot_state import HotState
from storage.mongo.concerts import ConcertStore
from storage.mongo.installation import StoreLease, StoreLeases
from storage.sync.detached import DetachedTasks

log = logging.getLogger(__name__)

TAKE_BACK_AFTER_S = 60.0
"""How long no process has used the other store before an old primary takes its concerts back. An
election is far shorter.
"""


class Rebuild(Protocol):
    def __call__(self, concert_id: ConcertId, *, from_scratch: bool) -> Coroutine[Any, Any, bool]: ...


class SupersededConcerts:
    """Compares the concerts with the store whenever their list has been read, so at most two
    seconds pass between a takeover and the first refusal. `aclose` ends its tasks.
    """

    def __init__(
        self,
        concerts: ConcertStore,
        hot_state: HotState,
        leases: StoreLeases,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._concerts = concerts
        self._hot_state = hot_state
        self._leases = leases
        self._clock = clock
        self._owners: dict[ConcertId, str] = {}
        """For each superseded concert, the incarnation of the store that has it."""
        self._seen: dict[str, tuple[StoreLease | None, float]] = {}
        """For each of these stores, its lease and when it was seen to change."""
        self._rebuild: Rebuild | None = None
        self._checking: asyncio.Task[None] | None = None
        self._tasks = DetachedTasks()

    def take_back_with(self, rebuild: Rebuild) -> None:
        """Set the function that recovers a concert in this store."""
        self._rebuild = rebuild

    def contains(self, concert_id: ConcertId) -> bool:
        return concert_id in self._owners

    def count(self) -> int:
        return len(self._owners)

    def other_stores(self) -> tuple[StoreLease, ...]:
        """Return the known leases of the stores that have taken concerts over."""
        return tuple(lease for lease, _ in self._seen.values() if lease is not None)

    def compare(self, concerts: Sequence[Concert]) -> None:
        """Start a check of the concerts, unless one is running."""
        if self._checking is None or self._checking.done():
            self._checking = self._tasks.start(self._check(concerts))

    async def settled(self) -> None:
        """Wait until the running check has ended."""
        if self._checking is not None:
            await asyncio.wait([self._checking])

    async def aclose(self) -> None:
        await self._tasks.aclose(patience_s=0)

    async def _check(self, concerts: Sequence[Concert]) -> None:
        own = self._hot_state.incarnation
        suspects = [concert.id for concert in concerts if own and concert.recovered_in not in ("", own)]
        try:
            owners = await self._find_owners(suspects) if suspects else {}
            leases = await self._leases.read(set(owners.values())) if owners else {}
        except TemporarilyUnavailable:
            # A concert that could not be checked stays as it was.
            return
        if new := len(owners.keys() - self._owners.keys()):
            log.warning("another stock store has taken over %d concerts, so this one is not used for them", new)
        self._owners = owners
        self._see(leases)
        for concert_id in self._find_abandoned():
            await self._take_back(concert_id)

    async def _find_owners(self, suspects: Collection[ConcertId]) -> dict[ConcertId, str]:
        """Return the superseded ones among these concerts, with the incarnations of their stores.

        The store is read before MongoDB: if it came to be trusted just now, MongoDB already names
        it.
        """
        found = await asyncio.gather(*[self._hot_state.read_trust(id_) for id_ in suspects])
        trusted = {id_: own for id_, (is_trusted, own) in zip(suspects, found, strict=True) if is_trusted}
        recorded = await self._concerts.read_recorded_stores(trusted) if trusted else {}
        now = self._hot_state.incarnation
        return {id_: store for id_, store in recorded.items() if store not in ("", now) and trusted[id_] == now}

    def _see(self, leases: Mapping[str, StoreLease]) -> None:
        now_s, before = self._clock(), self._seen
        self._seen = {}
        for store in set(self._owners.values()):
            lease = leases.get(store)
            known, seen_s = before.get(store, (lease, now_s))
            self._seen[store] = lease, seen_s if _renewals(known) == _renewals(lease) else now_s

    def _find_abandoned(self) -> list[ConcertId]:
        """Return the concerts whose store no process has used for a while."""
        now_s = self._clock()
        return [id_ for id_, store in self._owners.items() if now_s - self._seen[store][1] >= TAKE_BACK_AFTER_S]

    async def _take_back(self, concert_id: ConcertId) -> None:
        if self._rebuild is None:
            return
        try:
            # Another process at this store may have taken it back since.
            if concert_id in await self._find_owners((concert_id,)):
                log.warning("this stock store takes concert %s back", concert_id)
                await self._rebuild(concert_id, from_scratch=False)
        except TemporarilyUnavailable as error:
            log.warning("concert %s could not be taken back: %s", concert_id, describe_cause(error))
        else:
            self._owners.pop(concert_id, None)


def _renewals(lease: StoreLease | None) -> int:
    return 0 if lease is None else lease.renewals
