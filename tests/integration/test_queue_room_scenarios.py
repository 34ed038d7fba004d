"""Known failure scenarios for waiting rooms on real stores: passes, settings and resets.

`test_queue_store_scenarios` covers people in the queue.
"""

import asyncio
import itertools
import random
from contextlib import suppress

import pytest

from domain.errors import Admission, NotFound, OnsaleError, RoomNotOpen, Unauthenticated
from domain.holds import HoldState
from domain.ids import ConcertId, PersonId
from domain.queues import QueueingMethod
from domain.room_changes import RoomSettingsPatch
from proofs.waiting_room.event_histories import build_histories, read_events
from resolvers import queues, rooms
from resolvers.context import Context
from storage.connect import Stores
from tests.support.hot_keys import advance_clock
from tests.support.queue_steps import (
    ADMITTED,
    READY,
    WAITING,
    admit,
    change_room,
    hold_with,
    join,
    join_all,
    leave_all,
    make_people,
    pass_of,
    pass_time,
    read_called,
    read_waiting,
    records,
    refusal_of,
    states,
    with_room,
)
from tests.support.sale import PASSES, all_orders, buy, check_invariants, context, opened, organizer, stock


async def test_a_second_sale_in_the_same_room_starts_at_number_1(stores: Stores) -> None:
    """Passes from the first sale are invalid in the second, whose positions start at 1."""
    concert = await with_room(stores, total_active_users=2)
    await join(stores, concert, "ann", "ben", "cyd", "dan")
    await admit(stores, concert)
    old = await pass_of(stores, concert, "ann")
    await buy(stores, await hold_with(stores, concert, "ann", old))
    await stores.queues.leave(concert.id, PersonId("ben"))
    assert await states(stores, concert, "ann", "ben", "cyd", "dan") == ["COMPLETED", "LEFT", "READY", "READY"]
    concert = await rooms.reset(organizer(stores), concert.id, RoomSettingsPatch(), "second sale")
    await join(stores, concert, "dan", "ann", "eve")
    queue = await stores.queues.read_queue(concert.id)
    assert (queue.round, queue.positions.serving_number, queue.positions.tail, queue.slots_taken) == (2, 0, 2, 2)
    assert [r.number for r in await records(stores, concert, ["ann", "eve"])] == [1, 2]
    # People called in the first sale keep their slots until they leave.
    assert await states(stores, concert, "cyd", "dan", "ann") == ["READY", "READY", "WAITING"]
    await leave_all(stores, concert, ["cyd", "dan"])
    assert await states(stores, concert, "ann", "eve") == ["READY", "READY"]
    assert await refusal_of(stores, concert, "ann", old) is Admission.BAD_PASS
    new = await pass_of(stores, concert, "ann")
    assert await refusal_of(stores, concert, "ann", old) is Admission.BAD_PASS
    await buy(stores, await hold_with(stores, concert, "ann", new))
    assert len(await all_orders(stores, concert)) == 2
    await check_invariants(stores, concert)


async def test_people_cannot_bypass_the_queue_to_hold_tickets(stores: Stores) -> None:
    concert = await with_room(stores, total_active_users=1)
    await join(stores, concert, "ann", "ben")
    await admit(stores, concert)
    # A person who was called has no pass until they claim it.
    for who, reason in (("ann", "NO_PASS"), ("ben", "NOT_CALLED"), ("stranger", "NO_PASS")):
        assert await refusal_of(stores, concert, who, None) == reason
    anns_pass = await pass_of(stores, concert, "ann")
    for bad in (anns_pass, anns_pass[:-3] + "AAA", "", "a.b.c"):
        assert await refusal_of(stores, concert, "ben", bad) is Admission.BAD_PASS
    assert await refusal_of(stores, concert, "ann", None) is Admission.NO_PASS
    assert await stock(stores, concert) == [(10, 0, 0)]
    assert (await hold_with(stores, concert, "ann", anns_pass)).state is HoldState.HELD


async def test_a_replayed_pass_is_refused(stores: Stores) -> None:
    """Only one of several purchases with a pass succeeds, and later holds are refused."""
    concert = await with_room(stores, total_active_users=3)
    await join(stores, concert, "ann", "ben", "cyd")
    await admit(stores, concert)
    tokens = {who: await pass_of(stores, concert, who) for who in ("ann", "ben", "cyd")}
    made = [await hold_with(stores, concert, "ann", tokens["ann"]) for _ in range(4)]
    bought = await asyncio.gather(*[buy(stores, one) for one in made], return_exceptions=True)
    assert len([one for one in bought if not isinstance(one, BaseException)]) == 1
    assert all(isinstance(one, OnsaleError) for one in bought if isinstance(one, BaseException))
    await stores.queues.leave(concert.id, PersonId("ben"))
    await pass_time(stores, concert, 304)
    assert await states(stores, concert, "ann", "ben", "cyd") == ["COMPLETED", "LEFT", "EXPIRED"]
    for who, token in tokens.items():
        assert await refusal_of(stores, concert, who, token) is Admission.BAD_PASS
    await join(stores, concert, "ann", "ben", "cyd")
    await admit(stores, concert)
    assert len({await pass_of(stores, concert, who) for who in tokens} | set(tokens.values())) == 6
    for who, token in tokens.items():
        assert await refusal_of(stores, concert, who, token) is Admission.BAD_PASS
    assert await stock(stores, concert) == [(9, 0, 1)]
    await check_invariants(stores, concert)


async def test_a_pass_for_another_concert_is_refused(stores: Stores) -> None:
    concert, other = await with_room(stores), await with_room(stores)
    for one in (concert, other):
        await join(stores, one, "ann")
        await admit(stores, one)
    elsewhere = await pass_of(stores, other, "ann")
    assert await refusal_of(stores, concert, "ann", elsewhere) is Admission.BAD_PASS
    here = await pass_of(stores, concert, "ann")
    assert await refusal_of(stores, other, "ann", here) is Admission.BAD_PASS
    assert (await stock(stores, concert), await stock(stores, other)) == ([(10, 0, 0)], [(10, 0, 0)])
    await hold_with(stores, concert, "ann", here)


async def test_concurrent_admission_workers_respect_both_limits(
    stores: Stores, valkey_url: str, mongo_url: str, mongo_database: str
) -> None:
    concert = await with_room(stores, total_active_users=30, new_users_per_minute=45)
    people = make_people(100)
    await join(stores, concert, *people)
    async with opened(valkey_url, mongo_url, mongo_database) as others:
        for _ in range(2):
            await asyncio.gather(*[admit(one, concert) for one in (stores, others) for _ in range(25)])
            assert (await stores.queues.read_queue(concert.id)).slots_taken == 30
    assert await read_called(stores, concert) == people[:30]
    await leave_all(stores, concert, people[:30])
    assert await read_called(stores, concert) == people[:45]
    assert await read_waiting(stores, concert, people) == people[45:]


async def test_a_pause_keeps_calls_but_prevents_new_ones(stores: Stores) -> None:
    """A call made before a pause stays valid. If it expires, no one else is called."""
    concert = await with_room(stores, total_active_users=2)
    people = ["ann", "ben", "cyd", "dan"]
    await join(stores, concert, *people)
    await stores.queues.sync_presence(concert.id, "p", [(PersonId(who), 1) for who in people])
    await admit(stores, concert)
    concert = await change_room(stores, concert, queue_all=True)
    await stores.queues.claim(concert.id, PersonId("ann"))
    await pass_time(stores, concert, 68, process="p")
    assert await states(stores, concert, *people) == ["ADMITTED", "EXPIRED", "WAITING", "WAITING"]
    assert (await stores.queues.read_queue(concert.id)).slots_taken == 1
    await hold_with(stores, concert, "ann", await pass_of(stores, concert, "ann"))
    await change_room(stores, concert, queue_all=False)
    assert await admit(stores, concert) == 1
    assert await states(stores, concert, *people) == ["ADMITTED", "EXPIRED", "READY", "WAITING"]


async def test_lowering_the_slot_limit_ends_no_session(stores: Stores) -> None:
    """Sessions continue, and no one is called until a slot is free."""
    concert = await with_room(stores, total_active_users=6)
    people = make_people(10)
    await join(stores, concert, *people)
    await admit(stores, concert)
    concert = await change_room(stores, concert, total_active_users=2)
    assert await admit(stores, concert) == 0
    assert await states(stores, concert, *people) == ["READY"] * 6 + ["WAITING"] * 4
    slots = []
    for who in people[:6]:
        await stores.queues.leave(concert.id, PersonId(who))
        await admit(stores, concert)
        slots.append((await stores.queues.read_queue(concert.id)).slots_taken)
    assert slots == [5, 4, 3, 2, 2, 2]
    assert await read_called(stores, concert) == people[:8]
    assert await read_waiting(stores, concert, people) == people[8:]


async def test_an_empty_queue_keeps_its_cursor_at_the_tail(stores: Stores) -> None:
    """Idle runs do not add to later calls, and the next person to join gets the next number."""
    concert = await with_room(stores, total_active_users=2)
    await join(stores, concert, "ann", "ben")
    await admit(stores, concert)
    for who in ("ann", "ben"):
        await stores.queues.leave(concert.id, PersonId(who))
    assert [await admit(stores, concert) for _ in range(20)] == [0] * 20
    queue = (await stores.queues.read_queue(concert.id)).positions
    assert (queue.serving_number, queue.tail, queue.waiting_count) == (2, 2, 0)
    people = make_people(5)
    joined = await join(stores, concert, *people)
    assert [record.number for record in joined] == [3, 4, 5, 6, 7]
    assert await read_waiting(stores, concert, people) == people
    assert await admit(stores, concert) == 2
    assert await read_waiting(stores, concert, people) == people[2:]


async def test_refused_joins_use_up_no_number(stores: Stores) -> None:
    concert = await with_room(stores)
    rejecting = await change_room(stores, concert, queueing_method=QueueingMethod.REJECT)
    with pytest.raises(RoomNotOpen):
        await queues.join_queue(context(stores, "ann"), concert.id)
    open_again = await change_room(stores, rejecting, queueing_method=QueueingMethod.FIFO)
    anonymous = Context(stores, PASSES, None, "test-request")
    with pytest.raises(Unauthenticated):
        await queues.join_queue(anonymous, concert.id)
    for unknown in ("zzzzzzzzzzzz", "", "{c:x}", "\x00"):
        with pytest.raises(NotFound):
            await queues.join_queue(context(stores, "ann"), ConcertId(unknown))
    with pytest.raises(UnicodeEncodeError):
        await stores.queues.join(concert.id, PersonId("lone \ud800"))
    for _ in range(30):
        await queues.join_queue(context(stores, "mallory"), concert.id)
    assert [record.number for record in await join(stores, open_again, "ann", "ben")] == [2, 3]
    assert await read_waiting(stores, concert, ["mallory", "ann", "ben"]) == ["mallory", "ann", "ben"]


async def test_a_reset_under_load_keeps_rounds_separate(stores: Stores) -> None:
    """Each call runs before or after a reset: no entry is in two rounds, and no slot is lost."""
    concert = await with_room(stores, total_active_users=10, new_users_per_minute=100_000)
    people, chance = make_people(150), random.Random(3)
    await join_all(stores, concert, people)
    calls, is_busy = itertools.count(), asyncio.Event()

    async def make_calls(who: PersonId) -> None:
        for _ in range(6):
            step = chance.choice((stores.queues.join, stores.queues.join, stores.queues.leave, stores.queues.claim))
            with suppress(OnsaleError):
                await step(concert.id, who)
            if next(calls) == 100:
                is_busy.set()

    async def reset(command_key: str) -> None:
        await is_busy.wait()
        await rooms.reset(organizer(stores), concert.id, RoomSettingsPatch(), command_key)

    busy = [make_calls(who) for who in people]
    await asyncio.gather(*busy, reset("one"), reset("two"), *[admit(stores, concert) for _ in range(10)])
    await admit(stores, concert)
    queue = await stores.queues.read_queue(concert.id)
    assert queue.round == 3
    histories, wrong = build_histories(await read_events(stores, concert.id))
    assert wrong == []
    found = await stores.queues.read_entries(concert.id, people)
    waiting = [who for who, record in found.items() if record.state is WAITING]
    assert {found[who].round for who in waiting} <= {3}
    assert await read_waiting(stores, concert, people) == sorted(waiting, key=lambda who: found[who].number or 0)
    with_slots = [record for record in found.values() if record.state in (READY, ADMITTED)]
    assert len(with_slots) == queue.slots_taken == (10 if waiting else queue.slots_taken)
    assert all(not histories[record.entry_id].is_ended for record in with_slots)


async def test_a_clock_jump_ends_no_entry_pass_or_hold(stores: Stores) -> None:
    """The clock jumps an hour ahead and back. Entries, passes and holds remain and expire later."""
    concert = await with_room(stores, total_active_users=2)
    await join(stores, concert, "ann", "ben", "cyd", "dan")
    await admit(stores, concert)
    made = await hold_with(stores, concert, "ann", await pass_of(stores, concert, "ann"))
    await stores.queues.sync_presence(concert.id, "p", [(PersonId("cyd"), 1)])
    await advance_clock(stores, concert, 3_600_000)
    # From here on, the real clock is an hour behind, as after a jump back.
    for _ in range(3):
        await admit(stores, concert)
    assert await states(stores, concert, "ann", "ben", "cyd", "dan") == ["ADMITTED", "READY", "WAITING", "WAITING"]
    assert await stock(stores, concert) == [(9, 1, 0)]
    await stores.queues.sync_presence(concert.id, "p", is_known=True)
    await stores.queues.claim(concert.id, PersonId("ben"))
    await stores.queues.heartbeat(concert.id, PersonId("dan"))
    await buy(stores, made)
    assert await states(stores, concert, "ann", "ben", "cyd", "dan") == ["COMPLETED", "ADMITTED", "READY", "WAITING"]
    # Deadlines apply again after the grace period: dan misses heartbeats, and his entry ends.
    await pass_time(stores, concert, 104)
    assert await states(stores, concert, "cyd", "dan") == ["EXPIRED", "EXPIRED"]
    assert (await records(stores, concert, ["dan"]))[0].end_reason is not None
    assert [r.number for r in await join(stores, concert, "eve")] == [5]
