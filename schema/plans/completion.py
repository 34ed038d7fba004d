"""Completers: they turn the values of one position of an operation into what JSON shows."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from enum import Enum
from functools import lru_cache
from math import isfinite
from types import CoroutineType
from typing import Any, TypeAlias

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLOutputType,
    GraphQLString,
    Undefined,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    located_error,
)
from graphql.execution.executor import collect_iterator_awaitables
from graphql.pyutils import is_async_iterable, is_awaitable, is_iterable

from schema.plans.plain_classes import PLAIN_CLASSES
from schema.plans.running import (
    Complete,
    PathKey,
    Run,
    Select,
    Step,
    complete_by_core,
    gather_items,
    record_error,
    to_path,
)

SliceValue: TypeAlias = Callable[[Any, Any], Any]
Learn: TypeAlias = Callable[[type], Select | None]
"""Returns the function that completes objects of a Python class, or None for graphql-core."""

MAX_ENUMS = 256
"""The number of enums whose names are kept. A schema has far fewer."""


class ObjectClasses(dict[type, Select]):
    """The functions that complete the objects of one position, by their Python class.

    A class that is missing is left to `complete`, which learns it if its objects are plain.
    """

    def __init__(self, learn: Learn) -> None:
        self.learn = learn


@lru_cache(maxsize=MAX_ENUMS)
def write_enum(type_: GraphQLEnumType) -> dict[int, str]:
    """Return the name of each member of the Python enum of the type, by the member's id.

    Members live as long as the enum. Their ids differ from those of equal strings and numbers,
    which graphql-core completes.
    """
    members = getattr(type_, "wrapped_cls", None)
    if not (isinstance(members, type) and issubclass(members, Enum)):
        return {}
    names = {}
    for member in members:
        with suppress(ValueError):
            names[id(member)] = type_.coerce_output_value(member)
    return names


def write_leaf(type_: GraphQLLeafType) -> Callable[[Any], Any]:
    """Return a function that returns the JSON of a plain value, and None for any other value."""
    if type_ is GraphQLString or type_ is GraphQLID:
        return lambda value: value if value.__class__ is str else None
    if type_ is GraphQLInt:
        return lambda value: value if value.__class__ is int and -(2**31) <= value < 2**31 else None
    if type_ is GraphQLBoolean:
        return lambda value: value if value.__class__ is bool else None
    if type_ is GraphQLFloat:
        return lambda value: value if value.__class__ is float and isfinite(value) else None
    if isinstance(type_, GraphQLEnumType):
        names = write_enum(type_)
        return lambda value: names.get(id(value))
    write = type_.coerce_output_value

    def write_scalar(value: Any) -> Any:
        written = write(value) if PLAIN_CLASSES[value.__class__] else None
        return None if written is Undefined else written

    return write_scalar


def make_completer(
    step: Step, type_: GraphQLOutputType, classes: ObjectClasses | None, slice_value: SliceValue | None = None
) -> Complete:
    """Return the completer for a type: of a field, or of the items of a list.

    `classes` are those of the objects in it, and `slice_value` is applied to the outermost list.
    """
    if is_non_null_type(type_):
        inner = make_completer(step, type_.of_type, classes, slice_value)
        return lambda value, run, path: (
            complete_by_core(value, run, step, type_, path)
            if value is None or value is Undefined
            else inner(value, run, path)
        )
    if is_list_type(type_):
        item = make_completer(step, type_.of_type, classes)
        return _list_completer(_ListItems(step, type_.of_type, item), type_, slice_value)
    if is_leaf_type(type_):
        return _leaf_completer(step, type_)
    assert classes is not None
    return _object_completer(step, type_, classes)


def _leaf_completer(step: Step, type_: GraphQLLeafType) -> Complete:
    write = write_leaf(type_)

    def complete(value: Any, run: Run, path: PathKey) -> Any:
        if value is None:
            return None
        written = write(value)
        return complete_by_core(value, run, step, type_, path) if written is None else written

    return complete


def _object_completer(step: Step, type_: GraphQLOutputType, classes: ObjectClasses) -> Complete:
    def complete(value: Any, run: Run, path: PathKey) -> Any:
        found = classes.get(value.__class__)
        if found is None:
            if value is None:
                return None
            class_ = value.__class__
            found = classes.learn(class_) if PLAIN_CLASSES[class_] else None
            if found is None:
                return complete_by_core(value, run, step, type_, path)
            classes[class_] = found
        return found(value, run, path)

    return complete


class _ListItems:
    """Completes the items of a list one by one, and collects those that have to be awaited."""

    def __init__(self, step: Step, type_: GraphQLOutputType, complete: Complete) -> None:
        self.step = step
        self.type = type_
        self.complete = complete

    def add(self, item: Any, run: Run, path: PathKey, items: list[Any], later: list[int]) -> None:
        index = len(items)
        here = path, index, None
        if not PLAIN_CLASSES[item.__class__] and is_awaitable(item):
            later.append(index)
            items.append(self._complete_later(run, item, here))
            return
        try:
            done = self.complete(item, run, here)
            if done.__class__ is CoroutineType:
                later.append(index)
                done = self._finish(run, done, here)
        except Exception as error:
            done = None
            record_error(run, self.step, self.type, error, here)
        items.append(done)

    async def _complete_later(self, run: Run, item: Awaitable[Any], here: PathKey) -> Any:
        try:
            done = self.complete(await item, run, here)
            return await done if done.__class__ is CoroutineType else done
        except Exception as error:
            record_error(run, self.step, self.type, error, here)
            return None

    async def _finish(self, run: Run, done: Awaitable[Any], here: PathKey) -> Any:
        try:
            return await done
        except Exception as error:
            record_error(run, self.step, self.type, error, here)
            return None


def _list_completer(items: _ListItems, type_: GraphQLOutputType, slice_value: SliceValue | None) -> Complete:
    def complete(value: Any, run: Run, path: PathKey) -> Any:
        if slice_value is not None:
            value = slice_value(value, run.context)
        if value.__class__ is list or value.__class__ is tuple:
            return _complete_items(items, value, run, path)
        if value is None:
            return None
        if PLAIN_CLASSES[value.__class__]:
            if is_async_iterable(value):
                return _complete_async_items(items, aiter(value), run, path)
            if is_iterable(value):
                return _complete_items(items, value, run, path)
        return complete_by_core(value, run, items.step, type_, path)

    return complete


def _complete_items(items: _ListItems, values: Iterable[Any], run: Run, path: PathKey) -> Any:
    done: list[Any] = []
    later: list[int] = []
    iterator = iter(values)
    try:
        for item in iterator:
            items.add(item, run, path, done, later)
    except Exception:
        # Awaitables that will not be awaited end in the background.
        waiting = [done[index] for index in later]
        waiting.extend(collect_iterator_awaitables(iterator, is_awaitable))
        if waiting:
            run.core.settle_in_background(waiting)
        raise
    return gather_items(done, later) if later else done


async def _complete_async_items(items: _ListItems, iterator: AsyncIterator[Any], run: Run, path: PathKey) -> Any:
    done: list[Any] = []
    later: list[int] = []
    try:
        while True:
            try:
                item = await anext(iterator)
            except StopAsyncIteration:
                break
            except Exception as error:
                raise located_error(error, items.step.nodes, to_path(path).as_list()) from error
            items.add(item, run, path, done, later)
    except Exception:
        close = getattr(iterator, "aclose", None)
        if close is not None:
            with suppress(Exception):
                await close()
        if later:
            run.core.settle_in_background([done[index] for index in later])
        raise
    return await gather_items(done, later) if later else done
