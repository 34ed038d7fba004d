"""The effect `sales`: records the sale and the refunds of each order as rows, each row once."""

from collections.abc import Mapping, Sequence

from domain.analytics.sales import sales_rows
from domain.ids import OrderId
from domain.orders import Order
from storage.connect import Stores


async def record_sales(stores: Stores, orders: Sequence[Order]) -> Mapping[OrderId, str | None]:
    """Record all rows of these orders. Rows that were recorded before are kept.

    Raises TemporarilyUnavailable.
    """
    await stores.sales.add([row for order in orders for row in sales_rows(order)])
    return {order.id: None for order in orders}
