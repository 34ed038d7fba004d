"""The end of a sale permanently ends its queue's round."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.concerts import Concert, ConcertChange
from domain.errors import Admission, NotInQueue, NotOnSale, RoomNotOpen
from domain.ids import PersonId
from domain.orders import Order
from domain.queues import EntryEnd, EntryState, RoomStatus
from domain.room_changes import RoomSettingsPatch
from domain.stock import StockAhead
from domain.topics import QueueTopic
from resolvers import concerts, holds, queues, rooms
from storage.connect import Stores
from storage.keys import KINDS, concert_keys
from subscriptions.hub import Hub
from tests.support.hub_recorder import subscribe
from tests.support.queue_steps import (
    admit,
    event_pairs,
    hold_with,
    join,
    pass_of,
    pass_time,
    records,
    refusal_of,
    states,
    with_room,
)
from tests.support.sale import buy, check_invariants, context, hold, organizer
from tests.support.waiting import wait_until

PEOPLE = ("ann", "ben", "cyd", "dan")


async def end_sale(stores: Stores, concert: Concert) -> None:
    """Move the end of the sales window to one second ago."""
    await move_end(stores, concert, timedelta(seconds=-1))


async def move_end(stores: Stores, concert: Concert, by: timedelta) -> Concert:
    change = ConcertChange(sales_end_at=datetime.now(UTC) + by)
    return await concerts.update_concert(organizer(stores), concert.id, change, expected_version=None)


async def write_state(stores: Stores, concert: Concert, field: str, value: str) -> None:
    state = concert_keys(concert.id)[KINDS.index("state")]
    await stores.script_client.run_command("HSET", state, field, value)


async def ends(stores: Stores, concert: Concert, *people: str) -> list[tuple[EntryState, EntryEnd | None]]:
    return [(record.state, record.end_reason) for record in await records(stores, concert, people)]


SALE_OVER = (EntryState.EXPIRED, EntryEnd.SALE_OVER)


@pytest.mark.parametrize("is_closed", [True, False], ids=["closed", "window"])
async def test_entries_without_a_hold_end_with_the_sale(any_stores: Stores, is_closed: bool) -> None:
    concert = await with_room(any_stores)
    await join(any_stores, concert, *PEOPLE)
    await admit(any_stores, concert)
    await pass_of(any_stores, concert, "ann")
    assert await states(any_stores, concert, *PEOPLE) == ["ADMITTED", "READY", "WAITING", "WAITING"]
    if is_closed:
        await concerts.close_concert(organizer(any_stores), concert.id)
    else:
        await end_sale(any_stores, concert)
    # No worker has run since the sale ended, so these states are derived when read.
    assert await ends(any_stores, concert, *PEOPLE) == [SALE_OVER] * 4
    state = await any_stores.queues.read_queue(concert.id)
    assert (state.status, state.is_over, state.positions.waiting_count) == (RoomStatus.CLOSED, True, 0)
    for who in PEOPLE:
        shown = await queues.get_viewer_entry(context(any_stores, who), concert.id)
        assert shown is not None
        assert (shown.is_active, shown.position, shown.end_reason) == (False, 0, EntryEnd.SALE_OVER)
        with pytest.raises(NotInQueue):
            await queues.claim_pass(context(any_stores, who), concert.id)
        with pytest.raises(NotInQueue):
            await any_stores.queues.heartbeat(concert.id, PersonId(who))
    with pytest.raises(RoomNotOpen):
        await join(any_stores, concert, "eve")
    assert await admit(any_stores, concert) == 0
    assert (await any_stores.queues.read_queue(concert.id)).slots_taken == 0
    assert await ends(any_stores, concert, *PEOPLE) == [SALE_OVER] * 4
    events = await event_pairs(any_stores, concert)
    assert (events.count(("over", "")), events.count(("expired", "cyd"))) == (1, 0)


async def test_after_the_sale_a_pass_lasts_until_its_hold_is_bought(stores: Stores) -> None:
    concert = await with_room(stores)
    await join(stores, concert, *PEOPLE)
    await admit(stores, concert)
    tokens = {who: await pass_of(stores, concert, who) for who in ("ann", "ben")}
    held = await hold_with(stores, concert, "ann", tokens["ann"])
    await end_sale(stores, concert)
    await admit(stores, concert)
    assert await ends(stores, concert, *PEOPLE) == [(EntryState.ADMITTED, None), *[SALE_OVER] * 3]
    with pytest.raises(NotOnSale):
        await hold_with(stores, concert, "ann", tokens["ann"])
    assert isinstance(await buy(stores, held), Order)
    assert await ends(stores, concert, "ann") == [(EntryState.COMPLETED, EntryEnd.SPENT)]
    assert (await stores.queues.read_queue(concert.id)).slots_taken == 0
    await check_invariants(stores, concert)


async def test_after_the_sale_a_pass_ends_when_its_last_hold_is_released(stores: Stores) -> None:
    concert = await with_room(stores)
    await join(stores, concert, "ann")
    await admit(stores, concert)
    held = await hold_with(stores, concert, "ann", await pass_of(stores, concert, "ann"))
    await end_sale(stores, concert)
    await admit(stores, concert)
    await holds.release_hold(context(stores, "ann"), concert.id, held.id)
    assert await ends(stores, concert, "ann") == [SALE_OVER]
    await pass_time(stores, concert, 4)
    assert (await stores.queues.read_queue(concert.id)).slots_taken == 0
    assert await ends(stores, concert, "ann") == [SALE_OVER]


@pytest.mark.parametrize("has_worker_run", [True, False], ids=["worker ran", "worker did not run"])
async def test_a_later_window_starts_a_new_round(any_stores: Stores, has_worker_run: bool) -> None:
    concert = await with_room(any_stores)
    await join(any_stores, concert, *PEOPLE)
    await admit(any_stores, concert)
    old = await pass_of(any_stores, concert, "ann")
    held = await hold_with(any_stores, concert, "ann", old)
    await end_sale(any_stores, concert)
    if has_worker_run:
        await admit(any_stores, concert)
    again = await move_end(any_stores, concert, timedelta(days=1))
    assert again.room.round == 2
    assert await ends(any_stores, concert, *PEOPLE) == [(EntryState.ADMITTED, None), *[SALE_OVER] * 3]
    # The pass from the earlier sale lasts as long as its hold and allows no new hold.
    assert await refusal_of(any_stores, concert, "ann", old) is Admission.BAD_PASS
    (dan, ben) = await join(any_stores, concert, "dan", "ben")
    assert [(entry.number, entry.round, entry.state) for entry in (dan, ben)] == [
        (1, 2, EntryState.WAITING),
        (2, 2, EntryState.WAITING),
    ]
    assert await admit(any_stores, concert) == 1
    assert await states(any_stores, concert, "dan", "ben", "cyd") == ["READY", "WAITING", "EXPIRED"]
    await buy(any_stores, held)
    assert await states(any_stores, concert, "ann", "dan", "ben") == ["COMPLETED", "READY", "READY"]
    await check_invariants(any_stores, concert)


async def test_a_lottery_in_a_later_window_uses_a_new_secret(stores: Stores) -> None:
    concert = await with_room(stores, shuffle_at_start=True)
    assert await stores.lottery_opener.open(concert) == "OPENED"
    await end_sale(stores, concert)
    again = await move_end(stores, concert, timedelta(days=1))
    assert again.room.round == 2
    assert again.room.commitment not in ("", concert.room.commitment)


async def test_extending_a_sale_before_its_end_keeps_the_round(stores: Stores) -> None:
    concert = await with_room(stores)
    await join(stores, concert, *PEOPLE)
    await move_end(stores, concert, timedelta(minutes=5))
    again = await move_end(stores, concert, timedelta(days=1))
    assert again.room.round == 1
    assert await states(stores, concert, *PEOPLE) == ["WAITING"] * 4


async def test_a_sale_that_ends_while_being_extended_stays_over(stores: Stores) -> None:
    """MongoDB stored the later end in time, but the hot store received it too late."""
    concert = await with_room(stores, total_active_users=1)
    await join(stores, concert, "ann", "ben")
    await admit(stores, concert)
    await write_state(stores, concert, "sales_end_ms", "1")
    assert await ends(stores, concert, "ann", "ben") == [SALE_OVER] * 2
    again = await move_end(stores, concert, timedelta(days=28))
    assert again.room.round == 1
    assert await ends(stores, concert, "ann", "ben") == [SALE_OVER] * 2
    (ben,) = await join(stores, concert, "ben")
    assert (ben.number, ben.state) == (1, EntryState.WAITING)
    assert await admit(stores, concert) == 1
    assert await states(stores, concert, "ann", "ben") == ["EXPIRED", "READY"]


async def test_a_round_does_not_end_if_no_worker_has_run(stores: Stores) -> None:
    """The store may be an older copy that does not contain a later sales window."""
    concert = await with_room(stores)
    await join(stores, concert, *PEOPLE)
    await admit(stores, concert)
    await write_state(stores, concert, "sales_end_ms", "1")
    await write_state(stores, concert, "worker_ms", "1")
    await write_state(stores, concert, "incarnation", "another")
    await move_end(stores, concert, timedelta(days=28))
    await stores.recovery.ensure(concert.id)
    assert await states(stores, concert, *PEOPLE) == ["READY", "READY", "WAITING", "WAITING"]


async def test_no_pass_can_be_claimed_after_the_sale_even_if_no_worker_runs(stores: Stores) -> None:
    concert = await with_room(stores)
    await join(stores, concert, "ann")
    await admit(stores, concert)
    await write_state(stores, concert, "sales_end_ms", "1")
    await write_state(stores, concert, "worker_ms", "1")
    with pytest.raises(NotInQueue):
        await queues.claim_pass(context(stores, "ann"), concert.id)


async def test_entries_ended_by_a_reset_keep_that_reason(stores: Stores) -> None:
    concert = await with_room(stores)
    await join(stores, concert, "ann", "ben", "cyd")
    await admit(stores, concert)
    await rooms.reset(organizer(stores), concert.id, RoomSettingsPatch(), "second sale")
    await join(stores, concert, "dan")
    reset = (EntryState.EXPIRED, EntryEnd.RESET)
    for _ in range(2):
        await end_sale(stores, concert)
        assert await ends(stores, concert, *PEOPLE) == [SALE_OVER, SALE_OVER, reset, SALE_OVER]
        await move_end(stores, concert, timedelta(days=1))
        assert await ends(stores, concert, *PEOPLE) == [SALE_OVER, SALE_OVER, reset, SALE_OVER]


async def test_a_suspended_room_ends_with_its_sale(stores: Stores, hub: Hub) -> None:
    concert = await with_room(stores)
    await join(stores, concert, *PEOPLE)
    await rooms.configure(
        organizer(stores), concert.id, RoomSettingsPatch((("suspended", True),)), expected_version=None
    )
    await hold(stores, concert, 1, who="eve")
    seen = await subscribe(hub, QueueTopic(concert.id, PersonId("ann")))
    await end_sale(stores, concert)
    await wait_until(lambda: seen.entry().end_reason is EntryEnd.SALE_OVER, what="the end")
    assert seen.queue().stock_ahead is StockAhead.SOLD_OUT
    assert seen.queue().room.status is RoomStatus.CLOSED
    with pytest.raises(RoomNotOpen) as refused:
        await queues.join_queue(context(stores, "bob"), concert.id)
    assert refused.value.status is RoomStatus.CLOSED


async def test_the_end_of_the_sale_is_pushed_to_subscribers(stores: Stores, hub: Hub) -> None:
    """The queue has not opened yet, so only closing the concert can end these entries."""
    concert = await with_room(stores, opens_at=datetime.now(UTC) + timedelta(days=1))
    await join(stores, concert, *PEOPLE)
    everyone = [await subscribe(hub, QueueTopic(concert.id, PersonId(who))) for who in PEOPLE]
    await concerts.close_concert(organizer(stores), concert.id)
    await wait_until(
        lambda: {seen.entry().end_reason for seen in everyone} == {EntryEnd.SALE_OVER}, what="the end for everyone"
    )
    assert {seen.state_and_position() for seen in everyone} == {(EntryState.EXPIRED, 0)}
    assert {seen.queue().stock_ahead for seen in everyone} == {StockAhead.SOLD_OUT}
