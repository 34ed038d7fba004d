"""A change of capacity that meets units with another owner says which kind of owner it is."""

import pytest

from domain.errors import CapacityInUse, TemporarilyUnavailable
from domain.ids import OrderId
from resolvers import holds
from storage.connect import Stores
from storage.mongo.order_batch import Outcome
from tests.support.capacity_steps import resize
from tests.support.hold_orders import order_of
from tests.support.sale import check_invariants, context, hold, on_sale, stock


async def test_change_that_meets_units_of_another_change_names_it(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store does not know the units of the first change yet, and suggests the same ones.
    Failing value before: "sold before the stock store restarted".
    """
    concert = await on_sale(stores, 2_500)

    async def record_later(orders: object) -> bool:
        return False

    with monkeypatch.context() as patch:
        patch.setattr(stores.order_sync, "sync_all", record_later)
        await resize(stores, concert, 2_498)
    with pytest.raises(TemporarilyUnavailable, match="Another change of this concert has just moved some"):
        await resize(stores, concert, 2_496)
    await resize(stores, concert, 2_496)
    assert await stock(stores, concert) == [(2_496, 0, 0)]
    await check_invariants(stores, concert)


async def test_change_that_meets_units_of_an_order_says_that_they_are_sold(stores: Stores) -> None:
    concert = await on_sale(stores, 4)
    held = await hold(stores, concert, 2)
    sold = order_of(concert, held, id=OrderId("0" * 32))
    await holds.release_hold(context(stores), concert.id, held.id)
    assert await stores.order_batch.insert(sold) is Outcome.RECORDED
    with pytest.raises(TemporarilyUnavailable, match="have been sold, but the stock store did not know it yet"):
        await resize(stores, concert, 1)
    with pytest.raises(CapacityInUse):
        await resize(stores, concert, 1)
    assert await stock(stores, concert) == [(2, 0, 2)]
