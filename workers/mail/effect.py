"""The effect `mail`: queues the confirmation of a paid order, and a mail for each refund."""

from collections.abc import Mapping, Sequence

from domain.ids import OrderId
from domain.mails.mail import mails_of
from domain.orders import Order
from payments.saga.order_payments import now_ms
from storage.connect import Stores


async def queue_mails(stores: Stores, orders: Sequence[Order]) -> Mapping[OrderId, str | None]:
    """Queue the mails that the orders have caused, each mail once. Raises
    TemporarilyUnavailable.
    """
    now = now_ms()
    await stores.mails.insert(mail for order in orders for mail in mails_of(order, now))
    return dict.fromkeys((order.id for order in orders), None)
