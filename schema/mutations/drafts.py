"""The mutations that copy a concert to a new draft and delete a draft."""

from datetime import datetime
from typing import Annotated, TypeAlias

import strawberry

from domain.catalog.copies import CopyRequest
from domain.validation import key_problems
from resolvers.catalog import drafts as resolve
from schema.concerts import Concert
from schema.ids import read_concert
from schema.mutations.result_errors import (
    IdempotencyConflictError,
    IllegalTransitionError,
    InvalidInputError,
    NotFoundError,
    TemporarilyUnavailableError,
    VersionConflictError,
)
from schema.strawberry_fixes import INPUT, Info


@strawberry.input(
    description=(
        "The concert to copy, and what differs in the copy. A time that is null or absent keeps its distance from"
        " `startsAt`."
    )
)
class CopyConcertInput:
    concert_id: strawberry.ID = strawberry.field(description="The id of the concert to copy, in any status.")
    starts_at: datetime = strawberry.field(description="When the copy starts.")
    sales_start_at: datetime | None = strawberry.field(default=None, description="When the sale of the copy starts.")
    sales_end_at: datetime | None = strawberry.field(
        default=None, description="When the sale of the copy ends, at most a day after the start of the concert."
    )
    doors_at: datetime | None = strawberry.field(
        default=None, description="When the doors open, within the day before `startsAt`."
    )
    refunds_until: datetime | None = strawberry.field(
        default=None, description="Until when buyers can return their orders themselves."
    )
    name: str | None = strawberry.field(
        default=None, description="The name of the copy. Null for the name of the original."
    )
    slug: str | None = strawberry.field(
        default=None, description="The name of the copy in URLs. If null, it is derived from its name."
    )
    idempotency_key: str = strawberry.field(
        description=(
            "A unique key chosen by you, such as a UUID. Repeating the request with the same key returns the same"
            " copy, as it is now."
        )
    )

    def read(self) -> CopyRequest:
        return CopyRequest(
            starts_at=self.starts_at,
            sales_start_at=self.sales_start_at,
            sales_end_at=self.sales_end_at,
            doors_at=self.doors_at,
            refunds_until=self.refunds_until,
            name=self.name,
            slug=self.slug,
        )


@strawberry.input(description="The draft to delete.")
class DeleteConcertInput:
    concert_id: strawberry.ID = strawberry.field(description="The id of the concert.")


@strawberry.type(description="The concert was copied.")
class CopyConcertSuccess:
    concert: Concert = strawberry.field(description="The new draft.")


@strawberry.type(description="The draft was deleted.")
class DeleteConcertSuccess:
    concert_id: strawberry.ID = strawberry.field(
        description="The id of the deleted concert, for removing it from a cache."
    )


CopyConcertResult: TypeAlias = Annotated[
    CopyConcertSuccess | InvalidInputError | NotFoundError | IdempotencyConflictError | TemporarilyUnavailableError,
    strawberry.union("CopyConcertResult", description="The result of `copyConcert`: success, or an expected error."),
]
DeleteConcertResult: TypeAlias = Annotated[
    DeleteConcertSuccess
    | InvalidInputError
    | NotFoundError
    | IllegalTransitionError
    | VersionConflictError
    | TemporarilyUnavailableError,
    strawberry.union(
        "DeleteConcertResult", description="The result of `deleteConcert`: success, or an expected error."
    ),
]


async def copy_concert(info: Info, input_: Annotated[CopyConcertInput, INPUT]) -> CopyConcertResult:
    concert_id = read_concert(input_.concert_id, key_problems(input_.idempotency_key))
    made = await resolve.copy_to_draft(info.context, concert_id, input_.read(), input_.idempotency_key)
    return CopyConcertSuccess(concert=Concert.of(made))


async def delete_concert(info: Info, input_: Annotated[DeleteConcertInput, INPUT]) -> DeleteConcertResult:
    await resolve.delete_draft(info.context, read_concert(input_.concert_id))
    return DeleteConcertSuccess(concert_id=input_.concert_id)
