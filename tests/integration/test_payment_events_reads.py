"""Reading the orders of payment events: together, or one by one after a failure."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from domain.orders import Order, OrderStatus
from domain.payments.inbox import InboxEvent
from payments.saga.order_payments import now_ms
from tests.support.mongo_commands import MongoCommands, recorded_commands
from tests.support.payment_events import inbox_event
from tests.support.payment_saga import Till, concert_for_sale, opened_till
from workers.payment_events import PaymentEventsWorker


@pytest_asyncio.fixture
async def till(commands: MongoCommands, valkey_url: str, mongo_url: str, mongo_database: str) -> AsyncIterator[Till]:
    async with opened_till(valkey_url, mongo_url, mongo_database) as till:
        yield till


@pytest.fixture
def commands() -> Iterator[MongoCommands]:
    """The commands that the stores of `till` send."""
    with recorded_commands() as commands:
        yield commands


async def receive_payments(till: Till, count: int) -> list[Order]:
    """Let people buy, and record the events of their payments."""
    concert = await concert_for_sale(till, count)
    orders = [await till.order(concert, 1, who=f"buyer{number}") for number in range(count)]
    for order in orders:
        assert await till.stores.payment_inbox.insert(event_of(till, order))
    return orders


def event_of(till: Till, order: Order) -> InboxEvent:
    fact, now = till.provider.pay(till.intent(order)), now_ms()
    return inbox_event(
        f"evt_{order.id}",
        intent_id=fact.intent_id,
        order_id=order.id,
        concert_id=order.concert_id,
        facts=(fact,),
        received_at=now,
        due_at=now,
    )


async def statuses(till: Till, orders: list[Order]) -> list[OrderStatus]:
    return [(await till.read(order)).status for order in orders]


async def test_orders_of_claimed_events_are_read_in_one_command(till: Till, commands: MongoCommands) -> None:
    orders = await receive_payments(till, 8)
    commands.sent.clear()
    assert await PaymentEventsWorker(till.payments).run_once(till.stores) == 8
    # Other commands claim the events, and the stores watch each other meanwhile.
    assert [sent.name for sent in commands.sent if sent.collection == "orders" and sent.name == "find"] == ["find"]
    assert await statuses(till, orders) == [OrderStatus.PAID] * 8


async def test_orders_are_read_one_by_one_if_not_all_can_be_read(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = await receive_payments(till, 2)

    async def unreadable(order_ids: object) -> tuple[Order, ...]:
        raise KeyError("an order has no units")

    monkeypatch.setattr(till.stores.orders, "get_many", unreadable)
    assert await PaymentEventsWorker(till.payments).run_once(till.stores) == 2
    assert await statuses(till, orders) == [OrderStatus.PAID] * 2


async def test_outdated_order_loses_no_change(till: Till) -> None:
    (order,) = await receive_payments(till, 1)
    fact = till.provider.pay(till.intent(order))
    old = await till.read(order)
    await till.payments.request_cancel(old, "BUYER", at_once=False)
    applied = await till.payments.apply(order.id, order.concert_id, [fact], known=old)
    assert applied is not None
    assert applied.status is OrderStatus.PAID
    assert applied.payment is not None
    assert applied.payment.cancel_requested_at is not None
    assert applied.version == old.version + 2


async def test_order_of_another_concert_is_not_mistaken_for_this_one(till: Till) -> None:
    (order,) = await receive_payments(till, 1)
    other = await concert_for_sale(till, 1)
    known = await till.read(order)
    assert await till.payments.apply(order.id, other.id, [], known=known) is None
