"""A new price is audited with its change, read with the stock, and pushed to everyone."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from domain.concerts import Concert, ConcertChange, TierChange, TierDraft
from domain.errors import TemporarilyUnavailable
from domain.ids import TierId
from domain.money import CurrencyCode, Money
from domain.page import PageRequest
from domain.queues import EntryState
from domain.room_audits import RoomAction, RoomAudit
from domain.room_changes import SettingChange
from domain.stock import PriceRange, Stock
from domain.topics import QueueSnapshot, QueueTopic, StockSnapshot, StockTopic
from resolvers import concerts, queues
from schema import Operation, execute
from schema.ids import of_concert, of_hold, of_tier
from storage.connect import Stores
from storage.mongo.room_audits import AlreadyDone
from subscriptions.publishing.push_intervals import PushIntervals
from tests.support.hub_recorder import ROOM, SnapshotRecorder, check_rising, open_hub, subscribe
from tests.support.lossy_hints import lose_hints
from tests.support.lottery import register
from tests.support.queue_steps import admit, make_people
from tests.support.sale import buy, context, hold, on_sale, opened, organizer
from tests.support.waiting import wait_until
from workers.apply import ApplyWorker

PEOPLE = make_people(30)
RARE_PUSHES = PushIntervals(((2, 0.0),), 1_000.0)
"""People behind the second position are sent no changes of position during a test."""
AUDIT = """query ($id: ID!) {
  waitingRoom(concertId: $id) { audit { nodes { changes { setting tierId before after } } } }
}"""
TIER_PRICES = "query ($id: ID!) { concert(id: $id) { tiers { price { minor } } } }"
PRICES_OF_HOLD = (
    "query ($id: ID!) { node(id: $id) { ... on Hold { lines { unitPrice { minor } tier { price { minor } } } } } }"
)


async def change_prices(stores: Stores, concert: Concert, *prices_minor: int) -> Concert:
    changes = [TierChange(tier.id, price_minor=price) for tier, price in zip(concert.tiers, prices_minor, strict=True)]
    change = ConcertChange(tiers=tuple(changes))
    return await concerts.update_concert(organizer(stores), concert.id, change, expected_version=None)


async def audit_rows(stores: Stores, concert: Concert) -> list[RoomAudit]:
    """Return the audit rows, oldest first."""
    return [*reversed((await stores.room_audits.page(concert.id, PageRequest(100))).items)]


async def unavailable(*_: object, **__: object) -> Any:
    raise TemporarilyUnavailable("The store does not answer")


def prices(stock: Stock) -> list[int]:
    return [tier.price_minor for tier in stock.tiers]


def last_prices(recorder: SnapshotRecorder) -> list[int]:
    last = recorder.last
    assert isinstance(last, StockSnapshot | QueueSnapshot)
    return prices(last.stock)


async def read_prices(stores: Stores, concert: Concert) -> list[int]:
    return prices(await stores.holds.read_stock(concert))


async def tier_prices(stores: Stores, concert: Concert) -> list[int]:
    """Return `Tier.price` of each tier, as a query shows it."""
    answer = await execute(Operation(TIER_PRICES, {"id": of_concert(concert.id)}, None), context(stores))
    data: Any = answer.payload["data"]
    return [tier["price"]["minor"] for tier in data["concert"]["tiers"]]


def news_of(recorders: Sequence[SnapshotRecorder]) -> list[tuple[list[int], int]]:
    """Return the last prices and the number of snapshots of each recorder."""
    return [(last_prices(one), len(one.snapshots)) for one in recorders]


async def test_price_is_read_with_the_stock_at_its_version(any_stores: Stores) -> None:
    concert = await on_sale(any_stores, 5, 3, price_minor=4_950)
    before = await any_stores.holds.read_stock(concert)
    assert (prices(before), before.currency) == ([4_950, 9_900], CurrencyCode.EUR)
    await change_prices(any_stores, concert, 4_950, 8_900)
    after = await any_stores.holds.read_stock(concert)
    assert (after.epoch, after.version, prices(after)) == (before.epoch, before.version + 1, [4_950, 8_900])
    assert after.price_range == PriceRange(4_950, 8_900)
    assert [(tier.available, tier.held, tier.sold) for tier in after.tiers] == [(5, 0, 0), (3, 0, 0)]


async def test_new_price_is_pushed_to_everyone_whatever_their_interval(stores: Stores, valkey_url: str) -> None:
    concert = await on_sale(stores, 10, 10, price_minor=4_950, room=ROOM)
    await register(stores, concert, PEOPLE)
    assert await admit(stores, concert) == 2
    await queues.claim_pass(context(stores, PEOPLE[1]), concert.id)
    async with open_hub(stores, valkey_url, push_intervals=RARE_PUSHES) as (hub, _):
        topics = [QueueTopic(concert.id, who) for who in (*PEOPLE, *make_people(1, "outsider"))]
        in_queue = list(await asyncio.gather(*[subscribe(hub, topic) for topic in topics]))
        stock = await subscribe(hub, StockTopic(concert.id))
        states = [EntryState.READY, EntryState.ADMITTED, *[EntryState.WAITING] * 28]
        assert [one.entry().state for one in in_queue[:-1]] == states
        await change_prices(stores, concert, 5_950, 9_900)
        await wait_until(
            lambda: {tuple(last_prices(one)) for one in (*in_queue, stock)} == {(5_950, 9_900)}, what="the new price"
        )
        assert {len(one.snapshots) for one in (*in_queue[2:-1], stock)} == {2}
        assert {one.queue().stock.price_range for one in in_queue} == {PriceRange(5_950, 9_900)}
        for one in (*in_queue, stock):
            check_rising(one)


async def test_new_price_arrives_even_if_its_hint_is_lost(
    stores: Stores, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    concert = await on_sale(stores, 10, price_minor=4_950, room=ROOM)
    await register(stores, concert, PEOPLE)
    async with open_hub(stores, valkey_url, push_intervals=RARE_PUSHES) as (hub, feed):
        lose_hints(monkeypatch, feed)
        far = await subscribe(hub, QueueTopic(concert.id, PEOPLE[29]))
        await change_prices(stores, concert, 5_950)
        await wait_until(lambda: news_of([far]) == [([5_950], 2)], what="the new price")


async def test_new_tier_extends_the_pushed_price_range(stores: Stores, valkey_url: str) -> None:
    concert = await on_sale(stores, 10, price_minor=4_950, room=ROOM)
    await register(stores, concert, PEOPLE)
    async with open_hub(stores, valkey_url, push_intervals=RARE_PUSHES) as (hub, _):
        far = await subscribe(hub, QueueTopic(concert.id, PEOPLE[29]))
        added = ConcertChange(new_tiers=(TierDraft("Balcony", 12_000, 5),))
        await concerts.update_concert(organizer(stores), concert.id, added, expected_version=None)
        await wait_until(lambda: news_of([far]) == [([4_950, 12_000], 2)], what="the new tier")
        assert far.queue().stock.price_range == PriceRange(4_950, 12_000)


async def test_hold_and_order_keep_their_original_price(stores: Stores) -> None:
    concert = await on_sale(stores, 10, price_minor=4_950)
    kept, bought = await hold(stores, concert, 2), await buy(stores, await hold(stores, concert, 1, who="bob"))
    await change_prices(stores, concert, 5_950)
    document = Operation(PRICES_OF_HOLD, {"id": of_hold(concert.id, kept.id)}, None)
    data: Any = (await execute(document, context(stores))).payload["data"]
    assert data["node"]["lines"] == [{"unitPrice": {"minor": 4_950}, "tier": {"price": {"minor": 5_950}}}]
    order = await buy(stores, kept)
    assert [line.unit_price_minor for line in (*order.lines, *bought.lines)] == [4_950, 4_950]
    assert order.total == Money(9_900, CurrencyCode.EUR)
    new = await hold(stores, concert, 1, who="carol")
    assert [line.unit_price_minor for line in new.lines] == [5_950]


async def test_pushed_price_is_the_price_that_a_hold_gets(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the hot state has the change, holds get the old price, and subscribers see it."""
    concert = await on_sale(stores, 10, price_minor=4_950)
    with monkeypatch.context() as patched:
        patched.setattr(stores.concert_writer, "sync", unavailable)
        await change_prices(stores, concert, 5_950)
    assert await read_prices(stores, concert) == [4_950]
    assert (await hold(stores, concert, 1)).lines[0].unit_price_minor == 4_950
    assert await ApplyWorker().run_once(stores) == 1
    assert await read_prices(stores, concert) == [5_950]
    assert (await hold(stores, concert, 1)).lines[0].unit_price_minor == 5_950


async def test_tier_price_in_any_process_is_at_least_as_new_as_a_push(
    stores: Stores, valkey_url: str, mongo_url: str
) -> None:
    concert = await on_sale(stores, 10, price_minor=4_950)
    async with (
        opened(valkey_url, mongo_url, stores.mongo.name) as others,
        open_hub(stores, valkey_url) as (hub, _),
    ):
        seen = await subscribe(hub, StockTopic(concert.id))
        for price in (5_950, 6_950, 7_950):
            # The other process has the concert with the old price in its cache.
            assert await others.concert_cache.get(concert.id) is not None
            await change_prices(stores, concert, price)
            await wait_until(lambda price=price: last_prices(seen) == [price], what="the push")  # type: ignore[misc]
            assert await tier_prices(others, concert) == await tier_prices(stores, concert) == [price]


async def test_prices_are_the_same_after_the_store_is_rebuilt(stores: Stores) -> None:
    concert = await on_sale(stores, 10, 5, price_minor=4_950)
    changed = await change_prices(stores, concert, 3_950, 8_900)
    await stores.script_client.run_command("FLUSHALL")
    await stores.recovery.ensure(concert.id)
    assert await read_prices(stores, changed) == [3_950, 8_900]


async def test_price_change_has_an_audit_row(stores: Stores) -> None:
    concert = await on_sale(stores, 10, 5, price_minor=4_950)
    await change_prices(stores, concert, 4_950, 8_900)
    (row,) = await audit_rows(stores, concert)
    assert (row.command.person_name, row.command.action) == ("olivia", RoomAction.CONFIGURED)
    assert row.changes == (SettingChange("price", "99.00 EUR", "89.00 EUR", concert.tiers[1].id),)
    document = Operation(AUDIT, {"id": of_concert(concert.id)}, None)
    data: Any = (await execute(document, organizer(stores))).payload["data"]
    change = {"setting": "price", "tierId": of_tier(concert.tiers[1].id), "before": "99.00 EUR", "after": "89.00 EUR"}
    assert data["waitingRoom"]["audit"]["nodes"] == [{"changes": [change]}]


async def test_new_tier_has_an_audit_row_without_an_earlier_price(stores: Stores) -> None:
    concert = await on_sale(stores, 10, price_minor=4_950)
    added = ConcertChange(new_tiers=(TierDraft("Balcony", 12_000, 5),))
    await concerts.update_concert(organizer(stores), concert.id, added, expected_version=None)
    (row,) = await audit_rows(stores, concert)
    assert row.changes == (SettingChange("price", "", "120.00 EUR", TierId(f"{concert.id}-2")),)


async def test_other_change_to_a_tier_has_no_audit_row(stores: Stores) -> None:
    concert = await on_sale(stores, 10, price_minor=4_950)
    same_price = TierChange(concert.tiers[0].id, name="Floor", price_minor=4_950, capacity=12)
    change = ConcertChange(tiers=(same_price,))
    await concerts.update_concert(organizer(stores), concert.id, change, expected_version=None)
    assert await audit_rows(stores, concert) == []


async def test_price_is_unchanged_if_its_audit_row_is_refused(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    concert = await on_sale(stores, 10, price_minor=4_950)

    async def refuse(*_: object) -> None:
        raise AlreadyDone("another request has done this")

    with monkeypatch.context() as patched:
        patched.setattr(stores.room_audits, "insert_in_transaction", refuse)
        with pytest.raises(AlreadyDone):
            await change_prices(stores, concert, 5_950)
    assert await stores.concerts.get(concert.id) == concert
    assert (await read_prices(stores, concert), await audit_rows(stores, concert)) == ([4_950], [])


async def test_competing_price_changes_each_have_a_row_and_one_price_wins(stores: Stores) -> None:
    concert = await on_sale(stores, 10, price_minor=1_000)
    wanted = [2_000, 3_000, 4_000, 5_000]
    await asyncio.gather(*[change_prices(stores, concert, price) for price in wanted])
    changes = [change for row in await audit_rows(stores, concert) for change in row.changes]
    assert sorted(change.after for change in changes) == ["20.00 EUR", "30.00 EUR", "40.00 EUR", "50.00 EUR"]
    # Each row begins with the price of the row before it, in the order of the versions.
    follows = {change.before: change.after for change in changes}
    last = "10.00 EUR"
    for _ in wanted:
        last = follows.pop(last)
    stored = await stores.concerts.get(concert.id)
    assert stored is not None
    assert last == f"{stored.tiers[0].price_minor // 100}.00 EUR"
    assert await read_prices(stores, concert) == [stored.tiers[0].price_minor]


async def test_audit_rows_of_the_previous_version_still_load(stores: Stores) -> None:
    concert = await on_sale(stores, 10, price_minor=4_950)
    await change_prices(stores, concert, 5_950)
    (row,) = await audit_rows(stores, concert)
    await stores.mongo["room_audits"].update_one({"_id": row.command.id}, {"$unset": {"changes.0.tierId": ""}})
    (old,) = await audit_rows(stores, concert)
    assert old == replace(row, changes=(SettingChange("price", "49.50 EUR", "59.50 EUR"),))
