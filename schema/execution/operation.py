"""Executes operations. Requests and results are plain types that do not depend on a transport."""

from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import isawaitable
from time import perf_counter
from typing import Any, TypeAlias

import graphql
from graphql import GraphQLError, GraphQLSchema, OperationType

from domain.errors import BadUserInput, OnsaleError, TemporarilyUnavailable
from domain.limits.operations import OperationLimits
from resolvers.context import Context
from schema.execution.document_cache import Document, DocumentCache
from schema.execution.document_sources import DocumentSource
from schema.execution.input_bounds import check_variables
from schema.execution.persisted_documents import DocumentHash
from schema.execution.top_level_errors import SystemCode, to_top_level_error
from telemetry import metrics, traces
from telemetry.operation_spans import begin_operation, end_operation

Execution: TypeAlias = graphql.Executor[Context]

_NEEDS_A_STREAM = "A subscription sends more than one result; use WebSocket, or HTTP with Accept: text/event-stream."


MAX_INPUT_ERRORS = 5
"""The maximum number of errors reported for the variables. Each one may be expensive, because
graphql-core searches for names similar to an unknown key.
"""


@dataclass(frozen=True, slots=True)
class Operation:
    """The operation that a client requests, in a document that it sends or identifies by hash."""

    document: str | None
    variables: Mapping[str, object]
    name: str | None
    document_hash: DocumentHash | None = None
    """The hash that the client sent. If the client also sent a document, the two match."""


@dataclass(frozen=True, slots=True)
class OperationResult:
    """The result of an operation, with a `payload` that can be encoded as JSON.

    `was_executed` is False for a request refused before execution. `is_public` is True if every
    signed-out caller would get the same answer and nothing failed.
    """

    payload: dict[str, object]
    was_executed: bool
    is_public: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """An execution that can begin, and the cost of its operation."""

    execution: Execution
    cost: int
    max_cost: int


class NotAQuery(Exception):
    """The operation may write, but only queries are allowed."""


class Executor:
    """Executes queries and mutations whose cost is within the limits."""

    def __init__(
        self,
        schema: GraphQLSchema,
        cache: DocumentCache,
        documents: DocumentSource,
        *,
        limits: OperationLimits,
        allows_introspection: bool,
    ) -> None:
        self._schema = schema
        self._cache = cache
        self._documents = documents
        self._limits = limits
        self._allows_introspection = allows_introspection

    def execute(
        self, operation: Operation, context: Context, *, queries_only: bool = False
    ) -> Coroutine[Any, Any, OperationResult]:
        """Execute an operation and return its result. Awaiting it raises NotAQuery before anything
        is executed.
        """
        document = self._documents.find(operation.document, operation.document_hash)
        if document is None:
            return self._read_and_execute(operation, context, queries_only=queries_only)
        return self.execute_document(document, operation, context, queries_only=queries_only)

    async def _read_and_execute(self, operation: Operation, context: Context, *, queries_only: bool) -> OperationResult:
        document = await self._documents.read(operation.document, operation.document_hash)
        return await self.execute_document(document, operation, context, queries_only=queries_only)

    async def execute_document(
        self, document: Document, operation: Operation, context: Context, *, queries_only: bool
    ) -> OperationResult:
        """Execute an operation of a document that has already been read, as `execute` does."""
        started_s, word = perf_counter(), "canceled"
        result: OperationResult | None = None
        span = None if traces.active is None else begin_span(traces.active, document, operation)
        try:
            result = await self._execute(document, operation, context, queries_only=queries_only)
            word = describe_result(result, context)
        except Exception:
            word = "rejected"
            raise
        finally:
            name = listed_name(document, operation)
            metrics.requests.add(name, word)
            metrics.request_seconds.observe(perf_counter() - started_s, name)
            if span is not None:
                end_operation(span, word, list_codes(result, context))
        return result

    async def _execute(
        self, document: Document, operation: Operation, context: Context, *, queries_only: bool
    ) -> OperationResult:
        if document.ast is None:
            return rejected_result(document.errors, context)
        chosen = document.operation(operation.name)
        if queries_only and chosen is not None and chosen.operation is not OperationType.QUERY:
            raise NotAQuery
        self.record_use(document, operation, context)
        if chosen is not None and chosen.operation is OperationType.SUBSCRIPTION:
            return rejected_result([GraphQLError(_NEEDS_A_STREAM, chosen)], context)
        planned = None
        if chosen is not None and document.plans is not None:
            planned = document.plans.find(chosen.name.value if chosen.name else None, operation.variables)
        if chosen is not None and planned is not None:
            plan, variables = planned
            cost, limit = document.cost(chosen, variables), cost_limit(document, self._limits)
            if cost > limit:
                return rejected_result([_too_costly(cost, limit)], context)
            make_core = partial(self._rebuild_execution, document, operation, context)
            result = await plan.execute(None, context, variables, make_core)
            return _with_cost(executed_result(result, context, is_public=document.is_public), cost, limit)
        prepared = self.prepare(document, operation, context)
        if isinstance(prepared, list):
            return rejected_result(prepared, context)
        if document.is_introspection:
            answered = await self._introspect(document, operation, context)
        else:
            result = await _execute_by_core(prepared.execution)
            answered = executed_result(result, context, is_public=document.is_public)
        return _with_cost(answered, prepared.cost, prepared.max_cost)

    async def _introspect(self, document: Document, operation: Operation, context: Context) -> OperationResult:
        try:
            answer = await self._cache.introspect(document, operation.name, operation.variables)
        except TemporarilyUnavailable as error:
            return error_result(error, context)
        return executed_result(answer, context)

    def record_use(self, document: Document, operation: Operation, context: Context) -> None:
        """If the client sent the hash of a valid document, keep the document or record its use."""
        if operation.document_hash is not None:
            self._documents.record_use(operation.document_hash, document.text, is_signed_in=context.viewer is not None)

    def prepare(self, document: Document, operation: Operation, context: Context) -> Prepared | list[GraphQLError]:
        """Coerce the variables and compute the cost.

        Returns the prepared execution, or the errors that prevent it.
        """
        try:
            check_variables(operation.variables)
        except BadUserInput as error:
            return [GraphQLError(str(error), original_error=error)]
        execution = self._build_execution(document, operation, context)
        if not isinstance(execution, graphql.Executor):
            return execution
        cost = document.cost(execution.operation, execution.variable_values.coerced)
        limit = cost_limit(document, self._limits)
        return [_too_costly(cost, limit)] if cost > limit else Prepared(execution, cost, limit)

    def _rebuild_execution(self, document: Document, operation: Operation, context: Context) -> Execution:
        """Return the execution of an operation whose variables are known to be right."""
        execution = self._build_execution(document, operation, context)
        assert isinstance(execution, graphql.Executor)
        return execution

    def _build_execution(
        self, document: Document, operation: Operation, context: Context
    ) -> Execution | list[GraphQLError]:
        assert document.ast is not None
        return graphql.Executor.build(
            self._schema,
            document.ast,
            context_value=context,
            raw_variable_values=dict(operation.variables),
            operation_name=operation.name,
            max_coercion_errors=MAX_INPUT_ERRORS,
            hide_suggestions=not self._allows_introspection,
        )


def listed_name(document: Document, operation: Operation) -> str:
    """Return the name under which the metrics count an operation. Only listed documents have names
    of their own, because there is no limit to the names that clients may send.
    """
    chosen = document.operation(operation.name) if document.is_listed else None
    return chosen.name.value if chosen is not None and chosen.name is not None else metrics.OTHER


def describe_result(result: OperationResult, context: Context) -> str:
    """Return the word under which the metrics count a result: `refused` if the result of a mutation
    is an error of its union, `failed` if there are other errors, or `rejected` before execution.
    """
    if not result.was_executed:
        return "rejected"
    if "errors" in result.payload:
        return "failed"
    return "refused" if context.refused_codes else "ok"


def begin_span(tracing: traces.Tracing, document: Document, operation: Operation) -> traces.Span:
    chosen = document.operation(operation.name)
    listed = listed_name(document, operation)
    return begin_operation(
        tracing,
        "operation" if chosen is None else chosen.operation.value,
        chosen.name.value if chosen is not None and chosen.name is not None else None,
        listed_name=None if listed == metrics.OTHER else listed,
    )


def list_codes(result: object, context: Context) -> list[str]:
    """Return the codes of all errors in the answer, each once."""
    errors = result.payload.get("errors") if isinstance(result, OperationResult) else None
    found = [error["extensions"]["code"] for error in errors] if isinstance(errors, list) else []
    return list(dict.fromkeys(map(str, [*context.refused_codes, *found])))


async def _execute_by_core(execution: Execution) -> graphql.ExecutionResult:
    result = graphql.execute_root_selection_set(execution)
    return await result if isawaitable(result) else result


def _with_cost(result: OperationResult, cost: int, limit: int) -> OperationResult:
    """Add `extensions.cost` to the answer to a query or mutation.

    Subscription payloads omit it, because they are sent often and to many people.
    """
    result.payload["extensions"] = {"cost": {"requested": cost, "limit": limit}}
    return result


def cost_limit(document: Document, limits: OperationLimits) -> int:
    return limits.introspection_cost if document.is_introspection else limits.cost


def _too_costly(cost: int, limit: int) -> GraphQLError:
    message = f"This operation costs {cost:,}, and the limit is {limit:,}; request shorter pages or fewer fields."
    return GraphQLError(message, extensions={"code": SystemCode.QUERY_TOO_COMPLEX, "cost": cost, "limit": limit})


def rejected_result(errors: Sequence[GraphQLError], context: Context) -> OperationResult:
    shown = [to_top_level_error(error, context.request_id) for error in errors]
    return OperationResult({"errors": shown}, was_executed=False)


def error_result(error: OnsaleError, context: Context) -> OperationResult:
    """Return the result of an operation that failed with this error before execution."""
    return rejected_result([GraphQLError(str(error), original_error=error)], context)


def executed_result(result: graphql.ExecutionResult, context: Context, *, is_public: bool = False) -> OperationResult:
    errors = result.errors or []
    if result.data is None and all(error.path is None for error in errors):
        # Nothing was executed: the variables do not match, or the document does not contain the
        # operation.
        return rejected_result(errors, context)
    payload: dict[str, object] = {"data": result.data}
    if errors:
        payload["errors"] = [to_top_level_error(error, context.request_id) for error in errors]
    return OperationResult(payload, was_executed=True, is_public=is_public and not errors)
