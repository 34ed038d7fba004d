"""One MongoDB transaction for everything that a change of a concert writes: its document, the
orders of the house and the audit row.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pymongo.errors import DuplicateKeyError, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from domain.concerts import Concert
from domain.errors import TemporarilyUnavailable, VersionConflict
from domain.orders import Order
from domain.room_audits import RoomAudit
from storage.mongo.client import ANSWER_WITHIN_MS, Client, Session, is_refusal
from storage.mongo.concerts import ConcertStore
from storage.mongo.orders import OrderStore
from storage.mongo.room_audits import RoomAuditStore

MAX_ATTEMPTS = 10
_READ = ReadConcern("majority")
_WRITE = WriteConcern("majority", wtimeout=ANSWER_WITHIN_MS)


@dataclass(frozen=True, slots=True)
class ConcertWrite:
    """The documents to write. `concert` is one version later than the stored one."""

    concert: Concert
    audit: RoomAudit | None = None
    added: Sequence[Order] = ()
    """Orders of the house, for units taken off sale."""
    shrunk: Sequence[Order] = ()
    """Orders of the house that returned units."""


class ConcertTransaction:
    def __init__(self, client: Client, concerts: ConcertStore, orders: OrderStore, room_audits: RoomAuditStore) -> None:
        self._client = client
        self._concerts = concerts
        self._orders = orders
        self._room_audits = room_audits

    async def commit(self, write: ConcertWrite) -> Concert:
        """Write all of it or nothing, and return the concert.

        Raises VersionConflict, AlreadyDone, or DuplicateKeyError for units recorded elsewhere.
        Raises TemporarilyUnavailable if the outcome is unknown: the change may have been committed.
        """
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                async with await self._client.start_session() as session, _transaction(session):
                    await self._write(write, session)
                return write.concert
            except DuplicateKeyError:
                raise
            except PyMongoError as error:
                # Certainly rolled back, because of another transaction or an index build.
                if error.has_error_label("TransientTransactionError") and attempt < MAX_ATTEMPTS:
                    # Without a random pause, concurrent changes would collide again. The later one
                    # then finds the new version.
                    await asyncio.sleep(random.uniform(0.01, 0.03) * attempt)
                    continue
                if is_refusal(error):
                    raise
                raise TemporarilyUnavailable("The order database does not answer") from error
        raise AssertionError("the last attempt returns or raises")

    async def _write(self, write: ConcertWrite, session: Session) -> None:
        concert = write.concert
        if not await self._concerts.replace_in_transaction(concert, session):
            raise VersionConflict(concert.id, await self._stored_version(concert))
        for order in write.added:
            await self._orders.put_in_transaction(order, session)
        for order in write.shrunk:
            if not await self._orders.shrink_in_transaction(order, session):
                raise VersionConflict(concert.id, concert.version)
        if write.audit is not None:
            await self._room_audits.insert_in_transaction(write.audit, session)

    async def _stored_version(self, concert: Concert) -> int:
        stored = await self._concerts.get(concert.id)
        return stored.version if stored else concert.version


@asynccontextmanager
async def _transaction(session: Session) -> AsyncIterator[None]:
    """Commit the transaction at the end of the block, or abort it after an error.

    A commit of unknown outcome is repeated: an open transaction would block the settling of its
    orders.
    """
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
