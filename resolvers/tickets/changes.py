"""Stores changes to tickets, which are changes to their orders."""

from collections.abc import Callable

from domain.orders import Order
from payments.saga.order_changes import OrderChanges
from resolvers.context import Context


async def change_order(context: Context, order: Order, decide: Callable[[Order], Order]) -> Order:
    """Store the order that `decide` returns, even if the client disconnects, and return it.

    If another change comes first, `decide` is called again with the newer version. Raises the
    errors of `decide`, and TemporarilyUnavailable if it is unknown whether the change was stored.
    """
    changes = OrderChanges(context.stores, context.payments.reached)
    return await context.stores.detached_tasks.run(changes.change(order, decide))
