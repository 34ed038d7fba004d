"""Scenarios that waiting rooms fail in, each by its name: passes, and who runs a room. See test_queue_scenarios."""

import asyncio
import random

import pytest

from domain.errors import Admission, NotFound, OnsaleError, RateLimited, RoomNotOpen, Unauthenticated
from domain.holds import HoldState
from domain.ids import ConcertId, PersonId
from domain.queues import QueueingMethod
from domain.room_changes import RoomSettingsPatch
from proofs.waiting_room.event_histories import build_histories, read_events
from resolvers import queues, rooms
from resolvers.context import Context
from storage.connect import Stores
from storage.keys import KINDS, concert_keys
from tests.integration.test_storage_rooms import (
    admit,
    change,
    join,
    pass_time,
    records,
    states,
    with_room,
)
from tests.support.queue_steps import (
    ADMITTED,
    READY,
    WAITING,
    hold_with,
    join_all,
    make_people,
    pass_of,
    read_called,
    read_positions,
    refusal_of,
)
from tests.support.sale import (
    PASSES,
    all_orders,
    buy,
    check_invariants,
    context,
    opened,
    organizer,
    stock,
)


async def test_second_sale_regression(stores: Stores) -> None:
    """A second sale in the same room begins at 1, and nothing of the first opens it or stands in its way."""
    concert = await with_room(stores, total_active_users=2)
    await join(stores, concert, "ann", "ben", "cyd", "dan")
    await admit(stores, concert)
    old = await pass_of(stores, concert, "ann")
    await buy(stores, await hold_with(stores, concert, "ann", old))
    await stores.queues.leave(concert.id, PersonId("ben"))
    assert await states(stores, concert, "ann", "ben", "cyd", "dan") == ["COMPLETED", "LEFT", "READY", "READY"]
    concert = await rooms.reset(organizer(stores), concert.id, RoomSettingsPatch(), "second sale")
    await join(stores, concert, "dan", "ann", "eve")
    line = await stores.queues.read_queue(concert.id)
    assert (line.round, line.positions.serving_number, line.positions.tail, line.slots_taken) == (2, 0, 2, 2)
    assert [r.number for r in await records(stores, concert, ["ann", "eve"])] == [1, 2]
    # Who was called in the first sale still is, and leaves for the second.
    assert await states(stores, concert, "cyd", "dan", "ann") == ["READY", "READY", "WAITING"]
    await asyncio.gather(*[stores.queues.leave(concert.id, PersonId(who)) for who in ("cyd", "dan")])
    assert await states(stores, concert, "ann", "eve") == ["READY", "READY"]
    assert await refusal_of(stores, concert, "ann", old) is Admission.BAD_PASS
    new = await pass_of(stores, concert, "ann")
    assert await refusal_of(stores, concert, "ann", old) is Admission.BAD_PASS
    await buy(stores, await hold_with(stores, concert, "ann", new))
    assert len(await all_orders(stores, concert)) == 2
    await check_invariants(stores, concert)


async def test_backdoor(stores: Stores) -> None:
    """No way to the tickets but through the line."""
    concert = await with_room(stores, total_active_users=1)
    await join(stores, concert, "ann", "ben")
    await admit(stores, concert)
    # Called is not admitted: ann has not claimed.
    for who, reason in (("ann", "NO_PASS"), ("ben", "NOT_CALLED"), ("stranger", "NO_PASS")):
        assert await refusal_of(stores, concert, who, None) == reason
    of_ann = await pass_of(stores, concert, "ann")
    for bad in (of_ann, of_ann[:-3] + "AAA", "", "a.b.c"):
        assert await refusal_of(stores, concert, "ben", bad) is Admission.BAD_PASS
    assert await refusal_of(stores, concert, "ann", None) is Admission.NO_PASS
    assert await stock(stores, concert) == [(10, 0, 0)]
    assert (await hold_with(stores, concert, "ann", of_ann)).state is HoldState.HELD


async def test_replayed_pass(stores: Stores) -> None:
    """A pass is one purchase: twins get one order, and after it, or after its end, it is no pass."""
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


async def test_pass_of_another_event(stores: Stores) -> None:
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


async def test_two_release_workers_at_once(
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
    await asyncio.gather(*[stores.queues.leave(concert.id, PersonId(who)) for who in people[:30]])
    assert await read_called(stores, concert) == people[:45]
    assert await read_positions(stores, concert, people) == people[45:]


async def test_pause_during_ready(stores: Stores) -> None:
    """A pause takes no call back, and calls nobody in place of one that lapses."""
    concert = await with_room(stores, total_active_users=2)
    people = ["ann", "ben", "cyd", "dan"]
    await join(stores, concert, *people)
    await stores.queues.sync_presence(concert.id, "p", [(PersonId(who), 1) for who in people])
    await admit(stores, concert)
    concert = await change(stores, concert, queue_all=True)
    await stores.queues.claim(concert.id, PersonId("ann"))
    for _ in range(17):
        await pass_time(stores, concert, 4)
        await stores.queues.sync_presence(concert.id, "p", is_known=True)
    assert await states(stores, concert, *people) == ["ADMITTED", "EXPIRED", "WAITING", "WAITING"]
    assert (await stores.queues.read_queue(concert.id)).slots_taken == 1
    await hold_with(stores, concert, "ann", await pass_of(stores, concert, "ann"))
    await change(stores, concert, queue_all=False)
    assert await admit(stores, concert) == 1
    assert await states(stores, concert, *people) == ["ADMITTED", "EXPIRED", "READY", "WAITING"]


async def test_cap_lowered_below_occupancy(stores: Stores) -> None:
    """Nobody is put out, and nobody comes in until there is room."""
    concert = await with_room(stores, total_active_users=6)
    people = make_people(10)
    await join(stores, concert, *people)
    await admit(stores, concert)
    concert = await change(stores, concert, total_active_users=2)
    assert await admit(stores, concert) == 0
    assert await states(stores, concert, *people) == ["READY"] * 6 + ["WAITING"] * 4
    slots = []
    for who in people[:6]:
        await stores.queues.leave(concert.id, PersonId(who))
        await admit(stores, concert)
        slots.append((await stores.queues.read_queue(concert.id)).slots_taken)
    assert slots == [5, 4, 3, 2, 2, 2]
    assert await read_called(stores, concert) == people[:8]
    assert await read_positions(stores, concert, people) == people[8:]


async def test_cursor_at_the_tail_with_empty_queue(stores: Stores) -> None:
    """An idle room saves nothing up: the cursor stays at the tail, and a newcomer has the next number."""
    concert = await with_room(stores, total_active_users=2)
    await join(stores, concert, "ann", "ben")
    await admit(stores, concert)
    for who in ("ann", "ben"):
        await stores.queues.leave(concert.id, PersonId(who))
    assert [await admit(stores, concert) for _ in range(20)] == [0] * 20
    line = (await stores.queues.read_queue(concert.id)).positions
    assert (line.serving_number, line.tail, line.waiting_count) == (2, 2, 0)
    people = make_people(5)
    joined = await join(stores, concert, *people)
    assert [record.number for record in joined] == [3, 4, 5, 6, 7]
    assert await read_positions(stores, concert, people) == people
    assert await admit(stores, concert) == 2
    assert await read_positions(stores, concert, people) == people[2:]


async def test_malformed_joins_burn_no_number(stores: Stores) -> None:
    concert = await with_room(stores)
    rejecting = await change(stores, concert, queueing_method=QueueingMethod.REJECT)
    with pytest.raises(RoomNotOpen):
        await queues.join_queue(context(stores, "ann"), concert.id)
    open_again = await change(stores, rejecting, queueing_method=QueueingMethod.FIFO)
    nobody = Context(stores, PASSES, None, "test-request")
    with pytest.raises(Unauthenticated):
        await queues.join_queue(nobody, concert.id)
    for unknown in ("zzzzzzzzzzzz", "", "{c:x}", "\x00"):
        with pytest.raises(NotFound):
            await queues.join_queue(context(stores, "ann"), ConcertId(unknown))
    with pytest.raises(UnicodeEncodeError):
        await stores.queues.join(concert.id, PersonId("lone \ud800"))
    refused = 0
    for _ in range(30):
        try:
            await queues.join_queue(context(stores, "mallory"), concert.id)
        except RateLimited:
            refused += 1
    assert refused == 10
    assert [record.number for record in await join(stores, open_again, "ann", "ben")] == [2, 3]
    assert await read_positions(stores, concert, ["mallory", "ann", "ben"]) == ["mallory", "ann", "ben"]


async def test_reset_under_load(stores: Stores) -> None:
    """Whatever runs into a reset happened before it or after it: no place is of both rounds, and no slot is lost."""
    concert = await with_room(stores, total_active_users=10, new_users_per_minute=100_000)
    people, chance = make_people(150), random.Random(3)
    await join_all(stores, concert, people)

    async def bustle(who: str) -> None:
        for _ in range(6):
            step = chance.choice((stores.queues.join, stores.queues.join, stores.queues.leave, stores.queues.claim))
            try:
                await step(concert.id, PersonId(who))
            except OnsaleError:
                continue

    async def reset(name: str) -> None:
        await asyncio.sleep(0.01)
        await rooms.reset(organizer(stores), concert.id, RoomSettingsPatch(), name)

    bustling = [bustle(who) for who in people]
    await asyncio.gather(*bustling, reset("one"), reset("two"), *[admit(stores, concert) for _ in range(10)])
    await admit(stores, concert)
    line = await stores.queues.read_queue(concert.id)
    assert line.round == 3
    places, wrong = build_histories(await read_events(stores, concert.id))
    assert wrong == []
    found = await stores.queues.read_entries(concert.id, [PersonId(who) for who in people])
    waiting = [who for who, record in found.items() if record.state is WAITING]
    assert {found[who].round for who in waiting} <= {3}
    assert await read_positions(stores, concert, people) == sorted(waiting, key=lambda who: found[who].number or 0)
    with_slots = [record for record in found.values() if record.state in (READY, ADMITTED)]
    assert len(with_slots) == line.slots_taken == (10 if waiting else line.slots_taken)
    assert all(not places[record.entry_id].is_ended for record in with_slots)


async def test_clock_jump(stores: Stores) -> None:
    """Forward, or back again: it costs nobody a place, a call, a pass or a hold, and nothing lasts for ever by it."""
    concert = await with_room(stores, total_active_users=2)
    await join(stores, concert, "ann", "ben", "cyd", "dan")
    await admit(stores, concert)
    made = await hold_with(stores, concert, "ann", await pass_of(stores, concert, "ann"))
    await stores.queues.sync_presence(concert.id, "p", [(PersonId("cyd"), 1)])
    state_key = concert_keys(concert.id)[KINDS.index("state")]
    await stores.script_client.run_command("HINCRBY", state_key, "now_ms", "3600000")
    # The real clock is an hour behind from here on, as after a jump back.
    for _ in range(3):
        await admit(stores, concert)
    assert await states(stores, concert, "ann", "ben", "cyd", "dan") == ["ADMITTED", "READY", "WAITING", "WAITING"]
    assert await stock(stores, concert) == [(9, 1, 0)]
    await stores.queues.sync_presence(concert.id, "p", is_known=True)
    await stores.queues.claim(concert.id, PersonId("ben"))
    await stores.queues.heartbeat(concert.id, PersonId("dan"))
    await buy(stores, made)
    assert await states(stores, concert, "ann", "ben", "cyd", "dan") == ["COMPLETED", "ADMITTED", "READY", "WAITING"]
    # After the grace time counts again: dan is silent for longer than that, and ends.
    await pass_time(stores, concert, 104)
    assert await states(stores, concert, "cyd", "dan") == ["EXPIRED", "EXPIRED"]
    assert (await records(stores, concert, ["dan"]))[0].end_reason is not None
    assert [r.number for r in await join(stores, concert, "eve")] == [5]
