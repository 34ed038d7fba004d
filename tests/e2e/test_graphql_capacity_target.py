"""A large change to a capacity, as an organizer and a buyer see it."""

import logging

import pytest

from tests.support.past_concerts import move_into_past
from tests.support.shop import Answer, OnSale, Shop
from workers.capacity import CapacityWorker

pytestmark = pytest.mark.asyncio(loop_scope="module")

UPDATE = """
mutation ($input: UpdateConcertInput!) {
  updateConcert(input: $input) {
    __typename
    ... on UpdateConcertSuccess { concert { tiers { capacity capacityTarget available } } }
    ... on DomainError { code message }
  }
}
"""
READ = """
query ($id: ID!) {
  concert(id: $id) {
    tiers { capacity capacityTarget available held sold }
    stock { tiers { capacity available held sold } }
  }
}
"""


async def resize(shop: Shop, concert: OnSale, capacity: int) -> Answer:
    change = {"concertId": concert.id, "tiers": [{"tierId": concert.tiers[0], "capacity": capacity}]}
    return (await shop.fields(UPDATE, by="olivia", input=change))["updateConcert"]


async def read(shop: Shop, concert: OnSale) -> Answer:
    answer = (await shop.fields(READ, id=concert.id))["concert"]
    return {"tier": answer["tiers"][0], "stock": answer["stock"]["tiers"][0]}


async def test_target_of_a_large_change_is_shown_until_it_is_reached(shop: Shop) -> None:
    concert = await shop.on_sale(tiers=[{"name": "Standing", "priceMinor": 4950, "capacity": 12_000}])
    await shop.hold(concert, 2)
    for _ in range(2):
        answer = await resize(shop, concert, 5)
        assert answer["__typename"] == "UpdateConcertSuccess"
        assert answer["concert"]["tiers"] == [{"capacity": 5, "capacityTarget": 5, "available": 3}]
    counts = {"capacity": 5, "available": 3, "held": 2, "sold": 0}
    assert await read(shop, concert) == {"tier": counts | {"capacityTarget": 5}, "stock": counts}
    assert await CapacityWorker().run_once(shop.stores) == 11_995
    assert await read(shop, concert) == {"tier": counts | {"capacityTarget": None}, "stock": counts}


async def test_small_change_to_a_capacity_has_no_target(shop: Shop) -> None:
    concert = await shop.on_sale()
    for capacity in (30, 120):
        answer = await resize(shop, concert, capacity)
        shown = {"capacity": capacity, "capacityTarget": None, "available": capacity}
        assert answer["concert"]["tiers"][0] == shown


@pytest.mark.parametrize("capacity", [5, 20_000])
async def test_past_concert_has_no_capacity_target(shop: Shop, capacity: int, caplog: pytest.LogCaptureFixture) -> None:
    concert = await shop.on_sale(tiers=[{"name": "Standing", "priceMinor": 4950, "capacity": 12_000}])
    await resize(shop, concert, 5)
    if capacity > 5:
        # Units were withdrawn and now have to be returned.
        await CapacityWorker().run_once(shop.stores)
        await resize(shop, concert, capacity)
    await move_into_past(shop, concert)
    caplog.set_level(logging.INFO)
    caplog.clear()
    for _ in range(2):
        counts = {"capacity": capacity, "available": 0, "held": 0, "sold": 0}
        assert await read(shop, concert) == {"tier": counts | {"capacityTarget": None}, "stock": counts}
        assert await CapacityWorker().run_once(shop.stores) == 0
    assert [record for record in caplog.records if record.name.startswith(("storage", "workers"))] == []
