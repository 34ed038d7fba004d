"""Opens lines whose order is drawn, once their time has come; a line without a lottery opens by itself."""

import asyncio
import logging
from datetime import UTC, datetime

from domain.concerts import Concert, ConcertStatus
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
        """Rounds that need no look any more: a store that forgets is opened again by its recovery."""
        self._failing: set[tuple[ConcertId, int]] = set()

    async def run_once(self, stores: Stores) -> int:
        now = datetime.now(UTC)
        drawn = [concert for concert in await stores.concert_cache.list_all() if concert.room.has_lottery]
        self._open &= {_round(concert) for concert in drawn}
        self._failing &= {_round(concert) for concert in drawn}
        due = [concert for concert in drawn if _is_due(concert, now) and _round(concert) not in self._open]
        return sum(await asyncio.gather(*[self._open_queue(stores, concert) for concert in due]))

    async def _open_queue(self, stores: Stores, concert: Concert) -> bool:
        """One that cannot be opened now keeps no other from being opened."""
        try:
            return await self._open_drawn(stores, concert)
        except Exception as error:
            # The first of a row tells the story.
            level = logging.DEBUG if _round(concert) in self._failing else logging.WARNING
            log.log(level, "the lottery of concert %s cannot be opened yet: %s", concert.id, error)
            self._failing.add(_round(concert))
            return False

    async def _open_drawn(self, stores: Stores, concert: Concert) -> bool:
        """True if this opened it."""
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
