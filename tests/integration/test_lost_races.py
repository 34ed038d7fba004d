"""Changes to a concert that lose a race to a later version or to a recovery."""

import asyncio
from dataclasses import replace

import pytest

from domain.concerts import Concert, ConcertChange, TierChange
from domain.errors import Refusal, TemporarilyUnavailable, VersionConflict
from domain.ids import ConcertId
from resolvers import concerts
from storage.connect import Stores
from storage.mongo.concert_transaction import ConcertTransaction, ConcertWrite
from storage.mongo.concerts import ConcertStore
from tests.support.sale import check_invariants, on_sale, organizer
from workers.capacity import CapacityWorker


def make_transaction(stores: Stores) -> ConcertTransaction:
    return ConcertTransaction(
        stores.mongo.client,
        stores.concerts,
        stores.orders,
        room_audits=stores.room_audits,
        notices=stores.notices,
    )


async def move_pending_units(stores: Stores, concert_id: ConcertId) -> None:
    """Let the worker move the units of changes that were saved while others were being moved."""
    while (stored := await stores.concerts.get(concert_id)) and any(tier.to_withdraw for tier in stored.tiers):
        stores.concert_cache.put(stored)
        await CapacityWorker().run_once(stores)


async def test_later_version_conflicts_even_if_reads_lag(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    concert = await on_sale(stores, 10)
    transaction = make_transaction(stores)
    write = ConcertWrite(replace(concert, version=concert.version + 1), epoch=concert.epoch)
    await transaction.commit(write)

    async def get_stale(_: ConcertStore, _id: ConcertId) -> Concert:
        return concert

    monkeypatch.setattr(ConcertStore, "get", get_stale)
    with pytest.raises(VersionConflict):
        await transaction.commit(write)


async def test_raised_epoch_causes_a_temporary_error(stores: Stores) -> None:
    concert = await on_sale(stores, 10)
    await stores.concerts.raise_epoch(concert.id)
    write = ConcertWrite(replace(concert, version=concert.version + 1), epoch=concert.epoch)
    with pytest.raises(TemporarilyUnavailable):
        await make_transaction(stores).commit(write)
    assert await stores.concerts.get(concert.id) == replace(concert, epoch=concert.epoch + 1)


async def test_concurrent_changes_fail_only_with_retryable_refusals(stores: Stores) -> None:
    """With a version conflict, or because another change has just moved the same units."""
    concert = await on_sale(stores, 100)

    async def resize(capacity: int) -> Concert:
        change = ConcertChange(tiers=(TierChange(concert.tiers[0].id, capacity=capacity),))
        return await concerts.update_concert(organizer(stores), concert.id, change, expected_version=None)

    answers = await asyncio.gather(*[resize(60 + number) for number in range(40)], return_exceptions=True)
    refused = [answer for answer in answers if not isinstance(answer, Concert)]
    assert [answer for answer in refused if not isinstance(answer, VersionConflict | TemporarilyUnavailable)] == []
    assert all(isinstance(answer, Refusal) and answer.retryable for answer in refused)
    assert len(refused) < 40
    await move_pending_units(stores, concert.id)
    await check_invariants(stores, concert)
