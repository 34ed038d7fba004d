"""A flood of hold requests is refused before it reaches the store."""

import pytest

from domain.limits.errors import RateLimited
from domain.limits.rates import CallRates, Rate, RateLimits
from resolvers import holds, orders
from resolvers.call_limits import CallLimits
from resolvers.context import Context
from storage.connect import Stores
from tests.support.sale import CUSTOMER, PASSES, key, lines, on_sale, stock, viewer
from tests.support.script_calls import recorded_calls


async def test_flood_of_hold_requests_does_not_reach_the_store(stores: Stores) -> None:
    concert = await on_sale(stores, 100)
    limits = CallLimits(RateLimits(hold_requests=CallRates(per_person=Rate(3, 600))))
    asking = Context(stores, PASSES, viewer("ann"), "test-request", "203.0.113.7", call_limits=limits)
    again = key()
    for _ in range(3):
        await holds.hold_tickets(asking, concert.id, lines(concert, 1), again)
    with recorded_calls(stores) as calls:
        for _ in range(50):
            with pytest.raises(RateLimited):
                await holds.hold_tickets(asking, concert.id, lines(concert, 1), again)
            with pytest.raises(RateLimited):
                await orders.purchase_lines(asking, concert.id, lines(concert, 1), CUSTOMER, key())
    assert calls.round_trips == []
    assert await stock(stores, concert) == [(99, 1, 0)]
