"""A process five minutes off compares its clock with real stores: it says so, and loses nothing."""

import time

import pytest

from storage.connect import Stores
from storage.readiness.clocks import ClockCheck
from tests.support.sale import buy, check_invariants, hold, on_sale, stock

FIVE_MINUTES_S = 300.0


async def test_clocks_of_one_machine_agree(stores: Stores) -> None:
    await stores.clocks.check()
    assert (stores.clocks.problem, stores.clocks.warning, await stores.problems()) == (None, None, [])


@pytest.mark.parametrize(("offset_s", "side"), [(FIVE_MINUTES_S, "ahead of"), (-FIVE_MINUTES_S, "behind")])
async def test_host_that_is_five_minutes_off_is_named(stores: Stores, offset_s: float, side: str) -> None:
    concert = await on_sale(stores, 10)
    check = ClockCheck(stores.script_client, stores.mongo, now=lambda: time.time() + offset_s)
    await check.check()
    assert check.problem is not None
    assert check.problem.startswith("the clock of this host (")
    assert f" s {side} those of Redis and MongoDB; synchronize the clock of this host with NTP" in check.problem
    await buy(stores, await hold(stores, concert, 2))
    assert await stock(stores, concert) == [(8, 0, 2)]
    await check_invariants(stores, concert)
