"""The recovery of a store that has lost state or rolled it back.

The store is trusted again once it has every order that is in MongoDB, the house has every unit
above the capacity, and a queue whose lottery was revealed has its numbers.

Each recovery first raises the epoch in MongoDB and uses it as a token: its scripts do nothing once
another recovery has begun or the store's incarnation has changed again. A process runs one recovery
per concert at a time; several processes coordinate through a mark in the store.

MongoDB records the store as the one that has the concert once the mark is set, which only a store
that accepts writes does. A replica therefore takes no concert over.
"""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from domain.concerts import Concert, ConcertStatus
from domain.errors import NotFound, NotOnSale, OnsaleError, TemporarilyUnavailable
from domain.ids import ConcertId
from storage import scripts
from storage.hot.hot_state import HotState, is_history
from storage.mongo.concerts import ConcertStore
from storage.scripts import ScriptReplyError
from storage.sync.house_units import HouseUnits
from storage.sync.lottery_opening import LotteryOpener
from storage.sync.order_sync import OrderSync
from telemetry.outage_log import OutageLog

log = logging.getLogger(__name__)
_outage = OutageLog(log, "the recovery of concerts")

OVERLAP = timedelta(minutes=1)
"""Clocks differ between hosts, and seconds may pass between the timestamp of an insert and its
acknowledgment by the majority.
"""
RETRY_PAUSE_S = 0.3
"""Pause after a failed attempt, so that many clients that retry do not each start another
attempt.
"""


class Recovery:
    """The running recoveries of this process, with one task per concert."""

    def __init__(
        self,
        concerts: ConcertStore,
        hot_state: HotState,
        *,
        order_sync: OrderSync,
        house_units: HouseUnits,
        lottery_opener: LotteryOpener,
    ) -> None:
        self._concerts = concerts
        self._hot_state = hot_state
        self._order_sync = order_sync
        self._house_units = house_units
        self._lottery_opener = lottery_opener
        self._running: dict[ConcertId, asyncio.Task[None]] = {}
        self._unfinished: dict[ConcertId, tuple[int, str]] = {}
        """The epoch and the store's incarnation of each recovery that was interrupted."""

    async def refusal_for(self, concert_id: ConcertId, word: str) -> OnsaleError:
        """Return the error for UNKNOWN or RECOVERING, and start a recovery if one is needed."""
        if word == "UNKNOWN":
            concert = await self._concerts.get(concert_id)
            if concert is None:
                return NotFound("Concert", concert_id)
            if concert.status is ConcertStatus.DRAFT or is_history(concert):
                return NotOnSale(concert_id, concert.status)
        self.start(concert_id)
        return TemporarilyUnavailable("The stock of this concert is being checked after a restart of the stock store")

    def start(self, concert_id: ConcertId) -> None:
        if concert_id not in self._running:
            task = asyncio.create_task(self._try(concert_id))
            self._running[concert_id] = task
            task.add_done_callback(lambda _: self._running.pop(concert_id, None))

    async def _try(self, concert_id: ConcertId) -> None:
        try:
            is_recovered = await self.recover(concert_id)
            _outage.succeeded(concert_id)
            if not is_recovered:
                await asyncio.sleep(RETRY_PAUSE_S)
        except TemporarilyUnavailable as error:
            _outage.failed(concert_id, error)
            await asyncio.sleep(RETRY_PAUSE_S)
        except Exception:
            log.exception("recovery of concert %s failed", concert_id)
            await asyncio.sleep(RETRY_PAUSE_S)

    async def ensure(self, concert_id: ConcertId) -> None:
        """Wait for the running recovery of this concert, or for a new one."""
        self.start(concert_id)
        await asyncio.shield(self._running[concert_id])

    async def recover(self, concert_id: ConcertId) -> bool:
        """Try once to recover the concert.

        Return True if the store is trusted now; False if there is nothing to recover, or if another
        recovery is running or has superseded this one.
        """
        started = datetime.now(UTC)
        concert = await self._marked_or_new(concert_id)
        if concert is None or is_history(concert):
            return False
        if await self._hot_state.apply_concert(concert) == "LOST":
            log.warning("the store has evicted keys of concert %s, which is rebuilt from MongoDB", concert_id)
            await self._hot_state.distrust(concert_id, concert.epoch, from_scratch=True)
            await self._hot_state.apply_concert(concert)
        mark = await self._hot_state.mark_recovery(concert_id, concert.epoch)
        match mark.word:
            case "MARKED":
                return await self._recover_marked(concert, mark.incarnation, since=started - OVERLAP)
            case "TRUSTED":
                return True
            case "BUSY" | "STALE" | "UNKNOWN":
                return False
            case _:
                raise ScriptReplyError(scripts.MARK_RECOVERY.name, mark.word)

    async def rebuild(self, concert_id: ConcertId, *, from_scratch: bool) -> bool:
        """Stop trusting the store for this concert, and try once to recover it. Return the result
        of `recover`.

        From scratch, holds and places in the queue are lost; orders are not.
        """
        await self._hot_state.require_writes()
        concert = await self._concerts.raise_epoch(concert_id)
        if concert is None or is_history(concert):
            return False
        word = await self._hot_state.distrust(concert_id, concert.epoch, from_scratch=from_scratch)
        log.warning("concert %s is rebuilt from MongoDB at epoch %d: %s", concert_id, concert.epoch, word)
        return await self.recover(concert_id)

    async def _recover_marked(self, concert: Concert, store: str, *, since: datetime) -> bool:
        """Do the work of a recovery that has set its mark. `store` is the incarnation of the store
        that has the mark; another connection may have seen another one since. `since` is a time
        before the recovery began.

        Return False if it was superseded or did not succeed.
        """
        self._unfinished[concert.id] = concert.epoch, store
        await self._concerts.record_store(concert.id, store)
        count = await self._order_sync.sync_concert(concert)
        if count is None or not await self._finish(concert):
            log.warning("recovery %d of concert %s did not finish, or was superseded", concert.epoch, concert.id)
            return False
        self._unfinished.pop(concert.id, None)
        # Record the orders written in the meantime, which the hot state refused during the
        # recovery.
        await self._order_sync.sync_changed_since(concert.id, since=since)
        # The first recovery of a concert creates its state, so it is not logged at INFO.
        level = logging.DEBUG if concert.epoch == 1 else logging.INFO
        log.log(level, "recovery %d of concert %s: %d orders recorded", concert.epoch, concert.id, count)
        return True

    async def _marked_or_new(self, concert_id: ConcertId) -> Concert | None:
        """Return the concert with the epoch of the recovery; None for an unknown id or a draft.

        An interrupted recovery continues under its own mark; a new one would have to wait until
        that mark expires. If the epoch has been raised in the meantime, capacities may have been
        decided in the recovered store, so a new recovery is needed.
        """
        await self._hot_state.require_writes()
        unfinished = self._unfinished.pop(concert_id, None)
        concert = None if unfinished is None else await self._concerts.get(concert_id)
        if concert is not None and unfinished == (concert.epoch, self._hot_state.incarnation):
            return concert
        return await self._concerts.raise_epoch(concert_id)

    async def _finish(self, concert: Concert) -> bool:
        """Perform the last steps. Return False if one failed or the recovery was superseded.

        No one can join before these steps are done, so no one can register for a lottery whose
        outcome is known.
        """
        if not await self._house_units.finish_withdrawals(concert):
            return False
        if not await self._lottery_opener.restore(concert, concert.epoch):
            return False
        # If the reply is lost, the store may already be trusted, so the next recovery needs a new
        # epoch.
        self._unfinished.pop(concert.id, None)
        word = await self._hot_state.finish_recovery(concert.id, concert.epoch)
        match word:
            case "RECOVERED":
                return True
            case "RECOVERING" | "UNKNOWN":
                return False
            case _:
                raise ScriptReplyError(scripts.FINISH_RECOVERY.name, word)

    async def aclose(self) -> None:
        """Cancel running recoveries and forget unfinished ones, as if the process had ended."""
        self._unfinished.clear()
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
