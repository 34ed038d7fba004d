"""The stock and the waiting room of a past concert, whose keys in Redis have expired.

The recorded orders show how many tickets were sold, and the room is closed permanently. The counts
for all concerts requested in one iteration of the event loop are read together and cached: a page
of a hundred past concerts costs one aggregation, and the next request for it costs none.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from domain.concerts import Concert, ConcertStatus, Tier
from domain.errors import NotFound, NotOnSale, Refusal
from domain.ids import ConcertId, TierId
from domain.queues import RoomStatus, WaitingRoom
from domain.stock import Stock, TierStock
from resolvers.wait_tables import build_waiting_room
from storage.connect import Stores
from storage.hot.hot_state import is_history
from storage.hot.queue_state import RoomState

KEPT_S = 3_600.0
"""How long counts are cached. Past concerts get no new orders, but a database may be restored from
a backup.
"""
MAX_KEPT = 10_000
MAX_READ_AT_ONCE = 100
"""The maximum number of concerts in one aggregation, which is the maximum page size."""

_Key = tuple[ConcertId, int]
"""The concert and its version, so a concert that is rescheduled and sold again is counted again."""


@dataclass(frozen=True, slots=True)
class _Kept:
    read_at: float
    sold: Mapping[TierId, int]


@dataclass(slots=True)
class SoldCounts:
    """A cache of how many tickets past concerts sold. The counts are read in detached tasks."""

    clock: Callable[[], float] = time.monotonic
    _kept: dict[_Key, _Kept] = field(default_factory=dict)
    """Oldest first."""
    _waiting: dict[_Key, asyncio.Future[Mapping[TierId, int]]] = field(default_factory=dict)
    """The counts requested in this iteration of the event loop that have not been read yet."""

    async def get(self, stores: Stores, concert: Concert) -> Mapping[TierId, int]:
        """Return the number of tickets sold in each tier. Raises TemporarilyUnavailable.

        A tier without sales may be missing.
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
        # The other fields of the page add their requests before this task continues.
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
        # Retrieve the exception, so that asyncio does not log it if no caller awaits the result.
        result.exception()
    else:
        result.cancel()


def is_past(concert: Concert) -> bool:
    """Return whether the concert was on sale and its hot state has expired."""
    return concert.status is not ConcertStatus.DRAFT and is_history(concert)


@contextmanager
def past_raises(concert_id: ConcertId, make_refusal: Callable[[], Refusal]) -> Iterator[None]:
    """Convert NotOnSale, which the hot state raises if it has no keys, to a refusal for a past
    concert, and to NotFound for a draft, which is not public.
    """
    try:
        yield
    except NotOnSale as error:
        if error.status is ConcertStatus.DRAFT:
            raise NotFound("Concert", concert_id) from error
        raise make_refusal() from error


def build_past_stock(concert: Concert, sold: Mapping[TierId, int], *, for_organizer: bool) -> Stock:
    """Build the stock of a past concert, in which nothing is held or available.

    Hidden tiers are included. For organizers, the tickets left at the end are shown as available.
    """
    epoch = _last_epoch(concert)
    tiers = (replace(build_unsold_stock(tier), sold=sold.get(tier.id, 0)) for tier in concert.tiers)
    shown = tuple(tier if for_organizer else tier.off_sale() for tier in tiers)
    return Stock(epoch, 0, shown, concert.currency, concert.organizer_id)


def build_unsold_stock(tier: Tier) -> TierStock:
    """Build the stock of a tier in which nothing has been held or sold."""
    rules = tier.rules
    return TierStock(
        tier.id,
        tier.capacity,
        held=0,
        sold=0,
        price_minor=tier.price_minor,
        is_hidden=rules.is_hidden,
        is_withdrawn=rules.is_withdrawn,
    )


def build_past_room(concert: Concert) -> WaitingRoom:
    """Build the waiting room of a past concert, which is closed and empty and has no counts."""
    state = RoomState.empty(RoomStatus.CLOSED, epoch=_last_epoch(concert))
    return build_waiting_room(concert, state, is_past=True)


def _last_epoch(concert: Concert) -> int:
    """Return an epoch higher than any that clients have seen, so that they accept any version."""
    return concert.epoch + 1
