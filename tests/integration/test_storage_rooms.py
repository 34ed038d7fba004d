"""Queueing methods on real stores: who may join, who is called, resets and lotteries."""

import struct
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from domain.concerts import Concert
from domain.errors import IdempotencyConflict, RoomNotOpen
from domain.ids import PersonId
from domain.lottery import Permutation
from domain.queues import EntryEnd, EntryState, QueueingMethod, RoomStatus
from storage.connect import Stores
from storage.hot.hot_state import ExpiryRun, FrozenQueue
from storage.keys import WORK_CHANNEL
from tests.support.hot_keys import advance_clock, concert_key, replace_incarnation
from tests.support.queue_model import drawn_ranks
from tests.support.queue_steps import (
    READY,
    WAITING,
    admit,
    change_room,
    event_pairs,
    join,
    join_all,
    leave_all,
    make_people,
    pass_time,
    positions,
    records,
    states,
    with_room,
)

SECRET = "0" * 64


async def join_refusal(stores: Stores, concert: Concert) -> RoomNotOpen:
    with pytest.raises(RoomNotOpen) as refusal:
        await join(stores, concert, "late")
    assert await stores.queues.read_entries(concert.id, [PersonId("late")]) == {}
    return refusal.value


async def test_a_paused_room_accepts_joins_and_calls_no_one(any_stores: Stores) -> None:
    concert = await change_room(any_stores, await with_room(any_stores), queue_all=True)
    await join(any_stores, concert, "ann", "ben", "cyd")
    assert (await any_stores.queues.read_queue(concert.id)).status is RoomStatus.PAUSED
    assert await admit(any_stores, concert) == 0
    by_hand = await any_stores.queues.admit_next(concert.id, command_key="k", digest="d", count=1)
    assert by_hand == 1
    # A call made by the organizer can be claimed, but a freed slot is not reassigned.
    assert (await any_stores.queues.claim(concert.id, PersonId("ann"))).record.state is EntryState.ADMITTED
    await any_stores.queues.leave(concert.id, PersonId("ann"))
    assert await states(any_stores, concert, "ann", "ben", "cyd") == ["LEFT", "WAITING", "WAITING"]
    assert await positions(any_stores, concert, "ben", "cyd") == [1, 2]
    await change_room(any_stores, concert, queue_all=False)
    assert await admit(any_stores, concert) == 2


async def test_manual_admission_happens_once_and_respects_both_limits(any_stores: Stores) -> None:
    concert = await change_room(any_stores, await with_room(any_stores), queue_all=True)
    await join(any_stores, concert, *"abcdef")
    call = any_stores.queues.admit_next
    assert [await call(concert.id, command_key="k", digest="5", count=5) for _ in range(2)] == [2, 2]
    with pytest.raises(IdempotencyConflict):
        await call(concert.id, command_key="k", digest="6", count=6)
    assert await call(concert.id, command_key="other", digest="5", count=5) == 0
    state = await any_stores.queues.read_queue(concert.id)
    assert (state.slots_taken, state.positions.waiting_count) == (2, 4)
    concert = await change_room(any_stores, concert, total_active_users=100, new_users_per_minute=3)
    assert await call(concert.id, command_key="third", digest="5", count=5) == 1


async def test_a_rejecting_room_keeps_its_entries(any_stores: Stores) -> None:
    concert = await with_room(any_stores)
    await join(any_stores, concert, "ann", "ben", "cyd")
    await admit(any_stores, concert)
    concert = await change_room(any_stores, concert, queueing_method=QueueingMethod.REJECT)
    refusal = await join_refusal(any_stores, concert)
    assert (refusal.status, refusal.opens_at) == (RoomStatus.REJECTING, None)
    assert (await join(any_stores, concert, "cyd"))[0].number == 3
    assert (await any_stores.queues.claim(concert.id, PersonId("ann"))).record.state is EntryState.ADMITTED
    await any_stores.queues.leave(concert.id, PersonId("ann"))
    assert await admit(any_stores, concert) == 0
    with pytest.raises(RoomNotOpen):
        await any_stores.queues.admit_next(concert.id, command_key="k", digest="d", count=1)
    await change_room(any_stores, concert, queueing_method=QueueingMethod.FIFO)
    assert await admit(any_stores, concert) == 1


async def test_passthrough_calls_everyone_despite_the_limits(any_stores: Stores) -> None:
    concert = await with_room(any_stores, queueing_method=QueueingMethod.PASSTHROUGH, new_users_per_minute=1)
    await join(any_stores, concert, *"abcdef")
    assert await admit(any_stores, concert) == 6
    assert (await any_stores.queues.read_queue(concert.id)).slots_taken == 6


async def test_a_suspended_room_refuses_joins_and_lets_calls_expire(any_stores: Stores) -> None:
    concert = await with_room(any_stores)
    await join(any_stores, concert, "ann", "ben", "cyd")
    await admit(any_stores, concert)
    concert = await change_room(any_stores, concert, suspended=True)
    assert (await join_refusal(any_stores, concert)).status is RoomStatus.SUSPENDED
    await any_stores.queues.sync_presence(concert.id, "p", [(PersonId("cyd"), 1)])
    for sequence in range(2, 19):
        await pass_time(any_stores, concert, 4)
        await any_stores.queues.sync_presence(concert.id, "p", [(PersonId("cyd"), sequence)])
    assert await states(any_stores, concert, "ann", "ben", "cyd") == ["EXPIRED", "EXPIRED", "WAITING"]
    assert (await records(any_stores, concert, ["ann"]))[0].end_reason is EntryEnd.NOT_CLAIMED


async def test_prequeued_people_are_called_after_the_opening(any_stores: Stores) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    joins_at, opens_at = now + timedelta(minutes=10), now + timedelta(minutes=20)
    concert = await with_room(any_stores, prequeue_starts_at=joins_at, opens_at=opens_at)
    refusal = await join_refusal(any_stores, concert)
    assert (refusal.status, refusal.opens_at) == (RoomStatus.SCHEDULED, joins_at)
    await pass_time(any_stores, concert, 604)
    first, second = await join(any_stores, concert, "ann", "ben")
    assert [(entry.state, entry.number) for entry in (first, second)] == [("PREQUEUED", 1), ("PREQUEUED", 2)]
    state = await any_stores.queues.read_queue(concert.id)
    assert (state.status, state.is_opened, state.positions.waiting_count) == (RoomStatus.PREQUEUE, False, 2)
    await any_stores.queues.sync_presence(concert.id, "p", [(PersonId("ann"), 1), (PersonId("ben"), 1)])
    with pytest.raises(RoomNotOpen):
        await any_stores.queues.admit_next(concert.id, command_key="k", digest="d", count=1)
    assert await admit(any_stores, concert) == 0
    version = state.version
    await pass_time(any_stores, concert, 608, process="p")
    state = await any_stores.queues.read_queue(concert.id)
    assert (state.status, state.is_opened) == (RoomStatus.OPEN, True)
    assert state.version > version
    assert await states(any_stores, concert, "ann", "ben") == ["READY", "READY"]


async def test_random_calls_choose_each_person_equally_often(stores: Stores) -> None:
    """Four people wait, and one is called at a time."""
    concert = await with_room(stores, queueing_method=QueueingMethod.RANDOM, total_active_users=1)
    first: Counter[str] = Counter()
    people = ("ann", "ben", "cyd", "dan")
    for _ in range(200):
        await join_all(stores, concert, people)
        assert await admit(stores, concert) == 1
        found = dict(zip(people, await states(stores, concert, *people), strict=True))
        (called,) = [who for who, state in found.items() if state is READY]
        first[called] += 1
        assert (await stores.queues.read_queue(concert.id)).positions.waiting_count == 3
        # The person with the slot leaves last, so no one else is called in the meantime.
        await leave_all(stores, concert, [who for who in people if who != called])
        await stores.queues.leave(concert.id, PersonId(called))
    # The expected count is 50 for each person; five standard deviations are 31.
    assert all(19 <= first[who] <= 81 for who in people), first


async def test_the_queue_continues_in_order_after_random_calls(any_stores: Stores) -> None:
    concert = await with_room(any_stores, queueing_method=QueueingMethod.RANDOM)
    people = tuple("abcdefgh")
    await join(any_stores, concert, *people)
    assert await admit(any_stores, concert) == 2
    found = dict(zip(people, await states(any_stores, concert, *people), strict=True))
    waiting = [who for who, state in found.items() if state is WAITING]
    concert = await change_room(any_stores, concert, queueing_method=QueueingMethod.FIFO, total_active_users=5)
    assert await positions(any_stores, concert, *waiting) == [1, 2, 3, 4, 5, 6]
    assert await admit(any_stores, concert) == 3
    assert await positions(any_stores, concert, *waiting) == [0, 0, 0, 1, 2, 3]


async def test_a_reset_ends_waiting_entries_and_keeps_calls(any_stores: Stores) -> None:
    concert = await with_room(any_stores)
    await join(any_stores, concert, "ann", "ben", "cyd", "dan")
    await admit(any_stores, concert)
    await any_stores.queues.claim(concert.id, PersonId("ann"))
    concert = await change_room(any_stores, concert, round=2)
    state = await any_stores.queues.read_queue(concert.id)
    assert (state.round, state.slots_taken, state.positions.waiting_count, state.positions.tail) == (2, 2, 0, 0)
    assert await states(any_stores, concert, "ann", "ben", "cyd", "dan") == ["ADMITTED", "READY", "EXPIRED", "EXPIRED"]
    assert [r.end_reason for r in await records(any_stores, concert, ["cyd", "dan"])] == [EntryEnd.RESET] * 2
    joined = await join(any_stores, concert, "dan", "eve")
    assert [(r.number, r.round, r.state) for r in joined] == [(1, 2, "WAITING"), (2, 2, "WAITING")]
    assert len({r.entry_id for r in [*joined, *await records(any_stores, concert, ["ann", "cyd"])]}) == 4
    # Slots taken in the previous round also count in the new one.
    assert await admit(any_stores, concert) == 0
    await any_stores.queues.leave(concert.id, PersonId("ann"))
    assert await positions(any_stores, concert, "dan", "eve") == [0, 1]
    assert (await event_pairs(any_stores, concert)).count(("reset", "")) == 1
    # Applying the same version again does not reset the queue again.
    assert await any_stores.hot_state.apply_concert(concert) == "CURRENT"
    assert await states(any_stores, concert, "eve") == ["WAITING"]


def draw(count: int) -> Permutation:
    """Draw a lottery with a fixed seed, using the second implementation in docs/lottery.md."""
    ranks = drawn_ranks(b"seed".hex(), count)
    order = sorted(ranks, key=ranks.__getitem__)
    return Permutation(
        struct.pack(f">{count}I", *[ranks[lot] for lot in range(1, count + 1)]),
        struct.pack(f">{count}I", *order),
    )


async def test_a_lottery_orders_the_queue_as_drawn(any_stores: Stores) -> None:
    opens_at = datetime.now(UTC) + timedelta(minutes=2)
    settings = {"opens_at": opens_at, "shuffle_at_start": True, "commitment": SECRET}
    concert = await with_room(any_stores, heartbeat_timeout_ms=300_000, **settings)
    people = make_people(27, "p")
    joined = await join(any_stores, concert, *people)
    assert {(entry.state, entry.number) for entry in joined} == {(EntryState.PREQUEUED, None)}
    assert [entry.lot for entry in joined] == list(range(1, 28))
    assert await any_stores.hot_state.freeze_queue(concert.id, 1) == FrozenQueue("TOO_EARLY")
    await any_stores.queues.leave(concert.id, PersonId("p3"))
    await pass_time(any_stores, concert, 120)
    assert await admit(any_stores, concert) == 0
    frozen = await any_stores.hot_state.freeze_queue(concert.id, 1)
    assert (frozen.word, frozen.registrations, len(frozen.digest)) == ("FROZEN", 27, 40)
    (late,) = await join(any_stores, concert, "late")
    assert (late.number, late.lot, late.state) == (28, None, "PREQUEUED")
    assert await any_stores.hot_state.freeze_queue(concert.id, 1) == frozen
    await any_stores.queues.leave(concert.id, PersonId("p8"))
    # The bits of these entries share a byte with the bits of the lottery.
    await join(any_stores, concert, "gone", "last")
    await any_stores.queues.leave(concert.id, PersonId("gone"))
    lottery = draw(27)
    assert await any_stores.hot_state.open_queue(concert.id, 2, lottery) == "STALE"
    assert await any_stores.hot_state.open_queue(concert.id, 1, lottery) == "OPENED"
    assert await any_stores.hot_state.open_queue(concert.id, 1, Permutation(lottery.order, lottery.ranks)) == "OPEN"
    drawn = [f"p{lot}" for lot in struct.unpack(">27I", lottery.order)]
    expected = [who for who in drawn if who not in ("p3", "p8")] + ["late", "last"]
    assert await positions(any_stores, concert, *expected) == list(range(1, 28))
    numbers = [record.number for record in await records(any_stores, concert, expected)]
    assert numbers == [drawn.index(who) + 1 if who in drawn else {"late": 28, "last": 30}[who] for who in expected]
    called: list[str] = []
    while len(called) < len(expected):
        assert await admit(any_stores, concert) == min(2, len(expected) - len(called))
        ready = [who for who in expected if (await states(any_stores, concert, who)) == ["READY"]]
        called += ready
        concert = await change_room(any_stores, concert, queue_all=True)
        for who in ready:
            await any_stores.queues.leave(concert.id, PersonId(who))
        concert = await change_room(any_stores, concert, queue_all=False)
    assert called == expected
    assert {record.lot for record in await records(any_stores, concert, expected[:-2])} == {
        int(who[1:]) for who in expected[:-2]
    }


async def test_recovery_opens_a_drawn_queue_that_lost_entries(any_stores: Stores) -> None:
    opens_at = datetime.now(UTC) + timedelta(hours=1)
    concert = await with_room(any_stores, opens_at=opens_at, shuffle_at_start=True, commitment=SECRET)
    await join(any_stores, concert, "p1", "p2", "p3")
    lottery = draw(9)
    assert await any_stores.hot_state.open_queue(concert.id, 1, lottery) == "STALE"
    await replace_incarnation(any_stores, concert)
    assert (await any_stores.hot_state.mark_recovery(concert.id, 9)).word == "MARKED"
    assert await any_stores.hot_state.open_queue(concert.id, 1, lottery, epoch=9) == "OPENED"
    assert await any_stores.hot_state.finish_recovery(concert.id, 9) == "RECOVERED"
    survivors = [f"p{lot}" for lot in struct.unpack(">9I", lottery.order) if lot <= 3]
    assert await positions(any_stores, concert, *survivors) == [1, 2, 3]
    state = await any_stores.queues.read_queue(concert.id)
    assert (state.positions.waiting_count, state.positions.tail) == (3, 9)
    (late,) = await join(any_stores, concert, "late")
    assert (late.number, await positions(any_stores, concert, "late")) == (10, [4])


async def test_every_step_writes_one_event(any_stores: Stores) -> None:
    concert = await with_room(any_stores, total_active_users=1)
    await join(any_stores, concert, "ann", "ann", "ben")
    await admit(any_stores, concert)
    for _ in range(2):
        await any_stores.queues.claim(concert.id, PersonId("ann"))
    for _ in range(2):
        await any_stores.queues.leave(concert.id, PersonId("ann"))
    assert await event_pairs(any_stores, concert) == [
        ("joined", "ann"), ("joined", "ben"), ("called", "ann"), ("admitted", ""), ("claimed", "ann"), ("left", "ann"),
        ("called", "ben"), ("admitted", ""),
    ]  # fmt: skip
    flow = (await any_stores.queues.read_queue(concert.id)).flow
    assert (flow.joined, flow.called, flow.claimed, flow.left, flow.absent) == (2, 2, 1, 1, 0)
    assert (flow.inflow, flow.outflow, flow.no_shows) == (2, 2, 0)


async def test_an_idle_concert_becomes_active_with_its_first_deadline(any_stores: Stores) -> None:
    concert = await with_room(any_stores)
    assert await any_stores.hot_state.expire_holds(concert.id, limit=100) == ExpiryRun("EXPIRED", 0, is_active=False)
    # If a concert has no work, an hour without workers is not an outage.
    await advance_clock(any_stores, concert, 3_600_000)
    assert await any_stores.script_client.run_command("PUBSUB", "NUMSUB", WORK_CHANNEL) == [WORK_CHANNEL.encode(), 0]
    await join(any_stores, concert, "ann")
    assert await any_stores.hot_state.expire_holds(concert.id, limit=100) == ExpiryRun("EXPIRED", 0, is_active=True)
    assert (await any_stores.queues.read_queue(concert.id)).grace_until_ms == 0


async def test_the_number_of_recorded_changes_is_bounded(stores: Stores) -> None:
    concert = await with_room(stores)
    await join(stores, concert, "ann")
    at = (await stores.queues.read_queue(concert.id)).version
    changes = concert_key(concert, "changes")
    await stores.script_client.run_command("HINCRBY", concert_key(concert, "state"), "version", "8000")
    for first in range(1, 8_001, 1_000):
        pairs = [word for index in range(first, first + 1_000) for word in (str(at + index), f"n{index}")]
        await stores.script_client.run_command("ZADD", changes, *pairs)
    known = (await stores.snapshots.read(concert.id, after=at - 1)).changes
    assert (len(known.people), known.is_complete) == (8_001, True)
    await join(stores, concert, "ben")
    assert await stores.script_client.run_command("ZCARD", changes) == 6_000
    known = (await stores.snapshots.read(concert.id, after=at + 8_000)).changes
    assert (known.people, known.is_complete) == (("ben",), True)
    assert not (await stores.snapshots.read(concert.id, after=at)).changes.is_complete
