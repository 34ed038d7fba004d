"""What organizers do: create, change, publish and close a concert."""

from typing import Annotated, TypeAlias

import strawberry

from domain.ids import ConcertId
from resolvers import concerts as resolve
from schema.concert_inputs import CloseConcertInput, CreateConcertInput, PublishConcertInput, UpdateConcertInput
from schema.concerts import Concert
from schema.errors import (
    CapacityInUseError,
    IllegalTransitionError,
    InvalidInputError,
    NotFoundError,
    TemporarilyUnavailableError,
    VersionConflictError,
)
from schema.ids import IdReader
from schema.request import INPUT, Info


@strawberry.type
class CreateConcertSuccess:
    concert: Concert


@strawberry.type
class UpdateConcertSuccess:
    concert: Concert


@strawberry.type
class PublishConcertSuccess:
    concert: Concert


@strawberry.type
class CloseConcertSuccess:
    concert: Concert


CreateConcertResult: TypeAlias = Annotated[
    CreateConcertSuccess | InvalidInputError | TemporarilyUnavailableError, strawberry.union("CreateConcertResult")
]
UpdateConcertResult: TypeAlias = Annotated[
    UpdateConcertSuccess
    | InvalidInputError
    | NotFoundError
    | IllegalTransitionError
    | VersionConflictError
    | CapacityInUseError
    | TemporarilyUnavailableError,
    strawberry.union("UpdateConcertResult"),
]
PublishConcertResult: TypeAlias = Annotated[
    PublishConcertSuccess
    | InvalidInputError
    | NotFoundError
    | IllegalTransitionError
    | VersionConflictError
    | TemporarilyUnavailableError,
    strawberry.union("PublishConcertResult"),
]
CloseConcertResult: TypeAlias = Annotated[
    CloseConcertSuccess
    | InvalidInputError
    | NotFoundError
    | IllegalTransitionError
    | VersionConflictError
    | TemporarilyUnavailableError,
    strawberry.union("CloseConcertResult"),
]


async def create_concert(info: Info, input_: Annotated[CreateConcertInput, INPUT]) -> CreateConcertResult:
    return CreateConcertSuccess(concert=Concert.of(await resolve.create_concert(info.context.context, input_.read())))


async def update_concert(info: Info, input_: Annotated[UpdateConcertInput, INPUT]) -> UpdateConcertResult:
    reader = IdReader()
    concert_id, change = reader.concert("concertId", input_.concert_id), input_.read(reader)
    reader.finish()
    changed = await resolve.update_concert(
        info.context.context, concert_id, change, expected_version=input_.expected_version
    )
    return UpdateConcertSuccess(concert=Concert.of(changed))


async def publish_concert(info: Info, input_: Annotated[PublishConcertInput, INPUT]) -> PublishConcertResult:
    concert_id = _concert_id(input_.concert_id)
    return PublishConcertSuccess(concert=Concert.of(await resolve.publish_concert(info.context.context, concert_id)))


async def close_concert(info: Info, input_: Annotated[CloseConcertInput, INPUT]) -> CloseConcertResult:
    concert_id = _concert_id(input_.concert_id)
    return CloseConcertSuccess(concert=Concert.of(await resolve.close_concert(info.context.context, concert_id)))


def _concert_id(value: strawberry.ID) -> ConcertId:
    reader = IdReader()
    concert_id = reader.concert("concertId", value)
    reader.finish()
    return concert_id
