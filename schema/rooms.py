"""The waiting room of a concert as everybody sees it: its settings, how far the line has come, how full it is."""

from typing import Self

import strawberry

import domain.queues
from domain.errors import NotFound
from domain.ids import ConcertId
from schema import ids
from schema.request import Info, Request


@strawberry.type(description="The gate of one concert, at one moment.")
class WaitingRoom:
    suspended: bool = strawberry.field(description="The room is off: everybody may hold tickets, without a pass.")
    total_active_users: int = strawberry.field(description="Most people called or admitted at a time.")
    new_users_per_minute: int = strawberry.field(description="Most people called in any 60 seconds.")
    pass_claim_timeout_seconds: int = strawberry.field(description="How long a call waits to be claimed.")
    session_duration_seconds: int = strawberry.field(description="Life of a pass, from its claim.")
    heartbeat_timeout_seconds: int = strawberry.field(
        description="How long a place without a socket lives on one heartbeat."
    )
    disconnect_grace_seconds: int = strawberry.field(description="How long a place outlives its last socket.")
    serving_number: int = strawberry.field(description="The highest number called so far.")
    waiting_count: int = strawberry.field(description="People who wait and are still there.")
    slots_taken: int = strawberry.field(description="People called or admitted now, of `totalActiveUsers`.")
    passes_issued: int = strawberry.field(description="Passes claimed so far.")
    version: int = strawberry.field(description="Rises with every change inside an epoch; forget what has a lower one.")
    epoch: int = strawberry.field(description="A new epoch means the room was rebuilt: take it whatever its version.")

    @classmethod
    def of(cls, room: domain.queues.WaitingRoom) -> Self:
        settings = room.settings
        return cls(
            suspended=settings.suspended,
            total_active_users=settings.total_active_users,
            new_users_per_minute=settings.new_users_per_minute,
            pass_claim_timeout_seconds=settings.pass_claim_timeout_ms // 1000,
            session_duration_seconds=settings.session_duration_ms // 1000,
            heartbeat_timeout_seconds=settings.heartbeat_timeout_ms // 1000,
            disconnect_grace_seconds=settings.disconnect_grace_ms // 1000,
            serving_number=room.serving_number,
            waiting_count=room.waiting_count,
            slots_taken=room.slots_taken,
            passes_issued=room.passes_issued,
            version=room.version,
            epoch=room.epoch,
        )


async def load_room(request: Request, concert_id: ConcertId) -> WaitingRoom | None:
    try:
        found = await request.room(concert_id)
    except NotFound:
        return None
    return WaitingRoom.of(found) if found else None


async def find_room(info: Info, concert_id: strawberry.ID) -> WaitingRoom | None:
    return await load_room(info.context, ids.concert_argument(concert_id))
