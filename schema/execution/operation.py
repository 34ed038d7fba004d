"""Execution of one operation: the request and result of a transport, in plain types."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import graphql
from graphql import GraphQLError, GraphQLSchema, OperationType

from domain.errors import OnsaleError
from resolvers.context import Context
from schema.execution.document_cache import DocumentCache
from schema.execution.top_level_errors import to_top_level_error

_NEEDS_A_STREAM = "A subscription sends more than one result; use WebSocket, or HTTP with Accept: text/event-stream."


@dataclass(frozen=True, slots=True)
class Operation:
    """The operation that a client requests."""

    document: str
    variables: Mapping[str, object]
    name: str | None


@dataclass(frozen=True, slots=True)
class OperationResult:
    """`payload` is ready for JSON;
    `was_executed` is False for a request refused before execution.
    """

    payload: dict[str, object]
    was_executed: bool


class NotAQuery(Exception):
    """Only queries are allowed, and this operation may write."""


class Executor:
    def __init__(self, schema: GraphQLSchema, documents: DocumentCache) -> None:
        self._schema = schema
        self._documents = documents

    async def execute(self, operation: Operation, context: Context, *, queries_only: bool = False) -> OperationResult:
        """Execute an operation and return its result.

        Raises NotAQuery, before anything is executed.
        """
        document = self._documents.get(operation.document)
        if document.ast is None:
            return rejected_result(document.errors, context)
        chosen = document.operation(operation.name)
        if queries_only and chosen is not None and chosen.operation is not OperationType.QUERY:
            raise NotAQuery
        if chosen is not None and chosen.operation is OperationType.SUBSCRIPTION:
            return rejected_result([GraphQLError(_NEEDS_A_STREAM, chosen)], context)
        result = graphql.execute(
            self._schema,
            document.ast,
            context_value=context,
            variable_values=dict(operation.variables),
            operation_name=operation.name,
        )
        if not isinstance(result, graphql.ExecutionResult):
            result = await result
        return executed_result(result, context)


def rejected_result(errors: Sequence[GraphQLError], context: Context) -> OperationResult:
    shown = [to_top_level_error(error, context.request_id) for error in errors]
    return OperationResult({"errors": shown}, was_executed=False)


def error_result(error: OnsaleError, context: Context) -> OperationResult:
    """Return the error of an allowed operation whose topic cannot be read."""
    return rejected_result([GraphQLError(str(error), original_error=error)], context)


def executed_result(result: graphql.ExecutionResult, context: Context) -> OperationResult:
    errors = result.errors or []
    if result.data is None and all(error.path is None for error in errors):
        # The variables do not match, or the document lacks the operation: GraphQL executed nothing.
        return rejected_result(errors, context)
    payload: dict[str, object] = {"data": result.data}
    if errors:
        payload["errors"] = [to_top_level_error(error, context.request_id) for error in errors]
    return OperationResult(payload, was_executed=True)
