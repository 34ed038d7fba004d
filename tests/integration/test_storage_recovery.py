"""Recovery of a store that was rolled back, wiped, flushed, restarted or unavailable.

No unit is sold twice.
"""

import asyncio
import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.concerts import Concert
from domain.errors import LimitExceeded, SoldOut, TemporarilyUnavailable
from domain.holds import EndReason, Hold, HoldState
from domain.ids import OrderId, PersonId
from domain.orders import Order
from resolvers import holds
from storage.connect import Stores
from storage.embedded.process import ServerProcess
from storage.hot.hot_state import RecoveryMark
from storage.mongo.order_batch import Outcome
from tests.support.hold_orders import order_of
from tests.support.hot_keys import advance_clock, concert_key
from tests.support.sale import all_orders, buy, check_invariants, context, hold, make_overdue, on_sale, opened, stock
from tests.support.store_copies import StoreCopy, restart, until_trusted
from tests.support.waiting import wait_until
from workers.expiry import ExpiryWorker
from workers.settle import SettleWorker


async def sell(stores: Stores, concert: Concert, who: str, quantity: int = 1) -> Order:
    """Hold and buy tickets. Repeat each request after a retryable error, as a client does."""
    key = f"{who}-{quantity}"
    answers: list[Order] = []

    async def is_sold() -> bool:
        try:
            answers.append(
                await buy(stores, await hold(stores, concert, quantity, who=who, with_key=key), with_key=key)
            )
        except TemporarilyUnavailable:
            return False
        return True

    await wait_until(is_sold, what="the purchase")
    return answers[0]


async def sell_out(stores: Stores, concert: Concert, *, first: int) -> int:
    """Sell tickets one by one until the concert is sold out. Return how many were sold."""
    for number in range(first, first + 1_000):
        try:
            await sell(stores, concert, f"buyer{number}")
        except SoldOut:
            return number - first
    raise AssertionError("the concert did not sell out")


async def test_a_store_that_was_rolled_back_sells_no_unit_twice(
    own_stores: Stores, own_valkey: ServerProcess, tmp_path: Path
) -> None:
    concert = await on_sale(own_stores, 100, limit_per_person=2)
    for number in range(20):
        await sell(own_stores, concert, f"buyer{number}")
    kept = await hold(own_stores, concert, 2, who="keeper")
    copy = StoreCopy(own_valkey, tmp_path / "copy")
    await copy.take()
    for number in range(20, 50):
        await sell(own_stores, concert, f"buyer{number}")
    await sell(own_stores, concert, "full", 2)
    epoch = (await own_stores.holds.read_stock(concert)).epoch
    await copy.put_back()
    assert await sell_out(own_stores, concert, first=50) == 46
    with pytest.raises(LimitExceeded):
        await hold(own_stores, concert, 1, who="full")
    assert (await buy(own_stores, kept)).units
    units = Counter(unit for order in await all_orders(own_stores, concert) for unit in order.units)
    assert (len(units), max(units.values())) == (100, 1)
    assert (await own_stores.holds.read_stock(concert)).epoch > epoch
    await check_invariants(own_stores, concert)


async def test_a_hold_whose_units_were_sold_gets_other_units_or_ends(
    own_stores: Stores, own_valkey: ServerProcess, tmp_path: Path
) -> None:
    """In the older copy, these units are held; in MongoDB, they are sold to other people."""
    concert = await on_sale(own_stores, 4)
    lucky, unlucky = await hold(own_stores, concert, 1, who="lucky"), await hold(own_stores, concert, 2, who="unlucky")
    copy = StoreCopy(own_valkey, tmp_path / "copy")
    await copy.take()
    await until_trusted(own_stores, concert.id)
    for made in (lucky, unlucky):
        await holds.release_hold(context(own_stores, made.person_id), concert.id, made.id)
    sold = [await sell(own_stores, concert, f"buyer{number}") for number in range(3)]
    assert {unit for order in sold for unit in order.units} == {*lucky.units, *unlucky.units}
    await copy.put_back()
    await until_trusted(own_stores, concert.id)
    seen = {made.person_id: await own_stores.holds.get(concert.id, made.id) for made in (lucky, unlucky)}
    states = sorted(made.state for made in seen.values() if made is not None)
    assert states == [HoldState.ENDED, HoldState.ENDED] or states == [HoldState.ENDED, HoldState.HELD]
    await check_invariants(own_stores, concert)
    assert await sell_out(own_stores, concert, first=10) == 1 - states.count(HoldState.HELD)


async def test_a_hold_that_loses_two_units_to_an_order_ends_only_once(any_stores: Stores) -> None:
    """The first lost unit ends the hold; the order then takes the second unit from stock."""
    concert = await on_sale(any_stores, 2)
    loser = await hold(any_stores, concert, 2, who="loser")
    # MongoDB has an order for the same units, but this store never recorded it.
    winner = order_of(concert, loser, id=OrderId("0" * 32), person_id=PersonId("winner"))
    assert await any_stores.order_batch.insert(winner) is Outcome.RECORDED
    assert await any_stores.hot_state.record_order(winner) == "RECORDED"
    assert await stock(any_stores, concert) == [(0, 0, 2)]
    seen = await any_stores.holds.get(concert.id, loser.id)
    assert seen is not None
    assert (seen.state, seen.reason, seen.units) == (HoldState.ENDED, EndReason.UNITS_LOST, ())
    await check_invariants(any_stores, concert)


async def test_a_wiped_store_is_rebuilt_from_orders(own_stores: Stores, own_valkey: ServerProcess) -> None:
    concert = await on_sale(own_stores, 30, 5, limit_per_person=3)
    for number in range(10):
        await sell(own_stores, concert, f"buyer{number}", 2)
    lost = await hold(own_stores, concert, 0, 3, who="loser")
    await own_valkey.kill()
    shutil.rmtree(own_valkey.directory / "appendonlydir")
    await own_valkey.start()
    await until_trusted(own_stores, concert.id)
    assert await stock(own_stores, concert) == [(10, 0, 20), (5, 0, 0)]
    assert await own_stores.holds.get(concert.id, lost.id) is None
    with pytest.raises(LimitExceeded):
        await hold(own_stores, concert, 2, who="buyer0")
    assert await sell_out(own_stores, concert, first=100) == 10
    await check_invariants(own_stores, concert)


async def test_flushed_keys_of_a_running_store_are_rebuilt(own_stores: Stores) -> None:
    """The incarnation does not change, so only the missing state shows the loss."""
    concert = await on_sale(own_stores, 10)
    await sell(own_stores, concert, "buyer", 4)
    await own_stores.script_client.run_command("FLUSHALL")
    with pytest.raises(TemporarilyUnavailable):
        await own_stores.holds.read_stock(concert)
    await until_trusted(own_stores, concert.id)
    assert await stock(own_stores, concert) == [(6, 0, 4)]
    await check_invariants(own_stores, concert)


async def test_flushed_scripts_are_loaded_again(stores: Stores) -> None:
    concert = await on_sale(stores, 30)
    await stores.script_client.run_command("SCRIPT", "FLUSH")
    made = await asyncio.gather(*[hold(stores, concert, 1, who=f"buyer{number}") for number in range(10)])
    await stores.script_client.run_command("SCRIPT", "FLUSH")
    await asyncio.gather(*[buy(stores, one) for one in made])
    assert await stock(stores, concert) == [(20, 0, 10)]
    await check_invariants(stores, concert)


async def test_a_restart_during_a_sale_loses_nothing(own_stores: Stores, own_valkey: ServerProcess) -> None:
    concert = await on_sale(own_stores, 150)
    buyers = [asyncio.create_task(sell(own_stores, concert, f"buyer{number}")) for number in range(100)]
    await wait_until(lambda: any(buyer.done() for buyer in buyers), what="the first sale")
    await restart(own_valkey)
    sold = await asyncio.gather(*buyers)
    assert len({unit for order in sold for unit in order.units}) == 100
    await until_trusted(own_stores, concert.id)
    await finish_purchases(own_stores, concert)
    assert await stock(own_stores, concert) == [(50, 0, 100)]
    await check_invariants(own_stores, concert)


async def test_holds_survive_a_two_minute_outage(own_stores: Stores, own_valkey: ServerProcess) -> None:
    """The outage is real, but its two minutes are simulated by moving the stored times back."""
    concert = await on_sale(own_stores, 5, hold_duration_ms=60_000)
    made = await hold(own_stores, concert, 2)
    await make_older(own_stores, concert, made, timedelta(minutes=2))
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    await restart(own_valkey)
    await until_trusted(own_stores, concert.id)
    worker = ExpiryWorker()
    assert await worker.run_once(own_stores) == 0
    seen = await own_stores.holds.get(concert.id, made.id)
    assert seen is not None
    assert seen.state is HoldState.HELD
    assert before <= seen.expires_at - timedelta(seconds=60) <= datetime.now(UTC)
    assert (await buy(own_stores, made)).units == made.units
    await check_invariants(own_stores, concert)


async def test_two_processes_recover_a_concert_once(
    own_stores: Stores, own_valkey: ServerProcess, mongo_url: str, mongo_database: str
) -> None:
    concert = await on_sale(own_stores, 200)
    for number in range(20):
        await sell(own_stores, concert, f"buyer{number}")
    await restart(own_valkey)
    async with opened(own_valkey.url, mongo_url, mongo_database) as others:
        await asyncio.gather(*[sell(one, concert, f"late{n}") for one in (own_stores, others) for n in range(5)])
        await asyncio.gather(until_trusted(own_stores, concert.id), until_trusted(others, concert.id))
        assert (await own_stores.holds.read_stock(concert)) == (await others.holds.read_stock(concert))
    assert await stock(own_stores, concert) == [(175, 0, 25)]
    await check_invariants(own_stores, concert)


async def test_a_superseded_recovery_changes_nothing(own_stores: Stores, own_valkey: ServerProcess) -> None:
    concert = await on_sale(own_stores, 10)
    order = await sell(own_stores, concert, "buyer")
    await restart(own_valkey)
    raised = await own_stores.concerts.raise_epoch(concert.id)
    assert raised is not None
    mark = await own_stores.hot_state.mark_recovery(concert.id, raised.epoch)
    assert mark == RecoveryMark("MARKED", own_stores.hot_state.incarnation)
    assert (await own_stores.hot_state.mark_recovery(concert.id, raised.epoch + 1)).word == "BUSY"
    assert await own_stores.hot_state.record_order(order, epoch=raised.epoch + 1) == "RECOVERING"
    assert await own_stores.hot_state.finish_recovery(concert.id, raised.epoch + 1) == "RECOVERING"
    assert await own_stores.hot_state.record_order(order, epoch=raised.epoch) == "KNOWN"
    assert await own_stores.hot_state.finish_recovery(concert.id, raised.epoch) == "RECOVERED"
    assert (await own_stores.hot_state.mark_recovery(concert.id, raised.epoch + 1)).word == "TRUSTED"
    assert await stock(own_stores, concert) == [(9, 0, 1)]


async def finish_purchases(stores: Stores, concert: Concert) -> None:
    for number in range(100):
        for made in await stores.holds.list_for_person(
            concert.id, context(stores, f"buyer{number}").signed_in().person_id
        ):
            await make_overdue(stores, made)
    await SettleWorker().run_once(stores)


async def make_older(stores: Stores, concert: Concert, made: Hold, age: timedelta) -> None:
    """Move the concert's clock and this hold's deadline into the past."""
    ms = int(age.total_seconds() * 1000)
    run, state, holds_key = (
        stores.script_client.run_command,
        concert_key(concert, "state"),
        concert_key(concert, "holds"),
    )
    await advance_clock(stores, concert, -ms)
    await run("HINCRBY", state, "worker_ms", str(-ms))
    await run("ZINCRBY", concert_key(concert, "deadlines"), str(-ms), made.id)
    record = (await run("HGET", holds_key, made.id)).decode()
    deadline_ms = int(made.expires_at.timestamp() * 1000)
    older = record.replace(str(deadline_ms), str(deadline_ms - ms))
    assert older != record
    await run("HSET", holds_key, made.id, older)
