"""New prices are published to everyone in a queue at once, whatever their push interval."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from domain.ids import PersonId, TierId
from domain.queues import EntryState
from domain.stock import PriceRange, Stock, TierStock
from domain.topics import StockTopic
from subscriptions.publishing import queue_publisher
from tests.support.fake_queue import FakeQueue
from tests.support.hub_recorder import SnapshotRecorder
from tests.support.publisher_steps import EVERY_REFRESH, add_people, add_subscriber, make_publisher
from tests.support.snapshots import CONCERT, STOCK

CHEAP = TierStock(TierId(f"{CONCERT.id}-1"), capacity=10, held=0, sold=0, price_minor=3_900)
DEAR = TierStock(TierId(f"{CONCERT.id}-2"), capacity=10, held=0, sold=0, price_minor=9_900)


def set_tiers(queue: FakeQueue, *tiers: TierStock) -> None:
    queue.version += 1
    queue.stock = replace(STOCK, version=queue.version, tiers=tiers)


def prices(stock: Stock) -> list[int]:
    return [tier.price_minor for tier in stock.tiers]


def news_of(recorders: Sequence[SnapshotRecorder]) -> Counter[tuple[tuple[int, ...], int]]:
    """Count the recorders by the prices they show last and by their number of snapshots."""
    return Counter((tuple(prices(one.queue().stock)), len(one.snapshots)) for one in recorders)


def shown_prices(recorders: Sequence[SnapshotRecorder]) -> list[list[int]]:
    return [prices(recorder.queue().stock) for recorder in recorders]


async def test_new_price_is_published_to_waiting_and_called_people_at_once() -> None:
    queue = FakeQueue(people=1_000, serving=10)
    queue.states = {PersonId(f"p{number}"): EntryState.READY for number in range(1, 11)}
    set_tiers(queue, CHEAP, DEAR)
    publisher = make_publisher(queue)
    people = add_people(publisher, *range(5, 9), *range(500, 600))
    await publisher.run_once()
    assert shown_prices(people) == [[3_900, 9_900]] * 104
    set_tiers(queue, CHEAP, replace(DEAR, price_minor=8_900))
    queue.calls.clear()
    await publisher.run_once()
    assert shown_prices(people) == [[3_900, 8_900]] * 104
    assert {len(recorder.snapshots) for recorder in people} == {2}
    assert queue.calls["entries"] == 0


async def test_price_range_is_published_at_once_when_its_cheapest_tier_sells_out() -> None:
    queue = FakeQueue(people=1_000)
    set_tiers(queue, CHEAP, DEAR)
    publisher = make_publisher(queue)
    (far,) = add_people(publisher, 500)
    await publisher.run_once()
    set_tiers(queue, replace(CHEAP, held=10), DEAR)
    await publisher.run_once()
    assert len(far.snapshots) == 1
    set_tiers(queue, replace(CHEAP, sold=10), DEAR)
    await publisher.run_once()
    assert far.queue().stock.price_range == PriceRange(9_900, 9_900)
    assert len(far.snapshots) == 2


async def test_stock_without_a_new_price_waits_for_the_push_interval() -> None:
    queue = FakeQueue(people=1_000)
    set_tiers(queue, CHEAP, DEAR)
    publisher = make_publisher(queue)
    (far,) = add_people(publisher, 500)
    stock = SnapshotRecorder(StockTopic(CONCERT.id))
    add_subscriber(publisher, stock)
    await publisher.run_once()
    set_tiers(queue, replace(CHEAP, sold=3), replace(DEAR, held=1))
    await publisher.run_once()
    assert (len(far.snapshots), len(stock.snapshots)) == (1, 2)


async def test_new_price_is_not_published_after_an_entry_has_ended() -> None:
    queue = FakeQueue(people=1_000)
    set_tiers(queue, CHEAP)
    publisher = make_publisher(queue)
    (recorder,) = add_people(publisher, 500)
    await publisher.run_once()
    queue.change("p500", EntryState.LEFT)
    await publisher.run_once()
    set_tiers(queue, replace(CHEAP, price_minor=4_900))
    await publisher.run_once()
    assert recorder.entry().state is EntryState.LEFT
    assert len(recorder.snapshots) == 2


async def test_new_price_reaches_four_thousand_people_in_one_refresh() -> None:
    queue = FakeQueue(people=6_000)
    set_tiers(queue, CHEAP)
    publisher = make_publisher(queue)
    people = add_people(publisher, *range(100, 4_100))
    while not all(recorder.snapshots for recorder in people):
        await publisher.run_once()
    set_tiers(queue, replace(CHEAP, price_minor=4_900))
    await publisher.run_once()
    assert news_of(people) == Counter({((4_900,), 2): 4_000})


async def test_new_price_reaches_more_people_over_refreshes_before_any_move(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_publisher, "MAX_PER_REFRESH", 500)
    queue = FakeQueue(people=2_000)
    set_tiers(queue, CHEAP)
    publisher = make_publisher(queue, EVERY_REFRESH)
    people = add_people(publisher, *range(100, 1_300))
    while not all(recorder.snapshots for recorder in people):
        await publisher.run_once()
    set_tiers(queue, replace(CHEAP, price_minor=4_900))
    counts = []
    for _ in range(3):
        queue.move()
        await publisher.run_once()
        counts.append(news_of(people))
    old, new, moved = ((3_900,), 1), ((4_900,), 2), ((4_900,), 3)
    # In the third refresh, 200 people are left without the price, so 300 others get new positions.
    assert counts == [{old: 700, new: 500}, {old: 200, new: 1_000}, {new: 900, moved: 300}]
