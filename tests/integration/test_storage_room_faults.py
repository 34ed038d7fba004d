"""What a reviewer broke of a room once: each test is the way in which it was broken."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from auth.passes import PassClaims
from domain.errors import NotAdmitted, QueueOpened, TemporarilyUnavailable
from domain.ids import PersonId
from domain.queues import EntryState, QueueingMethod
from domain.room_changes import RoomSettingsPatch
from resolvers import holds, rooms
from storage.connect import Stores
from storage.keys import KINDS, concert_keys
from tests.integration.test_storage_rooms import admit, change, join, states, with_room
from tests.support.lottery import Copy, make_people, register
from tests.support.sale import PASSES, buy, context, key, lines, organizer


def key_of(concert: Any, kind: str) -> str:
    return concert_keys(concert.id)[KINDS.index(kind)]


async def let_everybody_be_absent(stores: Stores, concert: Any) -> None:
    """Nobody said a word for half a minute; holds were looked after, and the admission worker was not there yet."""
    await stores.hot_state.expire_holds(concert.id, limit=100)
    for _ in range(9):
        await stores.script_client.run_command("HINCRBY", key_of(concert, "state"), "now_ms", "4000")
        await stores.hot_state.expire_holds(concert.id, limit=100)
    assert (await stores.queues.read_queue(concert.id)).grace_until_ms == 0


async def register_many(stores: Stores, concert: Any, count: int) -> None:
    for first in range(1, count, 1_000):
        await register(stores, concert, make_people(1_000, first))
        await stores.hot_state.expire_holds(concert.id, limit=100)


async def admitted(stores: Stores, concert: Any, who: str) -> str:
    await join(stores, concert, who)
    await admit(stores, concert)
    record = (await stores.queues.claim(concert.id, PersonId(who))).record
    assert record.claimed_at is not None
    return PASSES.sign(
        PassClaims(concert.id, PersonId(who), record.entry_id, record.claimed_at, record.session_ends_at)
    )


async def test_a_pass_that_an_order_spent_stays_spent_when_the_store_forgot_the_hold(stores: Stores) -> None:
    concert = await with_room(stores)
    token = await admitted(stores, concert, "ann")
    copy = await Copy(stores, concert).take()
    hold = await holds.hold_tickets(context(stores, "ann"), concert.id, lines(concert, 1), key(), token)
    await buy(stores, hold)
    assert await states(stores, concert, "ann") == ["COMPLETED"]
    await copy.put_back()
    await stores.recovery.ensure(concert.id)
    with pytest.raises(NotAdmitted):
        await holds.hold_tickets(context(stores, "ann"), concert.id, lines(concert, 1), key(), token)


async def test_a_paused_passthrough_room_admits_nobody(stores: Stores) -> None:
    concert = await with_room(stores, queueing_method=QueueingMethod.PASSTHROUGH, queue_all=True)
    with pytest.raises(NotAdmitted):
        await holds.hold_tickets(context(stores, "ann"), concert.id, lines(concert, 1), key())


async def test_an_opening_that_happened_is_not_taken_back_by_settings_that_arrive_after_it(stores: Stores) -> None:
    """The check of resolvers.concert_updates runs before the write: the moment may pass between the two."""
    concert = await with_room(stores)
    (ann,) = await join(stores, concert, "ann")
    assert (ann.state, ann.number) == (EntryState.WAITING, 1)
    await change(stores, concert, shuffle_at_start=True, commitment="0" * 64)
    (ann,) = await join(stores, concert, "ann")
    assert (ann.state, ann.number) == (EntryState.WAITING, 1)


async def test_a_first_join_writes_nothing_about_sockets(stores: Stores) -> None:
    concert = await with_room(stores)
    await join(stores, concert, "ann")
    entry = json.loads(await stores.script_client.run_command("HGET", key_of(concert, "entries"), "ann"))
    assert "presence" not in entry, entry


async def test_a_hold_without_a_pass_does_not_lengthen_one(stores: Stores) -> None:
    """A pass lives on for a hold that was made under it, not for any hold of its person."""
    concert = await with_room(stores, suspended=True, total_active_users=1, session_duration_ms=8_000)
    await holds.hold_tickets(context(stores, "ann"), concert.id, lines(concert, 1), key())
    concert = await change(stores, concert, suspended=False)
    await join(stores, concert, "ann", "ben")
    await stores.queues.sync_presence(concert.id, "p", [(PersonId("ann"), 1), (PersonId("ben"), 1)])
    await admit(stores, concert)
    await stores.queues.claim(concert.id, PersonId("ann"))
    for _ in range(4):
        await stores.script_client.run_command("HINCRBY", key_of(concert, "state"), "now_ms", "4000")
        await stores.queues.sync_presence(concert.id, "p", is_known=True)
        await admit(stores, concert)
    assert await states(stores, concert, "ann", "ben") == ["EXPIRED", "READY"]


async def test_a_paused_passthrough_room_is_entered_by_hand_under_both_caps(stores: Stores) -> None:
    """ADR 18: while paused "only an organizer's admitNext calls, under both caps"."""
    concert = await with_room(stores, queueing_method=QueueingMethod.PASSTHROUGH, queue_all=True, total_active_users=2)
    await join(stores, concert, *"abcdef")
    assert await stores.queues.admit_next(concert.id, command_key="k", digest="d", count=5) == 2


async def test_nobody_holds_without_a_pass_before_a_passthrough_room_opens(stores: Stores) -> None:
    """docs/waiting-room.md: in SCHEDULED and PREQUEUE a hold needs a pass."""

    opens_at = datetime.now(UTC) + timedelta(hours=1)
    concert = await with_room(stores, queueing_method=QueueingMethod.PASSTHROUGH, opens_at=opens_at)
    assert (await stores.queues.read_queue(concert.id)).status == "PREQUEUE"
    with pytest.raises(NotAdmitted):
        await holds.hold_tickets(context(stores, "ann"), concert.id, lines(concert, 1), key())


async def test_changes_of_more_people_than_a_page_at_one_version_are_read(stores: Stores) -> None:
    concert = await with_room(stores)
    await join(stores, concert, "ann")
    before = (await stores.queues.read_queue(concert.id)).version
    state, changes = key_of(concert, "state"), key_of(concert, "changes")
    await stores.script_client.run_command("HINCRBY", state, "version", "2")
    for first in range(0, 7_000, 1_000):
        pairs = [word for index in range(first, first + 1_000) for word in (str(before + 1), f"n{index}")]
        await stores.script_client.run_command("ZADD", changes, *pairs)
    await stores.script_client.run_command("ZADD", changes, str(before + 2), "ben")
    async with asyncio.timeout(5):
        known = (await stores.snapshots.read(concert.id, after=before)).changes
    assert (len(known.people), known.is_complete, "ben" in known.people) == (7_001, True, True)


async def test_one_run_ends_few_people_and_says_that_there_are_more(stores: Stores) -> None:
    concert = await with_room(stores)
    await register_many(stores, concert, 1_000)
    await let_everybody_be_absent(stores, concert)
    left = []
    for is_more in (True, True, False):
        assert (await stores.hot_state.run_admission(concert.id, bound=1_000)).is_bounded is is_more
        left.append((await stores.queues.read_queue(concert.id)).positions.waiting_count)
    # 250 whose time was over, and 250 that were met in front of the line.
    assert left == [500, 0, 0]


async def test_a_call_by_hand_passes_over_all_who_are_gone(stores: Stores) -> None:
    concert = await with_room(stores)
    await register_many(stores, concert, 1_000)
    await let_everybody_be_absent(stores, concert)
    await join(stores, concert, "ann")
    assert await stores.queues.admit_next(concert.id, command_key="k", digest="d", count=5) == 1
    assert await states(stores, concert, "ann") == ["READY"]
    assert (await stores.queues.read_queue(concert.id)).positions.waiting_count == 0


async def test_admission_stays_awake_while_only_a_hold_can_run_out(stores: Stores) -> None:
    """A join wakes the workers of an idle concert only."""
    concert = await with_room(stores, suspended=True)
    await holds.hold_tickets(context(stores, "early"), concert.id, lines(concert, 1), key())
    await change(stores, concert, suspended=False)
    assert (await stores.hot_state.expire_holds(concert.id, limit=10)).is_active
    assert (await stores.hot_state.run_admission(concert.id, bound=10)).is_active


@pytest.mark.parametrize("fault", ["before", "after"])
async def test_a_call_by_hand_has_its_row_whatever_fails(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    concert = await change(stores, await with_room(stores), queue_all=True)
    await join(stores, concert, "ann", "ben")

    async def away(*_: object) -> None:
        raise TemporarilyUnavailable("The order database does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(stores.room_audits, "insert" if fault == "before" else "complete", away)
        with pytest.raises(TemporarilyUnavailable):
            await rooms.admit_next(organizer(stores), concert.id, 1, "key-of-olivia")
    page = await rooms.page_audits(organizer(stores), concert.id, first=10, after=None)
    told = [row.manual_admission.called for row in page.items if row.manual_admission]
    assert (await states(stores, concert, "ann"), told) == (
        (["WAITING"], []) if fault == "before" else (["READY"], [None])
    )
    assert (await rooms.admit_next(organizer(stores), concert.id, 1, "key-of-olivia")).called == 1
    page = await rooms.page_audits(organizer(stores), concert.id, first=10, after=None)
    assert [row.manual_admission.called for row in page.items if row.manual_admission] == [1]
    assert await states(stores, concert, "ann", "ben") == ["READY", "WAITING"]


@pytest.mark.parametrize("is_on", [True, False])
async def test_a_lottery_is_settled_some_seconds_before_its_time(stores: Stores, is_on: bool) -> None:
    """The write of a change takes a while, in which a line may open."""
    opens_at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=8)
    concert = await with_room(stores, opens_at=opens_at, shuffle_at_start=is_on)
    wish = RoomSettingsPatch((("shuffle_at_start", not is_on),))
    with pytest.raises(QueueOpened):
        await rooms.configure(organizer(stores), concert.id, wish, expected_version=None)
    kept = await stores.concerts.get(concert.id)
    assert kept is not None
    assert kept.room.shuffle_at_start is is_on


async def test_everybody_is_drawn_with_the_same_chance(any_stores: Stores) -> None:
    """600 who wait, with gaps, 200 drawn: each fifth of the line has its share within five standard deviations."""
    room = {"total_active_users": 200, "new_users_per_minute": 100_000}
    concert = await with_room(any_stores, queueing_method=QueueingMethod.RANDOM, **room)
    people = [f"p{number}" for number in range(750)]
    await asyncio.gather(*[any_stores.queues.join(concert.id, PersonId(who)) for who in people])
    await asyncio.gather(*[any_stores.queues.leave(concert.id, PersonId(who)) for who in people[::5]])
    assert await admit(any_stores, concert) == 200
    found = await any_stores.queues.read_entries(concert.id, [PersonId(who) for who in people])
    called = [index for index, who in enumerate(people) if found[PersonId(who)].state is EntryState.READY]
    assert len(called) == 200
    shares = [sum(index // 150 == fifth for index in called) for fifth in range(5)]
    assert all(15 <= share <= 65 for share in shares), shares
    assert (await any_stores.queues.read_queue(concert.id)).positions.waiting_count == 400
