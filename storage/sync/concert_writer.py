"""Saves changes to a concert in MongoDB and copies them to the hot state.

A lower capacity is first set in the hot state, which caps new holds at it. Units are then moved
to the house or back. If there are few, the transaction that saves the change moves them; otherwise,
a worker does so afterward. A change to prices or to a waiting room is saved together with its audit
row. The change is copied to the hot state last; if the copy fails, a worker repeats it.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from pymongo.errors import DuplicateKeyError

from domain.concerts import Concert, ConcertStatus, Tier
from domain.errors import TemporarilyUnavailable, VersionConflict
from domain.ids import ConcertId, TierId
from domain.mails.notices import notice_after
from domain.room_audits import RoomAudit, RoomCommand, diff_audited
from storage import scripts
from storage.hot.hot_state import HotState
from storage.mongo.concert_transaction import ConcertTransaction, ConcertWrite, HouseMove
from storage.mongo.lotteries import LotteryStore
from storage.mongo.room_audits import AlreadyDone
from storage.scripts import ScriptReplyError
from storage.sync import house_units
from storage.sync.capacity_proposals import CapacityProposals
from storage.sync.house_units import HouseUnits

log = logging.getLogger(__name__)


_TAKEN_BY_CHANGE = "Another change of this concert has just moved some of these tickets"
_SOLD_UNSEEN = "Some of these tickets have been sold, but the stock store did not know it yet"


class LostKeys(Exception):
    """The store has evicted a key of this concert."""


class ConcertWriter:
    def __init__(
        self,
        transaction: ConcertTransaction,
        lotteries: LotteryStore,
        *,
        hot_state: HotState,
        house_units: HouseUnits,
        proposals: CapacityProposals,
    ) -> None:
        self._transaction = transaction
        self._lotteries = lotteries
        self._hot_state = hot_state
        self._house_units = house_units
        self._proposals = proposals

    async def save(self, before: Concert, after: Concert, command: RoomCommand) -> Concert:
        """Save `after` as the version that follows `before`, and return it.

        Fills in the `top` of its tiers and the version of its room settings.

        Raises VersionConflict, CapacityInUse, or AlreadyDone if the command has already changed the
        room; in these cases nothing is saved. Raises TemporarilyUnavailable if the outcome is
        unknown.
        """
        after = await self._with_commitment(after)
        audit = _audit(before, after, command)
        if audit is not None:
            after = replace(after, room=replace(after.room, version=audit.settings_version))
        if before.status is ConcertStatus.DRAFT:
            draft = replace(after, tiers=tuple(replace(tier, top=tier.capacity) for tier in after.tiers))
            return await self._transaction.commit(ConcertWrite(draft, audit))
        with_tops = replace(after, tiers=tuple(_with_top(before, tier) for tier in after.tiers))
        notice = notice_after(before, with_tops, datetime.now(UTC))
        write = ConcertWrite(with_tops, audit, notice, to_withdraw=_to_withdraw(before, with_tops))
        lowered = [tier for tier in with_tops.tiers if (old := before.tier(tier.id)) and tier.capacity < old.capacity]
        if not lowered:
            return await self._commit(before, write)
        proposal = await self._proposals.propose(before, lowered, is_large=_is_large(before, write))
        try:
            return await self._commit(before, replace(write, epoch=before.epoch))
        except VersionConflict:
            await self._proposals.drop_superseded(before.id)
            raise
        except (AlreadyDone, TemporarilyUnavailable):
            await self._settle(before.id, proposal)
            raise

    async def delete_draft(self, concert_id: ConcertId, *, version: int) -> bool:
        """Delete a draft and everything that refers to it. Return False if another change came
        first.

        A draft has no hot state. Raises TemporarilyUnavailable if the outcome is unknown.
        """
        return await self._transaction.delete_draft(concert_id, version=version)

    async def sync(self, concert: Concert) -> None:
        """Copy a changed concert to the hot state."""
        await self._hot_state.apply_concert(concert)

    async def sync_if_changed(self, concert: Concert) -> bool:
        """Copy a concert if it has changed, and settle lower capacities proposed by a process that
        crashed. A worker calls this repeatedly.

        Return False if there was nothing to do. Raises LostKeys if the concert must be recovered.
        """
        copied = await self._hot_state.copy_concert(concert)
        match copied.word:
            case "APPLIED":
                return True
            case "UNDECIDED":
                await self._proposals.settle(concert.id, copied.proposal)
                return True
            case "CURRENT":
                return False
            case "LOST":
                raise LostKeys(concert.id)
            case _:
                raise ScriptReplyError(scripts.APPLY_CONCERT.name, copied.word)

    async def _commit(self, before: Concert, write: ConcertWrite) -> Concert:
        """Save a change, and move its units unless it is large."""
        moves = [] if _is_large(before, write) else await self._plan(before, write.to_withdraw)
        try:
            written = await self._transaction.commit(replace(write, moves=moves))
        except DuplicateKeyError as error:
            is_change = await self._house_units.sync_owners(moves)
            cause = _TAKEN_BY_CHANGE if is_change else _SOLD_UNSEEN
            raise TemporarilyUnavailable(cause) from error
        await self._house_units.record(moves)
        return written

    async def _plan(self, before: Concert, to_withdraw: Sequence[tuple[TierId, int]]) -> list[HouseMove]:
        moves = [await self._house_units.plan(before, tier_id, count) for tier_id, count in to_withdraw]
        if any(move.count < count for move, (_, count) in zip(moves, to_withdraw, strict=True)):
            raise TemporarilyUnavailable("The stock of this concert is being checked")
        return moves

    async def _settle(self, concert_id: ConcertId, proposal: str) -> None:
        try:
            await self._proposals.settle(concert_id, proposal)
        except TemporarilyUnavailable as error:
            log.warning("a lower capacity for concert %s will be settled later: %s", concert_id, error)

    async def _with_commitment(self, concert: Concert) -> Concert:
        """Return the concert, with a commitment for its lottery if it needs one.

        A commitment that is never published does no harm.
        """
        room = concert.room
        if not room.shuffle_at_start or room.commitment or concert.status is ConcertStatus.DRAFT:
            return concert
        return replace(concert, room=replace(room, commitment=await self._lotteries.commit(concert.id, room.round)))


def _audit(before: Concert, after: Concert, command: RoomCommand) -> RoomAudit | None:
    """Return the audit row for the change, or None if nothing audited has changed."""
    changes = diff_audited(before, after)
    if not changes:
        return None
    return RoomAudit(
        concert_id=after.id,
        at=datetime.now(UTC),
        command=command,
        settings_version=before.room.version + (after.room != before.room),
        round=after.room.round,
        changes=changes,
    )


def _with_top(before: Concert, new: Tier) -> Tier:
    """Return the tier with enough unit numbers for its capacity."""
    old = before.tier(new.id)
    return replace(new, top=new.capacity if old is None else max(old.top, new.capacity))


def _to_withdraw(before: Concert, after: Concert) -> list[tuple[TierId, int]]:
    """Return how many units of each changed tier the house must take; negative if it must return
    them.
    """
    pairs = [(old, after.tier(old.id)) for old in before.tiers]
    counts = [(old.id, new.top - old.top - new.capacity + old.capacity) for old, new in pairs if new is not None]
    return [(tier_id, count) for tier_id, count in counts if count]


def _is_large(before: Concert, write: ConcertWrite) -> bool:
    """Return whether the units must be moved later, because there are too many of them or others
    are being moved.
    """
    is_moving = any(tier.to_withdraw for tier in before.tiers)
    return is_moving or sum(abs(count) for _, count in write.to_withdraw) > house_units.MAX_UNITS_PER_TRANSACTION
