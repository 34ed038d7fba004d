"""Regression tests for faults that a review found in waiting rooms."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from domain.concerts import Concert
from domain.errors import NotAdmitted, QueueOpened, TemporarilyUnavailable
from domain.ids import PersonId
from domain.page import PageRequest
from domain.queues import EntryState, QueueingMethod
from domain.room_changes import RoomSettingsPatch
from resolvers import rooms
from storage.connect import Stores
from tests.support.hot_keys import advance_clock, concert_key, end_grace, record_worker_run
from tests.support.lottery import register
from tests.support.queue_steps import (
    READY,
    admit,
    change_room,
    hold_with,
    join,
    leave_all,
    make_people,
    pass_of,
    pass_time,
    records,
    states,
    with_room,
)
from tests.support.sale import buy, organizer
from tests.support.store_copies import ConcertCopy


async def expire_presence(stores: Stores, concert: Concert) -> None:
    """Advance the clock until all presence has expired. The admission worker does not run."""
    await stores.hot_state.expire_holds(concert.id, limit=100)
    await end_grace(stores, concert)
    for _ in range(9):
        await advance_clock(stores, concert, 4_000)
        await record_worker_run(stores, concert.id)
        await stores.hot_state.expire_holds(concert.id, limit=100)
    assert (await stores.queues.read_queue(concert.id)).grace_until_ms == 0


async def join_a_thousand_people(stores: Stores, concert: Concert) -> None:
    await register(stores, concert, make_people(1_000))
    await stores.hot_state.expire_holds(concert.id, limit=100)


async def test_a_spent_pass_stays_spent_after_the_store_loses_the_hold(stores: Stores) -> None:
    concert = await with_room(stores)
    await join(stores, concert, "ann")
    await admit(stores, concert)
    token = await pass_of(stores, concert, "ann")
    copy = await ConcertCopy(stores, concert).take()
    await buy(stores, await hold_with(stores, concert, "ann", token))
    assert await states(stores, concert, "ann") == ["COMPLETED"]
    await copy.put_back()
    await stores.recovery.ensure(concert.id)
    with pytest.raises(NotAdmitted):
        await hold_with(stores, concert, "ann", token)


async def test_a_hold_requires_a_pass_in_a_paused_passthrough_room(stores: Stores) -> None:
    concert = await with_room(stores, queueing_method=QueueingMethod.PASSTHROUGH, queue_all=True)
    with pytest.raises(NotAdmitted):
        await hold_with(stores, concert, "ann", None)


async def test_settings_that_arrive_late_do_not_undo_an_opening(stores: Stores) -> None:
    """The queue may open between the check in resolvers.concert_updates and the write."""
    concert = await with_room(stores)
    (ann,) = await join(stores, concert, "ann")
    assert (ann.state, ann.number) == (EntryState.WAITING, 1)
    await change_room(stores, concert, shuffle_at_start=True, commitment="0" * 64)
    (ann,) = await join(stores, concert, "ann")
    assert (ann.state, ann.number) == (EntryState.WAITING, 1)


async def test_joining_for_the_first_time_writes_no_presence(stores: Stores) -> None:
    concert = await with_room(stores)
    await join(stores, concert, "ann")
    entry = json.loads(await stores.script_client.run_command("HGET", concert_key(concert, "entries"), "ann"))
    assert "presence" not in entry, entry


async def test_a_hold_without_a_pass_does_not_extend_a_session(stores: Stores) -> None:
    """A hold extends a session only if it was made with that session's pass."""
    concert = await with_room(stores, suspended=True, total_active_users=1, session_duration_ms=8_000)
    await hold_with(stores, concert, "ann", None)
    concert = await change_room(stores, concert, suspended=False)
    await join(stores, concert, "ann", "ben")
    await stores.queues.sync_presence(concert.id, "p", [(PersonId("ann"), 1), (PersonId("ben"), 1)])
    await admit(stores, concert)
    await stores.queues.claim(concert.id, PersonId("ann"))
    await pass_time(stores, concert, 16, process="p")
    assert await states(stores, concert, "ann", "ben") == ["EXPIRED", "READY"]


async def test_manual_admission_to_a_paused_passthrough_room_is_limited(stores: Stores) -> None:
    """ADR 18: in a paused room, only `admitNext` calls people, within both limits."""
    concert = await with_room(stores, queueing_method=QueueingMethod.PASSTHROUGH, queue_all=True, total_active_users=2)
    await join(stores, concert, *"abcdef")
    assert await stores.queues.admit_next(concert.id, command_key="k", digest="d", count=5) == 2


async def test_a_hold_requires_a_pass_before_a_passthrough_room_opens(stores: Stores) -> None:
    """docs/waiting-room.md: in SCHEDULED and PREQUEUE, a hold requires a pass."""
    opens_at = datetime.now(UTC) + timedelta(hours=1)
    concert = await with_room(stores, queueing_method=QueueingMethod.PASSTHROUGH, opens_at=opens_at)
    assert (await stores.queues.read_queue(concert.id)).status == "PREQUEUE"
    with pytest.raises(NotAdmitted):
        await hold_with(stores, concert, "ann", None)


async def test_all_changes_at_one_version_are_read_despite_paging(stores: Stores) -> None:
    concert = await with_room(stores)
    await join(stores, concert, "ann")
    before = (await stores.queues.read_queue(concert.id)).version
    state, changes = concert_key(concert, "state"), concert_key(concert, "changes")
    await stores.script_client.run_command("HINCRBY", state, "version", "2")
    for first in range(0, 7_000, 1_000):
        pairs = [word for index in range(first, first + 1_000) for word in (str(before + 1), f"n{index}")]
        await stores.script_client.run_command("ZADD", changes, *pairs)
    await stores.script_client.run_command("ZADD", changes, str(before + 2), "ben")
    async with asyncio.timeout(60):
        known = (await stores.snapshots.read(concert.id, after=before)).changes
    assert (len(known.people), known.is_complete, "ben" in known.people) == (7_001, True, True)


async def test_one_run_ends_a_bounded_number_of_entries(stores: Stores) -> None:
    concert = await with_room(stores)
    await join_a_thousand_people(stores, concert)
    await expire_presence(stores, concert)
    left = []
    for is_more in (True, True, False):
        assert (await stores.hot_state.run_admission(concert.id, bound=1_000)).is_bounded is is_more
        left.append((await stores.queues.read_queue(concert.id)).positions.waiting_count)
    # The first run ends 250 overdue entries, and 250 absent ones at the front.
    assert left == [500, 0, 0]


async def test_manual_admission_skips_all_absent_entries(stores: Stores) -> None:
    concert = await with_room(stores)
    await join_a_thousand_people(stores, concert)
    await expire_presence(stores, concert)
    await join(stores, concert, "ann")
    assert await stores.queues.admit_next(concert.id, command_key="k", digest="d", count=5) == 1
    assert await states(stores, concert, "ann") == ["READY"]
    assert (await stores.queues.read_queue(concert.id)).positions.waiting_count == 0


async def test_admission_stays_active_while_a_hold_can_expire(stores: Stores) -> None:
    """A join wakes the workers only if the concert is idle."""
    concert = await with_room(stores, suspended=True)
    await hold_with(stores, concert, "early", None)
    await change_room(stores, concert, suspended=False)
    assert (await stores.hot_state.expire_holds(concert.id, limit=10)).is_active
    assert (await stores.hot_state.run_admission(concert.id, bound=10)).is_active


@pytest.mark.parametrize("fault", ["before", "after"])
async def test_manual_admission_is_audited_once_despite_a_failure(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    concert = await change_room(stores, await with_room(stores), queue_all=True)
    await join(stores, concert, "ann", "ben")

    async def unavailable(*_: object) -> None:
        raise TemporarilyUnavailable("The order database does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(stores.room_audits, "insert" if fault == "before" else "complete", unavailable)
        with pytest.raises(TemporarilyUnavailable):
            await rooms.admit_next(organizer(stores), concert.id, 1, "olivias-key")
    page = await rooms.page_audits(organizer(stores), concert.id, PageRequest(10))
    recorded = [row.manual_admission.called for row in page.items if row.manual_admission]
    expected = ("WAITING", []) if fault == "before" else ("READY", [None])
    assert ((await states(stores, concert, "ann"))[0], recorded) == expected
    assert (await rooms.admit_next(organizer(stores), concert.id, 1, "olivias-key")).called == 1
    page = await rooms.page_audits(organizer(stores), concert.id, PageRequest(10))
    assert [row.manual_admission.called for row in page.items if row.manual_admission] == [1]
    assert await states(stores, concert, "ann", "ben") == ["READY", "WAITING"]


@pytest.mark.parametrize("is_on", [True, False])
async def test_the_lottery_setting_cannot_be_changed_just_before_the_opening(stores: Stores, is_on: bool) -> None:
    """Writing a change takes some time, and the queue may open in the meantime."""
    opens_at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=8)
    concert = await with_room(stores, opens_at=opens_at, shuffle_at_start=is_on)
    change = RoomSettingsPatch((("shuffle_at_start", not is_on),))
    with pytest.raises(QueueOpened):
        await rooms.configure(organizer(stores), concert.id, change, expected_version=None)
    kept = await stores.concerts.get(concert.id)
    assert kept is not None
    assert kept.room.shuffle_at_start is is_on


async def test_the_random_method_gives_everyone_the_same_chance(any_stores: Stores) -> None:
    """200 of 600 people are called; each fifth's share is within five standard deviations."""
    room = {"total_active_users": 200, "new_users_per_minute": 100_000}
    concert = await with_room(any_stores, queueing_method=QueueingMethod.RANDOM, **room)
    people = make_people(750)
    await register(any_stores, concert, people)
    await leave_all(any_stores, concert, people[::5])
    assert await admit(any_stores, concert) == 200
    called = [index for index, r in enumerate(await records(any_stores, concert, people)) if r.state is READY]
    assert len(called) == 200
    shares = [sum(index // 150 == fifth for index in called) for fifth in range(5)]
    assert all(15 <= share <= 65 for share in shares), shares
    assert (await any_stores.queues.read_queue(concert.id)).positions.waiting_count == 400
