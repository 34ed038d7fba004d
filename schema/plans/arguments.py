"""Arguments of fields: constants and variables are read directly, all others by graphql-core."""

from collections.abc import Callable
from typing import Any, TypeAlias

from graphql import (
    FieldNode,
    GraphQLArgument,
    GraphQLField,
    Undefined,
    ValueNode,
    VariableNode,
    is_leaf_type,
    is_non_null_type,
    is_required_argument,
)
from graphql.execution.values import get_argument_values
from graphql.language import ListValueNode, ObjectValueNode
from graphql.utilities.coerce_input_value import coerce_default_value, coerce_input_literal

from schema.plans.running import Run

ReadArguments: TypeAlias = Callable[[Run], dict[str, Any]]
_Read: TypeAlias = Callable[[dict[str, Any]], Any]
"""Reads one argument from the coerced variables. Returns Undefined if it is absent. Raises _Odd."""


class _Odd(Exception):
    """Only graphql-core knows what to do with an argument."""


def make_argument_reader(definition: GraphQLField, node: FieldNode) -> ReadArguments | None:
    """Return a function that reads the arguments of a field, or None if it has no arguments."""
    if not definition.args:
        return None
    nodes = {argument.name.value: argument.value for argument in node.arguments or ()}

    def read_by_core(run: Run) -> dict[str, Any]:
        return get_argument_values(definition, node, run.core.variable_values, None, run.core.hide_suggestions)

    reads: list[tuple[str, _Read]] = []
    for name, argument in definition.args.items():
        read = _make_reader(argument, nodes.get(name))
        if read is None:
            return read_by_core
        reads.append((argument.out_name or name, read))

    def read_all(run: Run) -> dict[str, Any]:
        variables, found = run.variables, {}
        try:
            for name, read in reads:
                value = read(variables)
                if value is not Undefined:
                    found[name] = value
        except _Odd:
            return read_by_core(run)
        return found

    return read_all


def _make_reader(argument: GraphQLArgument, node: ValueNode | None) -> _Read | None:
    """Return None if only graphql-core can read the argument."""
    default = coerce_default_value(argument)
    if isinstance(default, dict | list):
        # Each run needs its own.
        return None
    if node is None:
        return None if is_required_argument(argument) else lambda _: default
    if isinstance(node, VariableNode):
        return _variable_reader(argument, node.name.value, default)
    type_ = argument.type.of_type if is_non_null_type(argument.type) else argument.type
    if not is_leaf_type(type_) or isinstance(node, ListValueNode | ObjectValueNode):
        return None
    value = coerce_input_literal(node, argument.type)
    return None if value is Undefined else lambda _: value


def _variable_reader(argument: GraphQLArgument, name: str, default: object) -> _Read:
    is_required, is_nullable = is_required_argument(argument), not is_non_null_type(argument.type)

    def read(variables: dict[str, Any]) -> Any:
        value = variables.get(name, Undefined)
        if value is Undefined and not is_required:
            return default
        if value is Undefined or (value is None and not is_nullable):
            raise _Odd
        return value

    return read
