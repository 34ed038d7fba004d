"""The orders of a concert, for its organizer and admins."""

from typing import Annotated

import strawberry

import domain.orders
from domain.organizers.order_search import OrderFilter
from resolvers.organizers import orders as resolve
from schema import ids
from schema.connection import After, Before, Connection, First, Last, read_page_request
from schema.orders import Order, OrderStatus
from schema.strawberry_fixes import ConcertIdArgument, Info


@strawberry.input(description="A filter for the orders of a concert. An order must match every given field.")
class ConcertOrderFilter:
    search: str | None = strawberry.field(
        default=None,
        description=(
            "A complete order number, or words or beginnings of words from the buyer's name and email address, in any"
            " order. Case, accents and punctuation are ignored. At most 10 words and 200 characters."
        ),
    )
    status: list[OrderStatus] | None = strawberry.field(
        default=None, description="The order has one of these statuses; null or an empty list allows all."
    )

    def read(self) -> OrderFilter:
        statuses = tuple(domain.orders.OrderStatus[status.name] for status in self.status or ())
        return OrderFilter(statuses, self.search or "")


async def list_concert_orders(
    info: Info,
    concert_id: ConcertIdArgument,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
    filter_: Annotated[
        ConcertOrderFilter | None, strawberry.argument(name="filter", description="Which orders to list.")
    ] = None,
) -> Connection[Order]:
    wanted = filter_.read() if filter_ else OrderFilter()
    request = read_page_request(first=first, after=after, last=last, before=before)
    concert, page = await resolve.page_concert_orders(info.context, ids.concert_argument(concert_id), wanted, request)
    return Connection[Order].of(page, lambda order: Order.of(order, organizer_id=concert.organizer_id))
