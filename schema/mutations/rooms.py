"""What organizers do to a waiting room: configure, pause, resume, call people by hand, empty the line."""

from typing import Annotated, TypeAlias

import strawberry

from domain.ids import ConcertId
from domain.room_changes import RoomSettingsPatch
from resolvers import rooms as resolve
from schema.ids import read_concert
from schema.mutations.result_errors import (
    IdempotencyConflictError,
    IllegalTransitionError,
    InvalidInputError,
    NotFoundError,
    QueueOpenedError,
    RoomNotOpenError,
    TemporarilyUnavailableError,
    VersionConflictError,
)
from schema.mutations.room_inputs import (
    AdmitNextInput,
    ConfigureWaitingRoomInput,
    PauseWaitingRoomInput,
    ResetWaitingRoomInput,
    ResumeWaitingRoomInput,
)
from schema.room_audits import HandCall
from schema.rooms import WaitingRoom, load_room
from schema.strawberry_fixes import INPUT, Info, computed


@strawberry.type
class RoomCommandSuccess:
    """The room after a verb: what was done is certain, and what the store has is read when it is asked for."""

    concert_id: strawberry.Private[ConcertId]

    @computed("The room as it is now. Null with a top-level error while the store is away; what was asked is done.")
    async def waiting_room(self, info: Info) -> WaitingRoom | None:
        return await load_room(info.context, self.concert_id)


@strawberry.type
class ConfigureWaitingRoomSuccess(RoomCommandSuccess):
    settings_version: int = strawberry.field(description="As it was, if nothing differed.")


@strawberry.type
class PauseWaitingRoomSuccess(RoomCommandSuccess):
    settings_version: int


@strawberry.type
class ResumeWaitingRoomSuccess(RoomCommandSuccess):
    settings_version: int


@strawberry.type(description="With a repeated key: what was called the first time.")
class AdmitNextSuccess(RoomCommandSuccess):
    call: HandCall


@strawberry.type(description="With a repeated key: the room as it has become since.")
class ResetWaitingRoomSuccess(RoomCommandSuccess):
    settings_version: int


ConfigureWaitingRoomResult: TypeAlias = Annotated[
    ConfigureWaitingRoomSuccess
    | InvalidInputError
    | NotFoundError
    | IllegalTransitionError
    | VersionConflictError
    | QueueOpenedError
    | TemporarilyUnavailableError,
    strawberry.union("ConfigureWaitingRoomResult"),
]
PauseWaitingRoomResult: TypeAlias = Annotated[
    PauseWaitingRoomSuccess
    | InvalidInputError
    | NotFoundError
    | IllegalTransitionError
    | VersionConflictError
    | TemporarilyUnavailableError,
    strawberry.union("PauseWaitingRoomResult"),
]
ResumeWaitingRoomResult: TypeAlias = Annotated[
    ResumeWaitingRoomSuccess
    | InvalidInputError
    | NotFoundError
    | IllegalTransitionError
    | VersionConflictError
    | TemporarilyUnavailableError,
    strawberry.union("ResumeWaitingRoomResult"),
]
AdmitNextResult: TypeAlias = Annotated[
    AdmitNextSuccess
    | InvalidInputError
    | NotFoundError
    | IllegalTransitionError
    | RoomNotOpenError
    | IdempotencyConflictError
    | TemporarilyUnavailableError,
    strawberry.union("AdmitNextResult"),
]
ResetWaitingRoomResult: TypeAlias = Annotated[
    ResetWaitingRoomSuccess
    | InvalidInputError
    | NotFoundError
    | IllegalTransitionError
    | VersionConflictError
    | IdempotencyConflictError
    | TemporarilyUnavailableError,
    strawberry.union("ResetWaitingRoomResult"),
]


async def configure_waiting_room(
    info: Info, input_: Annotated[ConfigureWaitingRoomInput, INPUT]
) -> ConfigureWaitingRoomResult:
    changed = await resolve.configure(
        info.context,
        read_concert(input_.concert_id),
        input_.settings.read(),
        expected_version=input_.expected_version,
    )
    return ConfigureWaitingRoomSuccess(concert_id=changed.id, settings_version=changed.room.version)


async def pause_waiting_room(info: Info, input_: Annotated[PauseWaitingRoomInput, INPUT]) -> PauseWaitingRoomResult:
    paused = await resolve.pause(info.context, read_concert(input_.concert_id))
    return PauseWaitingRoomSuccess(concert_id=paused.id, settings_version=paused.room.version)


async def resume_waiting_room(info: Info, input_: Annotated[ResumeWaitingRoomInput, INPUT]) -> ResumeWaitingRoomResult:
    resumed = await resolve.resume(info.context, read_concert(input_.concert_id))
    return ResumeWaitingRoomSuccess(concert_id=resumed.id, settings_version=resumed.room.version)


async def admit_next(info: Info, input_: Annotated[AdmitNextInput, INPUT]) -> AdmitNextResult:
    concert_id = read_concert(input_.concert_id)
    call = await resolve.admit_next(info.context, concert_id, input_.count, input_.idempotency_key)
    return AdmitNextSuccess(concert_id=concert_id, call=HandCall.of(call))


async def reset_waiting_room(info: Info, input_: Annotated[ResetWaitingRoomInput, INPUT]) -> ResetWaitingRoomResult:
    concert_id = read_concert(input_.concert_id)
    change = input_.settings.read() if input_.settings else RoomSettingsPatch()
    reset = await resolve.reset(info.context, concert_id, change, input_.idempotency_key)
    return ResetWaitingRoomSuccess(concert_id=reset.id, settings_version=reset.room.version)
