"""Orders that their buyers have canceled: money that comes late, and purchases of their holds."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from domain.errors import HoldEnded
from domain.holds import EndReason
from domain.orders import OrderStatus
from domain.payments.payment import RefundReason
from tests.support.payment_saga import Till, concert_for_sale, opened_till
from tests.support.sale import check_invariants, hold, stock

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def till(valkey_url: str, mongo_url: str, mongo_database: str) -> AsyncIterator[Till]:
    async with opened_till(valkey_url, mongo_url, mongo_database) as made:
        yield made


async def test_late_payment_for_a_canceled_order_is_refunded_with_that_reason(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    canceled = await till.payments.request_cancel(await till.order(concert, 1), "BUYER")
    assert canceled.status is OrderStatus.CANCELLED
    await till.pay(canceled)
    refunded = await till.advance(canceled)
    assert refunded.status is OrderStatus.REFUNDED
    assert refunded.payment is not None
    assert [refund.reason for refund in refunded.payment.refunds] == [RefundReason.ORDER_CANCELLED]
    assert till.intent(canceled).refunded == canceled.total.minor


async def test_hold_of_a_canceled_order_cannot_be_bought_with_a_new_key(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    made = await hold(till.stores, concert, 2)
    order = await till.buy(made, with_key="first")
    canceled = await till.payments.request_cancel(order, "BUYER")
    for _ in range(2):
        with pytest.raises(HoldEnded, match="hold the tickets again with a new idempotency key") as refused:
            await till.buy(made, with_key="second")
        assert refused.value.reason is EndReason.ORDER_ENDED
    assert await till.buy(made, with_key="first") == canceled
    assert await till.read(order) == canceled
    assert await stock(till.stores, concert) == [(10, 0, 0)]
    await check_invariants(till.stores, concert)
