"""The push path on real stores: everybody ends at the newest state, whatever happens to hints; positions are exact."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import pytest
import pytest_asyncio
import redis.asyncio

from domain.concerts import Concert
from domain.errors import NotFound
from domain.holds import Hold, HoldState
from domain.ids import ConcertId, OrderId, PersonId
from domain.orders import Order
from domain.queues import EntryState, RoomSettings
from domain.stock import Stock
from domain.topics import HoldsTopic, LineSnapshot, LineTopic, OrderTopic, Snapshot, StockTopic, Topic
from resolvers import holds, queues
from resolvers.snapshots import StoreReader
from storage.child import Child
from storage.connect import Stores
from storage.keys import hints_channel
from subscriptions.feed import GAP, Feed
from subscriptions.hub import Hub, Watch
from subscriptions.sources import Rendered
from tests.support.sale import PASSES, buy, context, hold, key, lines, on_sale, opened, stock
from tests.support.waiting import wait_until
from workers.admission import AdmissionWorker
from workers.expiry import ExpiryWorker

TICK_S = 0.02
ROOM = RoomSettings(suspended=False, total_active_users=2, new_users_per_minute=10_000)


@dataclass(frozen=True, slots=True)
class Shown(Rendered):
    snapshot: Snapshot | None = None


@dataclass
class Seen:
    """A source that shows snapshots as they are, and who was shown what."""

    topic: Topic
    group: str = "all"
    renders: int = 0
    snapshots: list[Snapshot] = field(default_factory=list)

    async def render(self, snapshot: Snapshot) -> Rendered:
        self.renders += 1
        return Shown(b"{}", snapshot=snapshot)

    def deliver(self, rendered: Rendered) -> None:
        assert isinstance(rendered, Shown)
        assert rendered.snapshot is not None
        self.snapshots.append(rendered.snapshot)

    @property
    def last(self) -> Snapshot:
        return self.snapshots[-1]

    def stock(self) -> list[tuple[int, int, int]]:
        assert isinstance(self.last, Stock)
        return [(tier.available, tier.held, tier.sold) for tier in self.last.tiers]

    def line(self) -> LineSnapshot:
        assert isinstance(self.last, LineSnapshot)
        return self.last


@asynccontextmanager
async def hub_on(stores: Stores, url: str) -> AsyncIterator[tuple[Hub, Feed]]:
    feed = Feed(url)
    await feed.start()
    hub = Hub(feed, StoreReader(stores, PASSES), stores.queues, tick_s=TICK_S)
    try:
        yield hub, feed
    finally:
        await hub.aclose()
        await feed.aclose()


@pytest_asyncio.fixture
async def hub(stores: Stores, valkey_url: str) -> AsyncIterator[Hub]:
    async with hub_on(stores, valkey_url) as (made, _):
        yield made


async def watch(hub: Hub, topic: Topic) -> Seen:
    seen = Seen(topic)
    await hub.watch(seen, seen.deliver)
    return seen


def check_rising(seen: Seen) -> None:
    versions = [
        (shown.room.epoch, shown.room.version) if isinstance(shown, LineSnapshot) else (shown.epoch, shown.version)
        for shown in seen.snapshots
        if isinstance(shown, LineSnapshot | Stock)
    ]
    assert versions == sorted(versions)


async def test_stock_is_pushed_as_it_moves(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 10)
    seen = await watch(hub, StockTopic(concert.id))
    assert seen.stock() == [(10, 0, 0)]
    made = await hold(stores, concert, 3)
    await wait_until(lambda: seen.stock() == [(7, 3, 0)], timeout=0.9, what="the hold")
    await buy(stores, made)
    await wait_until(lambda: seen.stock() == [(7, 0, 3)], timeout=0.9, what="the purchase")
    check_rising(seen)


async def test_one_render_serves_a_group(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 10)
    source = Seen(StockTopic(concert.id))
    taken: list[list[Rendered]] = [[] for _ in range(50)]
    for one in taken:
        await hub.watch(source, one.append)
    before = source.renders
    await hold(stores, concert, 1)
    await wait_until(lambda: all(len(one) == 2 for one in taken), what="the deliveries")
    assert source.renders == before + 1


async def test_a_topic_costs_the_same_for_one_and_for_many(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 100)

    async def cost_of_a_change() -> int:
        before = await _commands(stores)
        seen = await watch(hub, StockTopic(concert.id))
        held = seen.stock()[0][1]
        await hold(stores, concert, 1, who=f"buyer{held}")
        await wait_until(lambda: seen.stock()[0][1] == held + 1, what="the change")
        return await _commands(stores) - before

    first = await cost_of_a_change()
    for _ in range(200):
        await watch(hub, StockTopic(concert.id))
    # The polls of the passing second are in both.
    assert await cost_of_a_change() <= first + 12


async def _commands(stores: Stores) -> int:
    text = (await stores.link.run("INFO", "commandstats")).decode()
    return sum(int(line.split("calls=")[1].split(",")[0]) for line in text.splitlines() if "evalsha" in line)


async def test_without_any_hint_everybody_ends_at_the_newest_state(stores: Stores, valkey_url: str) -> None:
    async with hub_on(stores, valkey_url) as (hub, feed):
        concert = await on_sale(stores, 200)
        seen = await watch(hub, StockTopic(concert.id))
        await feed.leave(hints_channel(concert.id))
        feed.listen(hints_channel(concert.id), lambda _: None)
        for number in range(20):
            await hold(stores, concert, 1, who=f"buyer{number}")
        await wait_until(lambda: seen.stock() == [(180, 20, 0)], timeout=1.5, what="the newest stock")
        check_rising(seen)


async def test_with_hints_lost_at_random_too(stores: Stores, valkey_url: str) -> None:
    chance = random.Random(7)
    async with hub_on(stores, valkey_url) as (hub, feed):
        concert = await on_sale(stores, 200, room=ROOM)
        watching = hub._watch_of(StockTopic(concert.id))
        heard = watching.notice  # type: ignore[union-attr]
        seen = [await watch(hub, topic) for topic in (StockTopic(concert.id), LineTopic(concert.id, PersonId("p7")))]
        await feed.leave(hints_channel(concert.id))
        feed.listen(hints_channel(concert.id), lambda message: heard(message) if chance.random() < 0.3 else None)
        for number in range(30):
            await queues.join_queue(context(stores, f"p{number}"), concert.id)
        await wait_until(lambda: seen[1].line().room.tail == 30, timeout=1.5, what="the newest line")
        position = await queues.entry_of_viewer(context(stores, "p7"), concert.id)
        assert position is not None
        shown = seen[1].line().entry
        assert shown is not None
        assert (shown.number, shown.position) == (position.number, position.position)
        for one in seen:
            check_rising(one)


async def test_a_person_sees_the_line_move_and_is_called(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 10, room=ROOM)
    for who in ("ann", "ben", "cyd", "dan"):
        await queues.join_queue(context(stores, who), concert.id)
    seen = await watch(hub, LineTopic(concert.id, PersonId("dan")))
    assert _place(seen) == (EntryState.WAITING, 4)
    await ExpiryWorker().run_once(stores)
    await AdmissionWorker().run_once(stores)
    await wait_until(lambda: _place(seen) == (EntryState.WAITING, 2), what="two calls")
    for who in ("ann", "cyd"):
        await queues.leave_queue(context(stores, who), concert.id)
    await AdmissionWorker().run_once(stores)
    await wait_until(lambda: _place(seen) == (EntryState.READY, 0), what="the call")
    await queues.claim_pass(context(stores, "dan"), concert.id)
    await wait_until(lambda: _place(seen)[0] is EntryState.ADMITTED, what="the pass")
    entry = seen.line().entry
    assert entry is not None
    assert entry.queue_pass is not None
    assert entry.queue_pass.token is not None
    check_rising(seen)


def _place(seen: Seen) -> tuple[EntryState, int]:
    entry = seen.line().entry
    assert entry is not None
    return entry.state, entry.position


async def test_who_watches_before_joining_sees_the_join_from_any_device(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 10, room=ROOM)
    seen = [await watch(hub, LineTopic(concert.id, PersonId("ann"))) for _ in range(2)]
    assert [one.line().entry for one in seen] == [None, None]
    await queues.join_queue(context(stores, "ann"), concert.id)
    await wait_until(lambda: all(one.line().entry for one in seen), what="the place")
    assert seen[0].line() == seen[1].line()
    await wait_until(lambda: _is_spoken_for(stores, concert, "ann"), what="the attachment")


async def test_who_subscribes_after_joining_never_sees_a_line_without_themselves(stores: Stores, hub: Hub) -> None:
    """Also while a look is under way that began before they came."""
    concert = await on_sale(stores, 10, room=ROOM)
    watching = await watch(hub, LineTopic(concert.id, PersonId("p0")))

    async def come(who: str) -> LineSnapshot:
        await queues.join_queue(context(stores, who), concert.id)
        return (await watch(hub, LineTopic(concert.id, PersonId(who)))).line()

    for first in range(1, 100, 10):
        shown = await asyncio.gather(*[come(f"p{number}") for number in range(first, first + 10)])
        assert [one.entry is None for one in shown] == [False] * 10
    assert watching.snapshots


async def _is_spoken_for(stores: Stores, concert: Concert, who: str) -> bool:
    entry = await queues.entry_of_viewer(context(stores, who), concert.id)
    return entry is not None and entry.expires_at is None


async def test_a_socket_speaks_for_its_person_until_it_closes(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 10, room=ROOM)
    await queues.join_queue(context(stores, "ann"), concert.id)
    watches: list[Watch] = []
    for _ in range(2):
        seen = Seen(LineTopic(concert.id, PersonId("ann")))
        watches.append(await hub.watch(seen, seen.deliver))
    await wait_until(lambda: _is_spoken_for(stores, concert, "ann"), what="the attachment")
    watches[0].close()
    watches[0].close()
    await asyncio.sleep(3 * TICK_S)
    assert await _is_spoken_for(stores, concert, "ann")
    watches[1].close()

    async def is_on_their_own() -> bool:
        return not await _is_spoken_for(stores, concert, "ann")

    await wait_until(is_on_their_own, what="the detachment")


async def test_holds_are_shown_when_they_change_and_why_they_end(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 10)
    first = await hold(stores, concert, 2)
    seen = await watch(hub, HoldsTopic(concert.id, PersonId("alice")))
    assert seen.snapshots == [first]
    second = await hold(stores, concert, 1)
    await wait_until(lambda: second in seen.snapshots, what="the second hold")
    await holds.release_hold(context(stores), concert.id, first.id)
    await wait_until(lambda: _states(seen) == [HoldState.HELD, HoldState.HELD, HoldState.ENDED], what="the release")
    await hold(stores, concert, 1, who="bob")
    await buy(stores, second)
    await wait_until(lambda: _states(seen)[-1] is HoldState.SOLD, what="the purchase")
    assert {shown.person_id for shown in seen.snapshots if isinstance(shown, Hold)} == {"alice"}


def _states(seen: Seen) -> list[HoldState]:
    return [shown.state for shown in seen.snapshots if isinstance(shown, Hold)]


async def test_an_order_is_shown_when_its_version_rises(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 10)
    order = await buy(stores, await hold(stores, concert, 1))
    seen = await watch(hub, OrderTopic(order.id))
    assert seen.snapshots == [order]
    await stores.orders.collection.update_one({"_id": order.id}, {"$set": {"version": 2}})
    await wait_until(lambda: len(seen.snapshots) == 2, what="the newer order")
    assert isinstance(seen.last, Order)
    with pytest.raises(NotFound):
        await watch(hub, OrderTopic(OrderId("0" * 32)))


async def test_what_does_not_exist_is_refused_and_not_watched(hub: Hub) -> None:
    with pytest.raises(NotFound):
        await watch(hub, StockTopic(ConcertId("nosuchconcer")))
    await wait_until(lambda: not hub._concerts, what="the end of the watch")


async def test_watches_survive_an_outage_and_a_wiped_store(
    own_valkey: Child, mongo_url: str, mongo_database: str
) -> None:
    async with (
        opened(own_valkey.url, mongo_url, mongo_database) as stores,
        hub_on(stores, own_valkey.url) as (hub, feed),
    ):
        concert = await on_sale(stores, 10, room=ROOM)
        await queues.join_queue(context(stores, "ann"), concert.id)
        lost = await hold_in_room(stores, concert)
        topics: list[Topic] = [StockTopic(concert.id), LineTopic(concert.id, PersonId("ann"))]
        seen = [await watch(hub, topic) for topic in [*topics, HoldsTopic(concert.id, PersonId("ann"))]]
        epoch = (await stores.holds.stock(concert.id)).epoch
        await own_valkey.kill()
        await own_valkey.start()
        await wait_until(lambda: _epoch(seen[1]) > epoch, timeout=15, what="the new epoch")
        assert seen[1].line().entry is not None
        await stores.link.run("FLUSHALL")
        await wait_until(lambda: seen[1].line().entry is None, timeout=15, what="the lost line")
        await wait_until(lambda: seen[0].stock() == [(10, 0, 0)], timeout=5, what="the stock")
        await wait_until(lambda: _states(seen[2])[-1] is HoldState.ENDED, timeout=5, what="the lost hold")
        assert isinstance(seen[2].last, Hold)
        assert seen[2].last.id == lost.id
        assert feed.waiting() == 0
        for one in seen:
            check_rising(one)


def _epoch(seen: Seen) -> int:
    return seen.line().room.epoch


async def hold_in_room(stores: Stores, concert: Concert) -> Hold:
    await ExpiryWorker().run_once(stores)
    await AdmissionWorker().run_once(stores)
    claimed = await queues.claim_pass(context(stores, "ann"), concert.id)
    assert claimed.queue_pass is not None
    return await holds.hold_tickets(
        context(stores, "ann"), concert.id, lines(concert, 1), key(), claimed.queue_pass.token
    )


async def test_a_broken_link_is_a_gap_on_every_channel(own_valkey: Child) -> None:
    feed = Feed(own_valkey.url)
    await feed.start()
    heard: dict[str, list[str]] = {"a": [], "b": []}
    for channel, messages in heard.items():
        feed.listen(channel, messages.append)
    await wait_until(lambda: all(heard.values()), what="the first gaps")
    await own_valkey.kill()
    for messages in heard.values():
        messages.clear()
    await own_valkey.start()
    await wait_until(lambda: all(GAP in messages for messages in heard.values()), what="the gaps")
    async with asyncio.timeout(5):
        while not all("news" in messages for messages in heard.values()):
            await _publish(own_valkey.url)
            await asyncio.sleep(TICK_S)
    await feed.leave("a")
    await feed.aclose()


async def _publish(url: str) -> None:
    async with redis.asyncio.Redis.from_url(url) as client:
        for channel in ("a", "b"):
            await client.publish(channel, "news")


async def test_the_stock_of_a_sale_reaches_its_watchers_exactly(stores: Stores, hub: Hub) -> None:
    """apply(old snapshot, updates) = new snapshot: the last one pushed is what a new reader sees."""
    concert = await on_sale(stores, 60, 40)
    seen = [await watch(hub, StockTopic(concert.id)) for _ in range(3)]
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
        seen = await watch(hub, topic)
        await wait_until(partial(_has_seen, seen, 3), what="the holds")
        assert {shown.id for shown in seen.snapshots if isinstance(shown, Hold)} == {one.id for one in made}


def _has_seen(seen: Seen, count: int) -> bool:
    return len(seen.snapshots) == count


class Broken(Seen):
    async def render(self, snapshot: Snapshot) -> Rendered:
        raise RuntimeError("this one cannot be shown")


async def test_a_render_that_fails_keeps_nobody_else_from_their_news(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 10)
    seen = await watch(hub, StockTopic(concert.id))
    broken = Broken(StockTopic(concert.id), group="broken")
    with pytest.raises(RuntimeError):
        await hub.watch(broken, broken.deliver)
    await hold(stores, concert, 1)
    await wait_until(lambda: seen.stock() == [(9, 1, 0)], what="the change")
    assert (await watch(hub, StockTopic(concert.id))).stock() == [(9, 1, 0)]


async def test_many_orders_are_watched_by_one_task(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 20, limit_per_person=20)
    made = [await buy(stores, await hold(stores, concert, 1)) for _ in range(5)]
    await asyncio.gather(*[watch(hub, OrderTopic(order.id)) for order in made])
    assert len(hub._tasks) == 1


async def test_a_feed_closes_though_its_listener_was_cancelled_before(valkey_url: str) -> None:
    before = asyncio.all_tasks()
    feed = Feed(valkey_url)
    await feed.start()
    (listener,) = asyncio.all_tasks() - before
    listener.cancel()
    await asyncio.gather(listener, return_exceptions=True)
    await feed.aclose()
