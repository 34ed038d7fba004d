"""Holds on each kind of store: all lines or none, limits, idempotency, deadlines and races."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.concerts import Concert
from domain.errors import (
    HoldEnded,
    IdempotencyConflict,
    InvalidInput,
    LimitExceeded,
    LimitScope,
    NotFound,
    NotOnSale,
    PurchaseInProgress,
    SoldOut,
    TemporarilyUnavailable,
)
from domain.holds import EndReason, Hold, HoldState, TicketRequest
from domain.ids import ConcertId, HoldId, tier_id
from resolvers import concerts, holds
from storage.connect import Stores
from storage.embedded.process import ServerProcess
from tests.support.hot_keys import advance_clock, concert_key, record_worker_run
from tests.support.sale import buy, check_invariants, context, draft, hold, key, lines, on_sale, organizer, stock
from tests.support.waiting import wait_until
from workers.expiry import ExpiryWorker

pytestmark = pytest.mark.each_hold_mode


async def test_a_hold_takes_its_units_out_of_stock(any_stores: Stores) -> None:
    concert = await on_sale(any_stores, 10, 5, price_minor=2_500)
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    made = await hold(any_stores, concert, 2, 1)
    assert made.state is HoldState.HELD
    assert [(line.tier_id, line.quantity, line.unit_price_minor) for line in made.lines] == [
        (concert.tiers[0].id, 2, 2_500),
        (concert.tiers[1].id, 1, 5_000),
    ]
    assert made.total_minor == 10_000
    assert before <= made.expires_at - timedelta(minutes=10) <= datetime.now(UTC)
    assert await stock(any_stores, concert) == [(8, 2, 0), (4, 1, 0)]
    assert await holds.get_hold(context(any_stores), concert.id, made.id) == made
    assert await holds.list_viewer_holds(context(any_stores)) == (made,)
    await check_invariants(any_stores, concert)


async def test_no_line_is_held_if_one_is_sold_out(any_stores: Stores) -> None:
    concert = await on_sale(any_stores, 10, 1)
    first = await hold(any_stores, concert, 0, 1)
    with pytest.raises(SoldOut) as refusal:
        await hold(any_stores, concert, 3, 1, who="bob")
    assert (refusal.value.tier_id, refusal.value.available) == (concert.tiers[1].id, 0)
    assert refusal.value.next_release_at == first.expires_at
    assert await stock(any_stores, concert) == [(10, 0, 0), (0, 1, 0)]
    await check_invariants(any_stores, concert)


async def test_a_released_hold_returns_its_units_once(any_stores: Stores) -> None:
    concert = await on_sale(any_stores, 3)
    made = await hold(any_stores, concert, 2)
    released = await holds.release_hold(context(any_stores), concert.id, made.id)
    again = await holds.release_hold(context(any_stores), concert.id, made.id)
    assert (released.state, released.reason) == (HoldState.ENDED, EndReason.RELEASED)
    assert again == released
    assert await stock(any_stores, concert) == [(3, 0, 0)]
    assert set((await hold(any_stores, concert, 2, who="bob")).units) == set(made.units)
    await check_invariants(any_stores, concert)


async def test_a_repeated_key_returns_the_same_hold(any_stores: Stores) -> None:
    concert = await on_sale(any_stores, 10)
    first = await hold(any_stores, concert, 2, with_key="k")
    assert await hold(any_stores, concert, 2, with_key="k") == first
    twins = await asyncio.gather(*[hold(any_stores, concert, 1, with_key="twin") for _ in range(20)])
    assert len({twin.id for twin in twins}) == 1
    assert await stock(any_stores, concert) == [(7, 3, 0)]
    with pytest.raises(IdempotencyConflict):
        await hold(any_stores, concert, 3, with_key="k")
    other = await hold(any_stores, concert, 2, with_key="k", who="bob")
    assert other.id != first.id
    await holds.release_hold(context(any_stores), concert.id, first.id)
    assert (await hold(any_stores, concert, 2, with_key="k")).state is HoldState.ENDED
    await check_invariants(any_stores, concert)


async def test_limits_count_holds_and_purchases(any_stores: Stores) -> None:
    concert = await on_sale(any_stores, 50, limit_per_order=4, limit_per_person=6)
    with pytest.raises(LimitExceeded) as per_order:
        await hold(any_stores, concert, 5)
    assert (per_order.value.scope, per_order.value.limit) == (LimitScope.ORDER, 4)
    bought = await hold(any_stores, concert, 3)
    await buy(any_stores, bought)
    held = await hold(any_stores, concert, 2)
    with pytest.raises(LimitExceeded) as per_person:
        await hold(any_stores, concert, 2)
    refused = per_person.value
    assert (refused.scope, refused.limit, refused.held, refused.owned) == (LimitScope.PERSON, 6, 2, 3)
    await holds.release_hold(context(any_stores), concert.id, held.id)
    assert (await hold(any_stores, concert, 3)).state is HoldState.HELD
    assert await stock(any_stores, concert) == [(44, 3, 3)]


async def test_100_of_200_concurrent_holds_get_the_100_tickets(any_stores: Stores) -> None:
    concert = await on_sale(any_stores, 100)
    answers = await asyncio.gather(
        *[hold(any_stores, concert, 1, who=f"buyer{number}") for number in range(200)], return_exceptions=True
    )
    winners = [answer for answer in answers if isinstance(answer, Hold)]
    assert (len(winners), sum(isinstance(answer, SoldOut) for answer in answers)) == (100, 100)
    assert len({unit for winner in winners for unit in winner.units}) == 100
    await check_invariants(any_stores, concert)


async def test_the_next_worker_run_returns_an_expired_hold_to_stock(any_stores: Stores) -> None:
    concert = await on_sale(any_stores, 1, hold_duration_ms=1_000)
    await ExpiryWorker().run_once(any_stores)
    made = await hold(any_stores, concert, 1)
    await advance_clock(any_stores, concert, 1_001)
    await record_worker_run(any_stores, concert.id)
    assert await ExpiryWorker().run_once(any_stores) == 1
    assert await stock(any_stores, concert) == [(1, 0, 0)]
    ended = await holds.get_hold(context(any_stores), concert.id, made.id)
    assert ended is not None
    assert (ended.state, ended.reason) == (HoldState.ENDED, EndReason.EXPIRED)
    with pytest.raises(HoldEnded):
        await buy(any_stores, made)
    await check_invariants(any_stores, concert)


async def test_a_hold_being_bought_cannot_be_released(stores: Stores) -> None:
    concert = await on_sale(stores, 5)
    made = await hold(stores, concert, 1)
    await stores.holds.begin_purchase(concert.id, made.id, person_id=made.person_id, purchase_key="k", digest="d")
    with pytest.raises(PurchaseInProgress):
        await holds.release_hold(context(stores), concert.id, made.id)
    assert await stock(stores, concert) == [(4, 1, 0)]


async def test_another_persons_hold_is_not_found(stores: Stores) -> None:
    concert = await on_sale(stores, 5)
    made = await hold(stores, concert, 1)
    with pytest.raises(NotFound):
        await holds.release_hold(context(stores, "mallory"), concert.id, made.id)
    with pytest.raises(NotFound):
        await stores.holds.begin_purchase(
            concert.id,
            made.id,
            person_id=context(stores, "mallory").signed_in().person_id,
            purchase_key="k",
            digest="d",
        )
    assert await holds.get_hold(context(stores, "mallory"), concert.id, made.id) is None
    assert await holds.get_hold(context(stores), concert.id, made.id) == made


async def test_tickets_can_be_held_only_while_the_sale_is_open(stores: Stores) -> None:
    now = datetime.now(UTC)
    made = await concerts.create_concert(organizer(stores), draft(5))
    # Whether a draft exists is not public.
    with pytest.raises(NotFound, match="This concert does not exist, or you cannot see it"):
        await hold(stores, made, 1)
    early = await on_sale(stores, 5, sales_start_at=now + timedelta(hours=1))
    with pytest.raises(NotOnSale) as not_yet:
        await hold(stores, early, 1)
    assert not_yet.value.opens_at == early.terms.sales_start_at
    late = await on_sale(stores, 5, sales_end_at=now - timedelta(minutes=1))
    with pytest.raises(NotOnSale) as over:
        await hold(stores, late, 1)
    assert over.value.opens_at is None
    closed = await on_sale(stores, 5)
    kept = await hold(stores, closed, 1)
    await concerts.close_concert(organizer(stores), closed.id)
    with pytest.raises(NotOnSale) as shut:
        await hold(stores, closed, 1)
    assert shut.value.status == "CLOSED"
    assert (await buy(stores, kept)).units == kept.units
    assert await stock(stores, closed) == [(4, 0, 1)]


async def test_unknown_concerts_holds_and_tiers_are_refused(stores: Stores) -> None:
    concert = await on_sale(stores, 5)
    with pytest.raises(NotFound):
        await stores.holds.read_stock(replace(concert, id=ConcertId("nosuchconcer")))
    with pytest.raises(NotFound):
        await holds.release_hold(context(stores), concert.id, HoldId("0" * 32))
    other = await on_sale(stores, 5)
    with pytest.raises(InvalidInput) as foreign:
        await holds.hold_tickets(context(stores), concert.id, lines(other, 1), key())
    assert [problem.path for problem in foreign.value.problems] == ["lines.0.tierId"]
    unknown = TicketRequest(tier_id(concert.id, 9), 1)
    with pytest.raises(InvalidInput) as missing:
        await holds.hold_tickets(context(stores), concert.id, (unknown,), key())
    assert [problem.path for problem in missing.value.problems] == ["lines.0.tierId"]
    assert await stock(stores, concert) == [(5, 0, 0)]


async def test_holds_get_a_grace_period_after_the_workers_were_down(stores: Stores) -> None:
    """Holds that became due while no worker ran get another minute, and can still be bought."""
    concert = await on_sale(stores, 2, hold_duration_ms=1_000)
    made = await hold(stores, concert, 1)
    kept = await hold(stores, concert, 1, who="bob")
    await age(stores, concert, seconds=6)
    assert (await buy(stores, kept)).units == kept.units
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    assert await ExpiryWorker().run_once(stores) == 0
    seen = await holds.get_hold(context(stores), concert.id, made.id)
    assert seen is not None
    assert seen.state is HoldState.HELD
    assert before <= seen.expires_at - timedelta(seconds=60) <= datetime.now(UTC)


async def age(stores: Stores, concert: Concert, *, seconds: int) -> None:
    """Move the concert's clock and all its deadlines into the past."""
    run, holds_key = stores.script_client.run_command, concert_key(concert, "holds")
    await advance_clock(stores, concert, -seconds * 1000)
    await run("HINCRBY", concert_key(concert, "state"), "worker_ms", str(-seconds * 1000))
    for id_ in await run("ZRANGE", concert_key(concert, "deadlines"), "0", "-1"):
        hold_id = HoldId(id_.decode())
        await run("ZINCRBY", concert_key(concert, "deadlines"), str(-seconds * 1000), hold_id)
        record = (await run("HGET", holds_key, hold_id)).decode()
        made = await stores.holds.get(concert.id, hold_id)
        assert made is not None
        deadline_ms = int(made.expires_at.timestamp() * 1000)
        older = record.replace(str(deadline_ms), str(deadline_ms - seconds * 1000))
        await run("HSET", holds_key, hold_id, older)


async def test_holds_are_refused_until_the_store_is_back(own_stores: Stores, own_valkey: ServerProcess) -> None:
    concert = await on_sale(own_stores, 5)
    await own_valkey.kill()
    with pytest.raises(TemporarilyUnavailable):
        await hold(own_stores, concert, 1)
    assert len(await own_stores.problems()) == 1
    await own_valkey.start()

    async def is_held() -> bool:
        try:
            await hold(own_stores, concert, 1, with_key="again")
        except TemporarilyUnavailable:
            return False
        return True

    await wait_until(is_held, what="the hold")
    assert await stock(own_stores, concert) == [(4, 1, 0)]
    await check_invariants(own_stores, concert)
