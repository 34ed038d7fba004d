"""The plans of a document, and the rule for when they are compiled.

Compiling takes as long as a hundred executions, so a document is compiled on its second use, and a
process compiles at most once in `COMPILE_INTERVAL_S`, and for at most a tenth of the time. Until
then, graphql-core executes, and also if compiling fails because of a bug.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from graphql import DocumentNode, GraphQLSchema, OperationDefinitionNode, get_operation_ast

from schema.plans.compile import Plan, choosing_variables, compile_operation
from schema.plans.selection import TypeNameOf
from schema.plans.source import CannotCompile
from schema.plans.variables import CoerceVariables, CompiledVariables, InputBounds, InputCoercers, OddVariables

log = logging.getLogger(__name__)

COMPILE_INTERVAL_S = 0.1
MAX_COMPILING_SHARE = 0.1
"""The maximum part of the time in which a process compiles."""
USES = 2
"""The use of an operation on which it is compiled. Hostile documents are used once."""
MAX_PLANS = 4
"""The maximum number of plans of one operation: of choices of its @skip and @include variables."""


class PlanCompiler:
    """Compiles the operations of one schema, not too often."""

    def __init__(
        self,
        schema: GraphQLSchema,
        type_name_of: TypeNameOf,
        bounds: InputBounds,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create the compiler. `now` returns seconds."""
        self.bounds = bounds
        self._schema = schema
        self._type_name_of = type_name_of
        self._now = now
        self._coercers = InputCoercers(bounds)
        self._next_s = now()
        self._spent_s = 0.0
        """The time spent since the last compilation began."""
        self._has_logged = False

    def may_begin(self) -> bool:
        """Return whether enough time has passed since the last compilation, and begin the next."""
        now = self._now()
        if now < self._next_s:
            return False
        self._next_s = now + COMPILE_INTERVAL_S
        self._spent_s = 0.0
        return True

    def compile_variables(self, operation: OperationDefinitionNode) -> CompiledVariables:
        """Return the function for the variables of an operation. Raises CannotCompile."""
        with self._compiling():
            return self._coercers.make_variables(self._schema, operation)

    def find_choosing(self, document: DocumentNode) -> tuple[str, ...]:
        """Return the variables that @skip and @include use, in order. Raises CannotCompile."""
        with self._compiling():
            return tuple(sorted(choosing_variables(document)))

    def compile(self, document: DocumentNode, operation: OperationDefinitionNode, choices: Mapping[str, Any]) -> Plan:
        """Return the plan for these choices. Raises CannotCompile."""
        with self._compiling():
            return compile_operation(self._schema, document, operation, choices, self._type_name_of)

    @contextmanager
    def _compiling(self) -> Iterator[None]:
        """Count the time, and raise CannotCompile instead of any other error."""
        began_s = self._now()
        try:
            yield
        except CannotCompile:
            raise
        except Exception as error:
            self.report_bug(error)
            raise CannotCompile("compiling failed") from error
        finally:
            ended_s = self._now()
            self._spent_s += ended_s - began_s
            self._next_s = max(self._next_s, ended_s + self._spent_s * (1 / MAX_COMPILING_SHARE - 1))

    def report_bug(self, error: Exception) -> None:
        """Log an error, unless one has been logged: every operation may have the same."""
        if not self._has_logged:
            self._has_logged = True
            log.error("Compiling failed because of a bug; graphql-core executes such operations", exc_info=error)


class DocumentPlans:
    """The plans of a document. They are kept as long as the document is."""

    __slots__ = ("_compiler", "_document", "_on_resize", "_operations", "size")

    def __init__(self, compiler: PlanCompiler, document: DocumentNode, on_resize: Callable[[], None]) -> None:
        """Create it. `on_resize` is called when `size` has changed."""
        self._compiler = compiler
        self._document = document
        self._on_resize = on_resize
        self._operations: dict[str | None, _OperationPlans] = {}
        self.size = 0
        """The memory that the plans and the functions for variables take, in bytes."""

    def find(self, name: str | None, given: Mapping[str, object]) -> tuple[Plan, dict[str, Any]] | None:
        """Return the plan of an operation and its coerced variables, and count a use.

        Returns None if graphql-core has to judge the variables, or to execute the operation.
        """
        operation = self._ready(name)
        if operation is None or operation.coerce is None:
            return None
        bounded_names = operation.bounded_names
        is_bounded = bounded_names is not None and bounded_names.issuperset(given)
        if not is_bounded and not self._compiler.bounds.accept(given):
            return None
        try:
            variables = operation.coerce(given)
        except (OddVariables, RecursionError):
            return None
        except Exception as error:
            self._compiler.report_bug(error)
            self._refuse(operation)
            return None
        plan = self._plan(operation, variables)
        return None if plan is None else (plan, variables)

    def find_plan(self, name: str | None, variables: Mapping[str, Any]) -> Plan | None:
        """Return the plan of an operation for coerced variables, and count a use."""
        operation = self._ready(name)
        return None if operation is None else self._plan(operation, variables)

    def _ready(self, name: str | None) -> "_OperationPlans | None":
        """Return the operation once its variables are compiled, on its second use."""
        operation = self._operations.get(name)
        if operation is None:
            node = get_operation_ast(self._document, name)
            assert node is not None
            operation = self._operations[name] = _OperationPlans(node)
        if operation.coerce is not None:
            # An earlier use began to compile and had odd variables.
            operation.may_compile = False
            return operation
        operation.uses += 1
        if operation.is_refused or operation.uses < USES or not self._compiler.may_begin():
            return None
        try:
            operation.choosing = self._compiler.find_choosing(self._document)
            compiled = self._compiler.compile_variables(operation.node)
        except CannotCompile:
            operation.is_refused = True
            return None
        operation.coerce, operation.bounded_names = compiled.coerce, compiled.bounded_names
        operation.size = compiled.size
        self._resize(operation.size)
        operation.may_compile = True
        return operation

    def _plan(self, operation: "_OperationPlans", variables: Mapping[str, Any]) -> Plan | None:
        choices = tuple(map(variables.get, operation.choosing)) if operation.choosing else ()
        found = operation.plans.get(choices)
        if found is not None or operation.is_refused:
            return found
        if len(operation.plans) >= MAX_PLANS or not {type(choice) for choice in choices} <= {bool}:
            return None
        if not (operation.may_compile or self._compiler.may_begin()):
            return None
        operation.may_compile = False
        try:
            chosen = dict(zip(operation.choosing, choices, strict=True))
            plan = operation.plans[choices] = self._compiler.compile(self._document, operation.node, chosen)
        except CannotCompile:
            self._refuse(operation)
            return None
        self._resize(plan.size)
        return plan

    def _refuse(self, operation: "_OperationPlans") -> None:
        """Leave the operation to graphql-core, except for the plans that it has."""
        operation.is_refused = True
        if not operation.plans:
            operation.coerce = None
            self._resize(-operation.size)

    def _resize(self, by: int) -> None:
        self.size += by
        self._on_resize()


class _OperationPlans:
    """The compiled parts of one operation."""

    __slots__ = ("bounded_names", "choosing", "coerce", "is_refused", "may_compile", "node", "plans", "size", "uses")

    def __init__(self, node: OperationDefinitionNode) -> None:
        self.node = node
        self.uses = 0
        self.is_refused = False
        """Whether only graphql-core can execute the operation."""
        self.coerce: CoerceVariables | None = None
        self.bounded_names: frozenset[str] | None = None
        """The names of the variables, if their values need no check of the bounds."""
        self.size = 0
        """The memory that `coerce` takes, in bytes."""
        self.choosing: tuple[str, ...] = ()
        """The variables that @skip and @include use."""
        self.may_compile = False
        """Whether a compilation has begun, with the variables, and a plan is still missing."""
        self.plans: dict[tuple[Any, ...], Plan] = {}
