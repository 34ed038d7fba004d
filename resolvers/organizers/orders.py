"""Resolvers for the orders of a concert, as its organizer sees them."""

from domain.concerts import Concert
from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId
from domain.orders import Order
from domain.organizers.order_export import OrderExport
from domain.organizers.order_search import OrderFilter, order_filter_problems
from domain.page import Page, PageRequest
from domain.validation import raise_problems
from resolvers.concert_updates import get_organized
from resolvers.context import Context

BATCH = 1_000
MAX_BATCHES = 5
"""A search prepares this many batches of orders that an earlier version of Onsale wrote. If there
are more, the search must be repeated.
"""


async def page_concert_orders(
    context: Context, concert_id: ConcertId, filter_: OrderFilter, request: PageRequest
) -> tuple[Concert, Page[Order]]:
    """Return the concert and one page of its orders, newest first, to its organizer or an admin.

    Raises NotFound, Forbidden, InvalidInput, or TemporarilyUnavailable while orders are prepared
    for their first search.
    """
    raise_problems(order_filter_problems(filter_))
    # The cache could still show the concert to an organizer who has just lost it.
    concert = await get_organized(context, concert_id)
    if filter_.words:
        await _prepare(context, concert_id)
    return concert, await context.stores.order_search.page(concert_id, filter_, request)


async def page_order_exports(context: Context, concert_id: ConcertId, request: PageRequest) -> Page[OrderExport]:
    """Return one page of the exports of a concert's orders, newest first. The permissions of the
    schema check the viewer.
    """
    return await context.stores.order_exports.page(concert_id, request)


async def _prepare(context: Context, concert_id: ConcertId) -> None:
    for _ in range(MAX_BATCHES):
        if await context.stores.order_search.prepare(concert_id, limit=BATCH) < BATCH:
            return
    raise TemporarilyUnavailable("The orders of this concert are being prepared for their first search")
