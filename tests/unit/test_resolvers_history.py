"""Sold counts of past concerts are read together, cached, and retried after a failure."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId, TierId, tier_id
from resolvers import history
from resolvers.history import KEPT_S, SoldCounts
from storage.connect import Stores
from storage.sync.detached import DetachedTasks
from tests.support.snapshots import CONCERT

A, B = replace(CONCERT, id=ConcertId("aaaa")), replace(CONCERT, id=ConcertId("bbbb"))


@dataclass
class FakeOrders:
    """Counts five sold tickets in the first tier of each concert, or fails if `is_unavailable`."""

    is_unavailable: bool = False
    reads: list[list[str]] = field(default_factory=list)

    async def count_sold(self, concert_ids: Collection[ConcertId]) -> dict[ConcertId, dict[TierId, int]]:
        self.reads.append(sorted(concert_ids))
        if self.is_unavailable:
            raise TemporarilyUnavailable("unavailable")
        return {id_: {tier_id(id_, 1): 5} for id_ in concert_ids}


@dataclass
class FakeStores:
    orders: FakeOrders = field(default_factory=FakeOrders)
    detached_tasks: DetachedTasks = field(default_factory=DetachedTasks)

    @property
    def stores(self) -> Stores:
        return cast("Stores", self)


async def test_concerts_requested_together_are_counted_together() -> None:
    fake, counts = FakeStores(), SoldCounts()
    first, second, again = await asyncio.gather(
        counts.get(fake.stores, A), counts.get(fake.stores, B), counts.get(fake.stores, A)
    )
    assert (first, second, again) == ({"aaaa-1": 5}, {"bbbb-1": 5}, {"aaaa-1": 5})
    assert fake.orders.reads == [["aaaa", "bbbb"]]


async def test_counts_are_cached_for_an_hour_and_for_one_version() -> None:
    now = 0.0
    fake, counts = FakeStores(), SoldCounts(clock=lambda: now)
    for concert in (A, A, replace(A, version=A.version + 1)):
        await counts.get(fake.stores, concert)
    assert fake.orders.reads == [["aaaa"], ["aaaa"]]
    now = KEPT_S
    await counts.get(fake.stores, A)
    assert len(fake.orders.reads) == 3


async def test_failed_count_raises_for_every_caller_and_is_retried() -> None:
    fake, counts = FakeStores(FakeOrders(is_unavailable=True)), SoldCounts()
    ended = await asyncio.gather(counts.get(fake.stores, A), counts.get(fake.stores, B), return_exceptions=True)
    assert [type(error) for error in ended] == [TemporarilyUnavailable] * 2
    fake.orders.is_unavailable = False
    assert await counts.get(fake.stores, A) == {"aaaa-1": 5}


async def test_one_aggregation_counts_a_bounded_number_of_concerts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MAX_READ_AT_ONCE", 2)
    monkeypatch.setattr(history, "MAX_KEPT", 2)
    fake, counts = FakeStores(), SoldCounts()
    concerts = [replace(CONCERT, id=ConcertId(name)) for name in ("a", "b", "c")]
    await asyncio.gather(*[counts.get(fake.stores, concert) for concert in concerts])
    assert fake.orders.reads == [["a", "b"], ["c"]]
    # The oldest was dropped, and the newest was kept.
    await counts.get(fake.stores, concerts[2])
    await counts.get(fake.stores, concerts[0])
    assert fake.orders.reads[2:] == [["a"]]


async def test_canceled_caller_does_not_cancel_the_count_for_others() -> None:
    fake, counts = FakeStores(), SoldCounts()
    leaving = asyncio.ensure_future(counts.get(fake.stores, A))
    staying = asyncio.ensure_future(counts.get(fake.stores, A))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == {"aaaa-1": 5}
