"""Known failure scenarios for waiting rooms on real stores: people in the queue.

`test_queue_room_scenarios` covers passes, settings and resets.
"""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.ids import PersonId
from domain.queues import EntryEnd
from resolvers import queues
from storage.connect import Stores
from storage.hot.queues import LeaseExpired
from tests.support.hot_keys import advance_clock, end_grace, make_due
from tests.support.lottery import with_lottery
from tests.support.queue_model import drawn_ranks
from tests.support.queue_steps import (
    READY,
    admit,
    change_room,
    join,
    join_all,
    leave_all,
    make_people,
    pass_time,
    read_called,
    read_waiting,
    records,
    states,
    with_room,
)
from tests.support.sale import context
from workers.admission import AdmissionWorker


async def test_launch_spike_gives_each_person_one_entry(stores: Stores) -> None:
    """2,000 people join at the same time; the first in the queue are called, up to the limits."""
    concert = await with_room(stores, total_active_users=50, new_users_per_minute=120)
    people = make_people(2_000)
    await asyncio.gather(join_all(stores, concert, people), *[admit(stores, concert) for _ in range(8)])
    await admit(stores, concert)
    found = await records(stores, concert, people)
    assert sorted(record.number or 0 for record in found) == list(range(1, 2_001))
    in_order = [str(r.person_id) for r in sorted(found, key=lambda record: record.number or 0)]
    assert await read_called(stores, concert) == in_order[:50]
    assert await read_waiting(stores, concert, people) == in_order[50:]
    for _ in range(3):
        called = [r.person_id for r in await records(stores, concert, people) if r.state is READY]
        await leave_all(stores, concert, called)
    assert await read_called(stores, concert) == in_order[:120]
    assert (await stores.queues.read_queue(concert.id)).slots_taken == 0


async def test_refresh_storm_changes_no_entry(stores: Stores) -> None:
    """Each reload joins again and reads the entry; no entry is lost, duplicated or moved."""
    concert = await with_room(stores, total_active_users=5)
    people = make_people(100)
    await join(stores, concert, *people)
    await admit(stores, concert)
    before = await records(stores, concert, people)

    async def reload(who: str) -> None:
        for _ in range(10):
            await queues.join_queue(context(stores, who), concert.id)
            assert await queues.get_viewer_entry(context(stores, who), concert.id) is not None

    await asyncio.gather(*[reload(who) for who in people])
    after = await records(stores, concert, people)
    assert [(r.entry_id, r.number, r.state) for r in after] == [(r.entry_id, r.number, r.state) for r in before]
    assert await read_waiting(stores, concert, people) == people[5:]
    queue = await stores.queues.read_queue(concert.id)
    assert (queue.positions.tail, queue.slots_taken, queue.flow.joined) == (100, 5, 100)


async def test_late_surge_does_not_overtake_early_entries(stores: Stores) -> None:
    concert = await with_room(stores, total_active_users=10, new_users_per_minute=100_000)
    early, late = make_people(60, "early"), make_people(600, "late")
    await join(stores, concert, *early)
    await admit(stores, concert)

    async def finish() -> None:
        """Let people leave as soon as they are called, which frees their slots for others."""
        for _ in range(10):
            called = [r.person_id for r in await records(stores, concert, early) if r.state is READY]
            await leave_all(stores, concert, called)

    await asyncio.gather(join_all(stores, concert, late), finish(), *[admit(stores, concert) for _ in range(20)])
    await finish()
    in_order = await read_called(stores, concert)
    assert in_order[:60] == early
    numbers = [record.number or 0 for record in await records(stores, concert, in_order)]
    assert numbers == sorted(numbers)


async def test_reconnect_churn_keeps_the_latest_presence_per_process(stores: Stores) -> None:
    """Presence reports arrive in any order; for each process, the highest sequence number wins."""
    concert = await with_room(stores, total_active_users=1)
    people, chance = make_people(40), random.Random(11)
    await join(stores, concert, *people)
    numbers = [(who, process, number) for who in people for process in ("a", "b") for number in range(1, 13)]
    changes = [(who, process, number if chance.random() < 0.5 else -number) for who, process, number in numbers]
    chance.shuffle(changes)
    for first in range(0, len(changes), 60):
        for process in ("a", "b"):
            part = [(who, number) for who, at, number in changes[first : first + 60] if at == process]
            await stores.queues.sync_presence(concert.id, process, part)
    latest = {(who, process): number for who, process, number in sorted(changes, key=lambda change: abs(change[2]))}
    for record in await records(stores, concert, people):
        is_present = any(latest[record.person_id, process] > 0 for process in ("a", "b"))
        assert (record.deadline is None) == is_present, record
    assert await read_waiting(stores, concert, people) == people
    queue = await stores.queues.read_queue(concert.id)
    assert (queue.flow.joined, queue.flow.absent, queue.positions.tail) == (40, 0, 40)


async def test_absent_people_in_front_do_not_delay_others(stores: Stores) -> None:
    """One run of the admission worker skips all absent people."""
    concert = await with_room(stores, total_active_users=5)
    absent, present = make_people(500, "absent"), make_people(20, "present")
    await join_all(stores, concert, absent)
    await join(stores, concert, *present)
    await make_due(stores, concert, "presence_deadlines", *absent)
    await stores.hot_state.expire_holds(concert.id, limit=100)
    await end_grace(stores, concert)
    assert (await AdmissionWorker().run_for(stores, concert.id)).done == 5
    assert await read_called(stores, concert) == present[:5]
    assert await read_waiting(stores, concert, absent + present) == present[5:]
    queue = await stores.queues.read_queue(concert.id)
    assert (queue.positions.serving_number, queue.flow.absent, queue.slots_taken) == (505, 500, 5)
    assert {r.end_reason for r in await records(stores, concert, absent)} == {EntryEnd.ABSENT}


async def test_disconnected_client_loses_its_entry_after_the_grace_period(stores: Stores) -> None:
    """The entry ends after the grace period. A person who joins again is last."""
    concert = await change_room(stores, await with_room(stores), queue_all=True)
    await join(stores, concert, "ann", "ben", "cyd")
    connected = [(PersonId(who), 1) for who in ("ann", "ben", "cyd")]
    await stores.queues.sync_presence(concert.id, "p", connected)
    await stores.queues.sync_presence(concert.id, "p", [(PersonId("ann"), -2), (PersonId("ben"), -2)])
    await pass_time(stores, concert, 56, process="p")
    await stores.queues.sync_presence(concert.id, "p", [(PersonId("ben"), 3)])
    await pass_time(stores, concert, 12, process="p")
    assert await states(stores, concert, "ann", "ben", "cyd") == ["EXPIRED", "WAITING", "WAITING"]
    assert (await records(stores, concert, ["ann"]))[0].end_reason is EntryEnd.ABSENT
    await join(stores, concert, "ann")
    assert await read_waiting(stores, concert, ["ann", "ben", "cyd"]) == ["ben", "cyd", "ann"]


@pytest.mark.parametrize("is_lottery", [False, True])
async def test_joins_that_race_the_opening_get_exact_numbers(stores: Stores, is_lottery: bool) -> None:
    """A person who joins at the opening is either in the draw or behind everyone in it."""
    opens_at = datetime.now(UTC) + timedelta(seconds=4)
    settings: dict[str, Any] = {"total_active_users": 3} | ({} if is_lottery else {"opens_at": opens_at})
    concert = await (with_lottery if is_lottery else with_room)(stores, **settings)
    people = make_people(300)

    async def join_in_tens() -> None:
        for first in range(0, 300, 10):
            await join_all(stores, concert, people[first : first + 10])

    async def open_queue() -> None:
        for turn in range(30):
            if is_lottery:
                await stores.lottery_opener.open(concert)
            elif turn == 10:
                await advance_clock(stores, concert, 4_000)
            await admit(stores, concert)

    await asyncio.gather(join_in_tens(), open_queue())
    await admit(stores, concert)
    found = {str(record.person_id): record for record in await records(stores, concert, people)}
    numbers = {who: record.number or 0 for who, record in found.items()}
    assert sorted(numbers.values()) == list(range(1, 301))
    in_order = sorted(people, key=numbers.__getitem__)
    if is_lottery:
        reveal = await stores.lotteries.find_reveal(concert.id, 1)
        assert reveal is not None
        ranks = drawn_ranks(reveal.seed, reveal.registrations)
        assert {r.lot: r.number for r in found.values() if r.lot is not None} == ranks
    assert await read_called(stores, concert) == in_order[:3]
    assert await read_waiting(stores, concert, people) == in_order[3:]


async def test_entries_survive_dropped_connections_for_the_grace_period(stores: Stores) -> None:
    """Two processes crash. People who reconnect within the grace period keep their positions."""
    concert = await with_room(stores, total_active_users=1)
    people = make_people(100, "p")
    await join(stores, concert, *people)
    await admit(stores, concert)
    await stores.queues.claim(concert.id, PersonId("p1"))
    for number, process in enumerate(("a", "b")):
        await stores.queues.sync_presence(concert.id, process, [(who, 1) for who in people[number::2]])
    await pass_time(stores, concert, 16)
    assert await read_waiting(stores, concert, people) == people[1:]
    for process in ("a", "b"):
        with pytest.raises(LeaseExpired):
            await stores.queues.sync_presence(concert.id, process, is_known=True)
    back, away = people[:75], people[75:]
    await pass_time(stores, concert, 40)
    await stores.queues.sync_presence(concert.id, "c", [(who, 1) for who in back])
    await pass_time(stores, concert, 28, process="c")
    assert await states(stores, concert, "p1") == ["ADMITTED"]
    assert await read_waiting(stores, concert, people) == back[1:]
    assert {r.end_reason for r in await records(stores, concert, away)} == {EntryEnd.ABSENT}


async def test_people_who_left_before_a_draw_delay_no_one(stores: Stores) -> None:
    """The cursor does not move before the draw, which may give any number to those who left."""
    for _ in range(4):
        concert = await with_lottery(stores, total_active_users=3)
        people = make_people(6)
        await join(stores, concert, *people)
        await leave_all(stores, concert, people[:3])
        await admit(stores, concert)
        assert (await stores.queues.read_queue(concert.id)).positions.serving_number == 0
        await stores.lottery_opener.open(concert)
        assert len(await read_waiting(stores, concert, people)) == 3
        assert await admit(stores, concert) == 3
        assert await states(stores, concert, *people[3:]) == ["READY"] * 3
