"""Opens a line by lottery: freeze the registrations, record the reveal, draw, write the numbers.

Every step may happen twice, and any number of openers may be at it: the first reveal that MongoDB has is everybody's,
so whoever comes after one that was killed finishes with the same numbers.
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
        """OPENED or OPEN: the line has its numbers. TOO_EARLY, STALE, UNKNOWN or RECOVERING: not now."""
        round_ = concert.room.round
        # Before the queue is frozen: a recovery in between makes this epoch worthless.
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
        """For a recovery: gives the line the numbers that were revealed, if any were. False: it was overtaken.

        Lots that the store lost stay drawn, as people who have gone; a lottery that is revealed takes no more of them.
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
