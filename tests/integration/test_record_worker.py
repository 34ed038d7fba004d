"""The record worker: an order that cannot be recorded is not forgotten, but never blocks others."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from domain.ids import ConcertId, OrderId
from storage.connect import Stores
from storage.hot.hot_state import KEYS_OUTLIVE_CONCERT, is_history
from storage.keys import concert_keys
from tests.support.payment_saga import Till, concert_for_sale, opened_till
from tests.support.waiting import wait_until
from workers.record import RecordWorker

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def till(valkey_url: str, mongo_url: str, mongo_database: str) -> AsyncIterator[Till]:
    async with opened_till(valkey_url, mongo_url, mongo_database) as made:
        yield made


async def make_history(stores: Stores, concert_id: ConcertId) -> None:
    """Move the concert so far into the past that its keys have expired."""
    over = datetime.now(UTC) - KEYS_OUTLIVE_CONCERT - timedelta(days=1)
    times = {"startsAt": over, "salesEndAt": over, "salesStartAt": over - timedelta(days=9)}
    await stores.mongo["concerts"].update_one({"_id": concert_id}, {"$set": times})
    await stores.script_client.run_command("DEL", *concert_keys(concert_id))


async def test_order_of_a_past_concert_is_checked_only_once(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    concert = await concert_for_sale(till, 3)
    await till.paid_order(concert, 1)
    find_unrecorded, asked = till.stores.hot_state.find_unrecorded, list[ConcertId]()

    async def counted(concert_id: ConcertId, orders: Sequence[tuple[OrderId, int]]) -> set[OrderId] | None:
        asked.append(concert_id)
        return await find_unrecorded(concert_id, orders)

    monkeypatch.setattr(till.stores.hot_state, "find_unrecorded", counted)
    await make_history(till.stores, concert.id)

    async def is_known_to_be_past() -> bool:
        known = await till.stores.concert_cache.get(concert.id)
        return known is not None and is_history(known)

    await wait_until(is_known_to_be_past)
    worker = RecordWorker()
    await worker.run_once(till.stores)
    await worker.run_once(till.stores)
    assert asked == [concert.id]
