"""The plans of a document, and the rule for when they are compiled.

Compiling takes as long as a hundred executions, so a document is compiled on its second use, and a
process compiles at most once in `COMPILE_INTERVAL_S`. Until then, graphql-core executes.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from graphql import DocumentNode, GraphQLSchema, OperationDefinitionNode, get_operation_ast

from schema.plans.compile import Plan, choosing_variables, compile_operation
from schema.plans.selection import TypeNameOf
from schema.plans.source import CannotCompile
from schema.plans.variables import CoerceVariables, InputCoercers, OddVariables

COMPILE_INTERVAL_S = 0.1
USES = 2
"""The use of an operation on which it is compiled. Hostile documents are used once."""
MAX_PLANS = 4
"""The maximum number of plans of one operation: of choices of its @skip and @include variables."""


class PlanCompiler:
    """Compiles the operations of one schema, not too often."""

    def __init__(
        self, schema: GraphQLSchema, type_name_of: TypeNameOf, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        """Create the compiler. `now` returns seconds."""
        self._schema = schema
        self._type_name_of = type_name_of
        self._now = now
        self._coercers = InputCoercers()
        self._next_s = now()

    def may_begin(self) -> bool:
        """Return whether enough time has passed since the last compilation, and begin the next."""
        now = self._now()
        if now < self._next_s:
            return False
        self._next_s = now + COMPILE_INTERVAL_S
        return True

    def compile_variables(self, operation: OperationDefinitionNode) -> CoerceVariables:
        return self._coercers.make_variables(self._schema, operation)

    def compile(self, document: DocumentNode, operation: OperationDefinitionNode, choices: Mapping[str, Any]) -> Plan:
        return compile_operation(self._schema, document, operation, choices, self._type_name_of)


class DocumentPlans:
    """The plans of a document. They are kept as long as the document is."""

    __slots__ = ("_compiler", "_document", "_on_growth", "_operations", "size")

    def __init__(self, compiler: PlanCompiler, document: DocumentNode, on_growth: Callable[[], None]) -> None:
        """Create it. `on_growth` is called when a plan has been added."""
        self._compiler = compiler
        self._document = document
        self._on_growth = on_growth
        self._operations: dict[str | None, _OperationPlans] = {}
        self.size = 0
        """The memory that all plans take, in bytes."""

    def find(self, name: str | None, given: Mapping[str, object]) -> tuple[Plan, dict[str, Any]] | None:
        """Return the plan of an operation and its coerced variables, and count a use.

        Returns None if graphql-core has to judge the variables, or to execute the operation.
        """
        operation = self._ready(name)
        if operation is None or operation.coerce is None:
            return None
        try:
            variables = operation.coerce(given)
        except (OddVariables, RecursionError):
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
            return operation
        operation.uses += 1
        if operation.is_refused or operation.uses < USES or not self._compiler.may_begin():
            return None
        try:
            operation.choosing = tuple(sorted(choosing_variables(self._document)))
            operation.coerce = self._compiler.compile_variables(operation.node)
        except CannotCompile:
            operation.is_refused = True
            return None
        operation.may_compile = True
        return operation

    def _plan(self, operation: "_OperationPlans", variables: Mapping[str, Any]) -> Plan | None:
        choices = tuple(map(variables.get, operation.choosing))
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
            operation.is_refused = True
            return None
        self.size += plan.size
        self._on_growth()
        return plan


class _OperationPlans:
    """The compiled parts of one operation."""

    __slots__ = ("choosing", "coerce", "is_refused", "may_compile", "node", "plans", "uses")

    def __init__(self, node: OperationDefinitionNode) -> None:
        self.node = node
        self.uses = 0
        self.is_refused = False
        """Whether only graphql-core can execute the operation."""
        self.coerce: CoerceVariables | None = None
        self.choosing: tuple[str, ...] = ()
        """The variables that @skip and @include use."""
        self.may_compile = False
        """Whether a compilation has begun, with the variables, and a plan is still missing."""
        self.plans: dict[tuple[Any, ...], Plan] = {}
