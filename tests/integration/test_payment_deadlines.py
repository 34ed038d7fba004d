"""An unpaid order ends, and frees its units, only once its intent is canceled or known not to
exist.
"""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from domain.orders import Order, OrderStatus
from domain.payments.facts import FactState
from domain.payments.steps import StepKind, next_step
from payments.provider import KeySpent, ProviderRefused, ProviderUnavailable
from tests.support.payment_saga import Till, concert_for_sale, opened_till
from tests.support.sale import check_invariants, stock

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def till(valkey_url: str, mongo_url: str, mongo_database: str) -> AsyncIterator[Till]:
    async with opened_till(valkey_url, mongo_url, mongo_database) as made:
        yield made


def pass_deadline(till: Till, order: Order) -> None:
    assert order.payment is not None
    till.ahead = order.payment.expires_at - order.created_at


async def test_unpaid_order_expires_at_its_deadline_and_frees_units(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.order(concert, 2)
    assert await till.advance(order) == order
    assert await stock(till.stores, concert) == [(8, 2, 0)]
    pass_deadline(till, order)
    ended = await till.advance(order)
    assert (ended.status, ended.units, ended.released_units) == (OrderStatus.EXPIRED, (), order.units)
    assert till.intent(order).state is FactState.CANCELED
    assert ended.work_at is None
    assert await stock(till.stores, concert) == [(10, 0, 0)]
    await check_invariants(till.stores, concert)


async def test_declined_order_ends_as_payment_failed(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.order(concert, 1)
    declined = await till.payments.apply(order.id, concert.id, [till.provider.decline(till.intent(order))])
    assert declined is not None
    assert declined.status is OrderStatus.PENDING_PAYMENT
    assert declined.units == order.units
    pass_deadline(till, order)
    assert (await till.advance(order)).status is OrderStatus.PAYMENT_FAILED


async def test_declined_order_can_still_be_paid(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.order(concert, 1)
    await till.payments.apply(order.id, concert.id, [till.provider.decline(till.intent(order))])
    assert (await till.pay(order)).status is OrderStatus.PAID
    assert await stock(till.stores, concert) == [(9, 0, 1)]


async def test_units_stay_held_while_the_provider_is_down(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.order(concert, 2)
    pass_deadline(till, order)
    till.provider.is_down = True
    with pytest.raises(ProviderUnavailable):
        await till.advance(order)
    assert await till.read(order) == order
    assert await stock(till.stores, concert) == [(8, 2, 0)]
    till.provider.is_down = False
    assert (await till.advance(order)).status is OrderStatus.EXPIRED


async def test_units_stay_held_while_the_payment_is_processing(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.order(concert, 1)
    till.intent(order).state = FactState.PENDING
    pass_deadline(till, order)
    kept = await till.advance(order)
    assert (kept.status, kept.units) == (OrderStatus.PENDING_PAYMENT, order.units)
    assert await stock(till.stores, concert) == [(9, 1, 0)]
    assert (await till.pay(order)).status is OrderStatus.PAID


async def test_payment_found_at_the_deadline_makes_the_order_paid(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.order(concert, 1)
    till.provider.pay(till.intent(order))
    pass_deadline(till, order)
    assert (await till.advance(order)).status is OrderStatus.PAID


async def test_order_is_freed_once_its_missing_intent_is_created_and_canceled(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    till.provider.fail["create_intent"] = [ProviderUnavailable("timeout")]
    order = await till.order(concert, 1)
    pass_deadline(till, order)
    assert (await till.advance(order)).status is OrderStatus.EXPIRED
    assert till.provider.calls == ["create_intent", "create_intent", "cancel_intent"]
    assert till.intent(order).state is FactState.CANCELED
    assert await stock(till.stores, concert) == [(10, 0, 0)]


@pytest.mark.parametrize("refusal", [KeySpent("idempotency_error", "kept"), ProviderRefused("amount_too_small", "1")])
async def test_order_whose_intent_is_refused_is_freed_if_none_exists(till: Till, refusal: ProviderRefused) -> None:
    concert = await concert_for_sale(till, 10)
    till.provider.fail["create_intent"] = [ProviderUnavailable("500"), refusal]
    order = await till.order(concert, 1)
    pass_deadline(till, order)
    assert (await till.advance(order)).status is OrderStatus.EXPIRED
    assert till.provider.calls[-1] == "find_intents"
    assert await stock(till.stores, concert) == [(10, 0, 0)]


async def test_intent_of_an_old_attempt_is_looked_up_and_not_created_again(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    till.provider.fail_after["create_intent"] = [ProviderUnavailable("500 after doing it")]
    order = await till.order(concert, 1)
    till.provider.forget_keys()
    till.ahead = timedelta(hours=21)
    assert (await till.advance(order)).status is OrderStatus.EXPIRED
    assert till.intent(order).state is FactState.CANCELED


async def test_confirmation_of_an_order_without_an_intent_creates_one(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    till.provider.fail["create_intent"] = [ProviderUnavailable("timeout")]
    order = await till.order(concert, 1)
    shown = await till.payments.sync(order.id, order.concert_id)
    assert shown.payment is not None
    assert shown.payment.attempt.intent_id == till.intent(order).id
    assert "find_intents" not in till.provider.calls


async def test_intent_whose_answer_was_lost_is_found_and_canceled(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    till.provider.fail_after["create_intent"] = [ProviderUnavailable("500 after doing it")]
    order = await till.order(concert, 1)
    pass_deadline(till, order)
    assert (await till.advance(order)).status is OrderStatus.EXPIRED
    assert till.intent(order).state is FactState.CANCELED


async def test_intent_whose_answer_was_lost_is_returned_by_its_key(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    till.provider.fail_after["create_intent"] = [ProviderUnavailable("500 after doing it")]
    order = await till.order(concert, 1)
    till.ahead = timedelta(seconds=6)
    found = await till.advance(order)
    assert found.payment is not None
    assert found.payment.attempt.intent_id == till.intent(order).id
    assert found.payment.attempt.client_secret is not None


async def test_canceled_order_frees_its_units_at_once(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.order(concert, 2)
    ended = await till.payments.request_cancel(order, "BUYER")
    assert (ended.status, ended.units) == (OrderStatus.CANCELLED, ())
    assert await stock(till.stores, concert) == [(10, 0, 0)]
    assert await till.payments.request_cancel(ended, "BUYER") == ended


async def test_cancellation_waits_for_the_provider(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.order(concert, 2)
    till.provider.is_down = True
    waiting = await till.payments.request_cancel(order, "BUYER")
    assert waiting.status is OrderStatus.PENDING_PAYMENT
    assert waiting.payment is not None
    assert waiting.payment.cancel_requested_at is not None
    assert await stock(till.stores, concert) == [(8, 2, 0)]
    step = next_step(waiting, till.now())
    assert step is not None
    assert step.kind is StepKind.CLOSE
    till.provider.is_down = False
    assert (await till.advance(order)).status is OrderStatus.CANCELLED


async def test_order_paid_during_its_cancellation_stays_paid(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.order(concert, 1)
    till.provider.pay(till.intent(order))
    assert (await till.payments.request_cancel(order, "BUYER")).status is OrderStatus.PAID
    assert await stock(till.stores, concert) == [(9, 0, 1)]


async def test_grace_period_after_a_gap_keeps_an_overdue_order(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.order(concert, 1)
    pass_deadline(till, order)
    grace_until = till.now() + timedelta(seconds=30)
    assert await till.payments.advance(order, till.now(), grace_until=grace_until) == order
    till.ahead += timedelta(seconds=31)
    ended = await till.payments.advance(order, till.now(), grace_until=grace_until)
    assert ended.status is OrderStatus.EXPIRED
