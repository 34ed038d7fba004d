"""The waiting room of a concert: its settings, what it does now, and how far the line has come.

Everybody sees the room; how it is run is for organizers, field by field in the table of rights.
"""

from datetime import datetime
from typing import Self

import strawberry

import domain.queues
from domain.errors import NotFound
from domain.ids import ConcertId
from resolvers import rooms as resolve
from resolvers.context import Context
from schema import ids
from schema.connection import DEFAULT_PAGE_SIZE, After, Connection, First, page_size
from schema.enums import QueueingMethod, RoomStatus
from schema.lottery import RoomLottery, load_lottery
from schema.room_audits import RoomAudit
from schema.strawberry_fixes import Info, computed


@strawberry.type(
    description="What goes through a room: totals are of this round, `inflow` and `outflow` of the last minute."
)
class RoomFlow:
    inflow: int = strawberry.field(description="People who joined in the last minute.")
    outflow: int = strawberry.field(description="People who were called in the last minute.")
    occupancy: int = strawberry.field(description="People called or admitted now.")
    waiting_count: int = strawberry.field(description="People who wait and are still there.")
    no_shows: int = strawberry.field(description="`absent` and `notClaimed` together.")
    joined: int
    called: int
    claimed: int
    completed: int = strawberry.field(description="Passes spent on orders.")
    left: int
    absent: int = strawberry.field(description="Places that ended because nobody spoke for them.")
    not_claimed: int = strawberry.field(description="Calls that nobody answered in time.")
    session_over: int = strawberry.field(description="Passes that were not spent in time.")

    @classmethod
    def of(cls, room: domain.queues.WaitingRoom) -> Self:
        flow = room.flow
        return cls(
            inflow=flow.inflow,
            outflow=flow.outflow,
            occupancy=room.slots_taken,
            waiting_count=room.waiting_count,
            no_shows=flow.no_shows,
            joined=flow.joined,
            called=flow.called,
            claimed=flow.claimed,
            completed=flow.completed,
            left=flow.left,
            absent=flow.absent,
            not_claimed=flow.not_claimed,
            session_over=flow.session_over,
        )


@strawberry.type(description="The gate of one concert, at one moment.")
class WaitingRoom:
    room: strawberry.Private[domain.queues.WaitingRoom]
    status: RoomStatus
    suspended: bool = strawberry.field(description="The room is off: everybody may hold tickets, without a pass.")
    queueing_method: QueueingMethod
    total_active_users: int = strawberry.field(description="Most people called or admitted at a time.")
    new_users_per_minute: int = strawberry.field(description="Most people called in any 60 seconds.")
    pass_claim_timeout_seconds: int = strawberry.field(description="How long a call waits to be claimed.")
    session_duration_seconds: int = strawberry.field(description="Life of a pass, from its claim.")
    prequeue_starts_at: datetime | None = strawberry.field(
        description="From when people may join. Null: from the publication on."
    )
    opens_at: datetime = strawberry.field(description="From when people are called: as set, or the start of the sale.")
    shuffle_at_start: bool = strawberry.field(
        description="Those who join before the opening are put into an order by lot then."
    )
    queue_all: bool = strawberry.field(description="Paused: everybody queues, and nobody is called, except by hand.")
    heartbeat_timeout_seconds: int = strawberry.field(
        description="How long a place without a socket lives on one heartbeat."
    )
    disconnect_grace_seconds: int = strawberry.field(description="How long a place outlives its last socket.")
    message: str = strawberry.field(description="To everybody in the line; empty: none.")
    settings_version: int = strawberry.field(
        description="Rises with every change of the settings; `configureWaitingRoom` can insist on it."
    )
    round: int = strawberry.field(description="Rises when the line is emptied; numbers begin at 1 in each round.")
    serving_number: int = strawberry.field(description="The highest number called so far in this round.")
    waiting_count: int = strawberry.field(description="People who wait and are still there.")
    slots_taken: int = strawberry.field(description="People called or admitted now, of `totalActiveUsers`.")
    passes_issued: int = strawberry.field(description="Passes claimed so far in this round.")
    version: int = strawberry.field(description="Rises with every change inside an epoch; forget what has a lower one.")
    epoch: int = strawberry.field(description="A new epoch means the room was rebuilt: take it whatever its version.")

    @computed("What decides the order of this round. Null without a lottery; with a top-level error, not now.")
    async def lottery(self, info: Info) -> RoomLottery | None:
        return await load_lottery(info.context, self.room)

    @computed("What goes through it, for organizers.")
    def flow(self) -> RoomFlow | None:
        return RoomFlow.of(self.room)

    @computed("What was done to it, newest first, for organizers. Null with a top-level error for others.")
    async def audit(
        self, info: Info, first: First = DEFAULT_PAGE_SIZE, after: After = None
    ) -> Connection[RoomAudit] | None:
        found = await resolve.page_audits(info.context, self.room.concert_id, first=page_size(first), after=after)
        return Connection[RoomAudit].of(found, RoomAudit.of)

    @classmethod
    def of(cls, room: domain.queues.WaitingRoom) -> Self:
        settings = room.settings
        return cls(
            room=room,
            status=room.status,
            suspended=settings.suspended,
            queueing_method=settings.queueing_method,
            total_active_users=settings.total_active_users,
            new_users_per_minute=settings.new_users_per_minute,
            pass_claim_timeout_seconds=settings.pass_claim_timeout_ms // 1000,
            session_duration_seconds=settings.session_duration_ms // 1000,
            prequeue_starts_at=settings.prequeue_starts_at,
            opens_at=room.opens_at,
            shuffle_at_start=settings.shuffle_at_start,
            queue_all=settings.queue_all,
            heartbeat_timeout_seconds=settings.heartbeat_timeout_ms // 1000,
            disconnect_grace_seconds=settings.disconnect_grace_ms // 1000,
            message=settings.message,
            settings_version=settings.version,
            round=settings.round,
            serving_number=room.serving_number,
            waiting_count=room.waiting_count,
            slots_taken=room.slots_taken,
            passes_issued=room.passes_issued,
            version=room.version,
            epoch=room.epoch,
        )


async def load_room(context: Context, concert_id: ConcertId) -> WaitingRoom | None:
    try:
        found = await resolve.load_waiting_room(context, concert_id)
    except NotFound:
        return None
    return WaitingRoom.of(found) if found else None


async def find_room(info: Info, concert_id: strawberry.ID) -> WaitingRoom | None:
    return await load_room(info.context, ids.concert_argument(concert_id))
