"""The effect `document`: makes, in advance, the document that the buyer downloads and gets by mail.

Documents of other holders are made when they are first requested.
"""

import asyncio
from collections.abc import Mapping, Sequence

from domain.errors import TemporarilyUnavailable, describe_cause
from domain.ids import OrderId
from domain.orders import Order
from storage.connect import Stores
from tickets.documents.library import DocumentLibrary
from tickets.documents.render_pool import RenderFailed
from tickets.documents.selection import valid_tickets


class DocumentEffect:
    def __init__(self, library: DocumentLibrary) -> None:
        self._library = library

    async def __call__(self, stores: Stores, orders: Sequence[Order]) -> Mapping[OrderId, str | None]:
        """Store the buyer's document of each order. Return the reason for each failure, or None
        after a success.
        """
        reasons = await asyncio.gather(*[self._store(stores, order) for order in orders])
        return {order.id: reason for order, reason in zip(orders, reasons, strict=True)}

    async def _store(self, stores: Stores, order: Order) -> str | None:
        tickets = valid_tickets(order, order.person_id)
        if not tickets:
            return None
        try:
            concert = await stores.concert_cache.get(order.concert_id)
            if concert is None:
                return f"its concert {order.concert_id} does not exist"
            await self._library.pdf(order, concert, tickets, order.customer.locale)
        except (RenderFailed, TemporarilyUnavailable) as error:
            return describe_cause(error)
        return None
