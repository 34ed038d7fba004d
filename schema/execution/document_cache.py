"""A cache of parsed, measured and validated documents, keyed by text.

The least recently used documents are evicted. A separate thread reads long documents and executes
introspection queries, so neither blocks the event loop.
"""

import asyncio
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Set
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    execute_sync,
    parse,
    validate,
)

from domain.errors import TemporarilyUnavailable
from domain.limits.operations import DEFAULT_LIMITS, OperationLimits
from schema.execution import document_limits
from schema.execution.literal_values import RULES
from schema.execution.operation_cost import CostTable, OperationCost, build_operation_costs
from schema.execution.public_documents import is_public_document
from schema.execution.pushed_fields import PushedFieldsRule
from schema.plans.document_plans import DocumentPlans, PlanCompiler

_RULES = (*RULES, PushedFieldsRule)

# A parsed document is about 100 times as large as its text, so the cache stays below 25 MB for
# any input.
CACHED_CHARACTERS = 250_000
LONGEST_CACHED = 10_000
# What a character of a cached document stands for. The plans of a document count accordingly.
BYTES_PER_CHARACTER = 100

# The event loop reads a document within these limits in a few milliseconds.
LONGEST_IN_LOOP = 1_000
MOST_FIELDS_IN_LOOP = 100
MOST_COMPARISONS_IN_LOOP = 1_000
MAX_WAITING = 20
"""The maximum number of documents that may wait for the thread. Each takes at most 0.1 s."""
MAX_INTROSPECTION_RESULTS = 10
"""The maximum number of results kept. A result may be 2,000 times as large as its document."""

# The messages of graphql-core for a document that exceeds a parser limit or Python's recursion
# limit. Syntax errors have other messages.
_PARSING_ABORTED = "Parsing aborted."
_VALIDATION_ABORTED = "Validation aborted."
_MAX_ERRORS = 10
_SUGGESTION = re.compile(r" Did you mean '\w+ \{ \.\.\. \}'\?$")

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Document:
    """A parsed document. `ast` is set only if there are no errors."""

    ast: DocumentNode | None
    text: str = ""
    """The text, which the syntax tree refers to."""
    errors: tuple[GraphQLError, ...] = ()
    operations: Mapping[str | None, OperationDefinitionNode] = field(default_factory=dict)
    """The operations by name, and by None the one that is executed if a request names none."""
    costs: Mapping[str | None, OperationCost] = field(default_factory=dict)
    is_introspection: bool = False
    """Whether all of its root fields query the schema."""
    is_public: bool = False
    """Whether the answer is the same for all signed-out people."""
    plans: DocumentPlans | None = None
    """The plans of its operations. None if graphql-core always executes them."""
    is_listed: bool = False
    """Whether it is a trusted document, or one of the shop."""

    def operation(self, name: str | None) -> OperationDefinitionNode | None:
        return self.operations.get(name)

    def cost(self, operation: OperationDefinitionNode, variables: Mapping[str, object]) -> int:
        return self.costs[operation.name.value if operation.name else None].evaluate(variables)


class DocumentCache:
    def __init__(
        self,
        schema: GraphQLSchema,
        cost_table: CostTable,
        *,
        unshared_fields: Set[str],
        limits: OperationLimits = DEFAULT_LIMITS,
        allows_introspection: bool = True,
        compiler: PlanCompiler | None = None,
    ) -> None:
        """Create the cache.

        `unshared_fields` are the fields that make the answer to a document depend on its caller.
        Without a compiler, documents have no plans. Without introspection, errors suggest no names
        either, because those would reveal the schema.
        """
        self._schema = schema
        self._limits = limits
        self._allows_introspection = allows_introspection
        self._cost_table = cost_table
        self._unshared_fields = unshared_fields
        self._compiler = compiler
        self._known: OrderedDict[str, Document] = OrderedDict()
        self._weights: dict[str, int] = {}
        """The characters that each cached document counts as, with its plans."""
        self.characters = 0
        """The characters that all cached documents count as."""
        self._introspections: OrderedDict[tuple[str, str | None], ExecutionResult] = OrderedDict()
        self._thread = _WorkerThread()

    def find(self, text: str) -> Document | None:
        """Return the document if it is cached."""
        known = self._known.get(text)
        if known is not None:
            self._known.move_to_end(text)
        return known

    async def get(self, text: str) -> Document:
        """Return the document. If it is refused, it has errors instead of a syntax tree."""
        known = self.find(text)
        if known is not None:
            return known
        document = await self._read(text)
        if document.ast is not None and len(text) <= LONGEST_CACHED:
            self._keep(text, document)
        return document

    def _keep(self, text: str, document: Document) -> None:
        self._known[text] = document
        self._weigh(text)

    def _weigh(self, text: str) -> None:
        """Count a cached document, after it was added or its plans changed, and evict others."""
        document = self._known.get(text)
        if document is None:
            return
        plans = document.plans.size // BYTES_PER_CHARACTER if document.plans else 0
        self.characters += len(text) + plans - self._weights.get(text, 0)
        self._weights[text] = len(text) + plans
        while self.characters > CACHED_CHARACTERS:
            dropped, _ = self._known.popitem(last=False)
            self.characters -= self._weights.pop(dropped)

    async def introspect(
        self, document: Document, name: str | None, variables: Mapping[str, object]
    ) -> ExecutionResult:
        """Return the result of an operation that queries only the schema.

        Raises TemporarilyUnavailable. The latest results of operations without variables are
        cached.
        """
        key = (document.text, name)
        if not variables and key in self._introspections:
            self._introspections.move_to_end(key)
            return self._introspections[key]
        answer = await self._thread.run(
            (id(document), name, repr(variables)), lambda: self._introspect(document, name, variables)
        )
        if not variables:
            self._introspections[key] = answer
            if len(self._introspections) > MAX_INTROSPECTION_RESULTS:
                self._introspections.popitem(last=False)
        return answer

    def _introspect(self, document: Document, name: str | None, variables: Mapping[str, object]) -> ExecutionResult:
        """Execute the operation in the thread.

        The pending call keeps the document alive, so its id stays unique.
        """
        assert document.ast is not None
        return execute_sync(self._schema, document.ast, variable_values=dict(variables), operation_name=name)

    async def _read(self, text: str) -> Document:
        try:
            if len(text) > LONGEST_IN_LOOP:
                return await self._thread.run(text, lambda: self._validate(self._parse(text)))
            parsed = self._parse(text)
            if parsed.is_large:
                return await self._thread.run(text, lambda: self._validate(parsed))
            return self._validate(parsed)
        except _Refused as refused:
            return refused_document(refused.error)
        except TemporarilyUnavailable as error:
            return refused_document(GraphQLError(str(error), original_error=error))

    def read_now(self, text: str) -> Document:
        """Return a document that the cache does not keep. The call blocks for at most 0.1 s."""
        try:
            return self._validate(self._parse(text))
        except _Refused as refused:
            return refused_document(refused.error)

    def _parse(self, text: str) -> "_Parsed":
        return _parse(text, self._limits, allows_introspection=self._allows_introspection)

    def _validate(self, parsed: "_Parsed") -> Document:
        hides_names = not self._allows_introspection
        errors = validate(self._schema, parsed.ast, _RULES, max_errors=_MAX_ERRORS, hide_suggestions=hides_names)
        if any(error.message == _VALIDATION_ABORTED for error in errors):
            return refused_document(_too_large(self._limits))
        if errors:
            return refused_document(*(map(_without_suggestion, errors) if hides_names else errors))
        return Document(
            parsed.ast,
            parsed.text,
            operations=_index_operations(parsed.ast),
            costs=build_operation_costs(self._schema, parsed.ast, self._cost_table),
            is_introspection=parsed.size.introspections > 0,
            is_public=is_public_document(self._schema, parsed.ast, self._unshared_fields),
            plans=None if parsed.size.introspections else self._plans(parsed),
        )

    def _plans(self, parsed: "_Parsed") -> DocumentPlans | None:
        text = parsed.text
        return DocumentPlans(self._compiler, parsed.ast, lambda: self._weigh(text)) if self._compiler else None


def _index_operations(document: DocumentNode) -> Mapping[str | None, OperationDefinitionNode]:
    nodes = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    found: dict[str | None, OperationDefinitionNode] = {node.name.value: node for node in nodes if node.name}
    if len(nodes) == 1:
        found[None] = nodes[0]
    return found


def refused_document(*errors: GraphQLError) -> Document:
    return Document(None, errors=errors)


class _Refused(Exception):
    def __init__(self, error: GraphQLError) -> None:
        self.error = error


@dataclass(frozen=True, slots=True)
class _Parsed:
    text: str
    ast: DocumentNode
    size: document_limits.Size

    @property
    def is_large(self) -> bool:
        return self.size.fields > MOST_FIELDS_IN_LOOP or self.size.comparisons > MOST_COMPARISONS_IN_LOOP


def _without_suggestion(error: GraphQLError) -> GraphQLError:
    """Remove the one suggestion that `hide_suggestions` does not hide: to select subfields."""
    error.message = _SUGGESTION.sub("", error.message)
    return error


def _parse(text: str, limits: OperationLimits, *, allows_introspection: bool) -> _Parsed:
    """Parse and measure a document. Raises _Refused."""
    try:
        ast = parse(
            text,
            max_lexical_tokens=limits.document_tokens,
            max_comments=limits.document_tokens,
            max_source_length=limits.document_characters,
        )
    except GraphQLError as error:
        raise _Refused(_too_large(limits) if error.message.endswith(_PARSING_ABORTED) else error) from None
    size = document_limits.check(ast, limits, allows_introspection=allows_introspection)
    if isinstance(size, GraphQLError):
        raise _Refused(size)
    return _Parsed(text, ast, size)


def _too_large(limits: OperationLimits) -> GraphQLError:
    characters, tokens = limits.document_characters, limits.document_tokens
    return document_limits.too_complex(
        f"has more than {characters} characters or {tokens} tokens, or is nested too deeply"
    )


class _WorkerThread:
    """One thread for work that would block the event loop. Callers that need identical work share
    it.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="documents")
        self._free = threading.Semaphore(MAX_WAITING)
        self._running: dict[Hashable, Future[Any]] = {}

    async def run(self, key: Hashable, work: Callable[[], Result]) -> Result:
        """Return the result of `work`. Raises TemporarilyUnavailable if too much is queued."""
        running: Future[Result] | None = self._running.get(key)
        if running is None:
            if not self._free.acquire(blocking=False):
                raise TemporarilyUnavailable("Too many long documents are being read")
            running = self._running[key] = self._pool.submit(work)
            # The callback runs in the thread; both of its operations are thread-safe.
            running.add_done_callback(partial(self._finish, key))
        # The future is shielded, because a canceled caller must not cancel the work for the others.
        return await asyncio.shield(asyncio.wrap_future(running))

    def _finish(self, key: Hashable, _: Future[Any]) -> None:
        self._running.pop(key, None)
        self._free.release()
