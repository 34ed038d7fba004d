"""The stock and the waiting room of a past concert.

Its keys in Redis have expired, so the recorded orders show what was sold, and the room is closed
for good.

The sums are read for all concerts asked for in one turn of the event loop together, and kept: a
page of a hundred past concerts costs one aggregation, and the next one costs none.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from domain.concerts import Concert, ConcertStatus
from domain.errors import NotFound, NotOnSale, Refusal
from domain.estimates.room_flow import RoomFlow
from domain.ids import ConcertId, TierId
from domain.queues import RoomStatus, WaitingRoom
from domain.stock import Stock, TierStock
from storage.connect import Stores
from storage.hot.hot_state import is_history

KEPT_S = 3_600.0
"""No order of such a concert is new, but a database may be restored from a backup."""
MAX_KEPT = 10_000
MAX_READ_AT_ONCE = 100
"""Concerts in one aggregation: as many as a page has."""

_Key = tuple[ConcertId, int]
"""Concert and its version: a concert that is moved, sold again and over again is counted again."""


@dataclass(frozen=True, slots=True)
class _Kept:
    read_at: float
    sold: Mapping[TierId, int]


@dataclass(slots=True)
class SoldCounts:
    """Tickets sold at past concerts. Owns no task: the stores' detached tasks own the reads."""

    clock: Callable[[], float] = time.monotonic
    _kept: dict[_Key, _Kept] = field(default_factory=dict)
    """Oldest first."""
    _waiting: dict[_Key, asyncio.Future[Mapping[TierId, int]]] = field(default_factory=dict)
    """Asked for in this turn of the event loop, and not read yet."""

    async def get(self, stores: Stores, concert: Concert) -> Mapping[TierId, int]:
        """Return the tickets sold by tier; a tier without sales may be missing.

        Raises TemporarilyUnavailable.
        """
        key = (concert.id, concert.version)
        kept = self._kept.get(key)
        if kept is not None and self.clock() - kept.read_at < KEPT_S:
            return kept.sold
        if not self._waiting:
            stores.detached_tasks.start(self._read_waiting(stores))
        if key not in self._waiting:
            self._waiting[key] = asyncio.get_running_loop().create_future()
        return await asyncio.shield(self._waiting[key])

    async def _read_waiting(self, stores: Stores) -> None:
        # The other fields of the page ask before this task goes on.
        await asyncio.sleep(0)
        waiting, self._waiting = list(self._waiting.items()), {}
        for start in range(0, len(waiting), MAX_READ_AT_ONCE):
            await self._read(stores, dict(waiting[start : start + MAX_READ_AT_ONCE]))

    async def _read(self, stores: Stores, wanted: Mapping[_Key, asyncio.Future[Mapping[TierId, int]]]) -> None:
        read_at = self.clock()
        try:
            found = await stores.orders.count_sold([concert_id for concert_id, _ in wanted])
        except BaseException as error:
            for result in wanted.values():
                _fail(result, error)
            if not isinstance(error, Exception):
                raise
            return
        for key, result in wanted.items():
            sold = found.get(key[0], {})
            self._keep(key, _Kept(read_at, sold))
            result.set_result(sold)

    def _keep(self, key: _Key, kept: _Kept) -> None:
        self._kept.pop(key, None)
        if len(self._kept) >= MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = kept


def _fail(result: asyncio.Future[Mapping[TierId, int]], error: BaseException) -> None:
    if isinstance(error, Exception):
        result.set_exception(error)
        # Read, so that asyncio does not report a failure whose callers have gone.
        result.exception()
    else:
        result.cancel()


def is_past(concert: Concert) -> bool:
    """Return whether the concert was on sale and its hot state has expired."""
    return concert.status is not ConcertStatus.DRAFT and is_history(concert)


@contextmanager
def past_raises(concert_id: ConcertId, refusal: Refusal) -> Iterator[None]:
    """Turn NotOnSale, which the hot state raises when it has no keys, into `refusal` for a past
    concert, and into NotFound for a draft, which is not public.
    """
    try:
        yield
    except NotOnSale as error:
        if error.status is ConcertStatus.DRAFT:
            raise NotFound("Concert", concert_id) from error
        raise refusal from error


def build_past_stock(concert: Concert, sold: Mapping[TierId, int], *, for_organizer: bool) -> Stock:
    """Build the stock of a past concert: nothing is held, and nothing is available any more.

    For organizers, what was left at the end is shown as available.
    """
    epoch = _last_epoch(concert)
    tiers = (TierStock(tier.id, tier.capacity, held=0, sold=sold.get(tier.id, 0)) for tier in concert.tiers)
    return Stock(epoch, 0, tuple(tier if for_organizer else tier.off_sale() for tier in tiers))


def build_past_room(concert: Concert) -> WaitingRoom:
    """Build the waiting room of a past concert: closed and empty, its counts dropped."""
    return WaitingRoom(
        concert_id=concert.id,
        settings=concert.room,
        status=RoomStatus.CLOSED,
        opens_at=concert.room_opens_at,
        epoch=_last_epoch(concert),
        version=0,
        serving_number=0,
        tail=0,
        waiting_count=0,
        slots_taken=0,
        passes_issued=0,
        flow=RoomFlow(now_s=datetime.now(UTC).timestamp()),
        is_past=True,
    )


def _last_epoch(concert: Concert) -> int:
    """Return an epoch that clients accept after any that they saw, whatever its version."""
    return concert.epoch + 1
