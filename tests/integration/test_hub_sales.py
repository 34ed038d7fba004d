"""Sales that the hub pushes to organizers."""

import asyncio
from collections.abc import Collection
from functools import partial

import pytest

from domain.analytics.sales import ConcertSales, SalesKind, SalesLine, SalesRow
from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId, OrderId
from domain.topics import SalesTopic
from resolvers.snapshots import StoreSnapshotReader
from resolvers.wait_tables import WaitTableCache
from storage.connect import Stores
from subscriptions.hub import Hub
from subscriptions.publishing import sales_publisher
from tests.support.hub_recorder import SnapshotRecorder, open_hub, subscribe
from tests.support.payment_orders import NOW
from tests.support.sale import PASSES
from tests.support.waiting import wait_until

CONCERT, OTHER = ConcertId("abcdefghjkmn"), ConcertId("nmkjhgfedcba")


class FailingReader(StoreSnapshotReader):
    """A reader that counts the reads of sales, and fails for some concerts."""

    def __init__(self, stores: Stores, failing: Collection[ConcertId] = ()) -> None:
        super().__init__(stores, PASSES, WaitTableCache())
        self.failing = set(failing)
        self.reads: list[ConcertId] = []

    async def read_sales(self, concert_id: ConcertId) -> ConcertSales:
        self.reads.append(concert_id)
        if concert_id in self.failing:
            raise TemporarilyUnavailable("too many rows")
        return await super().read_sales(concert_id)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sales_publisher, "REFRESH_EVERY_S", 0.02)
    monkeypatch.setattr(sales_publisher, "PAUSE_PER_READ", 1)


async def sell(stores: Stores, name: str, concert_id: ConcertId = CONCERT) -> None:
    lines = (SalesLine(None, 1, 2_500),)
    await stores.sales.add([SalesRow(name, concert_id, OrderId(name), SalesKind.SALE, NOW, lines)])


def versions(seen: SnapshotRecorder) -> list[int]:
    return [snapshot.version for snapshot in seen.snapshots if isinstance(snapshot, ConcertSales)]


def all_show(seen: list[SnapshotRecorder], version: int) -> bool:
    return all(versions(one)[-1] == version for one in seen)


async def test_each_sale_is_pushed_to_all_subscribers(stores: Stores, hub: Hub) -> None:
    seen = [await subscribe(hub, SalesTopic(CONCERT)) for _ in range(2)]
    elsewhere = await subscribe(hub, SalesTopic(OTHER))
    for number in range(1, 4):
        await sell(stores, f"sale{number}")
        await wait_until(partial(all_show, seen, number), what="the sale")
    assert [versions(one) for one in seen] == [[0, 1, 2, 3]] * 2
    assert versions(elsewhere) == [0]


async def test_unchanged_sales_are_read_again_but_not_pushed(stores: Stores, valkey_url: str) -> None:
    reader = FailingReader(stores)
    async with open_hub(stores, valkey_url, reader=reader) as (hub, _):
        seen = await subscribe(hub, SalesTopic(CONCERT))
        await wait_until(lambda: len(reader.reads) >= 5, what="five reads")
        assert versions(seen) == [0]


async def test_concert_that_cannot_be_summed_does_not_stop_others(stores: Stores, valkey_url: str) -> None:
    reader = FailingReader(stores, [OTHER])
    async with open_hub(stores, valkey_url, reader=reader) as (hub, _):
        seen = await subscribe(hub, SalesTopic(CONCERT))
        with pytest.raises(TemporarilyUnavailable, match="too many rows"):
            await subscribe(hub, SalesTopic(OTHER))
        await sell(stores, "sale")
        await wait_until(lambda: versions(seen) == [0, 1], what="the sale")


async def test_sales_are_pushed_after_an_outage(stores: Stores, valkey_url: str) -> None:
    reader = FailingReader(stores)
    async with open_hub(stores, valkey_url, reader=reader) as (hub, _):
        seen = await subscribe(hub, SalesTopic(CONCERT))
        reader.failing.add(CONCERT)
        await sell(stores, "sale")
        reads = len(reader.reads)
        await wait_until(lambda: len(reader.reads) > reads + 2, what="failed reads")
        assert versions(seen) == [0]
        reader.failing.clear()
        await wait_until(lambda: versions(seen) == [0, 1], what="the sale")


async def test_nothing_is_read_without_subscribers(stores: Stores, valkey_url: str) -> None:
    reader = FailingReader(stores)
    async with open_hub(stores, valkey_url, reader=reader) as (hub, _):
        kept, left = SnapshotRecorder(SalesTopic(CONCERT)), SnapshotRecorder(SalesTopic(OTHER))
        await hub.subscribe(kept, kept.deliver)
        handle = await hub.subscribe(left, left.deliver)
        handle.close()
        reads = reader.reads.count(OTHER)
        await wait_until(lambda: reader.reads.count(CONCERT) >= 5, what="five reads")
        assert reader.reads.count(OTHER) == reads


async def test_subscriber_added_during_a_read_is_served_by_the_next_read(
    stores: Stores, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pause after a read may be long, but a new subscriber does not wait for it to end."""
    monkeypatch.setattr(sales_publisher, "REFRESH_EVERY_S", 600.0)
    reader = FailingReader(stores)
    is_reading, goes_on = asyncio.Event(), asyncio.Event()

    async def read_slowly(concert_id: ConcertId) -> ConcertSales:
        is_reading.set()
        await goes_on.wait()
        return await stores.sales.read(concert_id)

    monkeypatch.setattr(reader, "read_sales", read_slowly)
    async with open_hub(stores, valkey_url, reader=reader) as (hub, _):
        first = asyncio.create_task(subscribe(hub, SalesTopic(CONCERT)))
        await is_reading.wait()
        second = asyncio.create_task(subscribe(hub, SalesTopic(CONCERT)))
        await asyncio.sleep(0)
        goes_on.set()
        assert [versions(seen) for seen in await asyncio.gather(first, second)] == [[0], [0]]
