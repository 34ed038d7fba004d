"""Additions to Strawberry: a typed context, arguments named like builtins, computed fields, and
faster reading of inputs.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import MISSING
from typing import Annotated, Any, TypeAlias, TypeVar, cast

import strawberry
from graphql import (
    GraphQLArgument,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
    get_nullable_type,
    is_leaf_type,
)
from strawberry.types.arguments import InputContext
from strawberry.types.base import StrawberryMaybe, StrawberryObjectDefinition, StrawberryType
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


def mark_one_of_inputs(schema: GraphQLSchema) -> None:
    """Tell graphql-core in which inputs exactly one field must be sent, so that it validates them.
    Strawberry checks this only in its own validation and execution.
    """
    for type_ in schema.type_map.values():
        definition = type_.extensions.get("strawberry-definition")
        if isinstance(type_, GraphQLInputObjectType) and definition is not None:
            type_.is_one_of = definition.is_one_of


def read_inputs_by_plan(schema: GraphQLSchema) -> None:
    """Make Strawberry read each input object by a plan that is built once.

    Otherwise, it finds the names and the types of all fields again for every value that a client
    sends, which takes an eighth of the time of a hold.
    """
    for type_ in schema.type_map.values():
        definition = type_.extensions.get("strawberry-definition")
        if isinstance(type_, GraphQLInputObjectType) and definition is not None:
            definition.from_input = _InputPlan(type_, definition).read


class _InputPlan:
    """The names and the types of the fields of an input, and the values of absent fields."""

    def __init__(self, type_: GraphQLInputObjectType, definition: StrawberryObjectDefinition) -> None:
        names = {field.extensions["strawberry-definition"].python_name: name for name, field in type_.fields.items()}
        self._fields: list[tuple[str, str, StrawberryType | type | None]] = []
        """The GraphQL name, the Python name, and the type of each field, or None if its values
        need no conversion.
        """
        for field in definition.fields:
            name, field_type = names[field.python_name], field.resolve_type(type_definition=definition)
            is_leaf = is_leaf_type(get_nullable_type(type_.fields[name].type))
            needs_conversion = not is_leaf or isinstance(field_type, StrawberryMaybe)
            self._fields.append((name, field.python_name, field_type if needs_conversion else None))
        # Absent fields without a default are null; graphql-core has checked that none is required.
        self._absent = {
            field.python_name: None
            for field in definition.fields
            if field.default_value is MISSING and field.default_factory is MISSING
        }

    def read(self, type_: type, value: Mapping[str, Any], context: InputContext) -> object:
        values: dict[str, object] = {**self._absent}
        for name, python_name, field_type in self._fields:
            if name in value:
                given = value[name]
                values[python_name] = given if field_type is None else context.convert(given, field_type, name)
        return type_(**values)


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
