"""Due orders and their leases, the workers' heartbeats, and the id of the installation."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

from domain.ids import ConcertId
from domain.orders import Order
from storage.connect import Stores
from storage.mongo.installation import InstallationStore
from storage.mongo.order_batch import Outcome
from storage.mongo.order_updates import UpdateOutcome
from storage.mongo.order_work import LEASE, MAX_GAP
from tests.support.payment_orders import CONCERT, DEADLINE, NOW, pending_order, with_intent

OTHER = ConcertId("npqrstuvwxyz")
SECOND = timedelta(seconds=1)


async def insert(stores: Stores, *orders: Order) -> None:
    for order in orders:
        assert await stores.order_batch.insert(order) is Outcome.RECORDED


def ids(orders: tuple[Order, ...]) -> list[str]:
    return [order.id for order in orders]


async def test_due_orders_are_leased_longest_due_first(stores: Stores) -> None:
    later, first, second = [
        pending_order(name, number, work_at=DEADLINE + number * SECOND)
        for number, name in ((2, "a"), (0, "b"), (1, "c"))
    ]
    await insert(stores, later, first, second, pending_order("done", 7, work_at=None))
    assert (await stores.order_work.lease_due(CONCERT, DEADLINE - SECOND, limit=10)).orders == ()
    assert (await stores.order_work.lease_due(CONCERT, DEADLINE + SECOND, limit=10)).orders == (first, second)


async def test_many_workers_lease_each_order_once(stores: Stores) -> None:
    made = [pending_order(f"o{number}", number) for number in range(60)]
    await insert(stores, *made)
    leases = await asyncio.gather(*[stores.order_work.lease_due(CONCERT, DEADLINE, limit=10) for _ in range(20)])
    rest = [await stores.order_work.lease_due(CONCERT, DEADLINE, limit=10) for _ in range(6)]
    leased = [order for lease in (*leases, *rest) for order in ids(lease.orders)]
    assert sorted(leased) == sorted(order.id for order in made)


async def test_a_lease_ends_after_its_time_or_when_released(stores: Stores) -> None:
    made = pending_order("a", 1)
    await insert(stores, made)
    lease = await stores.order_work.lease_due(CONCERT, DEADLINE, limit=10)
    assert (await stores.order_work.lease_due(CONCERT, DEADLINE + LEASE - SECOND, limit=10)).orders == ()
    again = await stores.order_work.lease_due(CONCERT, DEADLINE + LEASE, limit=10)
    assert ids(again.orders) == [made.id]
    # The first worker was slow. It must not release the lease of the second.
    await stores.order_work.release(lease)
    assert (await stores.order_work.lease_due(CONCERT, DEADLINE + LEASE, limit=10)).orders == ()
    await stores.order_work.release(again)
    assert ids((await stores.order_work.lease_due(CONCERT, DEADLINE + LEASE, limit=10)).orders) == [made.id]


async def test_a_leased_order_can_still_be_updated_and_keeps_its_lease(stores: Stores) -> None:
    made = pending_order("a", 1)
    await insert(stores, made)
    assert ids((await stores.order_work.lease_due(CONCERT, DEADLINE, limit=10)).orders) == [made.id]
    changed = with_intent(made)
    assert await stores.order_updates.update(changed) is UpdateOutcome.WON
    assert (await stores.order_work.lease_due(CONCERT, DEADLINE, limit=10)).orders == ()
    assert (await stores.order_work.lease_due(CONCERT, DEADLINE + LEASE, limit=10)).orders == (changed,)


async def test_an_order_without_work_loses_its_lease(stores: Stores) -> None:
    made = pending_order("a", 1)
    await insert(stores, made)
    await stores.order_work.lease_due(CONCERT, DEADLINE, limit=10)
    idle = replace(with_intent(made), work_at=None)
    assert await stores.order_updates.update(idle) is UpdateOutcome.WON
    busy = replace(idle, version=3, work_at=DEADLINE)
    assert await stores.order_updates.update(busy) is UpdateOutcome.WON
    assert (await stores.order_work.lease_due(CONCERT, DEADLINE, limit=10)).orders == (busy,)


async def test_concerts_with_due_orders_are_found_by_skipping_in_the_index(stores: Stores) -> None:
    await insert(
        stores,
        *[pending_order(f"o{number}", number) for number in range(50)],
        pending_order("other", 1, concert_id=OTHER, work_at=DEADLINE + SECOND),
    )
    assert await stores.order_work.find_concerts(DEADLINE) == (CONCERT,)
    assert sorted(await stores.order_work.find_concerts(DEADLINE + SECOND)) == [CONCERT, OTHER]
    due = {"concertId": {"$gt": ""}, "workAt": {"$lte": DEADLINE}}
    query = {"distinct": "orders", "key": "concertId", "query": due}
    plan: dict[str, Any] = await stores.mongo.command("explain", query, verbosity="executionStats")
    assert plan["executionStats"]["totalDocsExamined"] == 0
    # The scan skips from concert to concert, whatever the number of due orders.
    assert plan["executionStats"]["totalKeysExamined"] < 10


async def test_a_heartbeat_returns_when_the_last_gap_ended(stores: Stores) -> None:
    beat = stores.worker_heartbeats.beat
    assert await beat("orders", NOW) == NOW
    assert await beat("orders", NOW + MAX_GAP) == NOW
    # A worker on another host, whose clock is behind.
    assert await beat("orders", NOW) == NOW
    assert await beat("orders", NOW + 2 * MAX_GAP) == NOW
    resumed_at = NOW + 3 * MAX_GAP + SECOND
    assert await beat("orders", resumed_at) == resumed_at
    assert await beat("orders", resumed_at + SECOND) == resumed_at
    assert await beat("others", resumed_at + SECOND) == resumed_at + SECOND


async def test_workers_that_end_a_gap_together_agree_on_its_end(stores: Stores) -> None:
    beats = [stores.worker_heartbeats.beat("orders", NOW + number * timedelta(milliseconds=1)) for number in range(50)]
    found = await asyncio.gather(*beats)
    assert len(set(found)) == 1


async def test_every_process_reads_the_same_installation_id(stores: Stores) -> None:
    others = [InstallationStore(stores.mongo) for _ in range(20)]
    ids = await asyncio.gather(*[store.id() for store in (stores.installation, *others)])
    assert len(set(ids)) == 1
    assert len(ids[0]) == 32
