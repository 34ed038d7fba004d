"""A store that forgot: put back to an older copy, wiped, flushed, restarted, away for long. Nothing is sold twice."""

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from domain.concerts import Concert
from domain.errors import LimitExceeded, SoldOut, TemporarilyUnavailable
from domain.holds import EndReason, Hold, HoldState
from domain.ids import OrderId, PersonId
from domain.orders import Order, OrderEvent, OrderStatus
from resolvers import holds
from storage.connect import Stores
from storage.embedded.process import ServerProcess
from storage.mongo.order_batch import Outcome
from tests.support.sale import (
    CUSTOMER,
    all_orders,
    buy,
    check_invariants,
    context,
    hold,
    make_overdue,
    on_sale,
    opened,
    stock,
)
from tests.support.waiting import wait_until
from workers.expiry import ExpiryWorker
from workers.settle import SettleWorker


@pytest_asyncio.fixture
async def own_stores(own_valkey: ServerProcess, mongo_url: str, mongo_database: str) -> AsyncIterator[Stores]:
    async with opened(own_valkey.url, mongo_url, mongo_database) as stores:
        yield stores


class Copy:
    """The store's data as it was at one moment."""

    def __init__(self, child: ServerProcess, place: Path) -> None:
        self._child = child
        self._place = place

    async def take(self) -> None:
        await self._child.kill()
        shutil.copytree(self._child.directory / "appendonlydir", self._place)
        await self._child.start()

    async def put_back(self) -> None:
        """Under running processes with open connections."""
        await self._child.kill()
        shutil.rmtree(self._child.directory / "appendonlydir")
        shutil.copytree(self._place, self._child.directory / "appendonlydir")
        await self._child.start()


async def sell(stores: Stores, concert: Concert, who: str, quantity: int = 1) -> Order:
    """Buys with patience, as a client that repeats what is retryable."""
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

    await wait_until(is_sold, timeout=20, what="the purchase")
    return answers[0]


async def sell_out(stores: Stores, concert: Concert, *, first: int) -> int:
    """Sells one by one until nothing is left; how many that were."""
    for number in range(first, first + 1_000):
        try:
            await sell(stores, concert, f"buyer{number}")
        except SoldOut:
            return number - first
    raise AssertionError("the concert does not sell out")


async def test_a_store_put_back_to_an_older_copy_sells_nothing_twice(
    own_stores: Stores, own_valkey: ServerProcess, tmp_path: Path
) -> None:
    concert = await on_sale(own_stores, 100, limit_per_person=2)
    for number in range(20):
        await sell(own_stores, concert, f"buyer{number}")
    kept = await hold(own_stores, concert, 2, who="keeper")
    copy = Copy(own_valkey, tmp_path / "copy")
    await copy.take()
    for number in range(20, 50):
        await sell(own_stores, concert, f"buyer{number}")
    await sell(own_stores, concert, "full", 2)
    epoch = (await own_stores.holds.read_stock(concert.id)).epoch
    await copy.put_back()
    assert await sell_out(own_stores, concert, first=50) == 46
    with pytest.raises(LimitExceeded):
        await hold(own_stores, concert, 1, who="full")
    assert (await buy(own_stores, kept)).units
    units = Counter(unit for order in await all_orders(own_stores, concert) for unit in order.units)
    assert (len(units), max(units.values())) == (100, 1)
    assert (await own_stores.holds.read_stock(concert.id)).epoch > epoch
    await check_invariants(own_stores, concert)


async def test_a_hold_whose_units_were_sold_meanwhile_gets_others_or_ends(
    own_stores: Stores, own_valkey: ServerProcess, tmp_path: Path
) -> None:
    """In the older copy these units are held; in MongoDB they were sold to somebody else."""
    concert = await on_sale(own_stores, 4)
    lucky, unlucky = await hold(own_stores, concert, 1, who="lucky"), await hold(own_stores, concert, 2, who="unlucky")
    copy = Copy(own_valkey, tmp_path / "copy")
    await copy.take()
    await until_trusted(own_stores, concert)
    for made in (lucky, unlucky):
        await holds.release_hold(context(own_stores, made.person_id), concert.id, made.id)
    sold = [await sell(own_stores, concert, f"buyer{number}") for number in range(3)]
    assert {unit for order in sold for unit in order.units} == {*lucky.units, *unlucky.units}
    await copy.put_back()
    await until_trusted(own_stores, concert)
    seen = {made.person_id: await own_stores.holds.get(concert.id, made.id) for made in (lucky, unlucky)}
    states = sorted(made.state for made in seen.values() if made is not None)
    assert states == [HoldState.ENDED, HoldState.ENDED] or states == [HoldState.ENDED, HoldState.HELD]
    await check_invariants(own_stores, concert)
    assert await sell_out(own_stores, concert, first=10) == 1 - states.count(HoldState.HELD)


async def test_a_hold_that_loses_two_units_to_one_order_ends_once(any_stores: Stores) -> None:
    """The first loss ends it and gives the second unit back, which the order then takes from stock."""
    concert = await on_sale(any_stores, 2)
    loser = await hold(any_stores, concert, 2, who="loser")
    winner = await sold_elsewhere(any_stores, concert, loser)
    assert await any_stores.hot_state.record_order(winner) == "RECORDED"
    assert await stock(any_stores, concert) == [(0, 0, 2)]
    seen = await any_stores.holds.get(concert.id, loser.id)
    assert seen is not None
    assert (seen.state, seen.reason, seen.units) == (HoldState.ENDED, EndReason.UNITS_LOST, ())
    await check_invariants(any_stores, concert)


async def sold_elsewhere(stores: Stores, concert: Concert, made: Hold) -> Order:
    """An order for these units that MongoDB has and this store never knew."""
    now = datetime.now(UTC)
    order = Order(
        id=OrderId("0" * 32),
        concert_id=concert.id,
        person_id=PersonId("winner"),
        status=OrderStatus.PAID,
        units=made.units,
        released_units=(),
        lines=made.lines,
        currency=concert.currency,
        customer=CUSTOMER,
        version=1,
        events=(OrderEvent("PAID", now),),
        created_at=now,
    )
    assert await stores.order_batch.insert(order) is Outcome.RECORDED
    return order


async def test_a_wiped_store_is_filled_again_from_orders(own_stores: Stores, own_valkey: ServerProcess) -> None:
    concert = await on_sale(own_stores, 30, 5, limit_per_person=3)
    for number in range(10):
        await sell(own_stores, concert, f"buyer{number}", 2)
    lost = await hold(own_stores, concert, 0, 3, who="loser")
    await own_valkey.kill()
    shutil.rmtree(own_valkey.directory / "appendonlydir")
    await own_valkey.start()
    await until_trusted(own_stores, concert)
    assert await stock(own_stores, concert) == [(10, 0, 20), (5, 0, 0)]
    assert await own_stores.holds.get(concert.id, lost.id) is None
    with pytest.raises(LimitExceeded):
        await hold(own_stores, concert, 2, who="buyer0")
    assert await sell_out(own_stores, concert, first=100) == 10
    await check_invariants(own_stores, concert)


async def test_flushed_keys_under_a_running_store_come_back(own_stores: Stores) -> None:
    """The incarnation stays the same, so only the missing state tells."""
    concert = await on_sale(own_stores, 10)
    await sell(own_stores, concert, "buyer", 4)
    await own_stores.script_client.run_command("FLUSHALL")
    with pytest.raises(TemporarilyUnavailable):
        await own_stores.holds.read_stock(concert.id)
    await until_trusted(own_stores, concert)
    assert await stock(own_stores, concert) == [(6, 0, 4)]
    await check_invariants(own_stores, concert)


async def test_flushed_scripts_are_sent_again(stores: Stores) -> None:
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
    await own_valkey.kill()
    await own_valkey.start()
    sold = await asyncio.gather(*buyers)
    assert len({unit for order in sold for unit in order.units}) == 100
    await until_trusted(own_stores, concert)
    await finish_purchases(own_stores, concert)
    assert await stock(own_stores, concert) == [(50, 0, 100)]
    await check_invariants(own_stores, concert)


async def test_an_outage_of_two_minutes_costs_nobody_a_hold(own_stores: Stores, own_valkey: ServerProcess) -> None:
    """The outage is real, its two minutes are not: the clock of what the store remembers is put back by as much."""
    concert = await on_sale(own_stores, 5, hold_duration_ms=60_000)
    made = await hold(own_stores, concert, 2)
    await make_older(own_stores, concert, made, timedelta(minutes=2))
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    await own_valkey.kill()
    await own_valkey.start()
    await until_trusted(own_stores, concert)
    worker = ExpiryWorker()
    assert await worker.run_once(own_stores) == 0
    seen = await own_stores.holds.get(concert.id, made.id)
    assert seen is not None
    assert seen.state is HoldState.HELD
    assert before <= seen.expires_at - timedelta(seconds=60) <= datetime.now(UTC)
    assert (await buy(own_stores, made)).units == made.units
    await check_invariants(own_stores, concert)


async def test_two_processes_recover_once(
    own_stores: Stores, own_valkey: ServerProcess, mongo_url: str, mongo_database: str
) -> None:
    concert = await on_sale(own_stores, 200)
    for number in range(20):
        await sell(own_stores, concert, f"buyer{number}")
    await own_valkey.kill()
    await own_valkey.start()
    async with opened(own_valkey.url, mongo_url, mongo_database) as others:
        await asyncio.gather(*[sell(one, concert, f"late{n}") for one in (own_stores, others) for n in range(5)])
        await asyncio.gather(until_trusted(own_stores, concert), until_trusted(others, concert))
        assert (await own_stores.holds.read_stock(concert.id)) == (await others.holds.read_stock(concert.id))
    assert await stock(own_stores, concert) == [(175, 0, 25)]
    await check_invariants(own_stores, concert)


async def test_a_recovery_overtaken_by_another_does_nothing_more(own_stores: Stores, own_valkey: ServerProcess) -> None:
    concert = await on_sale(own_stores, 10)
    order = await sell(own_stores, concert, "buyer")
    await own_valkey.kill()
    await own_valkey.start()
    raised = await own_stores.concerts.raise_epoch(concert.id)
    assert raised is not None
    assert await own_stores.hot_state.mark_recovery(concert.id, raised.epoch) == "MARKED"
    assert await own_stores.hot_state.mark_recovery(concert.id, raised.epoch + 1) == "BUSY"
    assert await own_stores.hot_state.record_order(order, epoch=raised.epoch + 1) == "RECOVERING"
    assert await own_stores.hot_state.finish_recovery(concert.id, raised.epoch + 1) == "RECOVERING"
    assert await own_stores.hot_state.record_order(order, epoch=raised.epoch) == "KNOWN"
    assert await own_stores.hot_state.finish_recovery(concert.id, raised.epoch) == "RECOVERED"
    assert await own_stores.hot_state.mark_recovery(concert.id, raised.epoch + 1) == "TRUSTED"
    assert await stock(own_stores, concert) == [(9, 0, 1)]


async def until_trusted(stores: Stores, concert: Concert) -> None:
    async def is_trusted() -> bool:
        try:
            await stores.holds.read_stock(concert.id)
        except TemporarilyUnavailable:
            return False
        return True

    await wait_until(is_trusted, timeout=15, what="the recovery")


async def finish_purchases(stores: Stores, concert: Concert) -> None:
    for number in range(100):
        for made in await stores.holds.list_for_person(
            concert.id, context(stores, f"buyer{number}").signed_in().person_id
        ):
            await make_overdue(stores, made)
    await SettleWorker().run_once(stores)


async def make_older(stores: Stores, concert: Concert, made: Hold, age: timedelta) -> None:
    """Moves the concert's clock and this hold's deadline into the past."""
    tag = f"onsale2:{{c:{concert.id}}}"
    ms = int(age.total_seconds() * 1000)
    for field in ("now_ms", "worker_ms"):
        await stores.script_client.run_command("HINCRBY", f"{tag}:state", field, str(-ms))
    await stores.script_client.run_command("ZINCRBY", f"{tag}:deadlines", str(-ms), made.id)
    record = (await stores.script_client.run_command("HGET", f"{tag}:holds", made.id)).decode()
    deadline_ms = int(made.expires_at.timestamp() * 1000)
    older = record.replace(str(deadline_ms), str(deadline_ms - ms))
    assert older != record
    await stores.script_client.run_command("HSET", f"{tag}:holds", made.id, older)
