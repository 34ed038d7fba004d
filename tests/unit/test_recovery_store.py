"""MongoDB records the store that has the mark of a recovery, whatever another connection saw."""

from types import SimpleNamespace
from typing import Any

from domain.concerts import Concert
from domain.ids import ConcertId
from storage.hot.hot_state import RecoveryMark
from storage.sync.recovery import Recovery
from tests.support.snapshots import CONCERT


class MongoWithOneConcert:
    def __init__(self) -> None:
        self.recorded = list[str]()

    async def raise_epoch(self, concert_id: ConcertId) -> Concert:
        return CONCERT

    async def record_store(self, concert_id: ConcertId, incarnation: str) -> None:
        self.recorded.append(incarnation)


class HotStore:
    """A store whose other connection has been led to another store in the meantime."""

    incarnation = "other"

    async def require_writes(self) -> None: ...

    async def apply_concert(self, concert: Concert) -> str:
        return "CURRENT"

    async def mark_recovery(self, concert_id: ConcertId, epoch: int) -> RecoveryMark:
        return RecoveryMark("MARKED", "own")


async def test_recovery_records_the_store_that_has_its_mark() -> None:
    """Failing value before: the store that another connection saw last."""

    async def lose_the_mark(concert: Concert) -> None:
        return None

    mongo, order_sync = MongoWithOneConcert(), SimpleNamespace(sync_concert=lose_the_mark)
    unused: Any = None
    concerts: Any = mongo
    hot_state: Any = HotStore()
    recovery = Recovery(
        concerts,
        hot_state,
        order_sync=order_sync,  # type: ignore[arg-type]
        house_units=unused,
        lottery_opener=unused,
    )
    assert await recovery.recover(CONCERT.id) is False
    assert mongo.recorded == ["own"]
