"""Changes to stored tickets, as refunds and transfers make them."""

from dataclasses import replace
from datetime import UTC, datetime

from domain.ids import OrderId, PersonId
from domain.orders import Order
from domain.payments.conclusion import conclude
from domain.payments.payment import RefundReason
from domain.payments.transitions import add_refund
from payments.saga.crash_points import ignore
from payments.saga.order_changes import OrderChanges
from storage.connect import Stores


async def read_order(stores: Stores, order_id: OrderId) -> Order:
    order = await stores.orders.get(order_id)
    assert order is not None
    return order


async def refund_units(stores: Stores, order_id: OrderId, count: int) -> Order:
    """Record the decision to refund the first units of an order, without calling a provider."""

    def decide(order: Order) -> Order:
        return add_refund(order, order.units[:count], reason=RefundReason.REQUESTED, now=datetime.now(UTC))

    return await OrderChanges(stores, ignore).change(await read_order(stores, order_id), decide)


async def pass_on_ticket(stores: Stores, order_id: OrderId, index: int, *, to: PersonId, name: str) -> Order:
    """Give a ticket of an order to another person, with a new code."""

    def decide(order: Order) -> Order:
        passed = order.tickets[index]
        passed = replace(passed, generation=passed.generation + 1, holder_id=to, holder_name=name)
        tickets = (*order.tickets[:index], passed, *order.tickets[index + 1 :])
        return conclude(order, replace(order, tickets=tickets), datetime.now(UTC), kind="TICKET_PASSED_ON")

    return await OrderChanges(stores, ignore).change(await read_order(stores, order_id), decide)
