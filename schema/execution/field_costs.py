"""The cost of each field, relative to a plain field, and the assumed lengths of lists without a
page size.

The values were measured with `make bench-hostile`. A field that is not listed costs 1. A test
compares the lists of the schema with LIST_LENGTHS.
"""

from graphql import GraphQLSchema

from domain.page import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
from schema.execution.operation_cost import CostTable

_ONE_READ = 10
_CHANGE = 100

FIELD_COSTS = {
    "Query.concerts": _ONE_READ,
    "Query.concert": _ONE_READ,
    "Query.waitingRoom": _ONE_READ,
    "Query.queueEntry": _ONE_READ,
    "Query.order": _ONE_READ,
    "Query.node": _ONE_READ,
    "Concert.stock": _ONE_READ,
    "Concert.waitingRoom": _ONE_READ,
    "Concert.cancellation": _ONE_READ,
    "Hold.concert": _ONE_READ,
    "Order.concert": _ONE_READ,
    "TicketLine.tier": _ONE_READ,
    "QueueEntry.concert": _ONE_READ,
    "QueueEntry.estimatedWait": _ONE_READ,
    "QueueEntry.stockAhead": _ONE_READ,
    "QueueEntry.lotteryProof": _ONE_READ,
    "WaitingRoom.lottery": _ONE_READ,
    "WaitingRoom.audit": _ONE_READ,
    "Viewer.holds": _ONE_READ,
    "Viewer.queueEntries": _ONE_READ,
    "Viewer.orders": _ONE_READ,
}
LIST_LENGTHS = {
    "Concert.tiers": 20,
    "Stock.tiers": 20,
    "Hold.lines": 5,
    "Order.lines": 5,
    "Order.refunds": 2,
    "Refund.lines": 2,
    "Viewer.holds": 10,
    "Viewer.queueEntries": 10,
    "RoomAudit.changes": 5,
    "InvalidInputError.problems": 10,
    # Introspection of this schema returns 135 types.
    "__Schema.types": 150,
    "__Schema.directives": 10,
    "__Directive.args": 2,
    "__Type.fields": 10,
    "__Type.interfaces": 1,
    "__Type.possibleTypes": 5,
    "__Type.enumValues": 5,
    "__Type.inputFields": 5,
    "__Field.args": 2,
}


def build_cost_table(schema: GraphQLSchema) -> CostTable:
    """Return the cost table, in which every mutation has the cost of a change."""
    mutations = schema.mutation_type.fields if schema.mutation_type else {}
    costs = FIELD_COSTS | {f"Mutation.{name}": _CHANGE for name in mutations}
    return CostTable(costs, LIST_LENGTHS, default_page_size=DEFAULT_PAGE_SIZE, max_page_size=MAX_PAGE_SIZE)
