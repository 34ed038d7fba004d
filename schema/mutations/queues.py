"""What people do in a line: join it, stay in it, leave it, and claim the pass when their number is called."""

from typing import Annotated, TypeAlias

import strawberry

from resolvers import queues as resolve
from schema.ids import read_concert
from schema.mutations.result_errors import (
    InvalidInputError,
    NotAdmittedError,
    NotFoundError,
    NotInQueueError,
    RoomNotOpenError,
    TemporarilyUnavailableError,
)
from schema.queues import QueueEntry
from schema.strawberry_fixes import INPUT, Info


@strawberry.input(description="The concert whose line you join.")
class JoinQueueInput:
    concert_id: strawberry.ID


@strawberry.input(description="The concert whose line you leave.")
class LeaveQueueInput:
    concert_id: strawberry.ID


@strawberry.input(description="The concert in whose line you are still there.")
class HeartbeatInput:
    concert_id: strawberry.ID


@strawberry.input(description="The concert whose line called your number.")
class ClaimQueuePassInput:
    concert_id: strawberry.ID


@strawberry.type(description="Your place; joining twice, from any device, finds the same one.")
class JoinQueueSuccess:
    entry: QueueEntry


@strawberry.type(description="The place is given up, and a later join stands behind the line.")
class LeaveQueueSuccess:
    entry: QueueEntry


@strawberry.type(description="Your place as it is now.")
class HeartbeatSuccess:
    entry: QueueEntry


@strawberry.type(description="Your place with its pass; claiming twice finds the same pass.")
class ClaimQueuePassSuccess:
    entry: QueueEntry


JoinQueueResult: TypeAlias = Annotated[
    JoinQueueSuccess | InvalidInputError | NotFoundError | RoomNotOpenError | TemporarilyUnavailableError,
    strawberry.union("JoinQueueResult"),
]
LeaveQueueResult: TypeAlias = Annotated[
    LeaveQueueSuccess | InvalidInputError | NotFoundError | NotInQueueError | TemporarilyUnavailableError,
    strawberry.union("LeaveQueueResult"),
]
HeartbeatResult: TypeAlias = Annotated[
    HeartbeatSuccess | InvalidInputError | NotFoundError | NotInQueueError | TemporarilyUnavailableError,
    strawberry.union("HeartbeatResult"),
]
ClaimQueuePassResult: TypeAlias = Annotated[
    ClaimQueuePassSuccess
    | InvalidInputError
    | NotFoundError
    | NotInQueueError
    | NotAdmittedError
    | TemporarilyUnavailableError,
    strawberry.union("ClaimQueuePassResult"),
]


async def join_queue(info: Info, input_: Annotated[JoinQueueInput, INPUT]) -> JoinQueueResult:
    joined = await resolve.join_queue(info.context, read_concert(input_.concert_id))
    return JoinQueueSuccess(entry=QueueEntry.of(joined))


async def leave_queue(info: Info, input_: Annotated[LeaveQueueInput, INPUT]) -> LeaveQueueResult:
    left = await resolve.leave_queue(info.context, read_concert(input_.concert_id))
    return LeaveQueueSuccess(entry=QueueEntry.of(left))


async def heartbeat(info: Info, input_: Annotated[HeartbeatInput, INPUT]) -> HeartbeatResult:
    kept = await resolve.heartbeat(info.context, read_concert(input_.concert_id))
    return HeartbeatSuccess(entry=QueueEntry.of(kept))


async def claim_queue_pass(info: Info, input_: Annotated[ClaimQueuePassInput, INPUT]) -> ClaimQueuePassResult:
    admitted = await resolve.claim_pass(info.context, read_concert(input_.concert_id))
    return ClaimQueuePassSuccess(entry=QueueEntry.of(admitted))
