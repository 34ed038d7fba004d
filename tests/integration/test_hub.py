"""The push path on real stores: everybody ends at the newest state, whatever happens to hints or to the store."""

import asyncio
import random
from functools import partial

import pytest

from domain.concerts import Concert
from domain.errors import NotFound
from domain.holds import Hold, HoldState
from domain.ids import ConcertId, OrderId, PersonId
from domain.orders import Order
from domain.topics import HoldsTopic, OrderTopic, QueueTopic, Snapshot, StockTopic, Topic
from resolvers import holds, queues
from storage.connect import Stores
from storage.embedded.process import ServerProcess
from storage.keys import hints_channel
from subscriptions.hub import Hub
from subscriptions.interfaces import Rendered
from subscriptions.publishing import concert_publisher
from tests.support.hub_recorder import ROOM, SnapshotRecorder, check_rising, open_hub, subscribe
from tests.support.sale import buy, context, hold, key, lines, on_sale, opened, stock
from tests.support.waiting import wait_until
from workers.admission import AdmissionWorker
from workers.expiry import ExpiryWorker


async def test_stock_is_pushed_as_it_moves(stores: Stores, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its hint: no refresh comes by itself."""
    monkeypatch.setattr(concert_publisher, "MAX_REFRESH_INTERVAL_S", 1_000.0)
    concert = await on_sale(stores, 10)
    seen = await subscribe(hub, StockTopic(concert.id))
    assert seen.stock() == [(10, 0, 0)]
    made = await hold(stores, concert, 3)
    await wait_until(lambda: seen.stock() == [(7, 3, 0)], what="the hold")
    await buy(stores, made)
    await wait_until(lambda: seen.stock() == [(7, 0, 3)], what="the purchase")
    check_rising(seen)


async def test_one_render_serves_a_group(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 10)
    source = SnapshotRecorder(StockTopic(concert.id))
    taken: list[list[Rendered]] = [[] for _ in range(50)]
    for one in taken:
        await hub.subscribe(source, one.append)
    before = source.renders
    await hold(stores, concert, 1)
    await wait_until(lambda: all(len(one) == 2 for one in taken), what="the deliveries")
    assert source.renders == before + 1


async def test_a_topic_costs_the_same_for_one_and_for_many(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 100)

    async def cost_of_a_change() -> int:
        before = await _commands(stores)
        seen = await subscribe(hub, StockTopic(concert.id))
        held = seen.stock()[0][1]
        await hold(stores, concert, 1, who=f"buyer{held}")
        await wait_until(lambda: seen.stock()[0][1] == held + 1, what="the change")
        return await _commands(stores) - before

    first = await cost_of_a_change()
    for _ in range(200):
        await subscribe(hub, StockTopic(concert.id))
    # The polls of the passing second are in both.
    assert await cost_of_a_change() <= first + 12


async def _commands(stores: Stores) -> int:
    text = (await stores.script_client.run_command("INFO", "commandstats")).decode()
    return sum(int(line.split("calls=")[1].split(",")[0]) for line in text.splitlines() if "evalsha" in line)


async def test_without_any_hint_everybody_ends_at_the_newest_state(stores: Stores, valkey_url: str) -> None:
    async with open_hub(stores, valkey_url) as (hub, feed):
        concert = await on_sale(stores, 200)
        seen = await subscribe(hub, StockTopic(concert.id))
        await feed.stop_listening(hints_channel(concert.id))
        feed.listen(hints_channel(concert.id), lambda _: None)
        for number in range(20):
            await hold(stores, concert, 1, who=f"buyer{number}")
        await wait_until(lambda: seen.stock() == [(180, 20, 0)], what="the newest stock")
        check_rising(seen)


async def test_with_hints_lost_at_random_too(stores: Stores, valkey_url: str) -> None:
    chance = random.Random(7)
    async with open_hub(stores, valkey_url) as (hub, feed):
        concert = await on_sale(stores, 200, room=ROOM)
        watching = hub._publisher_for(StockTopic(concert.id))
        heard = watching.on_hint  # type: ignore[union-attr]
        seen = [
            await subscribe(hub, topic) for topic in (StockTopic(concert.id), QueueTopic(concert.id, PersonId("p7")))
        ]
        await feed.stop_listening(hints_channel(concert.id))
        feed.listen(hints_channel(concert.id), lambda message: heard(message) if chance.random() < 0.3 else None)
        for number in range(30):
            await queues.join_queue(context(stores, f"p{number}"), concert.id)
        await wait_until(lambda: seen[1].line().room.tail == 30, what="the newest line")
        position = await queues.get_viewer_entry(context(stores, "p7"), concert.id)
        assert position is not None
        shown = seen[1].line().entry
        assert shown is not None
        assert (shown.number, shown.position) == (position.number, position.position)
        for one in seen:
            check_rising(one)


async def test_holds_are_shown_when_they_change_and_why_they_end(stores: Stores, hub: Hub) -> None:
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
    assert {shown.person_id for shown in seen.snapshots if isinstance(shown, Hold)} == {"alice"}


def _states(seen: SnapshotRecorder) -> list[HoldState]:
    return [shown.state for shown in seen.snapshots if isinstance(shown, Hold)]


async def test_an_order_is_shown_when_its_version_rises(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 10)
    order = await buy(stores, await hold(stores, concert, 1))
    seen = await subscribe(hub, OrderTopic(order.id))
    assert seen.snapshots == [order]
    await stores.orders.collection.update_one({"_id": order.id}, {"$set": {"version": 2}})
    await wait_until(lambda: len(seen.snapshots) == 2, what="the newer order")
    assert isinstance(seen.last, Order)
    with pytest.raises(NotFound):
        await subscribe(hub, OrderTopic(OrderId("0" * 32)))


async def test_what_does_not_exist_is_refused_and_not_watched(hub: Hub) -> None:
    with pytest.raises(NotFound):
        await subscribe(hub, StockTopic(ConcertId("nosuchconcer")))
    await wait_until(lambda: not hub._concerts, what="the end of the watch")


async def test_watches_survive_an_outage_and_a_wiped_store(
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
        epoch = (await stores.holds.read_stock(concert.id)).epoch
        await own_valkey.kill()
        await own_valkey.start()
        await wait_until(lambda: _epoch(seen[1]) > epoch, timeout=15, what="the new epoch")
        assert seen[1].line().entry is not None
        await stores.script_client.run_command("FLUSHALL")
        await wait_until(lambda: seen[1].line().entry is None, timeout=15, what="the lost line")
        await wait_until(lambda: seen[0].stock() == [(10, 0, 0)], what="the stock")
        await wait_until(lambda: _states(seen[2])[-1] is HoldState.ENDED, what="the lost hold")
        assert isinstance(seen[2].last, Hold)
        assert seen[2].last.id == lost.id
        assert feed.queued_messages() == 0
        for one in seen:
            check_rising(one)


def _epoch(seen: SnapshotRecorder) -> int:
    return seen.line().room.epoch


async def hold_in_room(stores: Stores, concert: Concert) -> Hold:
    await ExpiryWorker().run_once(stores)
    await AdmissionWorker().run_once(stores)
    claimed = await queues.claim_pass(context(stores, "ann"), concert.id)
    assert claimed.queue_pass is not None
    return await holds.hold_tickets(
        context(stores, "ann"), concert.id, lines(concert, 1), key(), claimed.queue_pass.token
    )


async def test_the_stock_of_a_sale_reaches_its_watchers_exactly(stores: Stores, hub: Hub) -> None:
    """apply(old snapshot, updates) = new snapshot: the last one pushed is what a new reader sees."""
    concert = await on_sale(stores, 60, 40)
    seen = [await subscribe(hub, StockTopic(concert.id)) for _ in range(3)]
    made = await asyncio.gather(*[hold(stores, concert, 1, 1, who=f"buyer{number}") for number in range(30)])
    await asyncio.gather(*[buy(stores, one) for one in made[:15]])
    now = await stock(stores, concert)
    await wait_until(lambda: all(one.stock() == now for one in seen), what="the newest stock")
    assert now == [(30, 15, 15), (10, 15, 15)]
    for one in seen:
        check_rising(one)


async def test_another_device_sees_every_hold_of_its_person(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 10)
    made = [await hold(stores, concert, 1) for _ in range(3)]
    topic = HoldsTopic(concert.id, PersonId("alice"))
    for _ in range(2):
        seen = await subscribe(hub, topic)
        await wait_until(partial(_has_seen, seen, 3), what="the holds")
        assert {shown.id for shown in seen.snapshots if isinstance(shown, Hold)} == {one.id for one in made}


def _has_seen(seen: SnapshotRecorder, count: int) -> bool:
    return len(seen.snapshots) == count


class Broken(SnapshotRecorder):
    async def render(self, snapshot: Snapshot) -> Rendered:
        raise RuntimeError("this one cannot be shown")


async def test_a_render_that_fails_keeps_nobody_else_from_their_news(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 10)
    seen = await subscribe(hub, StockTopic(concert.id))
    broken = Broken(StockTopic(concert.id), group="broken")
    with pytest.raises(RuntimeError):
        await hub.subscribe(broken, broken.deliver)
    await hold(stores, concert, 1)
    await wait_until(lambda: seen.stock() == [(9, 1, 0)], what="the change")
    assert (await subscribe(hub, StockTopic(concert.id))).stock() == [(9, 1, 0)]


async def test_many_orders_are_watched_by_one_task(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 20, limit_per_person=20)
    made = [await buy(stores, await hold(stores, concert, 1)) for _ in range(5)]
    await asyncio.gather(*[subscribe(hub, OrderTopic(order.id)) for order in made])
    assert len(hub._tasks) == 1
