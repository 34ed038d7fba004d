"""Creates orders that await a payment, and their later versions."""

from dataclasses import replace
from datetime import datetime, timedelta

from domain.concerts import Concert
from domain.holds import Hold
from domain.orders import Order, OrderEvent, OrderStatus
from domain.payments.payment import Payment, PaymentAttempt
from storage.connect import Stores
from storage.mongo.order_batch import Outcome
from storage.mongo.order_documents import order_document
from tests.support.hold_orders import order_of

TIME_TO_PAY = timedelta(minutes=10)


def unpaid_order_of(concert: Concert, hold: Hold) -> Order:
    """Return the order that buying this hold inserts before it is paid."""
    order = order_of(concert, hold, status=OrderStatus.PENDING_PAYMENT)
    return replace(
        order,
        events=(OrderEvent(OrderStatus.PENDING_PAYMENT, order.created_at),),
        payment=Payment("sandbox", pay_until(order), (PaymentAttempt(1, order.created_at),)),
    )


def pay_until(order: Order) -> datetime:
    return order.created_at + TIME_TO_PAY


def next_version(order: Order, status: OrderStatus, *, is_living: bool = True) -> Order:
    """Return the order after a change of status. An order that has ended returns its units."""
    kept = order.units if is_living else ()
    released = order.released_units if is_living else (*order.released_units, *order.units)
    events = (*order.events, OrderEvent(status, order.events[-1].at))
    return replace(order, status=status, units=kept, released_units=released, version=order.version + 1, events=events)


async def begin(stores: Stores, hold: Hold, *, with_key: str = "") -> Hold:
    """Begin the purchase of a hold, without recording an order."""
    return await stores.holds.begin_purchase(
        hold.concert_id, hold.id, person_id=hold.person_id, purchase_key=with_key or hold.id, digest=hold.id
    )


async def insert(stores: Stores, order: Order) -> Order:
    """Insert an order in MongoDB only, not in the hot store."""
    assert await stores.order_batch.insert(order) is Outcome.RECORDED
    return order


async def store_next(stores: Stores, order: Order) -> Order:
    """Write the next version of an order in MongoDB only, not in the hot store."""
    result = await stores.orders.collection.replace_one(
        {"_id": order.id, "version": order.version - 1}, order_document(order)
    )
    assert result.modified_count == 1
    return order


async def order_unpaid(stores: Stores, concert: Concert, hold: Hold) -> Order:
    """Buy a hold up to the point at which the buyer has to pay."""
    order = await insert(stores, unpaid_order_of(concert, await begin(stores, hold)))
    assert await stores.order_sync.record(order)
    return order
