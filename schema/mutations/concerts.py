"""Concert mutations of organizers: create, change, publish and close a concert."""

from dataclasses import replace
from typing import Annotated, TypeAlias

import strawberry

from domain.concerts import Concert as StoredConcert
from domain.concerts import ConcertChange
from domain.errors import NotFound
from domain.ids import ConcertId
from resolvers import concerts as resolve
from resolvers.context import Context
from schema.concerts import Concert
from schema.ids import IdReader, read_concert
from schema.mutations.concert_inputs import (
    CloseConcertInput,
    CreateConcertInput,
    PublishConcertInput,
    UpdateConcertInput,
)
from schema.mutations.result_errors import (
    CapacityInUseError,
    IllegalTransitionError,
    InvalidInputError,
    NotFoundError,
    QueueOpenedError,
    TemporarilyUnavailableError,
    VersionConflictError,
)
from schema.strawberry_fixes import INPUT, Info


@strawberry.type(description="The concert was created.")
class CreateConcertSuccess:
    concert: Concert = strawberry.field(description="The new concert.")


@strawberry.type(description="The concert was changed.")
class UpdateConcertSuccess:
    concert: Concert = strawberry.field(description="The changed concert.")


@strawberry.type(description="The concert was published.")
class PublishConcertSuccess:
    concert: Concert = strawberry.field(description="The published concert.")


@strawberry.type(description="The concert was closed.")
class CloseConcertSuccess:
    concert: Concert = strawberry.field(description="The closed concert.")


CreateConcertResult: TypeAlias = Annotated[
    CreateConcertSuccess | InvalidInputError | TemporarilyUnavailableError,
    strawberry.union(
        "CreateConcertResult", description="The result of `createConcert`: success, or an expected error."
    ),
]
UpdateConcertResult: TypeAlias = Annotated[
    UpdateConcertSuccess
    | InvalidInputError
    | NotFoundError
    | IllegalTransitionError
    | VersionConflictError
    | CapacityInUseError
    | QueueOpenedError
    | TemporarilyUnavailableError,
    strawberry.union(
        "UpdateConcertResult", description="The result of `updateConcert`: success, or an expected error."
    ),
]
PublishConcertResult: TypeAlias = Annotated[
    PublishConcertSuccess
    | InvalidInputError
    | NotFoundError
    | IllegalTransitionError
    | VersionConflictError
    | TemporarilyUnavailableError,
    strawberry.union(
        "PublishConcertResult", description="The result of `publishConcert`: success, or an expected error."
    ),
]
CloseConcertResult: TypeAlias = Annotated[
    CloseConcertSuccess
    | InvalidInputError
    | NotFoundError
    | IllegalTransitionError
    | VersionConflictError
    | TemporarilyUnavailableError,
    strawberry.union("CloseConcertResult", description="The result of `closeConcert`: success, or an expected error."),
]


async def create_concert(info: Info, input_: Annotated[CreateConcertInput, INPUT]) -> CreateConcertResult:
    return CreateConcertSuccess(concert=Concert.of(await resolve.create_concert(info.context, input_.read())))


async def update_concert(info: Info, input_: Annotated[UpdateConcertInput, INPUT]) -> UpdateConcertResult:
    reader = IdReader()
    concert_id, change = reader.concert("concertId", input_.concert_id), input_.read(reader)
    reader.finish()
    changed = await _update(info.context, concert_id, change, input_)
    return UpdateConcertSuccess(concert=Concert.of(changed))


async def _update(
    context: Context, concert_id: ConcertId, change: ConcertChange, input_: UpdateConcertInput
) -> StoredConcert:
    version = input_.expected_version
    if input_.waiting_room is not None:
        before = await resolve.get_concert(context, concert_id)
        if before is None:
            raise NotFound("Concert", concert_id)
        # Omitted settings come from this version, so the change applies to this version only.
        version = before.version if version is None else version
        change = replace(change, room=input_.waiting_room.read().apply_to(before.room))
    return await resolve.update_concert(context, concert_id, change, expected_version=version)


async def publish_concert(info: Info, input_: Annotated[PublishConcertInput, INPUT]) -> PublishConcertResult:
    concert_id = read_concert(input_.concert_id)
    return PublishConcertSuccess(concert=Concert.of(await resolve.publish_concert(info.context, concert_id)))


async def close_concert(info: Info, input_: Annotated[CloseConcertInput, INPUT]) -> CloseConcertResult:
    concert_id = read_concert(input_.concert_id)
    return CloseConcertSuccess(concert=Concert.of(await resolve.close_concert(info.context, concert_id)))
