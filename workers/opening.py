"""Opens each lottery queue at its opening time.

A queue without a lottery opens without a worker.
"""

import asyncio
import logging
from datetime import UTC, datetime

from domain.concerts import Concert, ConcertStatus
from domain.errors import describe_cause
from domain.ids import ConcertId
from storage import scripts
from storage.connect import Stores
from storage.scripts import ScriptReplyError

log = logging.getLogger(__name__)


class OpeningWorker:
    name = "opening"
    interval_s = 0.5

    def __init__(self) -> None:
        self._open: set[tuple[ConcertId, int]] = set()
        """Rounds whose queue is open. If a store loses its state, recovery opens their queues
        again.
        """
        self._failing: set[tuple[ConcertId, int]] = set()

    async def run_once(self, stores: Stores) -> int:
        now = datetime.now(UTC)
        with_lottery = [concert for concert in await stores.concert_cache.list_all() if concert.room.has_lottery]
        self._open &= {_round(concert) for concert in with_lottery}
        self._failing &= {_round(concert) for concert in with_lottery}
        due = [concert for concert in with_lottery if _is_due(concert, now) and _round(concert) not in self._open]
        return sum(await asyncio.gather(*[self._open_queue(stores, concert) for concert in due]))

    async def _open_queue(self, stores: Stores, concert: Concert) -> bool:
        """Open the queue of one concert, and return whether this call opened it.

        A failure is logged, and does not delay other queues.
        """
        try:
            return await self._open_by_lottery(stores, concert)
        except Exception as error:
            # Only the first failure in a round is a warning; more would bury the other log lines.
            level = logging.DEBUG if _round(concert) in self._failing else logging.WARNING
            log.log(level, "the queue of concert %s cannot be opened yet: %s", concert.id, describe_cause(error))
            self._failing.add(_round(concert))
            return False

    async def _open_by_lottery(self, stores: Stores, concert: Concert) -> bool:
        """Open the queue of one concert by lottery, and return whether this call opened it."""
        word = await stores.lottery_opener.open(concert)
        match word:
            case "OPENED" | "OPEN":
                self._open.add(_round(concert))
            case "UNKNOWN" | "RECOVERING":
                stores.recovery.start(concert.id)
            case "TOO_EARLY" | "STALE":
                pass
            case _:
                raise ScriptReplyError(scripts.OPEN_QUEUE.name, word)
        return word == "OPENED"


def _round(concert: Concert) -> tuple[ConcertId, int]:
    return concert.id, concert.room.round


def _is_due(concert: Concert, now: datetime) -> bool:
    return concert.status is ConcertStatus.PUBLISHED and concert.room_opens_at <= now
