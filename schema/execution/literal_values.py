"""Checks literal values as graphql-core does, but reports the location of each invalid value.

graphql-core drops the path inside an input object and the location of a scalar whose parser raises
a GraphQLError, so a client could not tell which of ten DateTimes is invalid.
"""

from graphql import (
    ASTValidationRule,
    GraphQLError,
    GraphQLInputType,
    ListValueNode,
    ObjectValueNode,
    ValueNode,
    VariableDefinitionNode,
    specified_rules,
)
from graphql.language import SKIP, VisitorAction
from graphql.utilities import validate_input_literal
from graphql.validation import ValuesOfCorrectTypeRule


class LocatedValuesRule(ValuesOfCorrectTypeRule):
    _variable: str | None = None
    """The variable whose default is being checked."""

    def enter_variable_definition(self, node: VariableDefinitionNode, *_: object) -> None:
        self._variable = f"${node.variable.name.value}"

    def leave_variable_definition(self, *_: object) -> None:
        self._variable = None

    def is_valid_value_node(self, node: ValueNode, input_type: GraphQLInputType | None) -> VisitorAction:
        def report(error: GraphQLError, path: list[str | int]) -> None:
            self.report_error(_located(error, node, path, self._owner_name()))

        if input_type:
            validate_input_literal(node, input_type, report, hide_suggestions=self.context.hide_suggestions)
        return SKIP

    def _owner_name(self) -> str | None:
        """Return the name of the argument or the variable that the value belongs to."""
        argument, owner = self.context.get_argument(), self.context.get_directive() or self.context.get_field_def()
        names = owner.args.items() if owner else ()
        return next((name for name, known in names if known is argument), self._variable)


RULES: tuple[type[ASTValidationRule], ...] = tuple(
    LocatedValuesRule if rule is ValuesOfCorrectTypeRule else rule for rule in specified_rules
)
"""The rules of the specification, with ValuesOfCorrectTypeRule replaced by LocatedValuesRule."""


def _located(error: GraphQLError, root: ValueNode, path: list[str | int], owner: str | None) -> GraphQLError:
    """Return the error with its node, and with the path of its field in the message."""
    where = ".".join(map(str, path if owner is None else [owner, *path]))
    message = f"`{where}`: {error.message}" if where else error.message
    nodes = error.nodes or [_node_at(root, path)]
    return GraphQLError(message, nodes, original_error=error.original_error, extensions=error.extensions)


def _node_at(node: ValueNode, path: list[str | int]) -> ValueNode:
    for step in path:
        if isinstance(node, ObjectValueNode):
            node = next((field.value for field in node.fields if field.name.value == step), node)
        elif isinstance(node, ListValueNode) and isinstance(step, int):
            node = node.values[step]
    return node
