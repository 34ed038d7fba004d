"""Lists of objects, completed in time slices, so that a long page does not keep the loop busy."""

from collections.abc import AsyncIterator, Callable
from inspect import isawaitable
from typing import Any

from graphql import GraphQLObjectType, GraphQLResolveInfo, GraphQLSchema

from resolvers.context import Context
from schema.execution.operation_cost import is_list_of_objects
from subscriptions.yielding import TimeSlice

MAX_AT_ONCE = 10
"""Shorter lists are completed at once, without the cost of an asynchronous list."""

Resolve = Callable[..., Any]


def yield_in_long_lists(schema: GraphQLSchema) -> None:
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__"):
            for field in type_.fields.values():
                if field.resolve is not None and is_list_of_objects(field):
                    field.resolve = _sliced(field.resolve)


def _sliced(resolve: Resolve) -> Resolve:
    def sliced(source: object, info: GraphQLResolveInfo[Context], **arguments: object) -> object:
        found = resolve(source, info, **arguments)
        if isawaitable(found):
            return _slice_later(found, info.context)
        return _slice(found, info.context)

    return sliced


async def _slice_later(found: Any, context: Context) -> object:
    return _slice(await found, context)


def _slice(found: object, context: Context) -> object:
    if isinstance(found, list) and len(found) > MAX_AT_ONCE:
        return _iterate(found, context)
    return found


async def _iterate(items: list[object], context: Context) -> AsyncIterator[object]:
    """Yield the items. What the fields of the first one read is read for all before the second."""
    slice_ = TimeSlice()
    yield items[0]
    await context.load_wanted()
    for item in items[1:]:
        await slice_.checkpoint()
        yield item
