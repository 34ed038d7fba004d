"""Compiles an operation of a validated document to a plan, and runs it."""

from collections.abc import Callable, Mapping
from types import CoroutineType
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    Node,
    OperationDefinitionNode,
    VariableNode,
    Visitor,
    visit,
)

from schema.plans.running import Core, Run, Select
from schema.plans.selection import Selections, TypeNameOf
from schema.plans.source import CannotCompile

_CHOOSING = ("skip", "include")


class Plan:
    """The compiled form of an operation, for one choice of its @skip and @include variables."""

    __slots__ = ("_functions", "size")

    def __init__(self, functions: list[Select], size: int) -> None:
        self._functions = functions
        self.size = size
        """The memory that the plan takes, in bytes; an estimate that is rather too high."""

    async def execute(
        self, root: object, context: object, variables: dict[str, Any], make_core: Callable[[], Core]
    ) -> ExecutionResult:
        """Execute the operation with coerced variables. `make_core` returns the executor that
        graphql-core would use, with the same root, context and variables.
        """
        run = Run(root, context, variables, make_core)
        data: dict[str, Any] | None = {}
        try:
            for select in self._functions:
                found = select(root, run, None)
                if found.__class__ is CoroutineType:
                    found = await found
                data = {**data, **found} if data else found
        except GraphQLError as error:
            run.core.collected_errors.add(error, None)
            data = None
        return ExecutionResult(data, run.errors)


def compile_operation(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    choices: Mapping[str, bool],
    type_name_of: TypeNameOf,
) -> Plan:
    """Return the plan. `choices` are the values of `choosing_variables`. Raises CannotCompile."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    selections = Selections(schema, operation, fragments, choices, type_name_of)
    try:
        functions = selections.compile()
    except RecursionError:
        raise CannotCompile("the operation is nested too deeply") from None
    return Plan(functions, selections.source.size + _BYTES_PER_FIELD * selections.steps)


_BYTES_PER_FIELD = 2_000


def choosing_variables(document: DocumentNode) -> frozenset[str]:
    """Return the names of the variables that decide what the operations of a document select.

    Raises CannotCompile for a document with any other directive.
    """
    visitor = _Directives()
    visit(document, visitor)
    if visitor.others:
        raise CannotCompile("the document has a directive")
    return frozenset(visitor.names)


class _Directives(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.others = False

    def enter(self, node: Node, *_: object) -> None:
        directives = getattr(node, "directives", None) or ()
        for directive in directives:
            if directive.name.value not in _CHOOSING or not isinstance(
                node, FieldNode | InlineFragmentNode | FragmentSpreadNode
            ):
                self.others = True
            for argument in directive.arguments or ():
                if isinstance(argument.value, VariableNode):
                    self.names.add(argument.value.name.value)
