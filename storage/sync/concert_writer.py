"""Saves changes of a concert in MongoDB and copies them to the hot state.

Units that a lower capacity takes off sale are first held for the house, then recorded in one
transaction with the concert; a raised capacity first returns such units, and then raises `top`. A
waiting room never changes without its audit row. The copy to the hot state comes afterwards, and a
worker repeats it.
"""

from dataclasses import replace
from datetime import UTC, datetime

from pymongo.errors import DuplicateKeyError

from domain.concerts import Concert, ConcertStatus, Tier
from domain.errors import TemporarilyUnavailable, VersionConflict
from domain.room_audits import RoomAudit, RoomCommand
from domain.room_changes import diff_room_settings
from storage import scripts
from storage.hot.hot_state import HotState
from storage.mongo.concert_transaction import ConcertTransaction, ConcertWrite
from storage.mongo.lotteries import LotteryStore
from storage.mongo.room_audits import AlreadyDone
from storage.scripts import ScriptReplyError
from storage.sync.house_units import HouseUnits, withdrawn_order


class ConcertWriter:
    def __init__(
        self, transaction: ConcertTransaction, lotteries: LotteryStore, hot_state: HotState, house_units: HouseUnits
    ) -> None:
        self._transaction = transaction
        self._lotteries = lotteries
        self._hot_state = hot_state
        self._house_units = house_units

    async def save(self, before: Concert, after: Concert, command: RoomCommand) -> Concert:
        """Save `after`, one version later than `before`, and return it with the `top` of its tiers
        and the version of its room settings filled in.

        Raises VersionConflict, CapacityInUse, or AlreadyDone if the command has already changed the
        room; nothing has changed then. Raises TemporarilyUnavailable if that is not certain: the
        holds of the house stay, and the settle worker decides about them.
        """
        after = await self._with_commitment(after)
        audit = _audit(before, after, command)
        if audit is not None:
            after = replace(after, room=replace(after.room, version=audit.settings_version))
        if before.status is ConcertStatus.DRAFT:
            drafted = replace(after, tiers=tuple(replace(tier, top=tier.capacity) for tier in after.tiers))
            return await self._transaction.commit(ConcertWrite(drafted, audit))
        returned = await self._house_units.plan_return(before, after)
        topped = replace(after, tiers=tuple(_topped(before, tier, returned.counts[tier.id]) for tier in after.tiers))
        taken = await self._house_units.withdraw(before, after)
        added = [withdrawn_order(hold, after) for hold in taken]
        try:
            return await self._transaction.commit(ConcertWrite(topped, audit, added, returned.shrunk))
        except (VersionConflict, AlreadyDone):
            await self._house_units.settle(taken)
            raise
        except DuplicateKeyError as error:
            await self._house_units.settle(taken)
            await self._house_units.sync_owners(taken)
            raise TemporarilyUnavailable("Some of these tickets were sold before the stock store restarted") from error

    async def sync(self, concert: Concert) -> None:
        """Copy a changed concert, and the units of the house, to the hot state."""
        await self._hot_state.apply_concert(concert)
        await self._house_units.sync(concert.id)

    async def sync_if_changed(self, concert: Concert) -> bool:
        """Copy a concert if it has changed; called repeatedly by a worker.

        Return False if the hot state already had this version.
        """
        word = await self._hot_state.apply_concert(concert)
        match word:
            case "APPLIED":
                await self._house_units.sync(concert.id)
                return True
            case "CURRENT":
                return False
            case _:
                raise ScriptReplyError(scripts.APPLY_CONCERT.name, word)

    async def _with_commitment(self, concert: Concert) -> Concert:
        """Return the concert with a commitment to the lottery that people can join.

        A commitment that is never published does no harm.
        """
        room = concert.room
        if not room.shuffle_at_start or room.commitment or concert.status is ConcertStatus.DRAFT:
            return concert
        return replace(concert, room=replace(room, commitment=await self._lotteries.commit(concert.id, room.round)))


def _audit(before: Concert, after: Concert, command: RoomCommand) -> RoomAudit | None:
    """Return the audit row of the change; None if the room is unchanged."""
    changes = diff_room_settings(before.room, after.room)
    if not changes:
        return None
    return RoomAudit(
        concert_id=after.id,
        at=datetime.now(UTC),
        command=command,
        settings_version=before.room.version + 1,
        round=after.room.round,
        changes=changes,
    )


def _topped(before: Concert, new: Tier, returned: int) -> Tier:
    """Return the tier with `top` raised by the growth of its capacity, less the units that the
    house returns.
    """
    old = before.tier(new.id)
    if old is None:
        return replace(new, top=new.capacity)
    return replace(new, top=old.top + max(new.capacity - old.capacity - returned, 0))
