"""The path of a paid order: purchase, intent, the provider's message, PAID."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from domain.orders import OrderStatus, StockState
from domain.payments.payment import EffectState
from domain.payments.steps import CREATION_WINDOW
from payments.provider import ProviderUnavailable
from tests.support.payment_saga import Till, concert_for_sale, opened_till
from tests.support.sale import hold
from tests.support.waiting import wait_until

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def till(valkey_url: str, mongo_url: str, mongo_database: str) -> AsyncIterator[Till]:
    async with opened_till(valkey_url, mongo_url, mongo_database) as made:
        yield made


async def test_purchase_returns_a_pending_order_with_its_intent(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.order(concert, 2)
    assert order.status is OrderStatus.PENDING_PAYMENT
    assert order.stock_state is StockState.BUYING
    assert order.payment is not None
    intent = till.intent(order)
    assert (order.payment.attempt.intent_id, order.payment.attempt.client_secret) == (intent.id, f"{intent.id}_secret")
    assert intent.amount == order.total
    assert await till.read(order) == order


async def test_payment_makes_the_order_paid_with_its_tickets(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.paid_order(concert, 2)
    assert order.status is OrderStatus.PAID
    due = dict.fromkeys(("document", "mail", "sales"), EffectState.DUE)
    assert order.effects.states == {"tickets": EffectState.DONE} | due
    assert order.work_at is None
    assert await till.read(order) == order


async def test_repeated_message_from_the_provider_changes_nothing(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    paid = await till.paid_order(concert, 1)
    again = await till.payments.apply(paid.id, concert.id, [till.intent(paid).fact])
    assert again == paid


async def test_order_is_returned_without_its_intent_if_the_provider_fails(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    till.provider.fail["create_intent"] = [ProviderUnavailable("timeout")]
    order = await till.order(concert, 1)
    assert order.status is OrderStatus.PENDING_PAYMENT
    assert order.payment is not None
    assert order.payment.attempt.intent_id is None
    assert order.work_at == order.created_at + CREATION_WINDOW
    till.ahead += CREATION_WINDOW
    advanced = await till.advance(order)
    assert advanced.payment is not None
    assert advanced.payment.attempt.intent_id == till.intent(order).id


async def test_second_purchase_of_a_hold_returns_the_same_order(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    made = await hold(till.stores, concert, 1)
    first = await till.buy(made, with_key="one")
    assert await till.buy(made, with_key="two") == first
    assert len(till.provider.intents) == 1


async def test_slow_provider_delays_the_intent_but_not_the_order(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    till.provider.answers = asyncio.Event()
    till.payments = till.make_payments(intent_within_s=0)
    order = await till.order(concert, 1)
    assert order.payment is not None
    assert order.payment.attempt.intent_id is None
    assert till.provider.calls == []
    till.provider.answers.set()

    async def has_secret() -> bool:
        payment = (await till.read(order)).payment
        return payment is not None and payment.attempt.client_secret is not None

    await wait_until(has_secret, what="the intent")
    assert len(till.provider.intents) == 1
