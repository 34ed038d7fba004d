"""Capacity changes are exact despite races, undone if refused, and settled after a crash."""

import asyncio
from dataclasses import replace

import pytest

from domain.concerts import Concert, ConcertChange, TierChange, TierDraft
from domain.errors import (
    CapacityInUse,
    IllegalTransition,
    InvalidInput,
    SoldOut,
    TemporarilyUnavailable,
    VersionConflict,
)
from domain.ids import HOUSE, TierId
from domain.orders import OrderStatus
from resolvers import concerts
from resolvers.concert_updates import make_command
from storage.connect import Stores
from tests.support.sale import all_orders, buy, check_invariants, draft, hold, make_overdue, on_sale, organizer, stock
from workers.apply import ApplyWorker
from workers.settle import SettleWorker


async def resize(stores: Stores, concert: Concert, *capacities: int, version: int | None = None) -> Concert:
    tiers = tuple(TierChange(tier.id, capacity=c) for tier, c in zip(concert.tiers, capacities, strict=True))
    return await concerts.update_concert(
        organizer(stores), concert.id, ConcertChange(tiers=tiers), expected_version=version
    )


async def test_raising_a_lowered_capacity_returns_the_same_units(any_stores: Stores) -> None:
    concert = await on_sale(any_stores, 10)
    await buy(any_stores, await hold(any_stores, concert, 3))
    lowered = await resize(any_stores, concert, 5)
    assert await stock(any_stores, concert) == [(2, 0, 3)]
    assert lowered.tiers[0].top == 10
    raised = await resize(any_stores, concert, 8)
    assert (raised.tiers[0].capacity, raised.tiers[0].top) == (8, 10)
    assert await stock(any_stores, concert) == [(5, 0, 3)]
    grown = await resize(any_stores, concert, 14)
    assert (grown.tiers[0].capacity, grown.tiers[0].top) == (14, 14)
    assert await stock(any_stores, concert) == [(11, 0, 3)]
    house = [order for order in await all_orders(any_stores, concert) if order.status is OrderStatus.WITHDRAWN]
    assert [order.units for order in house] == [()]
    await check_invariants(any_stores, concert)


async def test_capacity_cannot_drop_below_held_and_sold_units(stores: Stores) -> None:
    concert = await on_sale(stores, 10, 2_500)
    await buy(stores, await hold(stores, concert, 2))
    await hold(stores, concert, 3, who="bob")
    with pytest.raises(CapacityInUse) as refusal:
        await resize(stores, concert, 4, 300)
    assert (refusal.value.tier_id, refusal.value.lowest) == (concert.tiers[0].id, 5)
    assert await stock(stores, concert) == [(5, 3, 2), (2_500, 0, 0)]
    assert (await concerts.get_concert(organizer(stores), concert.id)) == concert
    await resize(stores, concert, 5, 300)
    assert await stock(stores, concert) == [(0, 3, 2), (300, 0, 0)]
    await check_invariants(stores, concert)


async def test_exactly_one_of_several_concurrent_changes_wins(stores: Stores) -> None:
    concert = await on_sale(stores, 100)
    answers = await asyncio.gather(
        *[resize(stores, concert, 90 + number, version=concert.version) for number in range(8)], return_exceptions=True
    )
    winners = [answer for answer in answers if isinstance(answer, Concert)]
    assert len(winners) == 1
    assert {type(answer) for answer in answers if answer not in winners} == {VersionConflict}
    assert await stock(stores, concert) == [(winners[0].tiers[0].capacity, 0, 0)]
    await check_invariants(stores, concert)


async def test_lowering_the_capacity_during_a_rush_withdraws_no_sold_unit(stores: Stores) -> None:
    concert = await on_sale(stores, 100)
    buyers = [hold(stores, concert, 1, who=f"buyer{number}") for number in range(90)]
    lowering = [resize(stores, concert, 50), resize(stores, concert, 30)]
    answers = await asyncio.gather(*buyers, *lowering, return_exceptions=True)
    # On a busy machine, a caller may be asked to repeat the call while the stock is being checked.
    refusals = (SoldOut, CapacityInUse, VersionConflict, TemporarilyUnavailable)
    assert not [answer for answer in answers if isinstance(answer, BaseException) and not isinstance(answer, refusals)]
    await check_invariants(stores, concert)


async def test_an_unfinished_withdrawal_is_settled(stores: Stores) -> None:
    concert = await on_sale(stores, 10)
    # Earlier versions of Onsale held units for the house before withdrawing them.
    left = await hold(stores, concert, 4, who=HOUSE)
    await stores.holds.begin_purchase(concert.id, left.id, person_id=HOUSE, purchase_key="withdraw", digest="")
    assert await stock(stores, concert) == [(6, 4, 0)]
    await make_overdue(stores, left)
    assert await SettleWorker().run_once(stores) == 1
    assert await stock(stores, concert) == [(10, 0, 0)]
    await check_invariants(stores, concert)


async def test_a_change_missing_from_the_hot_store_is_applied_later(stores: Stores) -> None:
    concert = await on_sale(stores, 10)
    before = await concerts.get_concert(organizer(stores), concert.id)
    assert before is not None
    await resize(stores, concert, 6)
    lowered = await concerts.get_concert(organizer(stores), concert.id)
    assert lowered is not None
    raised = await stores.concert_writer.save(lowered, _with(lowered, 12), make_command(organizer(stores)))
    assert await stock(stores, concert) == [(6, 0, 0)]
    assert [await ApplyWorker().run_once(stores), await ApplyWorker().run_once(stores)] == [1, 0]
    assert await stock(stores, concert) == [(12, 0, 0)]
    assert raised.tiers[0].top == 12
    await check_invariants(stores, concert)


def _with(concert: Concert, capacity: int) -> Concert:
    return replace(concert, version=concert.version + 1, tiers=(replace(concert.tiers[0], capacity=capacity),))


async def test_a_new_tier_is_on_sale_immediately(stores: Stores) -> None:
    concert = await on_sale(stores, 5)
    change = ConcertChange(name="Goldberg, again", new_tiers=(TierDraft("Balcony", 900, 7),))
    changed = await concerts.update_concert(organizer(stores), concert.id, change, expected_version=2)
    assert [(tier.id, tier.top) for tier in changed.tiers] == [(f"{concert.id}-1", 5), (f"{concert.id}-2", 7)]
    assert await stock(stores, changed) == [(5, 0, 0), (7, 0, 0)]
    assert (await hold(stores, changed, 0, 2)).total_minor == 1_800


async def test_a_new_price_applies_to_new_holds(stores: Stores) -> None:
    concert = await on_sale(stores, 5)
    cheap = await hold(stores, concert, 1)
    change = ConcertChange(tiers=(TierChange(concert.tiers[0].id, price_minor=9_900),))
    await concerts.update_concert(organizer(stores), concert.id, change, expected_version=None)
    expensive = await hold(stores, concert, 1)
    assert (cheap.total_minor, expensive.total_minor) == (0, 9_900)
    assert (await buy(stores, cheap)).total.minor == 0


async def test_invalid_changes_are_refused(stores: Stores) -> None:
    concert = await on_sale(stores, 5)
    invalid = [
        ConcertChange(name="x" * 10_000),
        ConcertChange(limit_per_order=0),
        ConcertChange(tiers=(TierChange(concert.tiers[0].id, capacity=-1),)),
        ConcertChange(tiers=(TierChange(TierId("nosuch-1"), capacity=1),)),
        ConcertChange(tiers=(TierChange(concert.tiers[0].id), TierChange(concert.tiers[0].id))),
        ConcertChange(new_tiers=(TierDraft("", -1, 0),)),
        ConcertChange(sales_end_at=concert.terms.sales_start_at),
    ]
    for change in invalid:
        with pytest.raises(InvalidInput):
            await concerts.update_concert(organizer(stores), concert.id, change, expected_version=None)
    assert await concerts.get_concert(organizer(stores), concert.id) == concert
    await concerts.close_concert(organizer(stores), concert.id)
    with pytest.raises(IllegalTransition):
        await resize(stores, concert, 3)
    with pytest.raises(IllegalTransition):
        await concerts.publish_concert(organizer(stores), concert.id)


async def test_a_slug_belongs_to_one_concert(stores: Stores) -> None:
    made = await concerts.create_concert(organizer(stores), draft(5, slug="goldberg"))
    assert await concerts.get_concert_by_slug(organizer(stores), "goldberg") == made
    with pytest.raises(InvalidInput) as refusal:
        await concerts.create_concert(organizer(stores), draft(5, slug="goldberg"))
    assert [problem.path for problem in refusal.value.problems] == ["slug"]
