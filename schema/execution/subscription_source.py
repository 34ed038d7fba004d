"""Starts operations for transports: executes queries and mutations, and creates a source for each
subscription.

The operation of a subscription is parsed, validated and authorized once. A source holds no
connection and no task: the hub passes it snapshots, and the source executes the operation with a
new context for each of them. Sources in a group have the same payload, so one of them renders it
for all.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from inspect import isawaitable
from typing import Never, NewType
from weakref import WeakValueDictionary

import graphql
import orjson
from graphql import ExecutionResult, OperationType

from auth.viewer import Viewer
from domain.holds import Hold
from domain.orders import Order
from domain.queues import WaitingRoom
from domain.stock import Stock
from domain.topics import QueueSnapshot, Snapshot, StockTopic, Topic
from resolvers.context import Context
from schema.execution.document_cache import Document
from schema.execution.document_sources import DocumentSource
from schema.execution.operation import (
    Execution,
    Executor,
    Operation,
    OperationResult,
    Prepared,
    executed_result,
    rejected_result,
)
from schema.execution.payload_templates import PayloadTemplates
from schema.execution.persisted_documents import DocumentHash, hash_document
from subscriptions.interfaces import Rendered, Source

ViewerKey = NewType("ViewerKey", tuple[str, ...])
"""The person and roles: everything about a viewer that can change their payload."""
Key = NewType("Key", tuple[DocumentHash, str | None, bytes])
"""The SHA-256 of the document, the name of the operation, and its coerced variables as JSON."""


@dataclass(frozen=True, slots=True)
class TopicEventStream:
    """The topic of a subscription, wrapped for graphql-core, which requires a stream."""

    topic: Topic

    def __aiter__(self) -> Never:
        raise TypeError(f"{self.topic} is published by the hub and cannot be iterated")


class SubscriptionStarter:
    def __init__(self, documents: DocumentSource, executor: Executor) -> None:
        self._documents = documents
        self._executor = executor
        self._prepared: WeakValueDictionary[Key, PreparedOperation] = WeakValueDictionary()

    async def start(
        self, operation: Operation, context: Context, *, may_mutate: bool = True
    ) -> OperationResult | Source:
        """Return the source of a subscription, or the result of any other operation.

        If a subscription cannot start, the result contains its errors. Raises NotAQuery for a
        mutation if `may_mutate` is false.
        """
        document = await self._documents.read(operation.document, operation.document_hash)
        chosen = document.operation(operation.name)
        if document.ast is None or chosen is None or chosen.operation is not OperationType.SUBSCRIPTION:
            return await self._executor.execute_document(document, operation, context, queries_only=not may_mutate)
        self._executor.record_use(document, operation, context)
        name = chosen.name.value if chosen.name else None
        return await self._subscribe(document, replace(operation, name=name), context)

    async def _subscribe(self, document: Document, operation: Operation, context: Context) -> OperationResult | Source:
        prepared = self._executor.prepare(document, operation, context)
        if not isinstance(prepared, Prepared):
            return rejected_result(prepared, context)
        execution = prepared.execution
        event_stream = graphql.create_source_event_stream(execution)
        if isawaitable(event_stream):
            event_stream = await event_stream
        if isinstance(event_stream, ExecutionResult):
            return rejected_result(event_stream.errors or [], context)
        assert isinstance(event_stream, TopicEventStream)
        if isinstance(event_stream.topic, StockTopic):
            # A shared payload is rendered for an anonymous viewer, so it cannot contain anything
            # personal.
            context = replace(context, viewer=None, address=None)
        # A copy of the context has empty memos.
        return SubscriptionSource(event_stream.topic, self._prepare(execution, document, operation), replace(context))

    def _prepare(self, execution: Execution, document: Document, operation: Operation) -> "PreparedOperation":
        # Coerced values include defaults and follow the order of their declaration in the document.
        variables = orjson.dumps(execution.variable_values.coerced)
        key = Key((operation.document_hash or hash_document(document.text), operation.name, variables))
        execution.context_value = None
        return self._prepared.setdefault(key, PreparedOperation(key, execution))


@dataclass(frozen=True, slots=True, weakref_slot=True)
class PreparedOperation:
    """An operation with its variables but without a viewer, shared by all of its subscribers."""

    key: Key
    execution: Execution
    templates: PayloadTemplates = field(default_factory=PayloadTemplates)


def _viewer_key(context: Context) -> ViewerKey | None:
    viewer = context.viewer
    return ViewerKey((viewer.person_id, *sorted(viewer.roles))) if viewer else None


@dataclass(frozen=True, slots=True)
class SubscriptionSource:
    """Implements `subscriptions.interfaces.Source`."""

    topic: Topic
    prepared: PreparedOperation
    context: Context

    @property
    def group(self) -> Hashable:
        return self.prepared.key, _viewer_key(self.context)

    def render_cached(self, snapshot: Snapshot) -> Rendered | None:
        viewer = self.context.viewer
        if not isinstance(snapshot, QueueSnapshot) or viewer is None:
            return None
        payload = self.prepared.templates.fill(snapshot, viewer)
        return None if payload is None else Rendered(payload)

    async def render(self, snapshot: Snapshot) -> Rendered:
        viewer = self.context.viewer
        if isinstance(snapshot, QueueSnapshot) and viewer is not None:
            payload = await self.prepared.templates.render(snapshot, viewer, self._execute)
        else:
            payload = await self._execute(snapshot, viewer)
        return Rendered(payload, _is_last(snapshot), key=snapshot.id if isinstance(snapshot, Hold) else None)

    async def _execute(self, snapshot: Snapshot, viewer: Viewer | None) -> bytes:
        context = replace(self.context)
        if viewer is not context.viewer:
            context = replace(context, viewer=viewer, address=None, request_id="")
        event = self.prepared.execution.build_per_event_executor(snapshot)
        event.context_value = context
        result = graphql.execute_subscription_event(event)
        if isawaitable(result):
            result = await result
        return orjson.dumps(executed_result(result, context).payload)


def _is_last(snapshot: Snapshot) -> bool:
    """Return whether this is the last snapshot of the topic for this subscriber."""
    match snapshot:
        case QueueSnapshot(entry=entry):
            return entry is not None and not entry.is_active
        case Stock() | WaitingRoom() | Hold() | Order():
            return False
