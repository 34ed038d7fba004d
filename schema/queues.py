"""Queue entries as their owners see them: the entry, its pass, and the pushed position."""

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
from schema.concerts import Concert, load_concert
from schema.enums import EntryEnd, EntryState, PassStatus, RoomStatus, StockAhead
from schema.lottery import LotteryProof, load_proof
from schema.scalars import seconds_until
from schema.stock.stock import Stock
from schema.strawberry_fixes import ConcertIdArgument, Info, computed


@strawberry.type(description="The right to hold tickets for one concert, for one purchase.")
class QueuePass:
    person_id: strawberry.Private[PersonId]
    token: str | None = strawberry.field(description="The token to send as `queuePass`. Null after your turn is over.")
    status: PassStatus = strawberry.field(description="The status of the pass.")
    expires_at: datetime = strawberry.field(
        description="Hold tickets before this time. Holds you already have stay valid after it."
    )
    expires_in_seconds: int = strawberry.field(
        description="Seconds until `expiresAt`, for clients whose clock may be wrong. 0 after the pass has expired."
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


@strawberry.type(description="An estimate of your wait in seconds from now, based on how the queue has moved.")
class WaitEstimate:
    p50_seconds: int = strawberry.field(description="Half of the people at your position wait at most this long.")
    p90_seconds: int = strawberry.field(description="Nine out of ten people at your position wait at most this long.")

    @classmethod
    def of(cls, found: domain.estimates.wait_estimates.WaitEstimate | None) -> Self | None:
        return cls(p50_seconds=found.p50_s, p90_seconds=found.p90_s) if found else None


@strawberry.type(description="Your entry in the queue of one concert.")
class QueueEntry(ids.Node):
    entry: strawberry.Private[domain.queues.QueueEntry]
    pushed: strawberry.Private[QueueSnapshot | None]
    person_id: strawberry.Private[PersonId]
    concert_id: strawberry.Private[ConcertId]
    number: int | None = strawberry.field(
        description=(
            "Your number, assigned once; numbers start at 1 in each round."
            " Null before the lottery draw, and with RANDOM."
        )
    )
    state: EntryState = strawberry.field(description="The state of the entry.")
    position: int | None = strawberry.field(
        description="1 is next; 0 after your number was called. Null after the entry has ended, and with RANDOM."
    )
    joined_at: datetime = strawberry.field(description="When you joined the queue.")
    expires_at: datetime | None = strawberry.field(
        description=(
            "READY: claim the pass by then. ADMITTED: the pass expires then. WAITING: send a heartbeat "
            "by then. Null while you have an open subscription, and after the entry has ended."
        )
    )
    expires_in_seconds: int | None = strawberry.field(
        description="Seconds until `expiresAt`, for clients whose clock may be wrong."
    )
    pass_: QueuePass | None = strawberry.field(name="pass", description="Your pass. Null until you claim it.")
    end_reason: EntryEnd | None = strawberry.field(description="Why the entry ended. Null if it has not ended.")
    round: int = strawberry.field(
        description="Increases when an organizer resets the queue. Numbers then start at 1 again."
    )
    lot: int | None = strawberry.field(
        description="The index of your registration in the lottery, starting at 1. Null if you are not in a lottery."
    )
    version: int = strawberry.field(
        description=(
            "The version of the concert at which the entry was read. Of two answers with the same epoch, the one with"
            " the higher version is newer."
        )
    )
    epoch: int = strawberry.field(
        description="A new epoch means that the queue was rebuilt. Accept it regardless of its version."
    )

    @classmethod
    def of(cls, entry: domain.queues.QueueEntry, pushed: QueueSnapshot | None = None) -> Self:
        """Return the entry. In a push, it shows nothing but the snapshot."""
        # A waiting person who gets pushes is connected, so no deadline applies.
        has_deadline = entry.is_active and not (pushed and entry.state in domain.queues.WAITING_STATES)
        deadline = entry.expires_at if has_deadline else None
        return cls(
            entry=entry,
            pushed=pushed,
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
            version=entry.version,
            epoch=entry.epoch,
        )

    @computed("How long you will wait. Null if it is unknown: before the queue has moved, or while calls are stopped.")
    async def estimated_wait(self, info: Info) -> WaitEstimate | None:
        return WaitEstimate.of(
            self.entry.estimate if self.pushed else await resolve.estimate_wait(info.context, self.entry)
        )

    @computed(
        "Whether tickets will be left when it is your turn. Null after the entry ends, or if the store is unavailable."
    )
    async def stock_ahead(self, info: Info) -> StockAhead | None:
        if self.pushed:
            return self.pushed.stock_ahead if self.entry.is_active else None
        concert = await concerts.load_concert(info.context, self.concert_id)
        room = await rooms.load_waiting_room(info.context, self.concert_id)
        if concert is None or room is None or not self.entry.is_active:
            return None
        return sold_out_forecast.forecast_stock_ahead(
            # As in the pushed forecast, hidden tiers do not count, even for organizers.
            (await concerts.load_stock(info.context, concert)).public,
            room.people_ahead(self.entry),
            room.flow,
        )

    @computed(
        "Proof that your number was drawn fairly. Null before the draw, and for entries that were not part of it."
    )
    async def lottery_proof(self, info: Info) -> LotteryProof | None:
        return await load_proof(info.context, self.entry)

    @computed("The concert. Null with a top-level error if the catalog is unavailable.")
    async def concert(self, info: Info) -> Concert | None:
        return await load_concert(info.context, self.concert_id)


@strawberry.type(description="Your position in the queue and the stock of the concert, read at the same version.")
class QueuePosition:
    person_id: strawberry.Private[PersonId]
    entry: QueueEntry | None = strawberry.field(
        description=(
            "Your entry at this version, as `queueEntry` returns it; select it with its `id` to keep a client's cache"
            " current. Null if you never joined."
        )
    )
    state: EntryState | None = strawberry.field(
        description="The state of your entry. If you never joined, this and the other fields of your entry are null."
    )
    number: int | None = strawberry.field(description="See `QueueEntry.number`.")
    position: int | None = strawberry.field(description="See `QueueEntry.position`; exact for this version.")
    estimated_wait: WaitEstimate | None = strawberry.field(description="See `QueueEntry.estimatedWait`.")
    serving_number: int = strawberry.field(description="The highest number called so far.")
    waiting_count: int = strawberry.field(description="How many people are waiting.")
    expires_at: datetime | None = strawberry.field(
        description=(
            "READY: claim the pass by then. ADMITTED: the pass expires then. Null while you wait: this "
            "subscription keeps your entry alive."
        )
    )
    expires_in_seconds: int | None = strawberry.field(
        description="Seconds until `expiresAt`, for clients whose clock may be wrong."
    )
    pass_: QueuePass | None = strawberry.field(name="pass", description="Your pass. Null until you claim it.")
    end_reason: EntryEnd | None = strawberry.field(description="Why the entry ended. Null if it has not ended.")
    lot: int | None = strawberry.field(description="See `QueueEntry.lot`.")
    opens_at: datetime | None = strawberry.field(description="When the queue opens. Null after it has opened.")
    room_status: RoomStatus = strawberry.field(
        description="The status of the waiting room. It explains why the queue is not moving."
    )
    message: str = strawberry.field(
        description="A message from the organizer to everyone in the queue. Empty if there is none."
    )
    stock: Stock | None = strawberry.field(
        description="The stock of the concert. Hidden tiers are left out, even for organizers."
    )
    stock_ahead: StockAhead = strawberry.field(description="Whether tickets will be left when it is your turn.")
    version: int = strawberry.field(
        description="Increases with every change within an epoch. Discard payloads with a lower version."
    )
    epoch: int = strawberry.field(
        description="A new epoch means that the queue was rebuilt. Accept it regardless of its version."
    )

    @classmethod
    def of(cls, snapshot: QueueSnapshot, person_id: PersonId) -> Self:
        entry, room = snapshot.entry, snapshot.room
        was_called = entry is not None and entry.state in (EntryState.READY, EntryState.ADMITTED)
        deadline = entry.expires_at if entry and was_called else None
        return cls(
            person_id=person_id,
            entry=QueueEntry.of(entry, snapshot) if entry else None,
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
            stock=Stock.of(snapshot.stock.public, room.concert_id),
            stock_ahead=snapshot.stock_ahead,
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


async def find_entry(info: Info, concert_id: ConcertIdArgument) -> QueueEntry | None:
    return await load_entry(info.context, ids.concert_argument(concert_id))
