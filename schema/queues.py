"""One person's place in a line as its owner sees it: the entry, its pass, and the position that is pushed."""

from datetime import datetime
from typing import Self

import strawberry

import domain.estimates.wait_estimates
import domain.queues
from domain.errors import NotFound
from domain.estimates import sold_out_forecast
from domain.ids import ConcertId, PersonId
from domain.topics import QueueSnapshot
from resolvers import concerts, rooms
from resolvers import queues as resolve
from resolvers.context import Context
from schema import ids
from schema.concerts import Concert, Stock, load_concert
from schema.enums import EntryEnd, EntryState, PassStatus, RoomStatus, StockAhead
from schema.lottery import LotteryProof, load_proof
from schema.scalars import seconds_until
from schema.strawberry_fixes import Info, computed


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


@strawberry.type(description="How long you will wait, from how the line was seen to move: a band, in seconds from now.")
class WaitEstimate:
    p50_seconds: int = strawberry.field(description="Half of the people who stand here wait at most so long.")
    p90_seconds: int = strawberry.field(description="Nine of ten wait at most so long.")

    @classmethod
    def of(cls, found: domain.estimates.wait_estimates.WaitEstimate | None) -> Self | None:
        return cls(p50_seconds=found.p50_s, p90_seconds=found.p90_s) if found else None


@strawberry.type(description="Your place in the line of one concert.")
class QueueEntry(ids.Node):
    entry: strawberry.Private[domain.queues.QueueEntry]
    person_id: strawberry.Private[PersonId]
    concert_id: strawberry.Private[ConcertId]
    number: int | None = strawberry.field(
        description="Your place, given once, from 1 in each round. Null before a lottery is drawn, and in a room "
        "that draws among all who wait."
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
    end_reason: EntryEnd | None = strawberry.field(description="Why your place ended; null while it lives.")
    round: int = strawberry.field(description="Rises when an organizer empties the line; numbers begin at 1 again.")
    lot: int | None = strawberry.field(
        description="What you were registered under for the lottery, from 1. Null if you have no part in one."
    )

    @classmethod
    def of(cls, entry: domain.queues.QueueEntry) -> Self:
        deadline = entry.expires_at if entry.is_active else None
        return cls(
            entry=entry,
            person_id=entry.person_id,
            concert_id=entry.concert_id,
            id=ids.of_entry(entry.concert_id, entry.entry_id),
            number=entry.number,
            state=entry.state,
            position=_position(entry),
            joined_at=entry.joined_at,
            expires_at=deadline,
            expires_in_seconds=seconds_until(deadline) if deadline else None,
            pass_=QueuePass.of(entry),
            end_reason=entry.end_reason,
            round=entry.round,
            lot=entry.lot,
        )

    @computed("Null while nobody can tell: before the line has moved, or while nobody is called.")
    async def estimated_wait(self, info: Info) -> WaitEstimate | None:
        return WaitEstimate.of(await resolve.estimate_wait(info.context, self.entry))

    @computed("What will be left when your turn comes. Null once your place has ended, and while the store is away.")
    async def stock_ahead(self, info: Info) -> StockAhead | None:
        concert = await concerts.load_concert(info.context, self.concert_id)
        room = await rooms.load_waiting_room(info.context, self.concert_id)
        if concert is None or room is None or not self.entry.is_active:
            return None
        return sold_out_forecast.forecast_stock_ahead(
            await concerts.load_stock(info.context, concert), room.people_ahead(self.entry), room.flow
        )

    @computed("That your number was drawn fairly. Null before the draw, and for a place that had no part in it.")
    async def lottery_proof(self, info: Info) -> LotteryProof | None:
        return await load_proof(info.context, self.entry)

    @computed("What it is for. Null with a top-level error while the catalogue is away.")
    async def concert(self, info: Info) -> Concert | None:
        return await load_concert(info.context, self.concert_id)


@strawberry.type(description="Where you stand in line, and what is left in front of you: all at one version.")
class QueuePosition:
    person_id: strawberry.Private[PersonId]
    state: EntryState | None = strawberry.field(description="Null, like all that is yours here, if you never joined.")
    number: int | None = strawberry.field(description="As `QueueEntry.number`.")
    position: int | None = strawberry.field(description="As `QueueEntry.position`, exact for this version.")
    estimated_wait: WaitEstimate | None = strawberry.field(description="As `QueueEntry.estimatedWait`.")
    serving_number: int = strawberry.field(description="The highest number called so far.")
    waiting_count: int = strawberry.field(description="People who wait and are still there.")
    expires_at: datetime | None = strawberry.field(
        description="READY: claim before. ADMITTED: the pass ends. Null while you wait: to watch is to be there."
    )
    expires_in_seconds: int | None = strawberry.field(description="Until then, for clients whose clock is wrong.")
    pass_: QueuePass | None = strawberry.field(name="pass", description="Null until you claim it.")
    end_reason: EntryEnd | None = strawberry.field(description="Why your place ended; null while it lives.")
    lot: int | None = strawberry.field(description="As `QueueEntry.lot`.")
    opens_at: datetime | None = strawberry.field(description="When the line opens, while it has not. Null otherwise.")
    room_status: RoomStatus = strawberry.field(
        description="What the room does now: who waits sees why it stands still."
    )
    message: str = strawberry.field(description="From the organizer to everybody in line; empty if there is none.")
    stock: Stock | None = strawberry.field(description="What is left.")
    stock_ahead: StockAhead = strawberry.field(description="What will be left when your turn comes.")
    version: int = strawberry.field(description="Rises with every change inside an epoch; forget what has a lower one.")
    epoch: int = strawberry.field(description="A new epoch means the line was rebuilt: take it whatever its version.")

    @classmethod
    def of(cls, line: QueueSnapshot, person_id: PersonId) -> Self:
        entry, room = line.entry, line.room
        was_called = entry is not None and entry.state in (EntryState.READY, EntryState.ADMITTED)
        deadline = entry.expires_at if entry and was_called else None
        return cls(
            person_id=person_id,
            state=entry.state if entry else None,
            number=entry.number if entry else None,
            position=_position(entry) if entry else None,
            estimated_wait=WaitEstimate.of(entry.estimate) if entry else None,
            serving_number=room.serving_number,
            waiting_count=room.waiting_count,
            expires_at=deadline,
            expires_in_seconds=seconds_until(deadline) if deadline else None,
            pass_=QueuePass.of(entry) if entry else None,
            end_reason=entry.end_reason if entry else None,
            lot=entry.lot if entry else None,
            opens_at=room.opens_at if room.status in (RoomStatus.SCHEDULED, RoomStatus.PREQUEUE) else None,
            room_status=room.status,
            message=room.settings.message,
            stock=Stock.of(line.stock),
            stock_ahead=line.stock_ahead,
            version=room.version,
            epoch=room.epoch,
        )


def _position(entry: domain.queues.QueueEntry) -> int | None:
    return entry.position if entry.is_active else None


async def load_entry(context: Context, concert_id: ConcertId) -> QueueEntry | None:
    try:
        found = await resolve.get_viewer_entry(context, concert_id)
    except NotFound:
        return None
    return QueueEntry.of(found) if found else None


async def find_entry(info: Info, concert_id: strawberry.ID) -> QueueEntry | None:
    return await load_entry(info.context, ids.concert_argument(concert_id))
