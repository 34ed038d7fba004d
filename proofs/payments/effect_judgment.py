"""Checks that no effect is due for any order, and that fulfilled orders have their documents."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from domain.ids import ConcertId
from domain.orders import Order, OrderStatus
from domain.payments.effects import due_effects
from domain.payments.status import disputes
from storage.mongo.client import Database
from storage.mongo.tickets import document_store


async def count_documents(mongo: Database, concert_id: ConcertId) -> Counter[str]:
    """Return the number of stored documents by order."""
    found = mongo[f"{document_store.NAME}.files"].find({"metadata.concertId": concert_id}, {"metadata.orderId": 1})
    return Counter([file["metadata"]["orderId"] async for file in found])


def no_effect_is_due(orders: Sequence[Order]) -> Iterator[str]:
    for order in orders:
        if names := due_effects(order):
            yield f"order {order.id} is {order.status}, and {' and '.join(names)} are due"


def one_document_per_fulfilled_order(orders: Sequence[Order], documents: Mapping[str, int]) -> Iterator[str]:
    """Yield the fulfilled orders without exactly one document. Orders with a ticket that was
    invalid for some time are left out, because their document may show the tickets before or after
    that.
    """
    for order in orders:
        is_unchanged = not order.revocations and not disputes(order)
        count = documents.get(order.id, 0)
        if order.status is OrderStatus.FULFILLED and is_unchanged and count != 1:
            yield f"order {order.id} is fulfilled, but has {count} documents"
