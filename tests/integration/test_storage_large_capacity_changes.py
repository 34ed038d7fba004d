"""A large capacity change takes effect immediately; its units are moved later, in steps."""

import asyncio

import pytest

from domain.errors import CapacityInUse, Refusal, SoldOut
from domain.holds import Hold
from domain.ids import ConcertId
from domain.orders import OrderStatus
from resolvers import holds
from storage.connect import Stores
from storage.keys import KINDS, concert_keys
from storage.mongo.concert_transaction import ConcertTransaction, HouseMove
from tests.support.capacity_steps import read_capacities, resize
from tests.support.sale import all_orders, buy, check_invariants, context, hold, on_sale, stock
from workers.capacity import CapacityWorker


async def move_all_units(stores: Stores) -> int:
    """Run the worker until it has nothing to do. Return how many units it moved."""
    total = 0
    while moved := await CapacityWorker().run_once(stores):
        total += moved
    return total


def record_moves(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> list[HouseMove]:
    moves: list[HouseMove] = []
    move_units = ConcertTransaction.move_units

    async def recorded(self: ConcertTransaction, concert_id: ConcertId, move: HouseMove) -> bool:
        moves.append(move)
        return await move_units(self, concert_id, move)

    monkeypatch.setattr(ConcertTransaction, "move_units", recorded)
    return moves


@pytest.mark.timeout(1_200)
async def test_lowering_a_capacity_from_200_000_to_5_succeeds_at_once(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    concert = await on_sale(stores, 200_000)
    await buy(stores, await hold(stores, concert, 2))
    await hold(stores, concert, 1, who="bob")
    moves = record_moves(stores, monkeypatch)
    with pytest.raises(CapacityInUse) as refusal:
        await resize(stores, concert, 2)
    assert refusal.value.lowest == 3
    answers = [await resize(stores, concert, 5) for _ in range(2)]
    assert [(answer.tiers[0].on_sale, answer.tiers[0].capacity_target) for answer in answers] == [(5, 5)] * 2
    assert moves == []
    assert await stock(stores, concert) == [(2, 1, 2)]
    with pytest.raises(SoldOut) as sold_out:
        await hold(stores, concert, 3, who="cyd")
    assert sold_out.value.available == 2
    while await CapacityWorker().run_once(stores):
        assert await stock(stores, concert) == [(2, 1, 2)]
    assert [move.count for move in moves] == [5_000] * 39 + [4_995]
    assert await read_capacities(stores, concert) == (5, 5, None)
    assert await stock(stores, concert) == [(2, 1, 2)]
    assert len(await stores.orders.list_units(concert.id, concert.tiers[0].id)) == 199_995 + 2


@pytest.mark.usefixtures("small_transactions")
async def test_a_large_increase_puts_withdrawn_units_back_on_sale_in_steps(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    concert = await on_sale(stores, 20)
    await resize(stores, concert, 5)
    assert await move_all_units(stores) == 15
    moves = record_moves(stores, monkeypatch)
    raised = await resize(stores, concert, 24)
    assert (raised.tiers[0].on_sale, raised.tiers[0].capacity_target, raised.tiers[0].top) == (9, 24, 24)
    assert await stock(stores, concert) == [(9, 0, 0)]
    assert await move_all_units(stores) == 15
    assert {abs(move.count) for move in moves} <= {1, 2, 3}
    assert await read_capacities(stores, concert) == (24, 24, None)
    assert await stock(stores, concert) == [(24, 0, 0)]
    await check_invariants(stores, concert)


@pytest.mark.usefixtures("small_transactions")
async def test_an_increase_during_a_withdrawal_cuts_it_short(stores: Stores) -> None:
    concert = await on_sale(stores, 20)
    await resize(stores, concert, 5)
    assert await stores.house_units.advance(concert.id, rounds=2) == 6
    await resize(stores, concert, 12)
    assert await stock(stores, concert) == [(12, 0, 0)]
    assert await move_all_units(stores) == 2
    assert (await read_capacities(stores, concert), await stock(stores, concert)) == ((12, 12, None), [(12, 0, 0)])
    await check_invariants(stores, concert)


@pytest.mark.usefixtures("small_transactions")
async def test_an_increase_during_a_withdrawal_can_put_units_back_on_sale(stores: Stores) -> None:
    concert = await on_sale(stores, 20)
    await resize(stores, concert, 5)
    assert await stores.house_units.advance(concert.id, rounds=2) == 6
    await resize(stores, concert, 18)
    assert await stock(stores, concert) == [(14, 0, 0)]
    assert await move_all_units(stores) == 4
    assert await stock(stores, concert) == [(18, 0, 0)]
    await check_invariants(stores, concert)


@pytest.mark.usefixtures("small_transactions")
async def test_a_second_reduction_adds_to_the_first(stores: Stores) -> None:
    concert = await on_sale(stores, 20)
    await resize(stores, concert, 10)
    assert await stores.house_units.advance(concert.id, rounds=1) == 3
    lowered = await resize(stores, concert, 9)
    assert lowered.tiers[0].capacity_target == 9
    assert await stock(stores, concert) == [(9, 0, 0)]
    assert await move_all_units(stores) == 8
    assert await stock(stores, concert) == [(9, 0, 0)]
    await check_invariants(stores, concert)


@pytest.mark.usefixtures("small_transactions")
async def test_units_from_a_released_hold_are_withdrawn_too(stores: Stores) -> None:
    """Every unit has been held before, so no unit is new."""
    concert = await on_sale(stores, 10)
    made = await hold(stores, concert, 10)
    await holds.release_hold(context(stores), concert.id, made.id)
    kept = await hold(stores, concert, 2, who="bob")
    await resize(stores, concert, 3)
    assert await move_all_units(stores) == 7
    assert await stock(stores, concert) == [(1, 2, 0)]
    assert (await buy(stores, kept)).units == kept.units
    await check_invariants(stores, concert)


@pytest.mark.usefixtures("small_transactions")
async def test_holds_made_during_a_withdrawal_can_be_bought(stores: Stores) -> None:
    concert = await on_sale(stores, 30, limit_per_person=30)
    await resize(stores, concert, 12)
    buyers = [hold(stores, concert, 1, who=f"buyer{number}") for number in range(20)]
    answers = await asyncio.gather(*buyers, move_all_units(stores), return_exceptions=True)
    made = [answer for answer in answers if isinstance(answer, Hold)]
    assert len(made) == 12
    assert not [a for a in answers if isinstance(a, BaseException) and not isinstance(a, Refusal)]
    orders = await asyncio.gather(*[buy(stores, one) for one in made])
    assert len({unit for order in orders for unit in order.units}) == 12
    await move_all_units(stores)
    await check_invariants(stores, concert)


@pytest.mark.usefixtures("small_transactions")
async def test_a_hold_whose_units_are_withdrawn_gets_other_units(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The units are free when they are chosen, but are held before the transaction begins."""
    concert = await on_sale(stores, 10)
    await resize(stores, concert, 6)
    made: list[Hold] = []
    move_units = ConcertTransaction.move_units

    async def hold_before_move(self: ConcertTransaction, concert_id: ConcertId, move: HouseMove) -> bool:
        if not made:
            key = concert_keys(concert.id)[KINDS.index("tiers")]
            first = int(move.added[0].units[0].rpartition(":")[2])
            await stores.script_client.run_command("HSET", key, f"{concert.tiers[0].id}|next", str(first))
            made.append(await hold(stores, concert, 2))
            assert set(made[0].units) == set(move.added[0].units)
            await stores.script_client.run_command(
                "ZADD",
                concert_keys(concert.id)[KINDS.index("free")],
                *[word for number in range(1, first) for word in ("0", f"{concert.tiers[0].id}:{number}")],
            )
        return await move_units(self, concert_id, move)

    monkeypatch.setattr(ConcertTransaction, "move_units", hold_before_move)
    await move_all_units(stores)
    order = await buy(stores, made[0])
    assert (len(order.units), set(order.units) & set(made[0].units)) == (2, set())
    assert await stock(stores, concert) == [(4, 0, 2)]
    await check_invariants(stores, concert)


@pytest.mark.usefixtures("small_transactions")
async def test_concurrent_moves_withdraw_every_unit_once(stores: Stores) -> None:
    concert = await on_sale(stores, 20)
    await resize(stores, concert, 5)
    await asyncio.gather(*[stores.house_units.advance(concert.id, rounds=5) for _ in range(3)])
    await move_all_units(stores)
    house = [order for order in await all_orders(stores, concert) if order.status is OrderStatus.WITHDRAWN]
    assert sum(len(order.units) for order in house) == 15
    assert await stock(stores, concert) == [(5, 0, 0)]
    await check_invariants(stores, concert)
