"""The hub on real stores: subscribers get the latest state, even after lost hints and outages."""

import asyncio
import random
from collections.abc import Collection
from functools import partial

import pytest

from domain.concerts import Concert
from domain.errors import NotFound
from domain.holds import Hold, HoldState
from domain.ids import ConcertId, OrderId, PersonId
from domain.orders import Order
from domain.queues import RoomStatus
from domain.topics import HoldsTopic, OrderTopic, QueueTopic, RoomTopic, Snapshot, StockTopic, Topic
from resolvers import concerts, holds, queues, rooms
from resolvers.snapshots import StoreSnapshotReader
from storage.connect import Stores
from storage.embedded.process import ServerProcess
from subscriptions.hub import Hub
from subscriptions.interfaces import Rendered
from subscriptions.publishing import concert_publisher
from tests.support.hub_recorder import ROOM, SnapshotRecorder, check_rising, open_hub, subscribe
from tests.support.lossy_hints import lose_hints
from tests.support.sale import buy, context, hold, key, lines, on_sale, opened, organizer, stock
from tests.support.script_calls import recorded_calls
from tests.support.waiting import wait_until
from workers.admission import AdmissionWorker
from workers.expiry import ExpiryWorker


def refresh_only_after_hints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concert_publisher, "MAX_REFRESH_INTERVAL_S", 1_000.0)


async def test_stock_is_pushed_when_it_changes(stores: Stores, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each push is caused by a hint, because the publisher refreshes only after hints."""
    refresh_only_after_hints(monkeypatch)
    concert = await on_sale(stores, 10)
    seen = await subscribe(hub, StockTopic(concert.id))
    assert seen.stock() == [(10, 0, 0)]
    made = await hold(stores, concert, 3)
    await wait_until(lambda: seen.stock() == [(7, 3, 0)], what="the hold")
    await buy(stores, made)
    await wait_until(lambda: seen.stock() == [(7, 0, 3)], what="the purchase")
    check_rising(seen)


async def test_pause_and_end_of_the_sale_are_pushed_with_the_stock(
    stores: Stores, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh_only_after_hints(monkeypatch)
    concert = await on_sale(stores, 10, room=ROOM)
    seen = await subscribe(hub, StockTopic(concert.id))
    statuses = [seen.sale().room.status]
    for change in (rooms.pause, rooms.resume, concerts.close_concert, concerts.cancel_concert):
        await change(organizer(stores), concert.id)
        await wait_until(lambda: len(seen.snapshots) > len(statuses), what=f"the push after {change.__name__}")
        statuses.append(seen.sale().room.status)
    assert statuses == [RoomStatus.OPEN, RoomStatus.PAUSED, RoomStatus.OPEN, RoomStatus.CLOSED, RoomStatus.CLOSED]
    assert seen.stock() == [(10, 0, 0)]
    check_rising(seen)


async def test_progress_of_a_queue_is_not_pushed_with_the_stock(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 10, room=ROOM)
    seen, room = [await subscribe(hub, topic) for topic in (StockTopic(concert.id), RoomTopic(concert.id))]
    await queues.join_queue(context(stores, "ann"), concert.id)
    # The stock is published before the room.
    await wait_until(lambda: room.room().waiting_count == 1, what="the person in the room")
    assert len(seen.snapshots) == 1


async def test_one_render_serves_a_whole_group(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 10)
    source = SnapshotRecorder(StockTopic(concert.id))
    received: list[list[Rendered]] = [[] for _ in range(50)]
    for one in received:
        await hub.subscribe(source, one.append)
    before = source.renders
    await hold(stores, concert, 1)
    await wait_until(lambda: all(len(one) == 2 for one in received), what="the deliveries")
    assert source.renders == before + 1


async def test_number_of_subscribers_does_not_affect_the_calls_per_change(
    stores: Stores, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh_only_after_hints(monkeypatch)
    concert = await on_sale(stores, 100)
    topic = StockTopic(concert.id)
    seen = await subscribe(hub, topic)

    async def hold_one() -> list[list[str]]:
        """Hold a ticket. Return the script calls that ran before the change was pushed."""
        held = seen.stock()[0][1]
        with recorded_calls(stores) as calls:
            await hold(stores, concert, 1, who=f"buyer{held}")
            await wait_until(lambda: seen.stock()[0][1] == held + 1, what="the change")
        return calls.round_trips

    await hold_one()
    cost = await hold_one()
    await asyncio.gather(*[subscribe(hub, topic) for _ in range(200)])
    await hold_one()
    assert await hold_one() == cost


async def test_latest_stock_arrives_even_if_all_hints_are_lost(
    stores: Stores, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_hub(stores, valkey_url) as (hub, feed):
        lose_hints(monkeypatch, feed)
        concert = await on_sale(stores, 200)
        seen = await subscribe(hub, StockTopic(concert.id))
        for number in range(20):
            await hold(stores, concert, 1, who=f"buyer{number}")
        await wait_until(lambda: seen.stock() == [(180, 20, 0)], what="the latest stock")
        check_rising(seen)


async def test_latest_queue_arrives_even_if_most_hints_are_lost(
    stores: Stores, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(7)
    async with open_hub(stores, valkey_url) as (hub, feed):
        lose_hints(monkeypatch, feed, is_kept=lambda: chance.random() < 0.3)
        concert = await on_sale(stores, 200, room=ROOM)
        seen = [
            await subscribe(hub, topic) for topic in (StockTopic(concert.id), QueueTopic(concert.id, PersonId("p7")))
        ]
        for number in range(30):
            await queues.join_queue(context(stores, f"p{number}"), concert.id)
        await wait_until(lambda: seen[1].queue().room.tail == 30, what="the latest queue")
        entry = await queues.get_viewer_entry(context(stores, "p7"), concert.id)
        assert entry is not None
        pushed = seen[1].entry()
        assert (pushed.number, pushed.position) == (entry.number, entry.position)
        for one in seen:
            check_rising(one)


async def test_every_change_to_a_hold_is_pushed(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 10)
    first = await hold(stores, concert, 2)
    seen = await subscribe(hub, HoldsTopic(concert.id, PersonId("alice")))
    assert seen.snapshots == [first]
    second = await hold(stores, concert, 1)
    await wait_until(lambda: second in seen.snapshots, what="the second hold")
    await holds.release_hold(context(stores), concert.id, first.id)
    await wait_until(lambda: _states(seen) == [HoldState.HELD, HoldState.HELD, HoldState.ENDED], what="the release")
    await hold(stores, concert, 1, who="bob")
    await buy(stores, second)
    await wait_until(lambda: _states(seen)[-1] is HoldState.SOLD, what="the purchase")
    assert {snapshot.person_id for snapshot in seen.snapshots if isinstance(snapshot, Hold)} == {"alice"}


def _states(seen: SnapshotRecorder) -> list[HoldState]:
    return [snapshot.state for snapshot in seen.snapshots if isinstance(snapshot, Hold)]


async def test_order_is_pushed_when_its_version_increases(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 10)
    order = await buy(stores, await hold(stores, concert, 1))
    seen = await subscribe(hub, OrderTopic(order.id))
    assert seen.snapshots == [order]
    await stores.orders.collection.update_one({"_id": order.id}, {"$set": {"version": 2}})
    await wait_until(lambda: len(seen.snapshots) == 2, what="the later version")
    assert isinstance(seen.last, Order)
    with pytest.raises(NotFound):
        await subscribe(hub, OrderTopic(OrderId("0" * 32)))


async def test_unknown_concert_is_refused_and_leaves_no_task(stores: Stores, hub: Hub) -> None:
    await on_sale(stores, 10)
    tasks = asyncio.all_tasks()
    with pytest.raises(NotFound):
        await subscribe(hub, StockTopic(ConcertId("nosuchconcer")))
    await wait_until(lambda: asyncio.all_tasks() <= tasks, what="the end of the publisher")


async def test_subscriptions_survive_an_outage_and_a_wiped_store(
    own_valkey: ServerProcess, mongo_url: str, mongo_database: str
) -> None:
    async with (
        opened(own_valkey.url, mongo_url, mongo_database) as stores,
        open_hub(stores, own_valkey.url) as (hub, feed),
    ):
        concert = await on_sale(stores, 10, room=ROOM)
        await queues.join_queue(context(stores, "ann"), concert.id)
        lost = await hold_in_room(stores, concert)
        topics: list[Topic] = [StockTopic(concert.id), QueueTopic(concert.id, PersonId("ann"))]
        seen = [await subscribe(hub, topic) for topic in [*topics, HoldsTopic(concert.id, PersonId("ann"))]]
        epoch = (await stores.holds.read_stock(concert)).epoch
        await own_valkey.kill()
        await own_valkey.start()
        await wait_until(lambda: _epoch(seen[1]) > epoch, what="the new epoch")
        assert seen[1].queue().entry is not None
        await stores.script_client.run_command("FLUSHALL")
        await wait_until(lambda: seen[1].queue().entry is None, what="the lost queue")
        await wait_until(lambda: seen[0].stock() == [(10, 0, 0)], what="the stock")
        await wait_until(lambda: _states(seen[2])[-1] is HoldState.ENDED, what="the lost hold")
        assert isinstance(seen[2].last, Hold)
        assert seen[2].last.id == lost.id
        assert feed.queued_messages() == 0
        for one in seen:
            check_rising(one)


def _epoch(seen: SnapshotRecorder) -> int:
    return seen.queue().room.epoch


async def hold_in_room(stores: Stores, concert: Concert) -> Hold:
    await ExpiryWorker().run_once(stores)
    await AdmissionWorker().run_once(stores)
    claimed = await queues.claim_pass(context(stores, "ann"), concert.id)
    assert claimed.queue_pass is not None
    return await holds.hold_tickets(
        context(stores, "ann"), concert.id, lines(concert, 1), key(), claimed.queue_pass.token
    )


async def test_subscribers_receive_the_exact_stock_during_a_sale(stores: Stores, hub: Hub) -> None:
    """The last pushed snapshot equals the result of a query."""
    concert = await on_sale(stores, 60, 40)
    seen = [await subscribe(hub, StockTopic(concert.id)) for _ in range(3)]
    made = await asyncio.gather(*[hold(stores, concert, 1, 1, who=f"buyer{number}") for number in range(30)])
    await asyncio.gather(*[buy(stores, one) for one in made[:15]])
    now = await stock(stores, concert)
    await wait_until(lambda: all(one.stock() == now for one in seen), what="the latest stock")
    assert now == [(30, 15, 15), (10, 15, 15)]
    for one in seen:
        check_rising(one)


async def test_every_device_receives_all_of_its_persons_holds(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 10)
    made = [await hold(stores, concert, 1) for _ in range(3)]
    topic = HoldsTopic(concert.id, PersonId("alice"))
    for _ in range(2):
        seen = await subscribe(hub, topic)
        await wait_until(partial(_has_seen, seen, 3), what="the holds")
        assert {snapshot.id for snapshot in seen.snapshots if isinstance(snapshot, Hold)} == {one.id for one in made}


def _has_seen(seen: SnapshotRecorder, count: int) -> bool:
    return len(seen.snapshots) == count


class FailingRecorder(SnapshotRecorder):
    async def render(self, snapshot: Snapshot) -> Rendered:
        raise RuntimeError("this snapshot cannot be rendered")


async def test_failed_render_delays_no_other_group(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 10)
    seen = await subscribe(hub, StockTopic(concert.id))
    broken = FailingRecorder(StockTopic(concert.id), group="broken")
    with pytest.raises(RuntimeError):
        await hub.subscribe(broken, broken.deliver)
    await hold(stores, concert, 1)
    await wait_until(lambda: seen.stock() == [(9, 1, 0)], what="the change")
    assert (await subscribe(hub, StockTopic(concert.id))).stock() == [(9, 1, 0)]


async def test_one_read_refreshes_all_orders(stores: Stores, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    concert = await on_sale(stores, 20, limit_per_person=20)
    made = [await buy(stores, await hold(stores, concert, 1)) for _ in range(5)]
    reads: list[set[OrderId]] = []
    read_orders = StoreSnapshotReader.read_orders

    async def record(reader: StoreSnapshotReader, order_ids: Collection[OrderId]) -> tuple[Order, ...]:
        reads.append(set(order_ids))
        return await read_orders(reader, order_ids)

    monkeypatch.setattr(StoreSnapshotReader, "read_orders", record)
    await asyncio.gather(*[subscribe(hub, OrderTopic(order.id)) for order in made])
    assert reads[0] == {order.id for order in made}
