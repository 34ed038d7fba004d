"""Checks the mails of all orders: at least one for each fulfilled order with tickets."""

from collections.abc import Collection, Iterator, Sequence

from domain.mails.mail import MailKind, living_units, mails_of
from domain.orders import Order, OrderStatus


def a_mail_for_each_fulfilled_order(orders: Sequence[Order], sent: Collection[str]) -> Iterator[str]:
    """Yield the fulfilled orders whose confirmation is not among the sent mails."""
    for order in orders:
        if order.status is OrderStatus.FULFILLED and living_units(order):
            wanted = [mail.id for mail in mails_of(order, order.created_at) if mail.kind is MailKind.CONFIRMATION]
            yield from (
                f"order {order.id} is fulfilled, but mail {id_} was not sent" for id_ in wanted if id_ not in sent
            )
