"""Concerts that another store has taken over, while this process still talks to the old one.

After a failover, an old primary that was only cut off still trusts its own state. MongoDB records
in which store each concert was last recovered, so a process whose store trusts a concert that was
recovered elsewhere refuses its calls: otherwise both stores could grant a person the limit.

If the other store does not stay, this one takes the concert back: it stops trusting its state and
recovers it from MongoDB.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

from domain.concerts import Concert
from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId
from storage.hot.hot_state import HotState
from storage.mongo.concerts import ConcertStore
from storage.sync.detached import DetachedTasks

log = logging.getLogger(__name__)

TAKE_BACK_AFTER_S = 60.0
"""How long an old primary waits until it takes its concerts back. An election is far shorter."""


class Rebuild(Protocol):
    def __call__(self, concert_id: ConcertId, *, from_scratch: bool) -> Coroutine[Any, Any, bool]: ...


class SupersededConcerts:
    """Compares the concerts with the store whenever their list has been read, so at most two
    seconds pass between a takeover and the first refusal. `aclose` ends its tasks.
    """

    def __init__(
        self, concerts: ConcertStore, hot_state: HotState, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._concerts = concerts
        self._hot_state = hot_state
        self._clock = clock
        self._since_s: dict[ConcertId, float] = {}
        self._rebuild: Rebuild | None = None
        self._checking: asyncio.Task[None] | None = None
        self._tasks = DetachedTasks()

    def take_back_with(self, rebuild: Rebuild) -> None:
        """Set the function that recovers a concert in this store."""
        self._rebuild = rebuild

    def contains(self, concert_id: ConcertId) -> bool:
        return concert_id in self._since_s

    def count(self) -> int:
        return len(self._since_s)

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
        found = await asyncio.gather(*[self._is_superseded(id_) for id_ in suspects])
        now_s = self._clock()
        before, superseded = self._since_s, [id_ for id_, is_one in zip(suspects, found, strict=True) if is_one]
        self._since_s = {id_: before.get(id_, now_s) for id_ in superseded}
        if new := len(self._since_s.keys() - before.keys()):
            log.warning("another stock store has taken over %d concerts, so this one is not used for them", new)
        for concert_id, since_s in list(self._since_s.items()):
            if now_s - since_s >= TAKE_BACK_AFTER_S:
                await self._take_back(concert_id)

    async def _is_superseded(self, concert_id: ConcertId) -> bool:
        """Read the store before MongoDB: if the store came to be trusted just now, MongoDB already
        names it.
        """
        try:
            is_trusted, own = await self._hot_state.read_trust(concert_id)
            if not is_trusted:
                return False
            concert = await self._concerts.get(concert_id)
        except TemporarilyUnavailable:
            return concert_id in self._since_s
        return concert is not None and concert.recovered_in not in ("", own) and own == self._hot_state.incarnation

    async def _take_back(self, concert_id: ConcertId) -> None:
        if self._rebuild is None:
            return
        log.warning("this stock store takes concert %s back", concert_id)
        try:
            await self._rebuild(concert_id, from_scratch=False)
        except TemporarilyUnavailable as error:
            log.warning("concert %s could not be taken back: %s", concert_id, error)
        else:
            self._since_s.pop(concert_id, None)
