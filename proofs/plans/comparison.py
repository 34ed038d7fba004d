"""Executes an operation by graphql-core and by a plan, and compares everything a client can see."""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import isawaitable
from itertools import zip_longest
from typing import Any

import graphql
import orjson
from graphql import DocumentNode, GraphQLError, GraphQLSchema, OperationDefinitionNode

from schema.execution.top_level_errors import to_top_level_error
from schema.plans.compile import Plan, choosing_variables, compile_operation
from schema.plans.selection import TypeNameOf
from schema.plans.source import CannotCompile
from schema.plans.variables import InputCoercers, OddVariables


class Different(AssertionError):
    """The two answers differ; the message contains both and the operation."""


@dataclass(frozen=True)
class Outcome:
    answer: bytes
    """Data and errors as JSON, in order."""
    calls: list[str]


@dataclass(frozen=True)
class Compiled:
    """An operation in both forms. `plan` is None if it cannot be compiled."""

    document: DocumentNode
    plan: Plan | None
    variables: dict[str, Any] | None
    """The variables as the plan coerces them. None if graphql-core has to."""


def build_core(
    schema: GraphQLSchema, document: DocumentNode, root: object, context: object, variables: dict[str, Any]
) -> "graphql.Executor[Any] | list[GraphQLError]":
    return graphql.Executor.build(schema, document, root, context, variables, max_coercion_errors=5)


def compile_for(
    schema: GraphQLSchema, document: DocumentNode, raw: dict[str, Any], coercers: InputCoercers, names: TypeNameOf
) -> Compiled:
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    try:
        choosing = choosing_variables(document)
        variables = coercers.make_variables(schema, operation).coerce(raw)
        choices = {name: variables[name] for name in choosing if name in variables}
        return Compiled(document, compile_operation(schema, document, operation, choices, names), variables)
    except (CannotCompile, OddVariables):
        return Compiled(document, None, None)


async def execute_by_core(
    schema: GraphQLSchema, document: DocumentNode, root: object, context: object, raw: dict[str, Any]
) -> graphql.ExecutionResult:
    execution = build_core(schema, document, root, context, raw)
    if not isinstance(execution, graphql.Executor):
        return graphql.ExecutionResult(None, execution)
    result = graphql.execute_root_selection_set(execution)
    return await result if isawaitable(result) else result


def write_outcome(result: graphql.ExecutionResult, calls: list[str]) -> Outcome:
    errors = [(to_top_level_error(error, "id"), repr(error.original_error)) for error in result.errors or ()]
    outcome = Outcome(orjson.dumps([result.data, errors], default=repr), list(calls))
    calls.clear()
    return outcome


def compare(expected: Outcome, found: Outcome, text: str, raw: dict[str, Any], repeat: Callable[[], str]) -> None:
    """Raise Different, with what `repeat` says about repeating the operation."""
    if expected != found:
        parts = [repeat(), text, repr(raw), "graphql-core:", expected.answer.decode(), "plan:", found.answer.decode()]
        if expected.calls != found.calls:
            pairs = zip_longest(expected.calls, found.calls)
            parts.append(
                next(f"call {n}: {one}, of the plan: {two}" for n, (one, two) in enumerate(pairs) if one != two)
            )
        raise Different("\n".join(parts))
