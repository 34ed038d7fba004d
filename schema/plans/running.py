"""One run of a plan: its state, and what the generated code calls for values that are not plain.

An error or an odd value is given to graphql-core with what the resolver has returned, so no
resolver runs twice and all errors have the words, paths and locations of graphql-core.
"""

from collections.abc import Awaitable, Callable
from types import CoroutineType
from typing import Any, TypeAlias

import graphql
from graphql import FieldNode, FragmentDefinitionNode, GraphQLError, GraphQLField, GraphQLObjectType, GraphQLOutputType
from graphql.pyutils import Path, gather_with_cancel, is_awaitable

from schema.plans.plain_classes import PLAIN_CLASSES

Core: TypeAlias = graphql.Executor[Any]
PathKey: TypeAlias = tuple[Any, str | int, str | None]
"""The path of a value: the path of its parent, its key, and the name of the parent's type. It is a
plain tuple, because a `Path` of graphql-core takes six times as long to create.
"""
Select: TypeAlias = Callable[[Any, "Run", PathKey | None], Any]
"""Answers a selection set for an object at a path, which is None for the root."""
Complete: TypeAlias = Callable[[Any, "Run", PathKey], Any]
"""Completes the value at a path. Returns what JSON shows, or a coroutine that returns it."""


class Run:
    """The state of one run. `core` is created only if something is left to graphql-core."""

    __slots__ = ("_core", "_make_core", "context", "root", "variables")

    def __init__(self, root: object, context: object, variables: dict[str, Any], make_core: Callable[[], Core]) -> None:
        self.root = root
        self.context = context
        self.variables = variables
        self._make_core = make_core
        self._core: Core | None = None

    @property
    def core(self) -> Core:
        if self._core is None:
            self._core = self._make_core()
        return self._core

    @property
    def errors(self) -> list[GraphQLError] | None:
        return self._core.collected_errors.errors or None if self._core is not None else None


class Step:
    """One field of a selection, as the operation selects it on one object type."""

    __slots__ = ("complete", "definition", "details", "fragments", "is_nullable", "key", "nodes", "parent_type")

    def __init__(
        self,
        key: str,
        parent_type: GraphQLObjectType,
        definition: GraphQLField,
        details: list[Any],
        fragments: dict[str, FragmentDefinitionNode],
    ) -> None:
        self.key = key
        """The name in the answer."""
        self.parent_type = parent_type
        self.definition = definition
        self.details = details
        """The nodes of the field, as graphql-core collects them."""
        self.nodes = [one.node for one in details]
        self.fragments = fragments
        self.is_nullable = not graphql.is_non_null_type(definition.type)
        self.complete: Complete

    def path(self, path: PathKey | None) -> PathKey:
        return path, self.key, self.parent_type.name


class Info:
    """The information that a resolver gets. graphql-core creates most of it when it is read."""

    __slots__ = ("_path", "_run", "_step", "context")

    def __init__(self, run: Run, step: Step, path: PathKey | None) -> None:
        self.context = run.context
        self._run = run
        self._step = step
        self._path = path

    @property
    def field_nodes(self) -> list[FieldNode]:
        return self._step.nodes

    @property
    def fragments(self) -> dict[str, FragmentDefinitionNode]:
        return self._step.fragments

    def __getattr__(self, name: str) -> Any:
        return getattr(_core_info(self._run, self._step, to_path(self._step.path(self._path))), name)


def to_path(path: PathKey) -> Path:
    parent, key, type_name = path
    return Path(None if parent is None else to_path(parent), key, type_name)


def _core_info(run: Run, step: Step, path: Path) -> graphql.GraphQLResolveInfo[Any]:
    return run.core.build_resolve_info(step.definition, step.nodes, step.parent_type, path)


def complete_by_core(value: object, run: Run, step: Step, type_: GraphQLOutputType, path: PathKey) -> Any:
    """Complete the value of a field, or of an item of a list, as graphql-core does."""
    here = field_path = to_path(path)
    while isinstance(field_path.key, int) and field_path.prev is not None:
        field_path = field_path.prev
    info = _core_info(run, step, field_path)
    return run.core.complete_value(type_, step.details, info, here, value, None)


def complete_field(run: Run, step: Step, value: Any, path: PathKey | None, later: list[str]) -> Any:
    """Complete the value of a field. An awaitable is added to `later` by the key of its field."""
    if value is None and step.is_nullable:
        return None
    here = path, step.key, step.parent_type.name
    if value.__class__ is CoroutineType or (not PLAIN_CLASSES[value.__class__] and is_awaitable(value)):
        later.append(step.key)
        return _complete_later(run, step, value, here)
    done = step.complete(value, run, here)
    return finish_later(run, step, done, path, later) if done.__class__ is CoroutineType else done


def finish_later(run: Run, step: Step, done: Awaitable[Any], path: PathKey | None, later: list[str]) -> Awaitable[Any]:
    """Add the awaitable of a value that was completed in part to `later`."""
    later.append(step.key)
    return _finish(run, step, done, step.path(path))


async def _complete_later(run: Run, step: Step, value: Awaitable[Any], here: PathKey) -> Any:
    try:
        done = step.complete(await value, run, here)
        return await done if done.__class__ is CoroutineType else done
    except Exception as error:
        record_error(run, step, step.definition.type, error, here)
        return None


async def _finish(run: Run, step: Step, done: Awaitable[Any], here: PathKey) -> Any:
    try:
        return await done
    except Exception as error:
        record_error(run, step, step.definition.type, error, here)
        return None


def record_error(run: Run, step: Step, type_: GraphQLOutputType, error: Exception, here: PathKey) -> None:
    """Record the error of a value, which is then null. Raises the error if it cannot be null."""
    run.core.handle_field_error(error, type_, step.details, to_path(here))


def fail_field(
    run: Run, step: Step, error: Exception, path: PathKey | None, answer: dict[str, Any], later: list[str]
) -> None:
    """Record the error of a field as `record_error` does. If it is raised, the awaitables of the
    fields before it end in the background.
    """
    try:
        record_error(run, step, step.definition.type, error, step.path(path))
    except GraphQLError:
        if later:
            run.core.settle_in_background([answer[key] for key in later])
        raise


async def gather_fields(answer: dict[str, Any], later: list[str]) -> dict[str, Any]:
    """Await the fields in `later` together, and return the answer with their values."""
    if len(later) == 1:
        answer[later[0]] = await answer[later[0]]
    else:
        answer.update(zip(later, await gather_with_cancel(*[answer[key] for key in later]), strict=True))
    return answer


async def gather_items(items: list[Any], later: list[int]) -> list[Any]:
    if len(later) == 1:
        items[later[0]] = await items[later[0]]
    else:
        awaited = await gather_with_cancel(*[items[index] for index in later])
        for index, item in zip(later, awaited, strict=True):
            items[index] = item
    return items
