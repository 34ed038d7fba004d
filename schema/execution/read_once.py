"""Lets equal fields of a query share one read, so an alias does not cost a second round trip."""

from collections.abc import Callable, Sequence
from functools import partial
from inspect import isawaitable
from typing import Any

from graphql import GraphQLObjectType, GraphQLResolveInfo, GraphQLSchema

from resolvers.context import Context
from schema.plans.plain_fields import wrap_resolvers

Resolve = Callable[..., Any]


def read_equal_fields_once(schema: GraphQLSchema, type_names: Sequence[str]) -> None:
    """Share results, including errors, between equal fields of an object of these types."""
    for type_name in type_names:
        type_ = schema.type_map[type_name]
        assert isinstance(type_, GraphQLObjectType)
        for name, field in type_.fields.items():
            if field.resolve is not None and not getattr(field.resolve, "_is_default", False):
                wrap_resolvers(field, partial(_shared, name))


def _shared(name: str, resolve: Resolve) -> Resolve:
    def shared(source: object, info: GraphQLResolveInfo[Context], **arguments: object) -> object:
        async def read() -> object:
            found = resolve(source, info, **arguments)
            return await found if isawaitable(found) else found

        # The ids stay unique, because the memo keeps every source alive as the result of an earlier
        # field.
        key = name, id(source), repr(arguments)
        return info.context.fields.get(key, read)

    return shared
