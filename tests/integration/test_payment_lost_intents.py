"""Orders whose intent the provider no longer knows."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from domain.orders import OrderStatus
from payments.provider import ProviderRefused
from tests.support.payment_saga import Till, concert_for_sale, opened_till
from tests.support.sale import check_invariants, stock

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def till(valkey_url: str, mongo_url: str, mongo_database: str) -> AsyncIterator[Till]:
    async with opened_till(valkey_url, mongo_url, mongo_database) as made:
        yield made


def lose_intent(till: Till) -> None:
    for call in ("cancel_intent", "get_intent"):
        till.provider.fail[call] = [ProviderRefused("resource_missing", "No such payment_intent")]


async def test_order_ends_if_the_sandbox_has_lost_its_intent(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    till.provider.name = "sandbox"
    order = await till.order(concert, 2)
    lose_intent(till)
    canceled = await till.payments.request_cancel(order, "BUYER")
    assert (canceled.status, canceled.units) == (OrderStatus.CANCELLED, ())
    assert await stock(till.stores, concert) == [(10, 0, 0)]
    await check_invariants(till.stores, concert)


async def test_order_keeps_its_tickets_if_the_account_lacks_its_intent(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.order(concert, 2)
    lose_intent(till)
    waiting = await till.payments.request_cancel(order, "BUYER")
    assert (waiting.status, waiting.units) == (OrderStatus.PENDING_PAYMENT, order.units)
    assert await stock(till.stores, concert) == [(8, 2, 0)]
    assert (await till.advance(order)).status is OrderStatus.CANCELLED
