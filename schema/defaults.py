"""Strawberry writes `= null` behind every input that may be left out. It says nothing, so it is taken away again."""

from collections.abc import Iterator

from graphql import (
    GraphQLArgument,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
)


def drop_null_defaults(schema: GraphQLSchema) -> None:
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
