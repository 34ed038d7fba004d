"""Queue mutations: join a queue, stay in it, leave it, and claim the pass once called."""

from typing import Annotated, TypeAlias

import strawberry

from domain.limits.challenges import ProofOfWork
from resolvers import queues as resolve
from schema.ids import read_concert
from schema.mutations.result_errors import (
    ChallengeRequiredError,
    InvalidInputError,
    NotAdmittedError,
    NotFoundError,
    NotInQueueError,
    RateLimitedError,
    RoomNotOpenError,
    TemporarilyUnavailableError,
)
from schema.queues import QueueEntry
from schema.strawberry_fixes import INPUT, Info


@strawberry.input(description="A solved challenge.")
class ProofOfWorkInput:
    challenge: str = strawberry.field(description="The challenge of a ChallengeRequiredError.")
    nonce: str = strawberry.field(
        description=(
            "At most 64 ASCII characters. The SHA-256 of the challenge followed by the nonce must "
            "begin with enough zero bits."
        )
    )

    def read(self) -> ProofOfWork:
        return ProofOfWork(self.challenge, self.nonce)


@strawberry.input(description="The concert whose queue you join.")
class JoinQueueInput:
    concert_id: strawberry.ID = strawberry.field(description="The id of the concert.")
    proof: ProofOfWorkInput | None = strawberry.field(
        default=None, description="The solved challenge, if the queue asks for one. See ChallengeRequiredError."
    )


@strawberry.input(description="The concert whose queue you leave.")
class LeaveQueueInput:
    concert_id: strawberry.ID = strawberry.field(description="The id of the concert.")


@strawberry.input(description="The concert whose queue you are waiting in.")
class HeartbeatInput:
    concert_id: strawberry.ID = strawberry.field(description="The id of the concert.")


@strawberry.input(description="The concert whose queue called your number.")
class ClaimQueuePassInput:
    concert_id: strawberry.ID = strawberry.field(description="The id of the concert.")


@strawberry.type(description="Your queue entry. Joining again, from any device, returns the same entry.")
class JoinQueueSuccess:
    entry: QueueEntry = strawberry.field(description="Your queue entry.")


@strawberry.type(description="You have left the queue. Joining again puts you at the end.")
class LeaveQueueSuccess:
    entry: QueueEntry = strawberry.field(description="Your queue entry.")


@strawberry.type(description="Your current queue entry.")
class HeartbeatSuccess:
    entry: QueueEntry = strawberry.field(description="Your queue entry.")


@strawberry.type(description="Your queue entry with its pass. Claiming again returns the same pass.")
class ClaimQueuePassSuccess:
    entry: QueueEntry = strawberry.field(description="Your queue entry.")


JoinQueueResult: TypeAlias = Annotated[
    JoinQueueSuccess
    | InvalidInputError
    | NotFoundError
    | RoomNotOpenError
    | ChallengeRequiredError
    | RateLimitedError
    | TemporarilyUnavailableError,
    strawberry.union("JoinQueueResult", description="The result of `joinQueue`: success, or an expected error."),
]
LeaveQueueResult: TypeAlias = Annotated[
    LeaveQueueSuccess | InvalidInputError | NotFoundError | NotInQueueError | TemporarilyUnavailableError,
    strawberry.union("LeaveQueueResult", description="The result of `leaveQueue`: success, or an expected error."),
]
HeartbeatResult: TypeAlias = Annotated[
    HeartbeatSuccess | InvalidInputError | NotFoundError | NotInQueueError | TemporarilyUnavailableError,
    strawberry.union("HeartbeatResult", description="The result of `heartbeat`: success, or an expected error."),
]
ClaimQueuePassResult: TypeAlias = Annotated[
    ClaimQueuePassSuccess
    | InvalidInputError
    | NotFoundError
    | NotInQueueError
    | NotAdmittedError
    | TemporarilyUnavailableError,
    strawberry.union(
        "ClaimQueuePassResult", description="The result of `claimQueuePass`: success, or an expected error."
    ),
]


async def join_queue(info: Info, input_: Annotated[JoinQueueInput, INPUT]) -> JoinQueueResult:
    proof = input_.proof.read() if input_.proof else None
    joined = await resolve.join_queue(info.context, read_concert(input_.concert_id), proof)
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
