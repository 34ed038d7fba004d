"""The mutations for creating, changing, publishing, closing and canceling concerts."""

from typing import Annotated, TypeAlias

import strawberry

from domain.ids import PersonId
from domain.images.problems import image_problems
from domain.inputs.rooms import patch_problems
from domain.tiers.validation import given_tier_problems
from domain.validation import change_problems, given_problems, person_problems
from resolvers import concerts as resolve
from schema.concerts import Concert
from schema.ids import IdReader, read_concert
from schema.mutations.concert_inputs import (
    CancelConcertInput,
    ChangeConcertOrganizerInput,
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


@strawberry.type(description="The concert has the new organizer.")
class ChangeConcertOrganizerSuccess:
    concert: Concert = strawberry.field(description="The changed concert.")


@strawberry.type(description="The concert was published.")
class PublishConcertSuccess:
    concert: Concert = strawberry.field(description="The published concert.")


@strawberry.type(description="The concert was closed.")
class CloseConcertSuccess:
    concert: Concert = strawberry.field(description="The closed concert.")


@strawberry.type(description="The concert is canceled. `concert.cancellation` shows the progress of the refunds.")
class CancelConcertSuccess:
    concert: Concert = strawberry.field(description="The canceled concert.")


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
ChangeConcertOrganizerResult: TypeAlias = Annotated[
    ChangeConcertOrganizerSuccess
    | InvalidInputError
    | NotFoundError
    | VersionConflictError
    | TemporarilyUnavailableError,
    strawberry.union(
        "ChangeConcertOrganizerResult",
        description="The result of `changeConcertOrganizer`: success, or an expected error.",
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

CancelConcertResult: TypeAlias = Annotated[
    CancelConcertSuccess
    | InvalidInputError
    | NotFoundError
    | IllegalTransitionError
    | VersionConflictError
    | TemporarilyUnavailableError,
    strawberry.union(
        "CancelConcertResult", description="The result of `cancelConcert`: success, or an expected error."
    ),
]


async def create_concert(info: Info, input_: Annotated[CreateConcertInput, INPUT]) -> CreateConcertResult:
    return CreateConcertSuccess(concert=Concert.of(await resolve.create_concert(info.context, input_.read())))


async def update_concert(info: Info, input_: Annotated[UpdateConcertInput, INPUT]) -> UpdateConcertResult:
    reader = IdReader()
    concert_id, change = reader.concert("concertId", input_.concert_id), input_.read(reader)
    reader.finish(
        change_problems(change),
        given_problems(change),
        given_tier_problems(change),
        patch_problems("waitingRoom", change.room, change),
        image_problems(change.image),
    )
    changed = await resolve.update_concert(info.context, concert_id, change, expected_version=input_.expected_version)
    return UpdateConcertSuccess(concert=Concert.of(changed))


async def change_concert_organizer(
    info: Info, input_: Annotated[ChangeConcertOrganizerInput, INPUT]
) -> ChangeConcertOrganizerResult:
    organizer_id = PersonId(input_.organizer_id)
    concert_id = read_concert(input_.concert_id, person_problems("organizerId", organizer_id))
    changed = await resolve.change_organizer(
        info.context, concert_id, organizer_id, expected_version=input_.expected_version
    )
    return ChangeConcertOrganizerSuccess(concert=Concert.of(changed))


async def publish_concert(info: Info, input_: Annotated[PublishConcertInput, INPUT]) -> PublishConcertResult:
    concert_id = read_concert(input_.concert_id)
    return PublishConcertSuccess(concert=Concert.of(await resolve.publish_concert(info.context, concert_id)))


async def close_concert(info: Info, input_: Annotated[CloseConcertInput, INPUT]) -> CloseConcertResult:
    concert_id = read_concert(input_.concert_id)
    return CloseConcertSuccess(concert=Concert.of(await resolve.close_concert(info.context, concert_id)))


async def cancel_concert(info: Info, input_: Annotated[CancelConcertInput, INPUT]) -> CancelConcertResult:
    concert_id = read_concert(input_.concert_id)
    return CancelConcertSuccess(concert=Concert.of(await resolve.cancel_concert(info.context, concert_id)))
