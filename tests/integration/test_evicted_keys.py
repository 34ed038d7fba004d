"""A concert from which the store has evicted a key is rebuilt by a worker, without a restart."""

import asyncio

import pytest

from domain.errors import OnsaleError
from storage.connect import Stores
from tests.support.hot_keys import concert_key
from tests.support.sale import buy, check_invariants, hold, on_sale, stock
from tests.support.waiting import wait_until
from workers.apply import ApplyWorker


@pytest.mark.parametrize("kind", ["tiers", "units", "holds", "people"])
async def test_evicted_key_costs_holds_and_no_order(stores: Stores, kind: str) -> None:
    """Failing values before: without its tiers or holds, the concert could never be sold again;
    without its units or people, units and limits were granted twice.
    """
    concert = await on_sale(stores, 10, limit_per_person=4)
    await buy(stores, await hold(stores, concert, 4, who="ann"))
    await hold(stores, concert, 2, who="ben")
    await stores.script_client.run_command("DEL", concert_key(concert, kind))

    async def is_rebuilt() -> bool:
        await ApplyWorker().run_once(stores)
        try:
            return await stock(stores, concert) == [(6, 0, 4)]
        except OnsaleError:
            return False

    await wait_until(is_rebuilt, what="the rebuilt concert")
    with pytest.raises(OnsaleError, match="4"):
        await hold(stores, concert, 1, who="ann")
    await asyncio.gather(*[buy(stores, await hold(stores, concert, 3, who=who)) for who in ("cleo", "dan")])
    assert await stock(stores, concert) == [(0, 0, 10)]
    await check_invariants(stores, concert)


async def test_concert_with_all_its_keys_is_not_rebuilt(stores: Stores) -> None:
    """A concert whose tickets were all released has no units, holds or people left to count."""
    concert = await on_sale(stores, 10)
    epoch = (await stores.holds.read_stock(concert)).epoch
    for _ in range(2):
        await ApplyWorker().run_once(stores)
    await buy(stores, await hold(stores, concert, 2))
    await ApplyWorker().run_once(stores)
    assert (await stores.holds.read_stock(concert)).epoch == epoch
