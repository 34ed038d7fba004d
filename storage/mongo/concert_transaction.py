"""MongoDB transactions: one writes a change to a concert (its document, its audit row and house
orders), one moves more units to or from the house later, and one deletes a draft.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from pymongo.errors import DuplicateKeyError, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from domain.concerts import Concert
from domain.errors import TemporarilyUnavailable, VersionConflict
from domain.ids import ConcertId, TierId
from domain.mails.notices import ConcertNotice
from domain.orders import Order
from domain.room_audits import RoomAudit
from storage.mongo.client import ANSWER_WITHIN_MS, Client, Session, is_refusal
from storage.mongo.concerts import ConcertStore
from storage.mongo.mails.notices import NoticeStore
from storage.mongo.orders import OrderStore
from storage.mongo.room_audits import RoomAuditStore

log = logging.getLogger(__name__)
R = TypeVar("R")

MAX_ATTEMPTS = 10
_READ = ReadConcern("majority")
_WRITE = WriteConcern("majority", wtimeout=ANSWER_WITHIN_MS)


@dataclass(frozen=True, slots=True)
class HouseMove:
    """Units of one tier that the house takes off sale or returns, as orders to write."""

    tier_id: TierId
    count: int
    """The number of units taken; negative for units returned."""
    added: Sequence[Order] = ()
    """New house orders."""
    shrunk: Sequence[Order] = ()
    """Existing house orders, without the units that they return."""


@dataclass(frozen=True, slots=True)
class ConcertWrite:
    """The documents to write. `concert` is one version ahead of the stored one."""

    concert: Concert
    audit: RoomAudit | None = None
    notice: ConcertNotice | None = None
    """Tells the buyers of the change."""
    to_withdraw: Sequence[tuple[TierId, int]] = ()
    """How many more units of a tier the house must take, including those in `moves`."""
    moves: Sequence[HouseMove] = ()
    """Units that the house takes or returns in this transaction."""
    epoch: int | None = None
    """The epoch under which lower capacities were decided. They are refused if a recovery has begun
    since then.
    """


class _DocumentChanged(Exception):
    """A document has changed since the caller read it."""


class ConcertTransaction:
    def __init__(
        self,
        client: Client,
        concerts: ConcertStore,
        orders: OrderStore,
        *,
        room_audits: RoomAuditStore,
        notices: NoticeStore,
    ) -> None:
        self._client = client
        self._concerts = concerts
        self._orders = orders
        self._room_audits = room_audits
        self._notices = notices

    async def commit(self, write: ConcertWrite) -> Concert:
        """Write all documents or none, and return the concert.

        Raises VersionConflict, AlreadyDone, or DuplicateKeyError if another order has one of the
        units. Raises TemporarilyUnavailable if a recovery has begun, or if the outcome is unknown
        and the change may have been committed.
        """
        return await self._run(write.concert.id, lambda session: self._write(write, session))

    async def move_units(self, concert_id: ConcertId, move: HouseMove) -> bool:
        """Write a move of units by itself. Return False if another process got there first.

        Raises DuplicateKeyError if another order has one of the units, and TemporarilyUnavailable
        if the outcome is unknown.
        """
        try:
            await self._run(concert_id, lambda session: self._move(concert_id, move, session))
        except _DocumentChanged:
            return False
        return True

    async def delete_draft(self, concert_id: ConcertId, *, version: int) -> bool:
        """Delete a draft with its audit rows. Return False if it has changed or is no longer a
        draft.

        Raises TemporarilyUnavailable if the outcome is unknown.
        """
        return await self._run(concert_id, lambda session: self._delete_draft(concert_id, version, session))

    async def _delete_draft(self, concert_id: ConcertId, version: int, session: Session) -> bool:
        if not await self._concerts.delete_draft_in_transaction(concert_id, version, session):
            return False
        await self._room_audits.delete_all_in_transaction(concert_id, session)
        return True

    async def _run(self, concert_id: ConcertId, write: Callable[[Session], Awaitable[R]]) -> R:
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                async with await self._client.start_session() as session, _transaction(session):
                    return await write(session)
            except DuplicateKeyError:
                raise
            except PyMongoError as error:
                # The transaction was definitely rolled back: it conflicted with another transaction
                # or an index build.
                if error.has_error_label("TransientTransactionError") and attempt < MAX_ATTEMPTS:
                    # A random pause keeps concurrent changes from colliding again. The later one
                    # then finds the new version.
                    await asyncio.sleep(random.uniform(0.01, 0.03) * attempt)  # noqa: S311
                    continue
                if is_refusal(error):
                    raise
                log.warning("a change to concert %s failed: %s: %s", concert_id, type(error).__name__, error)
                raise TemporarilyUnavailable("The order database does not answer") from error
        raise AssertionError("the last attempt returns or raises")

    async def _write(self, write: ConcertWrite, session: Session) -> Concert:
        concert = write.concert
        counts = Counter(dict(write.to_withdraw))
        counts.subtract({move.tier_id: move.count for move in write.moves})
        written = await self._concerts.replace_in_transaction(
            concert,
            session,
            to_withdraw={tier_id: count for tier_id, count in counts.items() if count},
            epoch=write.epoch,
        )
        if written is None:
            raise await self._refusal(write, session)
        try:
            for move in write.moves:
                await self._write_orders(move, session)
        except _DocumentChanged as error:
            raise VersionConflict(concert.id, concert.version) from error
        if write.audit is not None:
            await self._room_audits.insert_in_transaction(write.audit, session)
        if write.notice is not None:
            await self._notices.insert_in_transaction(write.notice, session)
        return written

    async def _move(self, concert_id: ConcertId, move: HouseMove, session: Session) -> None:
        if not await self._concerts.count_moved_in_transaction(concert_id, move.tier_id, move.count, session):
            raise _DocumentChanged
        await self._write_orders(move, session)

    async def _write_orders(self, move: HouseMove, session: Session) -> None:
        for order in move.added:
            await self._orders.put_in_transaction(order, session)
        for order in move.shrunk:
            if not await self._orders.shrink_in_transaction(order, session):
                raise _DocumentChanged

    async def _refusal(self, write: ConcertWrite, session: Session) -> VersionConflict | TemporarilyUnavailable:
        # A majority read outside the transaction may lag behind the version that won.
        stored = await self._concerts.get_in_transaction(write.concert.id, session)
        if write.epoch is not None and stored is not None and stored.version == write.concert.version - 1:
            return TemporarilyUnavailable("The stock of this concert was checked during this change")
        return VersionConflict(write.concert.id, stored.version if stored else write.concert.version)


@asynccontextmanager
async def _transaction(session: Session) -> AsyncIterator[None]:
    """Commit the transaction at the end of the block, or abort it after an error.

    A commit whose outcome is unknown is repeated, because an open transaction would keep its orders
    from being settled.
    """
    session.start_transaction(_READ, _WRITE, read_preference=ReadPreference.PRIMARY)
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
