"""Holds on every kind of store: all lines or none, limits, twice is once, deadlines, and races with exact winners."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

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
from tests.support.sale import (
    buy,
    check_invariants,
    context,
    draft,
    hold,
    key,
    lines,
    on_sale,
    opened,
    organizer,
    stock,
)
from tests.support.waiting import wait_until
from workers.expiry import ExpiryWorker


async def test_a_hold_takes_its_units_out_of_stock(any_stores: Stores) -> None:
    concert = await on_sale(any_stores, 10, 5)
    before = datetime.now(UTC)
    made = await hold(any_stores, concert, 2, 1)
    assert made.state is HoldState.HELD
    assert [(line.tier_id, line.quantity, line.unit_price_minor) for line in made.lines] == [
        (concert.tiers[0].id, 2, 2_500),
        (concert.tiers[1].id, 1, 5_000),
    ]
    assert made.total_minor == 10_000
    assert timedelta(minutes=9, seconds=59) < made.expires_at - before < timedelta(minutes=10, seconds=2)
    assert await stock(any_stores, concert) == [(8, 2, 0), (4, 1, 0)]
    assert await holds.get_hold(context(any_stores), concert.id, made.id) == made
    assert await holds.list_viewer_holds(context(any_stores)) == (made,)
    await check_invariants(any_stores, concert)


async def test_one_short_line_refuses_all_lines(any_stores: Stores) -> None:
    concert = await on_sale(any_stores, 10, 1)
    first = await hold(any_stores, concert, 0, 1)
    with pytest.raises(SoldOut) as refusal:
        await hold(any_stores, concert, 3, 1, who="bob")
    assert (refusal.value.tier_id, refusal.value.available) == (concert.tiers[1].id, 0)
    assert refusal.value.next_release_at == first.expires_at
    assert await stock(any_stores, concert) == [(10, 0, 0), (0, 1, 0)]
    await check_invariants(any_stores, concert)


async def test_a_released_hold_gives_back_exactly_its_units_once(any_stores: Stores) -> None:
    concert = await on_sale(any_stores, 3)
    made = await hold(any_stores, concert, 2)
    released = await holds.release_hold(context(any_stores), concert.id, made.id)
    again = await holds.release_hold(context(any_stores), concert.id, made.id)
    assert (released.state, released.reason) == (HoldState.ENDED, EndReason.RELEASED)
    assert again == released
    assert await stock(any_stores, concert) == [(3, 0, 0)]
    assert set((await hold(any_stores, concert, 2, who="bob")).units) == set(made.units)
    await check_invariants(any_stores, concert)


async def test_the_same_key_finds_the_same_hold(any_stores: Stores) -> None:
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


async def test_two_hundred_holds_for_a_hundred_tickets_have_a_hundred_winners(any_stores: Stores) -> None:
    concert = await on_sale(any_stores, 100)
    answers = await asyncio.gather(
        *[hold(any_stores, concert, 1, who=f"buyer{number}") for number in range(200)], return_exceptions=True
    )
    winners = [answer for answer in answers if isinstance(answer, Hold)]
    assert (len(winners), sum(isinstance(answer, SoldOut) for answer in answers)) == (100, 100)
    assert len({unit for winner in winners for unit in winner.units}) == 100
    await check_invariants(any_stores, concert)


async def test_expired_hold_is_on_sale_after_the_next_worker_run(any_stores: Stores) -> None:
    concert = await on_sale(any_stores, 1, hold_duration_ms=1_000)
    made = await hold(any_stores, concert, 1)
    await wait_until(lambda: datetime.now(UTC) > made.expires_at, what="the deadline")
    await ExpiryWorker().run_once(any_stores)
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


async def test_somebody_elses_hold_is_nobodys(stores: Stores) -> None:
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


async def test_only_an_open_sale_sells(stores: Stores) -> None:
    now = datetime.now(UTC)
    made = await concerts.create_concert(organizer(stores), draft(5))
    with pytest.raises(NotOnSale) as drafted:
        await hold(stores, made, 1)
    assert drafted.value.status == "DRAFT"
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


async def test_unknown_things_are_named(stores: Stores) -> None:
    concert = await on_sale(stores, 5)
    with pytest.raises(NotFound):
        await stores.holds.read_stock(ConcertId("nosuchconcer"))
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


async def test_a_gap_of_the_workers_grants_everybody_grace(stores: Stores) -> None:
    """The workers were away for six seconds: what was due meanwhile is due a minute later, and can still be bought."""
    concert = await on_sale(stores, 2, hold_duration_ms=1_000)
    made = await hold(stores, concert, 1)
    kept = await hold(stores, concert, 1, who="bob")
    await age(stores, concert.id, seconds=6)
    assert (await buy(stores, kept)).units == kept.units
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    assert await ExpiryWorker().run_once(stores) == 0
    seen = await holds.get_hold(context(stores), concert.id, made.id)
    assert seen is not None
    assert seen.state is HoldState.HELD
    assert before <= seen.expires_at - timedelta(seconds=60) <= datetime.now(UTC)


async def age(stores: Stores, concert_id: ConcertId, *, seconds: int) -> None:
    """Moves everything the store remembers of a concert's clock and deadlines into the past."""
    tag = f"onsale2:{{c:{concert_id}}}"
    for field in ("now_ms", "worker_ms"):
        await stores.script_client.run_command("HINCRBY", f"{tag}:state", field, str(-seconds * 1000))
    for id_ in await stores.script_client.run_command("ZRANGE", f"{tag}:deadlines", "0", "-1"):
        await stores.script_client.run_command("ZINCRBY", f"{tag}:deadlines", str(-seconds * 1000), id_.decode())
        record = (await stores.script_client.run_command("HGET", f"{tag}:holds", id_.decode())).decode()
        made = await stores.holds.get(concert_id, HoldId(id_.decode()))
        assert made is not None
        deadline_ms = str(int(made.expires_at.timestamp() * 1000))
        older = str(int(deadline_ms) - seconds * 1000)
        await stores.script_client.run_command("HSET", f"{tag}:holds", id_.decode(), record.replace(deadline_ms, older))


async def test_a_store_that_is_away_refuses_and_heals(
    own_valkey: ServerProcess, mongo_url: str, mongo_database: str
) -> None:
    async with opened(own_valkey.url, mongo_url, mongo_database) as stores:
        concert = await on_sale(stores, 5)
        await own_valkey.kill()
        with pytest.raises(TemporarilyUnavailable):
            await hold(stores, concert, 1)
        assert len(await stores.problems()) == 1
        await own_valkey.start()

        async def is_held() -> bool:
            try:
                await hold(stores, concert, 1, with_key="again")
            except TemporarilyUnavailable:
                return False
            return True

        await wait_until(is_held, timeout=10, what="the hold")
        assert await stock(stores, concert) == [(4, 1, 0)]
        await check_invariants(stores, concert)
