"""The methods of a room on real stores: who may join, who is called, and what an emptied or drawn line leaves."""

import hashlib
import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.concerts import Concert
from domain.errors import IdempotencyConflict, RoomNotOpen
from domain.ids import ConcertId, PersonId
from domain.lottery import Permutation
from domain.queues import EntryEnd, EntryState, QueueingMethod, RoomSettings, RoomStatus
from storage.connect import Stores
from storage.hot.hot_state import ExpiryRun, FrozenQueue
from storage.hot.queues import EntryRecord
from storage.keys import KINDS, WORK_CHANNEL, concert_keys
from tests.support.sale import on_sale

ROOM = RoomSettings(suspended=False, total_active_users=2, new_users_per_minute=1_000, heartbeat_timeout_ms=30_000)
SECRET = "0" * 64


async def with_room(stores: Stores, **settings: Any) -> Concert:
    return await on_sale(stores, 10, room=replace(ROOM, **settings))


async def change(stores: Stores, concert: Concert, **settings: Any) -> Concert:
    """The concert with these settings, as the store hears of them."""
    changed = replace(concert, version=concert.version + 1, room=replace(concert.room, **settings))
    assert await stores.hot_state.apply_concert(changed) == "APPLIED"
    return changed


async def join(stores: Stores, concert: Concert, *people: str) -> list[EntryRecord]:
    return [(await stores.queues.join(concert.id, PersonId(who))).record for who in people]


async def admit(stores: Stores, concert: Concert) -> int:
    await stores.hot_state.expire_holds(concert.id, limit=100)
    return (await stores.hot_state.run_admission(concert.id, bound=1_000)).called


async def records(stores: Stores, concert: Concert, people: Sequence[str]) -> list[EntryRecord]:
    found = await stores.queues.read_entries(concert.id, [PersonId(who) for who in people])
    return [found[PersonId(who)] for who in people]


async def states(stores: Stores, concert: Concert, *people: str) -> list[str]:
    return [record.state.value for record in await records(stores, concert, people)]


async def positions(stores: Stores, concert: Concert, *people: str) -> list[int]:
    line = (await stores.queues.read_queue(concert.id)).positions
    return [line.position(r.number) for r in await records(stores, concert, people) if r.number is not None]


async def pass_time(stores: Stores, concert: Concert, seconds: float) -> None:
    """The store's clock goes on, with the workers at work."""
    state = concert_keys(concert.id)[KINDS.index("state")]
    for _ in range(int(seconds // 4)):
        await stores.script_client.run_command("HINCRBY", state, "now_ms", "4000")
        await admit(stores, concert)
    await stores.script_client.run_command("HINCRBY", state, "now_ms", str(int(seconds % 4 * 1_000)))


async def events(stores: Stores, concert_id: ConcertId) -> list[tuple[str, str]]:
    """What the stream tells, and of whom."""
    found = await stores.script_client.run_command("XRANGE", concert_keys(concert_id)[KINDS.index("events")], "-", "+")
    fields = [dict(zip(entry[1][::2], entry[1][1::2], strict=True)) for entry in found]
    return [(told[b"event"].decode(), told[b"person"].decode()) for told in fields]


async def refused(stores: Stores, concert: Concert) -> RoomNotOpen:
    with pytest.raises(RoomNotOpen) as refusal:
        await join(stores, concert, "late")
    assert await stores.queues.read_entries(concert.id, [PersonId("late")]) == {}
    return refusal.value


async def test_a_paused_room_takes_people_in_and_calls_nobody(any_stores: Stores) -> None:
    concert = await change(any_stores, await with_room(any_stores), queue_all=True)
    await join(any_stores, concert, "ann", "ben", "cyd")
    assert (await any_stores.queues.read_queue(concert.id)).status is RoomStatus.PAUSED
    assert await admit(any_stores, concert) == 0
    by_hand = await any_stores.queues.admit_next(concert.id, command_key="k", digest="d", count=1)
    assert by_hand == 1
    # A call made before or by hand is claimed as ever, and its slot is kept.
    assert (await any_stores.queues.claim(concert.id, PersonId("ann"))).record.state is EntryState.ADMITTED
    await any_stores.queues.leave(concert.id, PersonId("ann"))
    assert await states(any_stores, concert, "ann", "ben", "cyd") == ["LEFT", "WAITING", "WAITING"]
    assert await positions(any_stores, concert, "ben", "cyd") == [1, 2]
    await change(any_stores, concert, queue_all=False)
    assert await admit(any_stores, concert) == 2


async def test_a_command_by_hand_happens_once_and_keeps_both_caps(any_stores: Stores) -> None:
    concert = await change(any_stores, await with_room(any_stores), queue_all=True)
    await join(any_stores, concert, *"abcdef")
    call = any_stores.queues.admit_next
    assert [await call(concert.id, command_key="k", digest="5", count=5) for _ in range(2)] == [2, 2]
    with pytest.raises(IdempotencyConflict):
        await call(concert.id, command_key="k", digest="6", count=6)
    assert await call(concert.id, command_key="other", digest="5", count=5) == 0
    state = await any_stores.queues.read_queue(concert.id)
    assert (state.slots_taken, state.positions.waiting_count) == (2, 4)
    concert = await change(any_stores, concert, total_active_users=100, new_users_per_minute=3)
    assert await call(concert.id, command_key="third", digest="5", count=5) == 1


async def test_a_rejecting_room_keeps_those_it_has(any_stores: Stores) -> None:
    concert = await with_room(any_stores)
    await join(any_stores, concert, "ann", "ben", "cyd")
    await admit(any_stores, concert)
    concert = await change(any_stores, concert, queueing_method=QueueingMethod.REJECT)
    refusal = await refused(any_stores, concert)
    assert (refusal.status, refusal.opens_at) == (RoomStatus.REJECTING, None)
    assert (await join(any_stores, concert, "cyd"))[0].number == 3
    assert (await any_stores.queues.claim(concert.id, PersonId("ann"))).record.state is EntryState.ADMITTED
    await any_stores.queues.leave(concert.id, PersonId("ann"))
    assert await admit(any_stores, concert) == 0
    with pytest.raises(RoomNotOpen):
        await any_stores.queues.admit_next(concert.id, command_key="k", digest="d", count=1)
    await change(any_stores, concert, queueing_method=QueueingMethod.FIFO)
    assert await admit(any_stores, concert) == 1


async def test_passthrough_calls_everybody_whatever_the_caps(any_stores: Stores) -> None:
    concert = await with_room(any_stores, queueing_method=QueueingMethod.PASSTHROUGH, new_users_per_minute=1)
    await join(any_stores, concert, *"abcdef")
    assert await admit(any_stores, concert) == 6
    assert (await any_stores.queues.read_queue(concert.id)).slots_taken == 6


async def test_a_suspended_room_is_not_joined_and_its_calls_still_end(any_stores: Stores) -> None:
    concert = await with_room(any_stores)
    await join(any_stores, concert, "ann", "ben", "cyd")
    await admit(any_stores, concert)
    concert = await change(any_stores, concert, suspended=True)
    assert (await refused(any_stores, concert)).status is RoomStatus.SUSPENDED
    await any_stores.queues.sync_presence(concert.id, "p", [(PersonId("cyd"), 1)])
    for news in range(2, 19):
        await pass_time(any_stores, concert, 4)
        await any_stores.queues.sync_presence(concert.id, "p", [(PersonId("cyd"), news)])
    assert await states(any_stores, concert, "ann", "ben", "cyd") == ["EXPIRED", "EXPIRED", "WAITING"]
    assert (await records(any_stores, concert, ["ann"]))[0].end_reason is EntryEnd.NOT_CLAIMED


async def test_people_are_taken_in_from_the_prequeue_on_and_called_from_the_opening_on(any_stores: Stores) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    joins_at, opens_at = now + timedelta(minutes=10), now + timedelta(minutes=20)
    concert = await with_room(any_stores, prequeue_starts_at=joins_at, opens_at=opens_at)
    refusal = await refused(any_stores, concert)
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
    for _ in range(152):
        await pass_time(any_stores, concert, 4)
        await any_stores.queues.sync_presence(concert.id, "p", is_known=True)
    state = await any_stores.queues.read_queue(concert.id)
    assert (state.status, state.is_opened) == (RoomStatus.OPEN, True)
    assert state.version > version
    assert await states(any_stores, concert, "ann", "ben") == ["READY", "READY"]


async def test_lots_are_drawn_among_all_who_wait(stores: Stores) -> None:
    """A line of four, one called at a time: each is called first about as often."""
    concert = await with_room(stores, queueing_method=QueueingMethod.RANDOM, total_active_users=1)
    first: Counter[str] = Counter()
    people = ("ann", "ben", "cyd", "dan")
    for _ in range(200):
        await join(stores, concert, *people)
        assert await admit(stores, concert) == 1
        called = [who for who, state in zip(people, await states(stores, concert, *people), strict=True)
                  if state == "READY"]  # fmt: skip
        assert len(called) == 1
        first[called[0]] += 1
        assert (await stores.queues.read_queue(concert.id)).positions.waiting_count == 3
        for who in sorted(people, key=lambda who: who in called):
            # Whoever has the slot leaves last: nobody else is called meanwhile.
            await stores.queues.leave(concert.id, PersonId(who))
    # 50 each is expected; five standard deviations are 31.
    assert all(19 <= first[who] <= 81 for who in people), first


async def test_a_line_goes_on_in_order_after_lots(any_stores: Stores) -> None:
    concert = await with_room(any_stores, queueing_method=QueueingMethod.RANDOM)
    people = tuple("abcdefgh")
    await join(any_stores, concert, *people)
    assert await admit(any_stores, concert) == 2
    waiting = [who for who, state in zip(people, await states(any_stores, concert, *people), strict=True)
               if state == "WAITING"]  # fmt: skip
    concert = await change(any_stores, concert, queueing_method=QueueingMethod.FIFO, total_active_users=5)
    assert await positions(any_stores, concert, *waiting) == [1, 2, 3, 4, 5, 6]
    assert await admit(any_stores, concert) == 3
    assert await positions(any_stores, concert, *waiting) == [0, 0, 0, 1, 2, 3]


async def test_a_reset_ends_who_waits_and_keeps_who_was_called(any_stores: Stores) -> None:
    concert = await with_room(any_stores)
    await join(any_stores, concert, "ann", "ben", "cyd", "dan")
    await admit(any_stores, concert)
    await any_stores.queues.claim(concert.id, PersonId("ann"))
    concert = await change(any_stores, concert, round=2)
    state = await any_stores.queues.read_queue(concert.id)
    assert (state.round, state.slots_taken, state.positions.waiting_count, state.positions.tail) == (2, 2, 0, 0)
    assert await states(any_stores, concert, "ann", "ben", "cyd", "dan") == ["ADMITTED", "READY", "EXPIRED", "EXPIRED"]
    assert [r.end_reason for r in await records(any_stores, concert, ["cyd", "dan"])] == [EntryEnd.RESET] * 2
    (again, new) = await join(any_stores, concert, "dan", "eve")
    assert [(entry.number, entry.round, entry.state) for entry in (again, new)] == [
        (1, 2, "WAITING"),
        (2, 2, "WAITING"),
    ]
    assert (
        len({again.entry_id, new.entry_id, *[r.entry_id for r in await records(any_stores, concert, ["ann", "cyd"])]})
        == 4
    )
    # Full is full, in a new round too.
    assert await admit(any_stores, concert) == 0
    await any_stores.queues.leave(concert.id, PersonId("ann"))
    assert await positions(any_stores, concert, "dan", "eve") == [0, 1]
    told = await events(any_stores, concert.id)
    assert told.count(("reset", "")) == 1
    # The same version again empties nothing.
    assert await any_stores.hot_state.apply_concert(concert) == "CURRENT"
    assert await states(any_stores, concert, "eve") == ["WAITING"]


def draw(seed: bytes, count: int) -> Permutation:
    """A drawn lottery as docs/lottery.md says, written a second time."""
    order = sorted(range(1, count + 1), key=lambda lot: hashlib.sha256(seed + lot.to_bytes(8, "big")).digest())
    ranks = {lot: number for number, lot in enumerate(order, 1)}
    return Permutation(
        struct.pack(f">{count}I", *[ranks[lot] for lot in range(1, count + 1)]),
        struct.pack(f">{count}I", *order),
    )


async def test_a_drawn_line_stands_in_the_drawn_order(any_stores: Stores) -> None:
    opens_at = datetime.now(UTC) + timedelta(seconds=2)
    concert = await with_room(any_stores, opens_at=opens_at, shuffle_at_start=True, commitment=SECRET)
    people = [f"p{number}" for number in range(1, 28)]
    joined = await join(any_stores, concert, *people)
    assert {(entry.state, entry.number) for entry in joined} == {(EntryState.PREQUEUED, None)}
    assert [entry.lot for entry in joined] == list(range(1, 28))
    assert await any_stores.hot_state.freeze_queue(concert.id, 1) == FrozenQueue("TOO_EARLY")
    await any_stores.queues.leave(concert.id, PersonId("p3"))
    await pass_time(any_stores, concert, 4)
    assert await admit(any_stores, concert) == 0
    frozen = await any_stores.hot_state.freeze_queue(concert.id, 1)
    assert (frozen.word, frozen.registrations, len(frozen.digest)) == ("FROZEN", 27, 40)
    (late,) = await join(any_stores, concert, "late")
    assert (late.number, late.lot, late.state) == (28, None, "PREQUEUED")
    assert await any_stores.hot_state.freeze_queue(concert.id, 1) == frozen
    await any_stores.queues.leave(concert.id, PersonId("p8"))
    # Their bits share a byte with those of the lottery.
    await join(any_stores, concert, "gone", "last")
    await any_stores.queues.leave(concert.id, PersonId("gone"))
    lottery = draw(b"seed", 27)
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
        concert = await change(any_stores, concert, queue_all=True)
        for who in ready:
            await any_stores.queues.leave(concert.id, PersonId(who))
        concert = await change(any_stores, concert, queue_all=False)
    assert called == expected
    assert {record.lot for record in await records(any_stores, concert, expected[:-2])} == {
        int(who[1:]) for who in expected[:-2]
    }


async def test_a_recovery_opens_what_was_drawn_though_lots_were_lost(any_stores: Stores) -> None:
    opens_at = datetime.now(UTC) + timedelta(seconds=2)
    concert = await with_room(any_stores, opens_at=opens_at, shuffle_at_start=True, commitment=SECRET)
    await join(any_stores, concert, "p1", "p2", "p3")
    lottery = draw(b"seed", 9)
    assert await any_stores.hot_state.open_queue(concert.id, 1, lottery) == "STALE"
    state_key = concert_keys(concert.id)[KINDS.index("state")]
    await any_stores.script_client.run_command("HSET", state_key, "incarnation", "another")
    assert await any_stores.hot_state.mark_recovery(concert.id, 9) == "MARKED"
    assert await any_stores.hot_state.open_queue(concert.id, 1, lottery, epoch=9) == "OPENED"
    assert await any_stores.hot_state.finish_recovery(concert.id, 9) == "RECOVERED"
    survivors = [f"p{lot}" for lot in struct.unpack(">9I", lottery.order) if lot <= 3]
    assert await positions(any_stores, concert, *survivors) == [1, 2, 3]
    state = await any_stores.queues.read_queue(concert.id)
    assert (state.positions.waiting_count, state.positions.tail) == (3, 9)
    (late,) = await join(any_stores, concert, "late")
    assert (late.number, await positions(any_stores, concert, "late")) == (10, [4])


async def test_every_step_is_told_once(any_stores: Stores) -> None:
    concert = await with_room(any_stores, total_active_users=1)
    await join(any_stores, concert, "ann", "ann", "ben")
    await admit(any_stores, concert)
    for _ in range(2):
        await any_stores.queues.claim(concert.id, PersonId("ann"))
    for _ in range(2):
        await any_stores.queues.leave(concert.id, PersonId("ann"))
    assert await events(any_stores, concert.id) == [
        ("joined", "ann"), ("joined", "ben"), ("called", "ann"), ("admitted", ""), ("claimed", "ann"), ("left", "ann"),
        ("called", "ben"), ("admitted", ""),
    ]  # fmt: skip
    flow = (await any_stores.queues.read_queue(concert.id)).flow
    assert (flow.joined, flow.called, flow.claimed, flow.left, flow.absent) == (2, 2, 1, 1, 0)
    assert (flow.inflow, flow.outflow, flow.no_shows) == (2, 2, 0)


async def test_an_idle_concert_becomes_active_by_its_first_deadline(any_stores: Stores) -> None:
    concert = await with_room(any_stores)
    assert await any_stores.hot_state.expire_holds(concert.id, limit=100) == ExpiryRun("EXPIRED", 0, is_active=False)
    state_key = concert_keys(concert.id)[KINDS.index("state")]
    # An hour in which nobody looked, because there was nothing to look after, is no outage.
    await any_stores.script_client.run_command("HINCRBY", state_key, "now_ms", "3600000")
    assert await any_stores.script_client.run_command("PUBSUB", "NUMSUB", WORK_CHANNEL) == [WORK_CHANNEL.encode(), 0]
    await join(any_stores, concert, "ann")
    assert await any_stores.hot_state.expire_holds(concert.id, limit=100) == ExpiryRun("EXPIRED", 0, is_active=True)
    assert (await any_stores.queues.read_queue(concert.id)).grace_until_ms == 0


async def test_the_names_of_changes_are_bounded(stores: Stores) -> None:
    concert = await with_room(stores)
    await join(stores, concert, "ann")
    at = (await stores.queues.read_queue(concert.id)).version
    changes = concert_keys(concert.id)[KINDS.index("changes")]
    await stores.script_client.run_command("HINCRBY", concert_keys(concert.id)[KINDS.index("state")], "version", "8000")
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
