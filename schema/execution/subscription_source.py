"""Starts operations for transports: executes queries and mutations, and creates a source for each
subscription.

The operation of a subscription is parsed, validated and authorized once. A source holds no
connection and no task: the hub passes it snapshots, and the operation is executed with a new
context for each of them. Sources whose viewers have the same rights share an execution, until a
field reads the viewer.
"""

import secrets
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from functools import partial
from inspect import isawaitable
from typing import Never, NewType
from weakref import WeakValueDictionary, ref

import graphql
import orjson
from graphql import ExecutionResult, OperationType

from auth.viewer import Rights, Viewer
from domain.analytics.sales import ConcertSales
from domain.holds import Hold
from domain.orders import Order
from domain.queues import WaitingRoom
from domain.topics import QueueSnapshot, QueueTopic, RoomTopic, Snapshot, StockSnapshot, StockTopic, Topic
from resolvers.context import Context, SharedExecution
from schema.execution.document_cache import Document
from schema.execution.document_sources import DocumentSource
from schema.execution.operation import (
    Execution,
    Executor,
    Operation,
    OperationResult,
    Prepared,
    begin_span,
    executed_result,
    list_codes,
    listed_name,
    rejected_result,
)
from schema.execution.payload_templates import OwnTexts, PayloadTemplates
from schema.execution.persisted_documents import DocumentHash, hash_document
from schema.plans.document_plans import DocumentPlans
from subscriptions.interfaces import EntryWriter, Rendered, Source
from telemetry import metrics, traces
from telemetry.operation_spans import end_operation

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
        self._push_context: Context | None = None
        """The context of all sources, without a viewer. A process has one set of resources."""

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
        started: OperationResult | Source | None = None
        span = None if traces.active is None else begin_span(traces.active, document, operation)
        try:
            started = await self._subscribe(document, replace(operation, name=name), context)
        finally:
            word = "ok" if started is not None and not isinstance(started, OperationResult) else "rejected"
            if span is not None:
                end_operation(span, word, list_codes(started, context))
        metrics.requests.add(listed_name(document, operation), word)
        return started

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
        shared = self._share(execution, document, operation)
        return shared.source(event_stream.topic, self._context_for_pushes(context), context.viewer)

    def _share(self, execution: Execution, document: Document, operation: Operation) -> "PreparedOperation":
        # Coerced values include defaults and follow the order of their declaration in the document.
        variables = orjson.dumps(execution.variable_values.coerced)
        key = Key((operation.document_hash or hash_document(document.text), operation.name, variables))
        execution.context_value = None
        return self._prepared.setdefault(key, PreparedOperation(key, execution, document.plans))

    def _context_for_pushes(self, context: Context) -> Context:
        if self._push_context is None or self._push_context.stores is not context.stores:
            self._push_context = replace(context, given_viewer=None, address=None, request_id="", is_push=True)
        return self._push_context


class PreparedOperation:
    """An operation with its variables but without a viewer, shared by all of its subscribers."""

    __slots__ = ("__weakref__", "_anonymous", "_plans", "_topic", "execution", "is_personal", "key", "templates")

    def __init__(self, key: Key, execution: Execution, plans: DocumentPlans | None = None) -> None:
        self.key = key
        self.execution = execution
        self._plans = plans
        self.templates = PayloadTemplates()
        self.is_personal = False
        """Whether a field has read the viewer, so that each person gets a separate payload."""
        self._topic: Topic | None = None
        self._anonymous: ref[SubscriptionSource] | None = None

    def source(self, topic: Topic, context: Context, viewer: Viewer | None) -> "SubscriptionSource":
        """Return a source. All anonymous subscribers get the same one.

        The topic is shared too, because only topics of one person differ within an operation.
        """
        if self._topic is None or self._topic != topic:
            self._topic = topic
        found = self._anonymous() if self._anonymous is not None and viewer is None else None
        if found is not None and found.context is context:
            return found
        source = SubscriptionSource(self._topic, self, context, viewer)
        if viewer is None:
            self._anonymous = ref(source)
        return source

    async def execute(self, snapshot: Snapshot, context: Context) -> bytes:
        variables = self.execution.variable_values.coerced
        plan = self._plans.find_plan(self._name, variables) if self._plans else None
        if plan is not None:
            result = await plan.execute(snapshot, context, variables, partial(self._build_event, snapshot, context))
        else:
            executed = graphql.execute_subscription_event(self._build_event(snapshot, context))
            result = await executed if isawaitable(executed) else executed
        if result.errors:
            # The id connects the errors that a client sees with the lines in the log.
            context = replace(context, request_id=secrets.token_hex(8))
        return orjson.dumps(executed_result(result, context).payload)

    @property
    def _name(self) -> str | None:
        return self.key[1]

    def _build_event(self, snapshot: Snapshot, context: Context) -> Execution:
        event = self.execution.build_per_event_executor(snapshot)
        event.context_value = context
        # Each event collects the fields again, and would add them to the memo of all events.
        event._relevant_sub_fields = {}  # noqa: SLF001
        return event


@dataclass(frozen=True, slots=True)
class SharedPayload:
    """Implements `subscriptions.interfaces.SharedGroup`."""

    prepared: PreparedOperation
    context: Context = field(compare=False)
    viewer_rights: Rights

    async def render(self, snapshot: Snapshot) -> Rendered | None:
        shared = SharedExecution(self.viewer_rights)
        payload = await self.prepared.execute(snapshot, replace(self.context, shared=shared))
        if shared.is_viewer_read:
            self.prepared.is_personal = True
            return None
        return Rendered(payload, _is_last(snapshot))


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class SubscriptionSource:
    """Implements `subscriptions.interfaces.Source`."""

    topic: Topic
    prepared: PreparedOperation
    context: Context
    """The context of pushes, which has no viewer."""
    viewer: Viewer | None
    own_texts: OwnTexts | None = field(init=False)

    def __post_init__(self) -> None:
        is_in_queue = isinstance(self.topic, QueueTopic)
        object.__setattr__(self, "own_texts", OwnTexts() if is_in_queue else None)

    @property
    def group(self) -> Hashable:
        viewer = self.viewer
        return self.prepared.key, ViewerKey((viewer.person_id, *sorted(viewer.roles))) if viewer else None

    @property
    def has_varying_rights(self) -> bool:
        # Admins keep the rights, but the organizer in them changes.
        viewer = self.viewer
        is_shared = isinstance(self.topic, StockTopic | RoomTopic)
        return is_shared and viewer is not None and (viewer.is_organizer or viewer.is_admin)

    def shared_group(self, snapshot: Snapshot) -> SharedPayload | None:
        if self.prepared.is_personal or not isinstance(snapshot, StockSnapshot | WaitingRoom):
            return None
        return SharedPayload(self.prepared, self.context, Rights.of(self.viewer, snapshot.organizer_id))

    def render_cached(self, snapshot: Snapshot) -> Rendered | None:
        if not isinstance(snapshot, QueueSnapshot) or self.viewer is None or self.own_texts is None:
            return None
        payload = self.prepared.templates.fill(snapshot, self.viewer, self.own_texts)
        return None if payload is None else Rendered(payload)

    async def render(self, snapshot: Snapshot) -> Rendered:
        viewer = self.viewer
        if isinstance(snapshot, QueueSnapshot) and viewer is not None and self.own_texts is not None:
            payload = await self.prepared.templates.render(snapshot, viewer, self.own_texts, self._execute)
        else:
            payload = await self._execute(snapshot, viewer)
        return Rendered(payload, _is_last(snapshot), key=snapshot.id if isinstance(snapshot, Hold) else None)

    def entry_writer(self, snapshot: QueueSnapshot) -> EntryWriter | None:
        if self.viewer is None or self.own_texts is None:
            return None
        return self.prepared.templates.writer(snapshot, self.viewer, self.own_texts)

    async def _execute(self, snapshot: Snapshot, viewer: Viewer | None) -> bytes:
        return await self.prepared.execute(snapshot, replace(self.context, given_viewer=viewer))


def _is_last(snapshot: Snapshot) -> bool:
    """Return whether this is the last snapshot of the topic for this subscriber."""
    match snapshot:
        case QueueSnapshot(entry=entry):
            return entry is not None and not entry.is_active
        case StockSnapshot() | WaitingRoom() | Hold() | Order() | ConcertSales():
            return False
