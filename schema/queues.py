"""One person's place in a line as its owner sees it: the entry, its pass, and the position that is pushed."""

from datetime import datetime
from typing import Self

import strawberry

import domain.queues
from domain.errors import NotFound
from domain.ids import ConcertId, PersonId
from domain.topics import LineSnapshot
from resolvers import queues as resolve
from schema import ids
from schema.computed import computed
from schema.concerts import Concert, Stock, load_concert
from schema.enums import EntryState, PassStatus
from schema.request import Info, Request
from schema.scalars import seconds_until


@strawberry.type(description="The right to hold tickets of one concert, for one purchase.")
class QueuePass:
    person_id: strawberry.Private[PersonId]
    token: str | None = strawberry.field(description="Send it as `queuePass`. Null once your turn is over.")
    status: PassStatus
    expires_at: datetime = strawberry.field(description="Hold tickets before; a hold you have by then stays.")
    expires_in_seconds: int = strawberry.field(
        description="Until then, for clients whose clock is wrong; 0 once the pass is over."
    )

    @classmethod
    def of(cls, entry: domain.queues.QueueEntry) -> Self | None:
        found = entry.queue_pass
        if found is None:
            return None
        return cls(
            person_id=entry.person_id,
            token=found.token if entry.state is EntryState.ADMITTED else None,
            status=found.status,
            expires_at=found.expires_at,
            expires_in_seconds=seconds_until(found.expires_at) if entry.state is EntryState.ADMITTED else 0,
        )


@strawberry.type(description="Your place in the line of one concert.")
class QueueEntry(ids.Node):
    person_id: strawberry.Private[PersonId]
    concert_id: strawberry.Private[ConcertId]
    number: int | None = strawberry.field(
        description="Your place, given once, from 1. Null in a room without an order, as one that draws lots."
    )
    state: EntryState
    position: int | None = strawberry.field(
        description="1 is next; 0 once your number was called. Null once your place has ended, "
        "and in a room without an order."
    )
    joined_at: datetime
    expires_at: datetime | None = strawberry.field(
        description="READY: claim before. ADMITTED: the pass ends. WAITING: send a heartbeat before. "
        "Null while a socket of yours watches, and once your place has ended."
    )
    expires_in_seconds: int | None = strawberry.field(description="Until then, for clients whose clock is wrong.")
    pass_: QueuePass | None = strawberry.field(name="pass", description="Null until you claim it.")

    @classmethod
    def of(cls, entry: domain.queues.QueueEntry) -> Self:
        deadline = entry.expires_at if entry.is_living else None
        return cls(
            person_id=entry.person_id,
            concert_id=entry.concert_id,
            id=ids.of_entry(entry.concert_id, entry.number),
            number=entry.number,
            state=entry.state,
            position=_position(entry),
            joined_at=entry.joined_at,
            expires_at=deadline,
            expires_in_seconds=seconds_until(deadline) if deadline else None,
            pass_=QueuePass.of(entry),
        )

    @computed("What it is for. Null with a top-level error while the catalogue is away.")
    async def concert(self, info: Info) -> Concert | None:
        return await load_concert(info.context, self.concert_id)


@strawberry.type(description="Where you stand in line, and what is left in front of you: all at one version.")
class QueuePosition:
    person_id: strawberry.Private[PersonId]
    state: EntryState | None = strawberry.field(description="Null, like all that is yours here, if you never joined.")
    number: int | None = strawberry.field(description="Your place, given once, from 1.")
    position: int | None = strawberry.field(description="As `QueueEntry.position`, exact for this version.")
    serving_number: int = strawberry.field(description="The highest number called so far.")
    waiting_count: int = strawberry.field(description="People who wait and are still there.")
    expires_at: datetime | None = strawberry.field(
        description="READY: claim before. ADMITTED: the pass ends. Null while you wait: to watch is to be there."
    )
    expires_in_seconds: int | None = strawberry.field(description="Until then, for clients whose clock is wrong.")
    pass_: QueuePass | None = strawberry.field(name="pass", description="Null until you claim it.")
    stock: Stock | None = strawberry.field(description="What is left.")
    version: int = strawberry.field(description="Rises with every change inside an epoch; forget what has a lower one.")
    epoch: int = strawberry.field(description="A new epoch means the line was rebuilt: take it whatever its version.")

    @classmethod
    def of(cls, line: LineSnapshot, person_id: PersonId) -> Self:
        entry, room = line.entry, line.room
        was_called = entry is not None and entry.state in (EntryState.READY, EntryState.ADMITTED)
        deadline = entry.expires_at if entry and was_called else None
        return cls(
            person_id=person_id,
            state=entry.state if entry else None,
            number=entry.number if entry else None,
            position=_position(entry) if entry else None,
            serving_number=room.serving_number,
            waiting_count=room.waiting_count,
            expires_at=deadline,
            expires_in_seconds=seconds_until(deadline) if deadline else None,
            pass_=QueuePass.of(entry) if entry else None,
            stock=Stock.of(line.stock),
            version=room.version,
            epoch=room.epoch,
        )


def _position(entry: domain.queues.QueueEntry) -> int | None:
    return entry.position if entry.is_living else None


async def load_entry(request: Request, concert_id: ConcertId) -> QueueEntry | None:
    try:
        found = await resolve.entry_of_viewer(request.context, concert_id)
    except NotFound:
        return None
    return QueueEntry.of(found) if found else None


async def find_entry(info: Info, concert_id: strawberry.ID) -> QueueEntry | None:
    return await load_entry(info.context, ids.concert_argument(concert_id))
