"""The fields that a push can show, from its snapshot and from the concert cache.

Any other field that reads from a store would be read at each push, for each group of subscribers.
A document that selects such a field below a subscription is therefore refused.
"""

from collections.abc import Mapping

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    ValidationRule,
    get_named_type,
)

from schema.execution.field_costs import FIELD_COSTS
from schema.execution.top_level_errors import SystemCode

_TIER_NUMBERS = frozenset({"Tier.available", "Tier.held", "Tier.sold", "Tier.version", "Tier.epoch"})
READING_FIELDS = frozenset(FIELD_COSTS) | _TIER_NUMBERS
"""The fields that read from a store. The numbers of all tiers take one read."""

_SHOWN_BY_ALL = frozenset(
    {
        *("Stock.concert", "WaitingRoom.concert", "QueueEntry.concert", "Hold.concert", "Order.concert"),
        *("TicketLine.tier", "Ticket.tier", "Ticket.concert"),
        # Links are signed with a key that the process has.
        *("Order.document", "Ticket.document"),
    }
)
_SHOWN_BY: Mapping[str, frozenset[str]] = {
    "stockChanged": _TIER_NUMBERS | {"Concert.stock", "Concert.waitingRoom"},
    "queuePosition": _TIER_NUMBERS
    | {"Concert.stock", "Concert.waitingRoom", "QueueEntry.estimatedWait", "QueueEntry.stockAhead"},
    "waitingRoomChanged": frozenset({"Concert.waitingRoom"}),
}
"""The store-reading fields that each subscription shows from its snapshot."""

_Key = tuple[str | None, str]


def is_shown(subscription: str, coordinate: str) -> bool:
    """Return whether a push of this subscription can show the field `Type.name`."""
    shown = _SHOWN_BY_ALL | _SHOWN_BY.get(subscription, frozenset())
    return coordinate not in READING_FIELDS or coordinate in shown


class PushedFieldsRule(ValidationRule):
    """Refuses a subscription that selects a field which its pushes cannot show."""

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: object) -> None:
        if node.operation is OperationType.SUBSCRIPTION:
            root = self.context.schema.subscription_type
            self._check(root, node.selection_set, None, set())

    def _check(
        self, parent: GraphQLNamedType | None, selections: SelectionSetNode, root: str | None, done: set[_Key]
    ) -> None:
        """Check the selections below the root field `root`; None means that these are root fields.

        `done` contains the fragments that have been checked. Documents that other rules refuse are
        checked too, so a field may be unknown and a fragment may contain itself.
        """
        for node in selections.selections:
            match node:
                case FieldNode():
                    self._check_field(parent, node, root, done)
                case InlineFragmentNode(type_condition=condition):
                    type_ = self.context.schema.get_type(condition.name.value) if condition else parent
                    self._check(type_, node.selection_set, root, done)
                case FragmentSpreadNode():
                    self._check_fragment(node.name.value, root, done)

    def _check_fragment(self, name: str, root: str | None, done: set[_Key]) -> None:
        fragment = self.context.get_fragment(name)
        if fragment is not None and (root, name) not in done:
            done.add((root, name))
            type_ = self.context.schema.get_type(fragment.type_condition.name.value)
            self._check(type_, fragment.selection_set, root, done)

    def _check_field(self, parent: GraphQLNamedType | None, node: FieldNode, root: str | None, done: set[_Key]) -> None:
        name = node.name.value
        if root is not None and not is_shown(root, f"{parent}.{name}"):
            self.report_error(_not_shown(root, f"{parent}.{name}", node))
        elif node.selection_set and isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
            definition = self.context.schema.get_field(parent, name)
            if definition is not None:
                self._check(get_named_type(definition.type), node.selection_set, root or name, done)


def _not_shown(subscription: str, coordinate: str, node: FieldNode) -> GraphQLError:
    return GraphQLError(
        f"`{coordinate}` needs a read that pushes of `{subscription}` do not make; select it in a query instead.",
        node,
        extensions={"code": SystemCode.QUERY_TOO_COMPLEX},
    )
