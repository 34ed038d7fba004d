"""The query for one concert, by its id or its slug."""

from typing import Annotated

import strawberry

from domain.errors import BadUserInput
from domain.ids import ConcertId
from resolvers import concerts as resolve
from schema import ids
from schema.concerts import Concert, load_concert
from schema.ids import Kind
from schema.strawberry_fixes import Info


@strawberry.input(one_of=True, description="What identifies a concert.")
class ConcertBy:
    id: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="The id of the concert.")
    slug: str | None = strawberry.field(default=strawberry.UNSET, description="The slug of the concert.")


async def find_concert(
    info: Info,
    by: Annotated[
        ConcertBy | None,
        strawberry.argument(description="The id or the slug. Null only with the deprecated arguments."),
    ] = None,
    id_: Annotated[
        strawberry.ID | None,
        strawberry.argument(
            name="id",
            description="The id of the concert; not allowed with `by` and `slug`.",
            deprecation_reason="Use `by: {id: …}`, which cannot be sent together with a slug.",
        ),
    ] = None,
    slug: Annotated[
        str | None,
        strawberry.argument(
            description="The slug of the concert; not allowed with `by` and `id`.",
            deprecation_reason="Use `by: {slug: …}`, which cannot be sent together with an id.",
        ),
    ] = None,
) -> Concert | None:
    given = {"by.id": by and by.id, "by.slug": by and by.slug, "id": id_, "slug": slug}
    sent = {name: value for name, value in given.items() if isinstance(value, str)}
    if len(sent) != 1:
        raise BadUserInput("Send `by` with an id or a slug, and omit the arguments `id` and `slug`.")
    ((name, value),) = sent.items()
    if name.endswith("id"):
        return await load_concert(info.context, ConcertId(ids.argument(name, value, Kind.CONCERT).parts[0]))
    found = await resolve.get_concert_by_slug(info.context, value)
    return Concert.of(found) if found else None
