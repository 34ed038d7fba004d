"""Refunds: none is lost, none is made twice, and none exceeds the payment."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio

from domain.concerts import Concert
from domain.errors import IdempotencyConflict
from domain.money import CurrencyCode, Money
from domain.orders import Order, OrderStatus
from domain.payments.errors import NotRefundable
from domain.payments.facts import FactState
from domain.payments.payment import RefundReason
from domain.payments.status import goodwill_minor
from payments.provider import OrderReference, ProviderUnavailable
from tests.support.payment_saga import Till, concert_for_sale, opened_till
from tests.support.provider_double import spent_key
from tests.support.sale import check_invariants, stock

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def till(valkey_url: str, mongo_url: str, mongo_database: str) -> AsyncIterator[Till]:
    async with opened_till(valkey_url, mongo_url, mongo_database) as made:
        yield made


async def refund(till: Till, order: Order, units: int | None = None, *, key: str = "k", digest: str = "d") -> Order:
    return await till.payments.request_refund(
        order,
        units=None if units is None else order.units[:units],
        reason=RefundReason.REQUESTED,
        requested_by=order.person_id,
        request_key=key,
        digest=digest,
    )


async def test_full_refund_returns_the_money_and_the_units(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    paid = await till.paid_order(concert, 2)
    refunded = await refund(till, paid)
    assert (refunded.status, refunded.units, refunded.work_at) == (OrderStatus.REFUNDED, (), None)
    assert till.intent(paid).refunded == paid.total.minor == 5_000
    assert await stock(till.stores, concert) == [(10, 0, 0)]
    await check_invariants(till.stores, concert)


async def test_partial_refund_frees_exactly_its_units(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    paid = await till.paid_order(concert, 3)
    refunded = await refund(till, paid, 1)
    assert (refunded.status, refunded.units) == (OrderStatus.PAID, paid.units[1:])
    assert refunded.released_units == paid.units[:1]
    assert till.intent(paid).refunded == 2_500
    assert await stock(till.stores, concert) == [(8, 0, 2)]
    assert (await refund(till, refunded, key="k2")).status is OrderStatus.REFUNDED
    assert till.intent(paid).refunded == 7_500


async def test_repeated_request_refunds_only_once(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    paid = await till.paid_order(concert, 3)
    first = await refund(till, paid, 1)
    assert await refund(till, paid, 1) == first
    assert till.intent(paid).refunded == 2_500
    with pytest.raises(IdempotencyConflict):
        await refund(till, paid, 2, digest="other")


async def test_units_are_not_refunded_twice_with_another_key(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    paid = await till.paid_order(concert, 2)
    till.provider.is_down = True
    waiting = await refund(till, paid)
    assert waiting.status is OrderStatus.REFUND_PENDING
    assert waiting.units == paid.units
    with pytest.raises(NotRefundable):
        await refund(till, waiting, key="k2")
    assert await till.read(paid) == waiting
    till.provider.is_down = False
    assert (await till.advance(paid)).status is OrderStatus.REFUNDED
    assert till.intent(paid).refunded == 5_000


async def test_refund_whose_answer_was_lost_is_found_and_not_repeated(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    paid = await till.paid_order(concert, 1)
    till.provider.fail_after["create_refund"] = [ProviderUnavailable("500 after doing it")]
    assert (await refund(till, paid)).status is OrderStatus.REFUND_PENDING
    till.provider.forget_keys()
    till.ahead = timedelta(hours=25)
    assert (await till.advance(paid)).status is OrderStatus.REFUNDED
    assert till.intent(paid).refunded == 2_500


async def test_refund_with_a_spent_key_gets_the_next_number(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    paid = await till.paid_order(concert, 1)
    till.provider.fail["create_refund"] = [spent_key()]
    refunded = await refund(till, paid)
    assert refunded.status is OrderStatus.REFUNDED
    assert refunded.payment is not None
    assert [(one.number, one.replaces) for one in refunded.payment.refunds] == [(1, None), (2, 1)]
    assert till.intent(paid).refunded == 2_500


async def test_refund_that_is_older_than_its_key_gets_the_next_number(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    paid = await till.paid_order(concert, 1)
    till.provider.is_down = True
    await refund(till, paid)
    till.provider.is_down = False
    till.ahead = timedelta(hours=21)
    refunded = await till.advance(paid)
    assert refunded.status is OrderStatus.REFUNDED
    assert refunded.payment is not None
    assert [one.number for one in refunded.payment.refunds] == [1, 2]
    assert till.intent(paid).refunded == 2_500


async def test_refund_that_the_bank_returns_is_made_again_later(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    paid = await till.paid_order(concert, 1)
    await refund(till, paid)
    failed = till.provider.fail_refund(till.intent(paid), till.now())
    returned = await till.payments.apply(paid.id, concert.id, [failed])
    assert returned is not None
    assert returned.status is OrderStatus.REFUND_PENDING
    assert await till.advance(paid) == returned
    till.ahead = timedelta(minutes=2)
    assert (await till.advance(paid)).status is OrderStatus.REFUNDED
    assert till.intent(paid).refunded == 2_500


async def test_refund_in_the_dashboard_is_goodwill_until_it_is_complete(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    paid = await till.paid_order(concert, 2)
    intent = till.intent(paid)
    some = await till.payments.apply(paid.id, concert.id, [till.provider.refund_in_dashboard(intent, 1_000)])
    assert some is not None
    assert (some.status, some.units, goodwill_minor(some)) == (OrderStatus.PAID, paid.units, 1_000)
    whole = await till.payments.apply(paid.id, concert.id, [till.provider.refund_in_dashboard(intent, 4_000)])
    assert whole is not None
    assert (whole.status, whole.units) == (OrderStatus.REFUNDED, ())
    assert await stock(till.stores, concert) == [(10, 0, 0)]


async def test_full_refund_after_goodwill_returns_only_what_is_left(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    paid = await till.paid_order(concert, 2)
    goodwill = till.provider.refund_in_dashboard(till.intent(paid), 1_000)
    some = await till.payments.apply(paid.id, concert.id, [goodwill])
    assert some is not None
    refunded = await refund(till, some)
    assert refunded.status is OrderStatus.REFUNDED
    assert till.intent(paid).refunded == 5_000


async def test_unreported_dashboard_refund_reduces_a_refused_refund(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    paid = await till.paid_order(concert, 2)
    till.provider.refund_in_dashboard(till.intent(paid), 1_000)
    refunded = await refund(till, paid)
    assert refunded.status is OrderStatus.REFUNDED
    assert till.intent(paid).refunded == 5_000


async def test_wrong_amount_is_refunded_and_never_pays_for_the_order(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.order(concert, 2)
    fact = till.provider.pay(till.intent(order), amount=Money(4_999, CurrencyCode.EUR))
    ended = await till.payments.apply(order.id, concert.id, [fact])
    assert ended is not None
    assert (ended.status, ended.units) == (OrderStatus.REFUND_PENDING, ())
    assert await stock(till.stores, concert) == [(10, 0, 0)]
    assert (await till.advance(order)).status is OrderStatus.REFUNDED
    assert till.intent(order).refunded == 4_999


async def test_second_payment_is_refunded_and_the_first_one_kept(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    paid = await till.paid_order(concert, 1)
    second = replace(till.intent(paid), id="pi_second", refunds=[])
    till.provider.intents[second.id] = second
    again = await till.payments.apply(paid.id, concert.id, [till.provider.pay(second)])
    assert again is not None
    assert again.status is OrderStatus.PAID
    advanced = await till.advance(paid)
    assert (advanced.status, advanced.units) == (OrderStatus.PAID, paid.units)
    assert advanced.payment is not None
    assert [(one.intent_id, one.reason) for one in advanced.payment.refunds] == [
        ("pi_second", RefundReason.SECOND_PAYMENT)
    ]
    assert (till.provider.intents[second.id].refunded, advanced.work_at) == (2_500, None)


async def test_lost_dispute_frees_the_units_once(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    paid = await till.paid_order(concert, 2)
    opened = till.provider.dispute(till.intent(paid), FactState.OPEN)
    disputed = await till.payments.apply(paid.id, concert.id, [opened])
    assert disputed is not None
    assert (disputed.status, disputed.units) == (OrderStatus.PAID, paid.units)
    lost = till.provider.dispute(till.intent(paid), FactState.LOST)
    for _ in range(2):
        ended = await till.payments.apply(paid.id, concert.id, [lost])
        assert ended is not None
        assert (ended.status, ended.units) == (OrderStatus.DISPUTE_LOST, ())
    assert await stock(till.stores, concert) == [(10, 0, 0)]


async def test_rest_of_a_payment_is_returned_after_a_lost_dispute(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.paid_order(concert, 2)
    lost = replace(till.provider.dispute(till.intent(order), FactState.LOST), amount_minor=2_000)
    assert await till.payments.apply(order.id, concert.id, [lost]) is not None
    ended = await till.advance(order)
    assert (ended.status, ended.units, ended.work_at) == (OrderStatus.DISPUTE_LOST, (), None)
    assert till.intent(order).refunded == 3_000
    assert await till.advance(order) == ended
    assert await stock(till.stores, concert) == [(10, 0, 0)]


async def test_free_order_is_refunded_without_a_provider_call(till: Till) -> None:
    concert = await concert_for_sale(till, 10, prices=(0,))
    free = await till.order(concert, 2)
    assert (free.status, free.payment) == (OrderStatus.PAID, None)
    some = await refund(till, free, 1)
    assert (some.status, some.units) == (OrderStatus.PAID, free.units[1:])
    assert await refund(till, free, 1) == some
    assert (await refund(till, some, key="k2")).status is OrderStatus.REFUNDED
    assert till.provider.calls == []
    assert await stock(till.stores, concert) == [(10, 0, 0)]


async def test_order_paid_after_its_concert_is_canceled_is_refunded(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.order(concert, 1)
    till.provider.pay(till.intent(order))
    ended = await till.payments.request_cancel(order, "CONCERT")
    assert ended.status is OrderStatus.REFUNDED
    assert ended.payment is not None
    assert [one.reason for one in ended.payment.refunds] == [RefundReason.CONCERT_CANCELLED]
    assert till.intent(order).refunded == 2_500


async def replaced_and_made(till: Till, concert: Concert) -> Order:
    """Return a paid order with a replaced refund that the provider made later."""
    paid = await till.paid_order(concert, 3)
    till.provider.fail["create_refund"] = [spent_key(), ProviderUnavailable("timeout")]
    waiting = await refund(till, paid, 1)
    assert waiting.payment is not None
    first, second = (await till.read(paid)).payment.refunds  # type: ignore[union-attr]
    assert (first.number, second.number, second.replaces) == (1, 2, 1)
    reference = OrderReference(paid.id, concert.id, await till.payments.installation())
    await till.provider.create_refund(reference, first, Money(2_500, CurrencyCode.EUR))
    return paid


async def test_replaced_refund_that_was_made_after_all_is_not_repeated(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    paid = await replaced_and_made(till, concert)
    refunded = await till.advance(paid)
    assert (refunded.status, refunded.units, refunded.work_at) == (OrderStatus.PAID, paid.units[1:], None)
    assert till.intent(paid).refunded == 2_500
    assert (await refund(till, refunded, key="k2")).status is OrderStatus.REFUNDED
    assert till.intent(paid).refunded == 7_500
    await check_invariants(till.stores, concert)


async def test_replaced_refund_that_was_made_but_failed_is_repeated(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    paid = await replaced_and_made(till, concert)
    await till.advance(paid)
    failed = till.provider.fail_refund(till.intent(paid), till.now())
    returned = await till.payments.apply(paid.id, concert.id, [failed])
    assert returned is not None
    assert returned.status is OrderStatus.REFUND_PENDING
    assert (await till.advance(paid)).status is OrderStatus.PAID
    assert till.intent(paid).refunded == 2_500
