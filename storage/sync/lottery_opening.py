"""Opens a queue by lottery: freezes the registrations, records the reveal, and writes the drawn
numbers.

Every step can be repeated, and any number of openers may run at the same time. All of them use the
first reveal recorded in MongoDB, so an opener that continues after a crash writes the same numbers.
"""

import asyncio
import logging

from domain.concerts import Concert
from domain.lottery import Reveal, draw
from storage import scripts
from storage.hot.hot_state import HotState
from storage.mongo.lotteries import LotteryStore
from storage.scripts import ScriptReplyError

log = logging.getLogger(__name__)


class LotteryOpener:
    def __init__(self, hot_state: HotState, lotteries: LotteryStore) -> None:
        self._hot_state = hot_state
        self._lotteries = lotteries

    async def open(self, concert: Concert) -> str:
        """Open the concert's queue.

        Return OPENED or OPEN if the queue has its numbers; TOO_EARLY, STALE, UNKNOWN or RECOVERING
        if it cannot be opened now.
        """
        round_ = concert.room.round
        # Read the epoch before freezing the queue: a recovery in between must prevent the reveal.
        epoch = await self._lotteries.read_epoch(concert.id, round_)
        frozen = await self._hot_state.freeze_queue(concert.id, round_)
        match frozen.word:
            case "FROZEN":
                reveal = await self._lotteries.reveal(
                    concert.id, round_, registrations=frozen.registrations, digest=frozen.digest, epoch=epoch
                )
                return "STALE" if reveal is None else await self._write(concert, reveal)
            case "OPEN" | "TOO_EARLY" | "STALE" | "UNKNOWN" | "RECOVERING":
                return frozen.word
            case _:
                raise ScriptReplyError(scripts.FREEZE_QUEUE.name, frozen.word)

    async def restore(self, concert: Concert, epoch: int) -> bool:
        """Write the numbers of a revealed lottery to the queue of a concert under recovery.

        Return False if another recovery has superseded this one. Lots that the store lost keep
        their numbers and count as departed; a revealed lottery accepts no further lots.
        """
        if not concert.room.commitment:
            return True
        reveal = await self._lotteries.reveal_or_invalidate(concert.id, concert.room.round, epoch)
        return reveal is None or await self._write(concert, reveal, epoch=epoch) in ("OPENED", "OPEN")

    async def _write(self, concert: Concert, reveal: Reveal, *, epoch: int | None = None) -> str:
        drawn = await asyncio.to_thread(draw, reveal.seed, reveal.registrations)
        word = await self._hot_state.open_queue(concert.id, reveal.round, drawn, epoch=epoch)
        match word:
            case "OPENED":
                log.info("the queue of concert %s is open: %d lots drawn", concert.id, reveal.registrations)
                return word
            case "OPEN" | "STALE" | "UNKNOWN" | "RECOVERING":
                return word
            case _:
                raise ScriptReplyError(scripts.OPEN_QUEUE.name, word)
