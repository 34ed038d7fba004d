"""The mutations for configuring, pausing, resuming and resetting waiting rooms, and for calling
people manually.
"""

from typing import Annotated, TypeAlias

import strawberry

from domain.ids import ConcertId
from domain.inputs.rooms import call_problems, patch_problems
from domain.room_changes import RoomSettingsPatch
from domain.validation import key_problems
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
    """The result of a completed room command. Loads the room only if the client selects it."""

    concert_id: strawberry.Private[ConcertId]

    @computed(
        "The current waiting room. Null with a top-level error if the store is unavailable; the change was still made."
    )
    async def waiting_room(self, info: Info) -> WaitingRoom | None:
        return await load_room(info.context, self.concert_id)


@strawberry.type(description="The settings were changed.")
class ConfigureWaitingRoomSuccess(RoomCommandSuccess):
    settings_version: int = strawberry.field(
        description="The current version of the settings. It does not increase if nothing changed."
    )


@strawberry.type(description="The queue is paused.")
class PauseWaitingRoomSuccess(RoomCommandSuccess):
    settings_version: int = strawberry.field(description="The current version of the settings.")


@strawberry.type(description="The queue is running again.")
class ResumeWaitingRoomSuccess(RoomCommandSuccess):
    settings_version: int = strawberry.field(description="The current version of the settings.")


@strawberry.type(description="People were called. For a repeated key, `call` is the result of the first request.")
class AdmitNextSuccess(RoomCommandSuccess):
    call: HandCall = strawberry.field(description="The result of the call.")


@strawberry.type(description="The queue was reset. For a repeated key, the waiting room is read again.")
class ResetWaitingRoomSuccess(RoomCommandSuccess):
    settings_version: int = strawberry.field(description="The current version of the settings.")


ConfigureWaitingRoomResult: TypeAlias = Annotated[
    ConfigureWaitingRoomSuccess
    | InvalidInputError
    | NotFoundError
    | IllegalTransitionError
    | VersionConflictError
    | QueueOpenedError
    | TemporarilyUnavailableError,
    strawberry.union(
        "ConfigureWaitingRoomResult", description="The result of `configureWaitingRoom`: success, or an expected error."
    ),
]
PauseWaitingRoomResult: TypeAlias = Annotated[
    PauseWaitingRoomSuccess
    | InvalidInputError
    | NotFoundError
    | IllegalTransitionError
    | VersionConflictError
    | TemporarilyUnavailableError,
    strawberry.union(
        "PauseWaitingRoomResult", description="The result of `pauseWaitingRoom`: success, or an expected error."
    ),
]
ResumeWaitingRoomResult: TypeAlias = Annotated[
    ResumeWaitingRoomSuccess
    | InvalidInputError
    | NotFoundError
    | IllegalTransitionError
    | VersionConflictError
    | TemporarilyUnavailableError,
    strawberry.union(
        "ResumeWaitingRoomResult", description="The result of `resumeWaitingRoom`: success, or an expected error."
    ),
]
AdmitNextResult: TypeAlias = Annotated[
    AdmitNextSuccess
    | InvalidInputError
    | NotFoundError
    | IllegalTransitionError
    | RoomNotOpenError
    | IdempotencyConflictError
    | TemporarilyUnavailableError,
    strawberry.union("AdmitNextResult", description="The result of `admitNext`: success, or an expected error."),
]
ResetWaitingRoomResult: TypeAlias = Annotated[
    ResetWaitingRoomSuccess
    | InvalidInputError
    | NotFoundError
    | IllegalTransitionError
    | VersionConflictError
    | IdempotencyConflictError
    | TemporarilyUnavailableError,
    strawberry.union(
        "ResetWaitingRoomResult", description="The result of `resetWaitingRoom`: success, or an expected error."
    ),
]


async def configure_waiting_room(
    info: Info, input_: Annotated[ConfigureWaitingRoomInput, INPUT]
) -> ConfigureWaitingRoomResult:
    change = input_.settings.read()
    concert_id = read_concert(input_.concert_id, patch_problems("settings", change))
    changed = await resolve.configure(info.context, concert_id, change, expected_version=input_.expected_version)
    return ConfigureWaitingRoomSuccess(concert_id=changed.id, settings_version=changed.room.version)


async def pause_waiting_room(info: Info, input_: Annotated[PauseWaitingRoomInput, INPUT]) -> PauseWaitingRoomResult:
    paused = await resolve.pause(info.context, read_concert(input_.concert_id))
    return PauseWaitingRoomSuccess(concert_id=paused.id, settings_version=paused.room.version)


async def resume_waiting_room(info: Info, input_: Annotated[ResumeWaitingRoomInput, INPUT]) -> ResumeWaitingRoomResult:
    resumed = await resolve.resume(info.context, read_concert(input_.concert_id))
    return ResumeWaitingRoomSuccess(concert_id=resumed.id, settings_version=resumed.room.version)


async def admit_next(info: Info, input_: Annotated[AdmitNextInput, INPUT]) -> AdmitNextResult:
    concert_id = read_concert(input_.concert_id, key_problems(input_.idempotency_key), call_problems(input_.count))
    call = await resolve.admit_next(info.context, concert_id, input_.count, input_.idempotency_key)
    return AdmitNextSuccess(concert_id=concert_id, call=HandCall.of(call))


async def reset_waiting_room(info: Info, input_: Annotated[ResetWaitingRoomInput, INPUT]) -> ResetWaitingRoomResult:
    change = input_.settings.read() if input_.settings else RoomSettingsPatch()
    concert_id = read_concert(
        input_.concert_id, key_problems(input_.idempotency_key), patch_problems("settings", change)
    )
    reset = await resolve.reset(info.context, concert_id, change, input_.idempotency_key)
    return ResetWaitingRoomSuccess(concert_id=reset.id, settings_version=reset.room.version)
