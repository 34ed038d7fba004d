"""The cost of each field, relative to a plain field, and the assumed lengths of lists without a
page size.

The values were measured with `make bench-hostile`. A field that is not listed costs 1. A test
compares the lists of the schema with LIST_LENGTHS.
"""

from graphql import GraphQLSchema

from domain.analytics.time_ranges import MAX_BUCKETS
from domain.page import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
from schema.execution.operation_cost import CostTable

_ONE_READ = 10
_SUM = 500
"""MongoDB reads all rows of a concert for a sum, or 10,000 concerts for a count."""
_IMAGE = 250
"""Computing a QR code takes about 4 ms."""
_CHANGE = 100

FIELD_COSTS = {
    "Query.concerts": _ONE_READ,
    "ConcertConnection.totalCount": _SUM,
    "ConcertConnection.isTotalCountExact": _SUM,
    "Query.concert": _ONE_READ,
    "Query.waitingRoom": _ONE_READ,
    "Query.queueEntry": _ONE_READ,
    "Query.order": _ONE_READ,
    "Query.node": _ONE_READ,
    "Query.ticketOffer": _ONE_READ,
    "TicketOffer.tier": _ONE_READ,
    "TicketOffer.concert": _ONE_READ,
    "Query.concertOrders": _ONE_READ,
    "Query.concertSales": _SUM,
    "Concert.sales": _SUM,
    "Concert.orderExports": _ONE_READ,
    "ConcertSales.overTime": _SUM,
    "ConcertSales.queue": _SUM,
    "ConcertSales.queueOverTime": _SUM,
    "Concert.stock": _ONE_READ,
    "Concert.waitingRoom": _ONE_READ,
    "Concert.cancellation": _ONE_READ,
    "Stock.concert": _ONE_READ,
    "WaitingRoom.concert": _ONE_READ,
    "HoldTicketsSuccess.concert": _ONE_READ,
    "PurchaseTicketsSuccess.hold": _ONE_READ,
    "PurchaseTicketsSuccess.entry": _ONE_READ,
    "Concert.myHold": _ONE_READ,
    "Concert.myQueueEntry": _ONE_READ,
    "Hold.concert": _ONE_READ,
    "Hold.order": _ONE_READ,
    "Order.concert": _ONE_READ,
    "Order.hold": _ONE_READ,
    "TicketLine.tier": _ONE_READ,
    "Ticket.tier": _ONE_READ,
    "Ticket.concert": _ONE_READ,
    "Ticket.code": _ONE_READ,
    "Ticket.qrSvg": _IMAGE,
    "Ticket.document": _ONE_READ,
    "Order.document": _ONE_READ,
    "QueueEntry.concert": _ONE_READ,
    "QueueEntry.estimatedWait": _ONE_READ,
    "QueueEntry.stockAhead": _ONE_READ,
    "QueueEntry.lotteryProof": _ONE_READ,
    "WaitingRoom.lottery": _ONE_READ,
    "WaitingRoom.audit": _ONE_READ,
    "Viewer.holds": _ONE_READ,
    "Viewer.queueEntries": _ONE_READ,
    "Viewer.orders": _ONE_READ,
    "Viewer.tickets": _ONE_READ,
}
LIST_LENGTHS = {
    "Concert.tiers": 20,
    "Concert.problems": 1,
    "Concert.links": 3,
    "Image.sizes": 3,
    "Stock.tiers": 20,
    "ConcertSales.tiers": 20,
    "ConcertSales.overTime": MAX_BUCKETS,
    "ConcertSales.queueOverTime": MAX_BUCKETS,
    "Hold.lines": 5,
    "Order.lines": 5,
    "Order.refunds": 2,
    "Order.tickets": 5,
    "Refund.lines": 2,
    "Viewer.holds": 10,
    "Viewer.queueEntries": 10,
    "RoomAudit.changes": 5,
    "InvalidInputError.problems": 10,
    "CheckInTicketsSuccess.results": 500,
    "Ticket.duplicateScans": 1,
    "Ticket.deadCodeScans": 1,
    # Introspection of this schema returns 136 types.
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
