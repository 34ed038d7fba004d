"""Completes lists of objects in time slices, so that a long page does not block the event loop."""

from collections.abc import Callable, Sequence
from inspect import isawaitable
from typing import Any

from graphql import GraphQLObjectType, GraphQLResolveInfo, GraphQLSchema, OperationType

from resolvers.context import Context
from schema.execution.operation_cost import is_list_of_objects
from schema.plans.plain_fields import get_plain_field

MAX_INNER = 10
"""The maximum length of a nested list that is completed at once, without time slices."""

Resolve = Callable[..., Any]


def yield_in_long_lists(schema: GraphQLSchema) -> None:
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__"):
            for field in type_.fields.values():
                if field.resolve is not None and is_list_of_objects(field):
                    field.resolve = _sliced(field.resolve)
                    plain = get_plain_field(field)
                    if plain is not None:
                        plain.slice_list = _slice


def _sliced(resolve: Resolve) -> Resolve:
    def sliced(source: object, info: GraphQLResolveInfo[Context], **arguments: object) -> object:
        found = resolve(source, info, **arguments)
        if info.operation.operation is not OperationType.QUERY:
            # Payloads of mutations and subscriptions are short but frequent.
            return found
        if isawaitable(found):
            return _slice_later(found, info)
        return _slice(found, info.context, _is_inside_a_list(info))

    return sliced


async def _slice_later(found: Any, info: GraphQLResolveInfo[Context]) -> object:
    return _slice(await found, info.context, _is_inside_a_list(info))


def _slice(found: object, context: Context, is_inside_list: bool) -> object:
    if isinstance(found, Sequence) and len(found) > (MAX_INNER if is_inside_list else 1):
        return context.iterate(found)
    return found


def _is_inside_a_list(info: GraphQLResolveInfo[Context]) -> bool:
    return any(isinstance(key, int) for key in info.path.as_list())
