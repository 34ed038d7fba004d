"""Scenarios that waiting rooms fail in, each by its name: people in line. The rest: test_queue_scenarios_of_rooms."""

import asyncio
import random
from datetime import UTC, datetime, timedelta

import pytest

from domain.ids import PersonId
from domain.queues import EntryEnd
from resolvers import queues
from storage.connect import Stores
from storage.hot.queues import LeaseExpired
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
from tests.support.lottery import with_lottery
from tests.support.queue_model import drawn_ranks
from tests.support.queue_steps import (
    READY,
    join_all,
    make_people,
    read_called,
    read_positions,
)
from tests.support.sale import (
    context,
)
from workers.admission import AdmissionWorker


async def test_launch_spike(stores: Stores) -> None:
    """Everybody in one moment: each has one place, the caps hold to the person, and the front comes first."""
    concert = await with_room(stores, total_active_users=50, new_users_per_minute=120)
    people = make_people(2_000)
    await asyncio.gather(join_all(stores, concert, people), *[admit(stores, concert) for _ in range(8)])
    await admit(stores, concert)
    found = await records(stores, concert, people)
    assert sorted(record.number or 0 for record in found) == list(range(1, 2_001))
    in_order = [str(r.person_id) for r in sorted(found, key=lambda record: record.number or 0)]
    assert await read_called(stores, concert) == in_order[:50]
    assert await read_positions(stores, concert, people) == in_order[50:]
    for _ in range(3):
        there = [r.person_id for r in await records(stores, concert, people) if r.state is READY]
        await asyncio.gather(*[stores.queues.leave(concert.id, who) for who in there])
    assert await read_called(stores, concert) == in_order[:120]
    assert (await stores.queues.read_queue(concert.id)).slots_taken == 0


async def test_refresh_storm(stores: Stores) -> None:
    """A reload is a join and a look: it costs no place, gives no second one, and moves nobody."""
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
    assert await read_positions(stores, concert, people) == people[5:]
    line = await stores.queues.read_queue(concert.id)
    assert (line.positions.tail, line.slots_taken, line.flow.joined) == (100, 5, 100)


async def test_late_surge_must_not_leapfrog(stores: Stores) -> None:
    concert = await with_room(stores, total_active_users=10, new_users_per_minute=100_000)
    early, late = make_people(60, "early"), make_people(600, "late")
    await join(stores, concert, *early)
    await admit(stores, concert)

    async def finish() -> None:
        """Who was called is done at once, and the slot goes on."""
        for _ in range(10):
            there = [r.person_id for r in await records(stores, concert, early) if r.state is READY]
            await asyncio.gather(*[stores.queues.leave(concert.id, who) for who in there])

    await asyncio.gather(join_all(stores, concert, late), finish(), *[admit(stores, concert) for _ in range(20)])
    await finish()
    in_order = await read_called(stores, concert)
    assert in_order[:60] == early
    numbers = [record.number or 0 for record in await records(stores, concert, in_order)]
    assert numbers == sorted(numbers)


async def test_reconnect_churn(stores: Stores) -> None:
    """Sockets come and go at two servers, and their words arrive in any order: only each server's newest counts."""
    concert = await with_room(stores, total_active_users=1)
    people, chance = make_people(40), random.Random(11)
    await join(stores, concert, *people)
    words = [(who, process, news) for who in people for process in ("a", "b") for news in range(1, 13)]
    said = [(who, process, news if chance.random() < 0.5 else -news) for who, process, news in words]
    chance.shuffle(said)
    for first in range(0, len(said), 60):
        for process in ("a", "b"):
            part = [(PersonId(who), news) for who, at, news in said[first : first + 60] if at == process]
            await stores.queues.sync_presence(concert.id, process, part)
    newest = {(who, process): news for who, process, news in sorted(said, key=lambda word: abs(word[2]))}
    for record in await records(stores, concert, people):
        is_there = any(newest[record.person_id, process] > 0 for process in ("a", "b"))
        assert (record.deadline is None) == is_there, record
    assert await read_positions(stores, concert, people) == people
    line = await stores.queues.read_queue(concert.id)
    assert (line.flow.joined, line.flow.absent, line.positions.tail) == (40, 0, 40)


async def test_abandoned_first_k_of_the_line(stores: Stores) -> None:
    """Ghosts in front hold nobody up: one look of the worker passes over all of them."""
    concert = await with_room(stores, total_active_users=5)
    ghosts, others = make_people(500, "ghost"), make_people(20, "here")
    await join_all(stores, concert, ghosts)
    await join(stores, concert, *others)
    alive = concert_keys(concert.id)[KINDS.index("presence_deadlines")]
    await stores.script_client.run_command("ZADD", alive, "XX", *[word for ghost in ghosts for word in ("1", ghost)])
    await stores.hot_state.expire_holds(concert.id, limit=100)
    assert (await AdmissionWorker().run_for(stores, concert.id)).done == 5
    assert await read_called(stores, concert) == others[:5]
    assert await read_positions(stores, concert, ghosts + others) == others[5:]
    line = await stores.queues.read_queue(concert.id)
    assert (line.positions.serving_number, line.flow.absent, line.slots_taken) == (505, 500, 5)
    assert {r.end_reason for r in await records(stores, concert, ghosts)} == {EntryEnd.ABSENT}


async def test_hidden_client_past_grace(stores: Stores) -> None:
    """Within the grace nothing is lost; after it the place is gone, and a new one is behind the line."""
    concert = await change(stores, await with_room(stores), queue_all=True)
    await join(stores, concert, "ann", "ben", "cyd")
    news = [(PersonId(who), 1) for who in ("ann", "ben", "cyd")]
    await stores.queues.sync_presence(concert.id, "p", news)
    await stores.queues.sync_presence(concert.id, "p", [(PersonId("ann"), -2), (PersonId("ben"), -2)])
    for _ in range(14):
        await pass_time(stores, concert, 4)
        await stores.queues.sync_presence(concert.id, "p", is_known=True)
    await stores.queues.sync_presence(concert.id, "p", [(PersonId("ben"), 3)])
    for _ in range(3):
        await pass_time(stores, concert, 4)
        await stores.queues.sync_presence(concert.id, "p", is_known=True)
    assert await states(stores, concert, "ann", "ben", "cyd") == ["EXPIRED", "WAITING", "WAITING"]
    assert (await records(stores, concert, ["ann"]))[0].end_reason is EntryEnd.ABSENT
    await join(stores, concert, "ann")
    assert await read_positions(stores, concert, ["ann", "ben", "cyd"]) == ["ben", "cyd", "ann"]


@pytest.mark.parametrize("is_lottery", [False, True])
async def test_join_racing_the_open(stores: Stores, is_lottery: bool) -> None:
    """Whoever joins in the moment of the opening has one number, and is drawn or stands behind those who are."""
    if is_lottery:
        concert = await with_lottery(stores, total_active_users=3)
    else:
        opens_at = datetime.now(UTC) + timedelta(milliseconds=150)
        concert = await with_room(stores, opens_at=opens_at, total_active_users=3)
    people = make_people(300)

    async def open_line() -> None:
        for _ in range(30):
            if is_lottery:
                await stores.lottery_opener.open(concert)
            await admit(stores, concert)
            await asyncio.sleep(0.01)

    async def arrive() -> None:
        for first in range(0, 300, 10):
            await join_all(stores, concert, people[first : first + 10])
            await asyncio.sleep(0.005)

    await asyncio.gather(arrive(), open_line())
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
    assert await read_positions(stores, concert, people) == in_order[3:]


async def test_all_sockets_dropped_at_once(stores: Stores) -> None:
    """Two servers die with everybody on them: who is back within the grace stands where they stood."""
    concert = await with_room(stores, total_active_users=1)
    people = make_people(100)
    await join(stores, concert, *people)
    await admit(stores, concert)
    await stores.queues.claim(concert.id, PersonId("p1"))
    for number, process in enumerate(("a", "b")):
        await stores.queues.sync_presence(concert.id, process, [(PersonId(who), 1) for who in people[number::2]])
    await pass_time(stores, concert, 16)
    assert await read_positions(stores, concert, people) == people[1:]
    for process in ("a", "b"):
        with pytest.raises(LeaseExpired):
            await stores.queues.sync_presence(concert.id, process, is_known=True)
    back, away = people[:75], people[75:]
    await pass_time(stores, concert, 40)
    await stores.queues.sync_presence(concert.id, "c", [(PersonId(who), 1) for who in back])
    for _ in range(7):
        await pass_time(stores, concert, 4)
        await stores.queues.sync_presence(concert.id, "c", is_known=True)
    assert await states(stores, concert, "p1") == ["ADMITTED"]
    assert await read_positions(stores, concert, people) == back[1:]
    assert {r.end_reason for r in await records(stores, concert, away)} == {EntryEnd.ABSENT}


async def test_who_left_before_a_draw_costs_nobody_their_turn(stores: Stores) -> None:
    """The cursor stays before a line that is not drawn: the lot in front that is gone may draw any number."""
    for _ in range(4):
        concert = await with_lottery(stores, total_active_users=3)
        people = make_people(6)
        await join(stores, concert, *people)
        for who in people[:3]:
            await stores.queues.leave(concert.id, PersonId(who))
        await admit(stores, concert)
        assert (await stores.queues.read_queue(concert.id)).positions.serving_number == 0
        await stores.lottery_opener.open(concert)
        assert len(await read_positions(stores, concert, people)) == 3
        assert await admit(stores, concert) == 3
        assert await states(stores, concert, *people[3:]) == ["READY"] * 3
