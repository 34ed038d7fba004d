"""No order is missing from the pages of a notice, even if it changes while they are read."""

from typing import Any, cast

from domain.mails.mail import MailKind
from domain.mails.notices import ConcertNotice
from domain.orders import OrderStatus
from storage.connect import Stores
from storage.mongo.mails.notices import NoticeStore
from tests.support.payment_saga import Till, concert_for_sale


class ChangingOrders:
    """The orders, one of which ends its refund after the first query."""

    def __init__(self, orders: Any, order_id: str) -> None:
        self._orders = orders
        self._order_id = order_id

    def find(self, query: Any, fields: Any) -> Any:
        return _Query(self, self._orders.find(query, fields))

    async def end_refund(self) -> None:
        change = {"$set": {"status": OrderStatus.PAID}}
        await self._orders.update_one({"_id": self._order_id}, change)


class _Query:
    def __init__(self, orders: ChangingOrders, cursor: Any) -> None:
        self._orders = orders
        self._cursor = cursor

    def sort(self, *arguments: Any) -> "_Query":
        self._cursor.sort(*arguments)
        return self

    def limit(self, count: int) -> "_Query":
        self._cursor.limit(count)
        return self

    async def __aiter__(self) -> Any:
        async for document in self._cursor:
            yield document
        await self._orders.end_refund()


async def test_an_order_whose_refund_ends_between_two_queries_is_found(stores: Stores) -> None:
    till = Till(stores)
    concert = await concert_for_sale(till, 10)
    order = await till.paid_order(concert, 1)
    orders = stores.orders.collection
    await orders.update_one({"_id": order.id}, {"$set": {"status": OrderStatus.REFUND_PENDING}})
    database = {"concert_notices": stores.notices.collection, "orders": ChangingOrders(orders, order.id)}
    notice = ConcertNotice(concert.id, MailKind.MOVED, 2, till.now())
    assert await NoticeStore(cast("Any", database)).list_orders(notice, limit=10) == (order.id,)
