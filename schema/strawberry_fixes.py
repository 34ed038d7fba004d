"""Additions to Strawberry: a typed context, arguments named like builtins, and computed fields."""

from collections.abc import Callable, Collection, Iterator
from typing import Annotated, TypeAlias, TypeVar, cast

import strawberry
from graphql import (
    GraphQLArgument,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
)
from strawberry.types.nodes import SelectedField

from resolvers.context import Context

Method = TypeVar("Method", bound=Callable[..., object])
Info: TypeAlias = strawberry.Info[Context, None]

# The schema uses the names `id` and `input`, which are builtins in Python.
ID = strawberry.argument(name="id", description="The global id of the object.")
ConcertIdArgument: TypeAlias = Annotated[strawberry.ID, strawberry.argument(description="The id of the concert.")]
INPUT = strawberry.argument(name="input", description="The input of the mutation.")


def computed(
    description: str | None = None, *, name: str | None = None, graphql_type: object | None = None
) -> Callable[[Method], Method]:
    """Turn a method into a field without losing the method's type.

    Strawberry's decorator loses the type if there is a description. `graphql_type` is the type of a
    field whose method returns either a value or an awaitable.
    """
    field = strawberry.field(description=description, name=name, graphql_type=graphql_type)
    return cast("Callable[[Method], Method]", field)


def drop_null_defaults(schema: GraphQLSchema) -> None:
    """Remove the meaningless `= null` that Strawberry adds to every optional input."""
    for input_ in _inputs(schema):
        if input_.default_value is None:
            input_.default_value = Undefined


def _inputs(schema: GraphQLSchema) -> Iterator[GraphQLArgument | GraphQLInputField]:
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLInputObjectType):
            yield from type_.fields.values()
        if isinstance(type_, GraphQLObjectType):
            for field in type_.fields.values():
                yield from field.args.values()


def selects(info: Info, names: Collection[str]) -> bool:
    """Return whether a field with one of these names is selected anywhere below this field."""
    unread = [inner for field in info.selected_fields for inner in field.selections]
    while unread:
        selection = unread.pop()
        if isinstance(selection, SelectedField) and selection.name in names:
            return True
        unread += selection.selections
    return False
