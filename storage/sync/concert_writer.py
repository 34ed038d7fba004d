"""Changes of a concert, capacity included: what is taken off sale is bought by the house, under the same unique index.

Lowering holds free units, then records them in WITHDRAWN documents in one transaction with the concert. Raising gives
those units back first and only then adds above `top`. A waiting room never changes without its row in the audit.
The hot state hears of it afterwards; a worker repeats it.
"""

import asyncio
import random
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

from pymongo.errors import DuplicateKeyError, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from domain.concerts import Concert, ConcertStatus, Tier
from domain.errors import CapacityInUse, TemporarilyUnavailable, VersionConflict
from domain.holds import Hold
from domain.ids import HOUSE, OrderId, TierId, Unit, hold_id
from domain.orders import Customer, Order, OrderEvent, OrderStatus
from domain.room_audits import RoomAudit, RoomCommand
from domain.room_changes import diff_room_settings
from storage import scripts
from storage.hot.hot_state import HotState
from storage.mongo.client import ANSWER_WITHIN_MS, Database, Session
from storage.mongo.concerts import ConcertStore
from storage.mongo.lotteries import LotteryStore
from storage.mongo.orders import OrderStore
from storage.mongo.room_audits import AlreadyDone, RoomAuditStore
from storage.scripts import ScriptReplyError
from storage.sync.order_sync import OrderSync
from storage.sync.recovery import Recovery

MAX_UNITS_PER_HOLD = 1000
"""So that one script stays short; a larger withdrawal takes several holds and one transaction."""
MAX_ATTEMPTS = 10
_READ = ReadConcern("majority")
_WRITE = WriteConcern("majority", wtimeout=ANSWER_WITHIN_MS)
_HOUSE = Customer("Onsale", "")


class ConcertWriter:
    def __init__(
        self,
        mongo: Database,
        concerts: ConcertStore,
        orders: OrderStore,
        room_audits: RoomAuditStore,
        lotteries: LotteryStore,
        hot: HotState,
        recorder: OrderSync,
        recovery: Recovery,
    ) -> None:
        self._client = mongo.client
        self._concerts = concerts
        self._orders = orders
        self._room_audits = room_audits
        self._lotteries = lotteries
        self._hot_state = hot
        self._order_sync = recorder
        self._recovery = recovery

    async def save(self, before: Concert, after: Concert, deed: RoomCommand) -> Concert:
        """Makes `before` into `after`, one version later. Tops of tiers, and all that numbers a room, are found here.

        Raises VersionConflict, CapacityInUse or TemporarilyUnavailable, and AlreadyDone for a deed that changes the
        room and was done before; then nothing changed.
        """
        after = await self._with_commitment(after)
        audit = _audit(before, after, deed)
        if audit is not None:
            after = replace(after, room=replace(after.room, version=audit.settings_version))
        if before.status is ConcertStatus.DRAFT:
            drafted = replace(after, tiers=tuple(replace(tier, top=tier.capacity) for tier in after.tiers))
            return await self._commit(drafted, audit)
        shrunk, given_back = await self._give_back(before, after)
        topped = replace(after, tiers=tuple(_topped(before, tier, given_back[tier.id]) for tier in after.tiers))
        taken = await self._withdraw(before, after)
        try:
            return await self._commit(topped, audit, [_withdrawn(hold, after) for hold in taken], shrunk)
        except (VersionConflict, AlreadyDone):
            await self._settle_all(taken)
            raise
        except DuplicateKeyError as error:
            await self._settle_all(taken)
            await self._order_sync.sync_owners([unit for hold in taken for unit in hold.units])
            raise TemporarilyUnavailable("Some of these tickets were sold before the stock store restarted") from error

    async def _with_commitment(self, concert: Concert) -> Concert:
        """A lottery that people can join has its commitment. One that is never published does no harm."""
        room = concert.room
        if not room.shuffle_at_start or room.commitment or concert.status is ConcertStatus.DRAFT:
            return concert
        return replace(concert, room=replace(room, commitment=await self._lotteries.commit(concert.id, room.round)))

    async def _withdraw(self, before: Concert, after: Concert) -> list[Hold]:
        """Holds for the house on what the lowered tiers lose; all or none."""
        taken: list[Hold] = []
        for old, new in _changed_tiers(before, after):
            missing = old.capacity - new.capacity
            while missing > 0:
                quantity = min(missing, MAX_UNITS_PER_HOLD)
                hold = await self._withdraw_some(before, old, quantity, taken)
                taken.append(hold)
                missing -= quantity
        return taken

    async def _withdraw_some(self, concert: Concert, tier: Tier, quantity: int, taken: Sequence[Hold]) -> Hold:
        # A new id each time: a try that was settled must not be found again by the next.
        id_ = hold_id(HOUSE, concert.id, "withdraw", secrets.token_hex(16))
        word, withdrawal = await self._hot_state.withdraw_units(concert.id, id_, tier.id, quantity)
        if withdrawal.hold is not None:
            return withdrawal.hold
        await self._settle_all(taken)
        match word:
            case "IN_USE":
                ours = sum(len(hold.units) for hold in taken if hold.lines[0].tier_id == tier.id)
                raise CapacityInUse(tier.id, lowest=withdrawal.lowest_capacity - ours)
            case "UNKNOWN_TIER" | "UNKNOWN" | "RECOVERING":
                # A recovery applies the concert, with the tier that the store does not know yet.
                raise await self._recovery.refusal_for(concert.id, word)
            case _:
                raise ScriptReplyError(scripts.WITHDRAW_UNITS.name, word)

    async def _settle_all(self, holds: Sequence[Hold]) -> None:
        for hold in holds:
            await self._order_sync.settle(hold.concert_id, hold.id)

    async def _give_back(self, before: Concert, after: Concert) -> tuple[list[Order], Counter[TierId]]:
        """The house's documents without what the raised tiers get back of them, and how much that is a tier."""
        wanted = {old.id: new.capacity - old.capacity for old, new in _changed_tiers(before, after)}
        shrunk: list[Order] = []
        given_back: Counter[TierId] = Counter()
        for order in await self._orders.list_withdrawn(before.id):
            tier_id = order.lines[0].tier_id
            back = order.units[: max(wanted.get(tier_id, 0) - given_back[tier_id], 0)]
            if back:
                given_back[tier_id] += len(back)
                shrunk.append(_shrunk(order, back))
        return shrunk, given_back

    async def _commit(
        self,
        concert: Concert,
        audit: RoomAudit | None,
        added: Sequence[Order] = (),
        shrunk: Sequence[Order] = (),
    ) -> Concert:
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                async with await self._client.start_session() as session, _transaction(session):
                    await self._write_in_transaction(concert, added, shrunk, session)
                    if audit is not None:
                        await self._room_audits.insert_in_transaction(audit, session)
                return concert
            except DuplicateKeyError:
                raise
            except PyMongoError as error:
                # Rolled back for sure, because another transaction or an index build was in the way.
                if error.has_error_label("TransientTransactionError") and attempt < MAX_ATTEMPTS:
                    # Several that change a concert at once would meet again: whoever is later finds the new version.
                    await asyncio.sleep(random.uniform(0.01, 0.03) * attempt)
                    continue
                # It may have been committed: the house's holds stay as they are, and the settle worker finds out.
                raise TemporarilyUnavailable("The order database does not answer") from error
        raise AssertionError("the last attempt returns or raises")

    async def _write_in_transaction(
        self, concert: Concert, added: Sequence[Order], shrunk: Sequence[Order], session: Session
    ) -> None:
        if not await self._concerts.replace_in_transaction(concert, session):
            raise VersionConflict(concert.id, await self._version_of(concert))
        for order in added:
            await self._orders.put_in_transaction(order, session)
        for order in shrunk:
            if not await self._orders.shrink_in_transaction(order, session):
                raise VersionConflict(concert.id, concert.version)

    async def _version_of(self, concert: Concert) -> int:
        stored = await self._concerts.get(concert.id)
        return stored.version if stored else concert.version

    async def sync(self, concert: Concert) -> None:
        """Copies a changed concert and what the house has of it into the hot state."""
        await self._hot_state.apply_concert(concert)
        await self._sync_house_units(concert)

    async def sync_if_changed(self, concert: Concert) -> bool:
        """`tell` for a worker that asks again and again. False: the hot state had this version."""
        word = await self._hot_state.apply_concert(concert)
        match word:
            case "APPLIED":
                await self._sync_house_units(concert)
                return True
            case "CURRENT":
                return False
            case _:
                raise ScriptReplyError(scripts.APPLY_CONCERT.name, word)

    async def _sync_house_units(self, concert: Concert) -> None:
        await self._order_sync.sync_all(await self._orders.list_withdrawn(concert.id))


@asynccontextmanager
async def _transaction(session: Session) -> AsyncIterator[None]:
    """Commits, repeating a commit of unknown end: one left open would block whoever settles its orders."""
    session.start_transaction(_READ, _WRITE)
    try:
        yield
    except BaseException:
        await session.abort_transaction()
        raise
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            await session.commit_transaction()
        except PyMongoError as error:
            if not error.has_error_label("UnknownTransactionCommitResult") or attempt == MAX_ATTEMPTS:
                raise
        else:
            return


def _audit(before: Concert, after: Concert, deed: RoomCommand) -> RoomAudit | None:
    """None: the room stays as it is."""
    changes = diff_room_settings(before.room, after.room)
    if not changes:
        return None
    return RoomAudit(
        concert_id=after.id,
        at=datetime.now(UTC),
        command=deed,
        settings_version=before.room.version + 1,
        round=after.room.round,
        changes=changes,
    )


def _changed_tiers(before: Concert, after: Concert) -> list[tuple[Tier, Tier]]:
    pairs = [(old, after.tier(old.id)) for old in before.tiers]
    return [(old, new) for old, new in pairs if new is not None and new.capacity != old.capacity]


def _topped(before: Concert, new: Tier, given_back: int) -> Tier:
    """`top` grows by what the capacity grows, less what the house gives back of it."""
    old = before.tier(new.id)
    if old is None:
        return replace(new, top=new.capacity)
    return replace(new, top=old.top + max(new.capacity - old.capacity - given_back, 0))


def _withdrawn(hold: Hold, concert: Concert) -> Order:
    now = datetime.now(UTC)
    return Order(
        id=OrderId(hold.id),
        concert_id=hold.concert_id,
        person_id=HOUSE,
        status=OrderStatus.WITHDRAWN,
        units=hold.units,
        released_units=(),
        lines=hold.lines,
        currency=concert.currency,
        customer=_HOUSE,
        version=1,
        events=(OrderEvent("WITHDRAWN", now),),
        created_at=now,
    )


def _shrunk(order: Order, back: Sequence[Unit]) -> Order:
    return replace(
        order,
        units=order.units[len(back) :],
        released_units=(*order.released_units, *back),
        version=order.version + 1,
        events=(*order.events, OrderEvent("GIVEN_BACK", datetime.now(UTC))),
    )
