"""The rules of tiers apply to every new hold, by the clock of the store, and to nothing else."""

from datetime import UTC, datetime
from typing import Any

import pytest

from auth.viewer import Role
from domain.concerts import Concert
from domain.errors import InvalidInput, Refusal, SoldOut
from domain.holds import HoldState
from domain.ids import hold_id
from domain.inputs.problems import unknown_tier_problem
from domain.orders import OrderStatus
from domain.stock import PriceRange
from domain.tiers.errors import TierProblem, TierRefused
from domain.tiers.rules import NO_RULES, TierRules
from resolvers import concerts, orders
from resolvers.context import Context
from storage.connect import Stores
from storage.hot.hot_state import TakenUnits
from storage.keys import KINDS, concert_keys
from tests.support.sale import CUSTOMER, buy, check_invariants, context, hold, key, lines, on_sale, stock
from tests.support.tier_steps import hold_as, minutes, seller, set_rules
from tests.support.unpaid_orders import next_version, order_unpaid, store_next

UNKNOWN = unknown_tier_problem("lines.0.tierId")


async def refuse(asking: Context, concert: Concert, *quantities: int) -> Refusal:
    """Return the refusal of these tickets, after checking that it changed nothing."""
    stores, with_key = asking.stores, key()
    before = await stock(stores, concert)
    with pytest.raises((TierRefused, SoldOut, InvalidInput)) as refused:
        await hold_as(asking, concert, *quantities, with_key=with_key)
    assert await stock(stores, concert) == before
    id_ = hold_id(asking.signed_in().person_id, concert.id, "holdTickets", with_key)
    assert await stores.holds.get(concert.id, id_) is None
    return refused.value


async def test_each_rule_refuses_other_requests_and_changes_nothing(any_stores: Stores) -> None:
    concert, opens = await on_sale(any_stores, 9, 9), minutes(30)
    cases: list[tuple[dict[str, Any], int, TierProblem, str]] = [
        ({"sales_start_at": opens}, 1, TierProblem.NOT_OPEN, f"opens at {opens:%Y-%m-%dT%H:%M:%SZ}"),
        ({"sales_start_at": None, "sales_end_at": minutes(-30)}, 1, TierProblem.SALE_ENDED, "has ended"),
        ({"sales_end_at": None, "min_per_order": 2}, 1, TierProblem.BELOW_MINIMUM, "at least 2 tickets"),
        ({"min_per_order": 1, "max_per_order": 3}, 4, TierProblem.ABOVE_MAXIMUM, "at most 3 tickets"),
        ({"max_per_order": None, "is_withdrawn": True}, 1, TierProblem.WITHDRAWN, "off sale"),
    ]
    for rules, quantity, problem, words in cases:
        await set_rules(any_stores, concert, **rules)
        error = await refuse(context(any_stores, "ann"), concert, quantity, 1)
        assert isinstance(error, TierRefused)
        assert (error.tier_id, error.problem) == (concert.tiers[0].id, problem)
        assert error.opens_at == (opens if problem is TierProblem.NOT_OPEN else None)
        assert words in str(error)
    await set_rules(any_stores, concert, is_withdrawn=False, min_per_order=2, max_per_order=3)
    for quantity in (2, 3):
        await hold(any_stores, concert, quantity, who="ann")
    assert await stock(any_stores, concert) == [(4, 5, 0), (9, 0, 0)]
    await check_invariants(any_stores, concert)


async def test_hidden_tier_exists_only_for_its_organizer(stores: Stores) -> None:
    concert = await on_sale(stores, 9, 9)
    await set_rules(stores, concert, is_hidden=True)
    for asking in (context(stores, "ann"), seller(stores, "otto")):
        error = await refuse(asking, concert, 1)
        assert isinstance(error, InvalidInput)
        assert error.problems == (UNKNOWN,)
        shown = await concerts.read_stock(asking, concert)
        assert [tier.tier_id for tier in shown.tiers] == [concert.tiers[1].id]
    for asking in (seller(stores), seller(stores, "ada", Role.ADMIN)):
        await hold_as(asking, concert, 2)
        shown = await concerts.read_stock(asking, concert)
        assert [tier.tier_id for tier in shown.tiers] == [tier.id for tier in concert.tiers]
    assert await stock(stores, concert) == [(5, 4, 0), (9, 0, 0)]


async def test_the_organizer_must_obey_the_other_rules_of_a_hidden_tier(stores: Stores) -> None:
    concert = await on_sale(stores, 9)
    await set_rules(stores, concert, is_hidden=True, max_per_order=2)
    error = await refuse(seller(stores), concert, 3)
    assert isinstance(error, TierRefused)
    assert (error.problem, error.limit) == (TierProblem.ABOVE_MAXIMUM, 2)


async def test_no_path_to_an_order_bypasses_the_rules(stores: Stores) -> None:
    concert, again, bob = await on_sale(stores, 9), key(), context(stores, "bob")
    await set_rules(stores, concert, sales_start_at=minutes(30))
    for is_wiped in (False, True):
        if is_wiped:
            await stores.script_client.run_command("FLUSHALL")
            assert await stores.recovery.recover(concert.id)
        with pytest.raises(TierRefused):
            await orders.purchase_lines(bob, concert.id, lines(concert, 1), CUSTOMER, again)
        with pytest.raises(TierRefused):
            await hold_as(bob, concert, 1, with_key=again)
    assert await stock(stores, concert) == [(9, 0, 0)]
    # A refused request leaves nothing behind, so its key can be used once the sale has opened.
    await set_rules(stores, concert, sales_start_at=None)
    order = await orders.purchase_lines(bob, concert.id, lines(concert, 1), CUSTOMER, again)
    assert order.status is OrderStatus.PAID
    assert await stock(stores, concert) == [(8, 0, 1)]


async def test_a_hold_can_be_bought_however_the_rules_change(stores: Stores) -> None:
    concert, again = await on_sale(stores, 9), key()
    held = await hold(stores, concert, 2, who="ann", with_key=again)
    await set_rules(stores, concert, sales_end_at=minutes(-30), max_per_order=1, is_hidden=True, is_withdrawn=True)
    assert await hold(stores, concert, 2, who="ann", with_key=again) == held
    order = await buy(stores, held)
    assert (order.status, len(order.units)) == (OrderStatus.PAID, 2)
    await check_invariants(stores, concert)


async def test_a_withdrawn_tier_has_nothing_left_until_it_is_restored(any_stores: Stores) -> None:
    concert = await on_sale(any_stores, 9, 9, price_minor=0)
    held = await hold(any_stores, concert, 2, who="ann")
    await buy(any_stores, await hold(any_stores, concert, 3, who="ben"))
    changed = await set_rules(any_stores, concert, is_withdrawn=True)
    found = await any_stores.holds.read_stock(changed)
    assert [(tier.capacity, tier.available, tier.held, tier.sold) for tier in found.tiers] == [
        (9, 0, 2, 3),
        (9, 9, 0, 0),
    ]
    # The capacity is unchanged, and the house account takes no units.
    assert (changed.tiers[0].capacity, changed.tiers[0].to_withdraw) == (9, 0)
    await check_invariants(any_stores, concert)
    await set_rules(any_stores, concert, 1, is_withdrawn=True)
    found = await any_stores.holds.read_stock(changed)
    assert (found.is_sold_out, found.price_range) == (True, None)
    await set_rules(any_stores, concert, is_withdrawn=False)
    found = await any_stores.holds.read_stock(changed)
    assert (found.is_sold_out, found.price_range) == (False, PriceRange(0, 0))
    assert (await any_stores.holds.get(concert.id, held.id)) == held
    assert await stock(any_stores, concert) == [(4, 2, 3), (0, 0, 0)]


@pytest.mark.parametrize("is_withdrawn", [False, True])
async def test_late_payment_ignores_all_rules_but_a_withdrawal(any_stores: Stores, is_withdrawn: bool) -> None:
    concert = await on_sale(any_stores, 9)
    unpaid = await order_unpaid(any_stores, concert, await hold(any_stores, concert, 2, who="ann"))
    expired = await store_next(any_stores, next_version(unpaid, OrderStatus.EXPIRED, is_living=False))
    assert await any_stores.order_sync.record(expired)
    late = await store_next(any_stores, next_version(expired, OrderStatus.LATE_PAYMENT))
    await set_rules(
        any_stores, concert, sales_end_at=minutes(-30), max_per_order=1, is_hidden=True, is_withdrawn=is_withdrawn
    )
    taken = await any_stores.hot_state.take_again(late, starts_at=concert.terms.starts_at)
    assert (taken == TakenUnits("SOLD_OUT")) is is_withdrawn
    assert len(taken.units) == (0 if is_withdrawn else 2)
    await check_invariants(any_stores, concert)


async def test_late_payment_keeps_units_of_its_hold_in_a_withdrawn_tier(stores: Stores) -> None:
    concert = await on_sale(stores, 9)
    unpaid = await order_unpaid(stores, concert, await hold(stores, concert, 2, who="ann"))
    # The hot store does not learn that the order ended before the payment arrives.
    expired = await store_next(stores, next_version(unpaid, OrderStatus.EXPIRED, is_living=False))
    late = await store_next(stores, next_version(expired, OrderStatus.LATE_PAYMENT))
    await set_rules(stores, concert, is_withdrawn=True)
    taken = await stores.hot_state.take_again(late, starts_at=concert.terms.starts_at)
    assert (taken.word, set(taken.units)) == ("TAKEN", set(unpaid.units))


async def test_refusal_says_that_the_remainder_is_below_the_minimum(stores: Stores) -> None:
    concert = await on_sale(stores, 3)
    await set_rules(stores, concert, min_per_order=2)
    await hold(stores, concert, 2, who="ann")
    error = await refuse(context(stores, "ben"), concert, 2)
    assert isinstance(error, SoldOut)
    assert str(error) == ("Only 1 ticket is left in this tier, and an order needs at least 2; choose another tier.")


async def test_a_store_of_an_earlier_version_without_rules_works(stores: Stores) -> None:
    concert = await on_sale(stores, 9)
    tiers = concert_keys(concert.id)[KINDS.index("tiers")]
    assert await stores.script_client.run_command("HDEL", tiers, f"{concert.tiers[0].id}|rules") == 1
    await hold(stores, concert, 2)
    assert await stock(stores, concert) == [(7, 2, 0)]


async def test_a_concert_of_an_earlier_version_has_tiers_without_rules(stores: Stores) -> None:
    concert = await on_sale(stores, 9)
    kept = {"id", "name", "priceMinor", "capacity", "top"}
    collection = stores.mongo["concerts"]
    document = await collection.find_one({"_id": concert.id})
    assert document is not None
    old = [{name: value for name, value in tier.items() if name in kept} for tier in document["tiers"]]
    await collection.update_one({"_id": concert.id}, {"$set": {"tiers": old}, "$unset": {"highestOrdinal": ""}})
    found = await stores.concerts.get(concert.id)
    assert found == concert
    assert [(tier.rules, tier.zone, tier.description) for tier in found.tiers] == [(NO_RULES, "", "")]


async def test_rules_are_read_as_they_were_written(stores: Stores) -> None:
    concert = await on_sale(stores, 9)
    rules = TierRules(minutes(-30), minutes(30), min_per_order=2, max_per_order=4, is_hidden=True, is_withdrawn=True)
    names = ("sales_start_at", "sales_end_at", "min_per_order", "max_per_order", "is_hidden", "is_withdrawn")
    changed = await set_rules(stores, concert, **{name: getattr(rules, name) for name in names})
    stored = await stores.concerts.get(concert.id)
    assert stored is not None
    assert stored.tiers[0].rules == changed.tiers[0].rules == rules


async def test_the_sale_of_a_tier_opens_by_the_clock_of_the_store(stores: Stores) -> None:
    concert = await on_sale(stores, 9)
    seconds, _ = await stores.script_client.run_command("TIME")
    now = datetime.fromtimestamp(int(seconds), UTC)
    await set_rules(stores, concert, sales_start_at=now)
    held = await hold(stores, concert, 1)
    assert held.state is HoldState.HELD


async def test_organizer_rights_end_with_the_change_of_the_organizer(stores: Stores) -> None:
    concert = await on_sale(stores, 9)
    await set_rules(stores, concert, is_hidden=True)
    await hold_as(seller(stores), concert, 1)
    admin, otto = context(stores, "ada", Role.ADMIN), seller(stores, "otto")
    given = await concerts.change_organizer(admin, concert.id, otto.signed_in().person_id, expected_version=None)
    error = await refuse(seller(stores), concert, 1)
    assert isinstance(error, InvalidInput)
    await hold_as(otto, concert, 1)
    assert [len((await concerts.read_stock(asking, given)).tiers) for asking in (otto, seller(stores))] == [1, 0]
