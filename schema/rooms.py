"""The waiting room of a concert: its settings, its status, and the progress of its queue.

All viewers see the room; the permissions table restricts its operational fields to the concert's
organizer.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Self

import strawberry

import domain.queues
from domain.errors import NotFound
from domain.ids import ConcertId, PersonId
from resolvers import rooms as resolve
from resolvers.context import Context
from resolvers.load_once import NowOrLater
from schema import ids
from schema.connection import After, Before, Connection, First, Last, read_page_request
from schema.enums import QueueingMethod, RoomStatus
from schema.lottery import RoomLottery, load_lottery
from schema.room_audits import RoomAudit
from schema.stock.links import ConcertLink, show_concert_link
from schema.strawberry_fixes import ConcertIdArgument, Info, computed

if TYPE_CHECKING:
    from schema.concerts import Concert


@strawberry.type(
    description=(
        "How many people pass through a waiting room. Totals cover this round; `inflow` and"
        " `outflow` cover the last minute."
    )
)
class RoomFlow:
    inflow: int = strawberry.field(description="People who joined in the last minute.")
    outflow: int = strawberry.field(description="People who were called in the last minute.")
    occupancy: int = strawberry.field(description="People currently called or admitted.")
    waiting_count: int = strawberry.field(description="How many people are waiting.")
    no_shows: int = strawberry.field(description="The sum of `absent` and `notClaimed`.")
    joined: int = strawberry.field(description="People who joined.")
    called: int = strawberry.field(description="People who were called.")
    claimed: int = strawberry.field(description="People who claimed their pass.")
    completed: int = strawberry.field(description="Passes spent on orders.")
    left: int = strawberry.field(description="People who left the queue, or gave up a call or a pass.")
    absent: int = strawberry.field(
        description="Entries that ended because no connection and no heartbeat kept them alive."
    )
    not_claimed: int = strawberry.field(description="Calls that were not claimed in time.")
    session_over: int = strawberry.field(description="Passes that were not used in time.")

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


@strawberry.type(description="The waiting room of one concert at one moment.")
class WaitingRoom:
    room: strawberry.Private[domain.queues.WaitingRoom]
    organizer_id: strawberry.Private[PersonId]
    status: RoomStatus = strawberry.field(description="The status of the waiting room.")
    suspended: bool = strawberry.field(
        description="Whether the waiting room is off: tickets can be held without a pass."
    )
    queueing_method: QueueingMethod = strawberry.field(description="How the next person is chosen.")
    total_active_users: int = strawberry.field(
        description="The maximum number of people called or admitted at the same time."
    )
    new_users_per_minute: int = strawberry.field(description="The maximum number of people called in any 60 seconds.")
    pass_claim_timeout_seconds: int = strawberry.field(
        description="How many seconds a called person has to claim the pass."
    )
    session_duration_seconds: int = strawberry.field(
        description="How many seconds a pass is valid after it is claimed."
    )
    prequeue_starts_at: datetime | None = strawberry.field(
        description="When people can start to join. Null means at publication."
    )
    opens_at: datetime = strawberry.field(
        description="When people start to be called: the configured time, or the start of the sale."
    )
    shuffle_at_start: bool = strawberry.field(
        description="Whether a lottery orders the people who join before the opening."
    )
    queue_all: bool = strawberry.field(
        description="Whether the queue is paused: people wait and are only called manually."
    )
    heartbeat_timeout_seconds: int = strawberry.field(
        description="How many seconds one heartbeat keeps an entry alive without a connection. If it is below 70,"
        " people whose browser tab is hidden will lose their place."
    )
    disconnect_grace_seconds: int = strawberry.field(
        description="How many seconds an entry stays alive after its last connection closed."
    )
    message: str = strawberry.field(description="A message to everyone in the queue. Empty if there is none.")
    proof_of_work_bits: int = strawberry.field(
        description="The difficulty of the challenge to solve before joining. 0 if there is none."
    )
    settings_version: int = strawberry.field(
        description=(
            "Increases with every change to the settings. Pass it to `configureWaitingRoom` as `expectedVersion`."
        )
    )
    round: int = strawberry.field(
        description="Increases when the queue is reset, and when a sale that was over opens again."
        " Numbers start at 1 in each round."
    )
    serving_number: int = strawberry.field(description="The highest number called so far in this round.")
    waiting_count: int = strawberry.field(description="How many people are waiting.")
    slots_taken: int = strawberry.field(
        description="How many people are currently called or admitted, out of at most `totalActiveUsers`."
    )
    passes_issued: int = strawberry.field(description="How many passes have been claimed so far in this round.")
    version: int = strawberry.field(
        description="Increases with every change within an epoch. Discard payloads with a lower version."
    )
    epoch: int = strawberry.field(
        description="A new epoch means that the waiting room was rebuilt. Accept it regardless of its version."
    )

    @computed("The concert. Null with a top-level error if the catalog is unavailable.", graphql_type=ConcertLink)
    def concert(self, info: Info) -> NowOrLater["Concert | None"]:
        return show_concert_link(info, self.room.concert_id)

    @computed(
        "The lottery that orders this round. Null if there is none, or with a top-level error if it cannot be read."
    )
    async def lottery(self, info: Info) -> RoomLottery | None:
        return await load_lottery(info.context, self.room)

    @computed(
        "How many people pass through the waiting room. For the concert's organizer and admins, until thirty days after"
        " the concert, then null; null with a top-level error for others."
    )
    def flow(self) -> RoomFlow | None:
        return RoomFlow.of(self.room) if not self.room.is_past else None

    @computed(
        "Changes to the waiting room, the prices, the organizer and the gate staff of the concert, "
        "newest first. For the"
        " concert's organizer and admins; null with a top-level error for others."
    )
    async def audit(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[RoomAudit] | None:
        request = read_page_request(first=first, after=after, last=last, before=before)
        found = await resolve.page_audits(info.context, self.room.concert_id, request)
        return Connection[RoomAudit].of(found, RoomAudit.of)

    @classmethod
    def of(cls, room: domain.queues.WaitingRoom) -> Self:
        settings = room.settings
        return cls(
            room=room,
            organizer_id=room.organizer_id,
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
            proof_of_work_bits=settings.proof_of_work_bits,
            settings_version=settings.version,
            round=settings.round,
            serving_number=room.serving_number,
            waiting_count=room.waiting_count,
            slots_taken=room.slots_taken,
            passes_issued=room.passes_issued,
            version=room.version,
            epoch=room.epoch,
        )


def show_room(context: Context, concert_id: ConcertId) -> NowOrLater[WaitingRoom | None]:
    """Return the room of a concert, without waiting if it is already loaded."""
    return resolve.show_waiting_room(context, concert_id, lambda found: WaitingRoom.of(found) if found else None)


async def load_room(context: Context, concert_id: ConcertId) -> WaitingRoom | None:
    try:
        found = await resolve.load_waiting_room(context, concert_id)
    except NotFound:
        return None
    return WaitingRoom.of(found) if found else None


async def find_room(info: Info, concert_id: ConcertIdArgument) -> WaitingRoom | None:
    return await load_room(info.context, ids.concert_argument(concert_id))
