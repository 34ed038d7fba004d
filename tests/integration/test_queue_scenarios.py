"""The scenarios of ../shared/reference/waiting-rooms.md (end of section 6) on real stores; those that are about sockets
and HTTP are in tests/e2e/test_queue_scenarios.py."""

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from domain.concerts import Concert
from domain.errors import Admission, NotAdmitted, NotFound, OnsaleError, RateLimited, RoomNotOpen, Unauthenticated
from domain.holds import Hold, HoldState
from domain.ids import ConcertId, PersonId
from domain.queues import EntryEnd, EntryState, QueueingMethod
from domain.room_changes import RoomChange
from resolvers import holds, queues, rooms
from resolvers.context import Context
from storage.connect import Stores
from storage.keys import KINDS, concert_keys
from storage.queues import LeaseOver
from tests.integration.test_storage_rooms import (
    admit,
    change,
    events,
    join,
    pass_time,
    positions,
    records,
    states,
    with_room,
)
from tests.support.histories import histories, told_by
from tests.support.line_model import drawn_ranks
from tests.support.lottery import with_lottery
from tests.support.sale import (
    PASSES,
    all_orders,
    buy,
    check_invariants,
    context,
    key,
    lines,
    opened,
    organizer,
    stock,
)
from workers.admission import AdmissionWorker

WAITING, READY, ADMITTED = EntryState.WAITING, EntryState.READY, EntryState.ADMITTED


def crowd(count: int, name: str = "p") -> list[str]:
    return [f"{name}{number}" for number in range(1, count + 1)]


async def all_join(stores: Stores, concert: Concert, people: Sequence[str]) -> None:
    """At once."""
    await asyncio.gather(*[stores.queues.join(concert.id, PersonId(who)) for who in people])


async def standing(stores: Stores, concert: Concert, people: Sequence[str]) -> list[str]:
    """Those of them who wait, in the order of the line; their positions are exact."""
    found = [record for record in await records(stores, concert, people) if record.state in (WAITING, "PREQUEUED")]
    ordered = sorted(found, key=lambda record: record.number or 0)
    assert await positions(stores, concert, *[r.person_id for r in ordered]) == list(range(1, len(ordered) + 1))
    return [str(record.person_id) for record in ordered]


async def called(stores: Stores, concert: Concert) -> list[str]:
    """Everybody who was ever called, in that order."""
    return [who for kind, who in await events(stores, concert.id) if kind == "called"]


async def hold_with(stores: Stores, concert: Concert, who: str, token: str | None) -> Hold:
    return await holds.hold_tickets(context(stores, who), concert.id, lines(concert, 1), key(), token)


async def pass_of(stores: Stores, concert: Concert, who: str) -> str:
    claimed = await queues.claim_pass(context(stores, who), concert.id)
    assert claimed.queue_pass is not None
    assert claimed.queue_pass.token is not None
    return claimed.queue_pass.token


async def refusal_of(stores: Stores, concert: Concert, who: str, token: str | None) -> Admission:
    with pytest.raises(NotAdmitted) as refused:
        await hold_with(stores, concert, who, token)
    return refused.value.reason


async def test_launch_spike(stores: Stores) -> None:
    """Everybody in one moment: each has one place, the caps hold to the person, and the front comes first."""
    concert = await with_room(stores, total_active_users=50, new_users_per_minute=120)
    people = crowd(2_000)
    await asyncio.gather(all_join(stores, concert, people), *[admit(stores, concert) for _ in range(8)])
    await admit(stores, concert)
    found = await records(stores, concert, people)
    assert sorted(record.number or 0 for record in found) == list(range(1, 2_001))
    in_order = [str(r.person_id) for r in sorted(found, key=lambda record: record.number or 0)]
    assert await called(stores, concert) == in_order[:50]
    assert await standing(stores, concert, people) == in_order[50:]
    for _ in range(3):
        there = [r.person_id for r in await records(stores, concert, people) if r.state is READY]
        await asyncio.gather(*[stores.queues.leave(concert.id, who) for who in there])
    assert await called(stores, concert) == in_order[:120]
    assert (await stores.queues.line(concert.id)).slots_taken == 0


async def test_refresh_storm(stores: Stores) -> None:
    """A reload is a join and a look: it costs no place, gives no second one, and moves nobody."""
    concert = await with_room(stores, total_active_users=5)
    people = crowd(100)
    await join(stores, concert, *people)
    await admit(stores, concert)
    before = await records(stores, concert, people)

    async def reload(who: str) -> None:
        for _ in range(10):
            await queues.join_queue(context(stores, who), concert.id)
            assert await queues.entry_of_viewer(context(stores, who), concert.id) is not None

    await asyncio.gather(*[reload(who) for who in people])
    after = await records(stores, concert, people)
    assert [(r.place, r.number, r.state) for r in after] == [(r.place, r.number, r.state) for r in before]
    assert await standing(stores, concert, people) == people[5:]
    line = await stores.queues.line(concert.id)
    assert (line.line.tail, line.slots_taken, line.flow.joined) == (100, 5, 100)


async def test_late_surge_must_not_leapfrog(stores: Stores) -> None:
    concert = await with_room(stores, total_active_users=10, new_users_per_minute=100_000)
    early, late = crowd(60, "early"), crowd(600, "late")
    await join(stores, concert, *early)
    await admit(stores, concert)

    async def finish() -> None:
        """Who was called is done at once, and the slot goes on."""
        for _ in range(10):
            there = [r.person_id for r in await records(stores, concert, early) if r.state is READY]
            await asyncio.gather(*[stores.queues.leave(concert.id, who) for who in there])

    await asyncio.gather(all_join(stores, concert, late), finish(), *[admit(stores, concert) for _ in range(20)])
    await finish()
    in_order = await called(stores, concert)
    assert in_order[:60] == early
    numbers = [record.number or 0 for record in await records(stores, concert, in_order)]
    assert numbers == sorted(numbers)


async def test_second_sale_regression(stores: Stores) -> None:
    """A second sale in the same room begins at 1, and nothing of the first opens it or stands in its way."""
    concert = await with_room(stores, total_active_users=2)
    await join(stores, concert, "ann", "ben", "cyd", "dan")
    await admit(stores, concert)
    old = await pass_of(stores, concert, "ann")
    await buy(stores, await hold_with(stores, concert, "ann", old))
    await stores.queues.leave(concert.id, PersonId("ben"))
    assert await states(stores, concert, "ann", "ben", "cyd", "dan") == ["COMPLETED", "LEFT", "READY", "READY"]
    concert = await rooms.reset(organizer(stores), concert.id, RoomChange(), "second sale")
    await join(stores, concert, "dan", "ann", "eve")
    line = await stores.queues.line(concert.id)
    assert (line.round, line.line.serving_number, line.line.tail, line.slots_taken) == (2, 0, 2, 2)
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


async def test_reconnect_churn(stores: Stores) -> None:
    """Sockets come and go at two servers, and their words arrive in any order: only each server's newest counts."""
    concert = await with_room(stores, total_active_users=1)
    people, chance = crowd(40), random.Random(11)
    await join(stores, concert, *people)
    words = [(who, process, news) for who in people for process in ("a", "b") for news in range(1, 13)]
    said = [(who, process, news if chance.random() < 0.5 else -news) for who, process, news in words]
    chance.shuffle(said)
    for first in range(0, len(said), 60):
        for process in ("a", "b"):
            part = [(PersonId(who), news) for who, at, news in said[first : first + 60] if at == process]
            await stores.queues.attach(concert.id, process, part)
    newest = {(who, process): news for who, process, news in sorted(said, key=lambda word: abs(word[2]))}
    for record in await records(stores, concert, people):
        is_there = any(newest[record.person_id, process] > 0 for process in ("a", "b"))
        assert (record.deadline is None) == is_there, record
    assert await standing(stores, concert, people) == people
    line = await stores.queues.line(concert.id)
    assert (line.flow.joined, line.flow.absent, line.line.tail) == (40, 0, 40)


async def test_backdoor(stores: Stores) -> None:
    """No way to the tickets but through the line."""
    concert = await with_room(stores, total_active_users=1)
    await join(stores, concert, "ann", "ben")
    await admit(stores, concert)
    # Called is not admitted: ann has not claimed.
    for who in ("ann", "ben", "stranger"):
        assert await refusal_of(stores, concert, who, None) is Admission.NO_PASS
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
    people = crowd(100)
    await join(stores, concert, *people)
    async with opened(valkey_url, mongo_url, mongo_database) as others:
        for _ in range(2):
            await asyncio.gather(*[admit(one, concert) for one in (stores, others) for _ in range(25)])
            assert (await stores.queues.line(concert.id)).slots_taken == 30
    assert await called(stores, concert) == people[:30]
    await asyncio.gather(*[stores.queues.leave(concert.id, PersonId(who)) for who in people[:30]])
    assert await called(stores, concert) == people[:45]
    assert await standing(stores, concert, people) == people[45:]


async def test_abandoned_first_k_of_the_line(stores: Stores) -> None:
    """Ghosts in front hold nobody up: one look of the worker passes over all of them."""
    concert = await with_room(stores, total_active_users=5)
    ghosts, others = crowd(500, "ghost"), crowd(20, "here")
    await all_join(stores, concert, ghosts)
    await join(stores, concert, *others)
    alive = concert_keys(concert.id)[KINDS.index("alive")]
    await stores.link.run("ZADD", alive, "XX", *[word for ghost in ghosts for word in ("1", ghost)])
    await stores.hot.expire_holds(concert.id, limit=100)
    assert (await AdmissionWorker().look(stores, concert.id)).done == 5
    assert await called(stores, concert) == others[:5]
    assert await standing(stores, concert, ghosts + others) == others[5:]
    line = await stores.queues.line(concert.id)
    assert (line.line.serving_number, line.flow.absent, line.slots_taken) == (505, 500, 5)
    assert {r.end for r in await records(stores, concert, ghosts)} == {EntryEnd.ABSENT}


async def test_hidden_client_past_grace(stores: Stores) -> None:
    """Within the grace nothing is lost; after it the place is gone, and a new one is behind the line."""
    concert = await change(stores, await with_room(stores), queue_all=True)
    await join(stores, concert, "ann", "ben", "cyd")
    news = [(PersonId(who), 1) for who in ("ann", "ben", "cyd")]
    await stores.queues.attach(concert.id, "p", news)
    await stores.queues.attach(concert.id, "p", [(PersonId("ann"), -2), (PersonId("ben"), -2)])
    for _ in range(14):
        await pass_time(stores, concert, 4)
        await stores.queues.attach(concert.id, "p", said_before=True)
    await stores.queues.attach(concert.id, "p", [(PersonId("ben"), 3)])
    for _ in range(3):
        await pass_time(stores, concert, 4)
        await stores.queues.attach(concert.id, "p", said_before=True)
    assert await states(stores, concert, "ann", "ben", "cyd") == ["EXPIRED", "WAITING", "WAITING"]
    assert (await records(stores, concert, ["ann"]))[0].end is EntryEnd.ABSENT
    await join(stores, concert, "ann")
    assert await standing(stores, concert, ["ann", "ben", "cyd"]) == ["ben", "cyd", "ann"]


async def test_pause_during_ready(stores: Stores) -> None:
    """A pause takes no call back, and calls nobody in place of one that lapses."""
    concert = await with_room(stores, total_active_users=2)
    people = ["ann", "ben", "cyd", "dan"]
    await join(stores, concert, *people)
    await stores.queues.attach(concert.id, "p", [(PersonId(who), 1) for who in people])
    await admit(stores, concert)
    concert = await change(stores, concert, queue_all=True)
    await stores.queues.claim(concert.id, PersonId("ann"))
    for _ in range(17):
        await pass_time(stores, concert, 4)
        await stores.queues.attach(concert.id, "p", said_before=True)
    assert await states(stores, concert, *people) == ["ADMITTED", "EXPIRED", "WAITING", "WAITING"]
    assert (await stores.queues.line(concert.id)).slots_taken == 1
    await hold_with(stores, concert, "ann", await pass_of(stores, concert, "ann"))
    await change(stores, concert, queue_all=False)
    assert await admit(stores, concert) == 1
    assert await states(stores, concert, *people) == ["ADMITTED", "EXPIRED", "READY", "WAITING"]


async def test_cap_lowered_below_occupancy(stores: Stores) -> None:
    """Nobody is put out, and nobody comes in until there is room."""
    concert = await with_room(stores, total_active_users=6)
    people = crowd(10)
    await join(stores, concert, *people)
    await admit(stores, concert)
    concert = await change(stores, concert, total_active_users=2)
    assert await admit(stores, concert) == 0
    assert await states(stores, concert, *people) == ["READY"] * 6 + ["WAITING"] * 4
    slots = []
    for who in people[:6]:
        await stores.queues.leave(concert.id, PersonId(who))
        await admit(stores, concert)
        slots.append((await stores.queues.line(concert.id)).slots_taken)
    assert slots == [5, 4, 3, 2, 2, 2]
    assert await called(stores, concert) == people[:8]
    assert await standing(stores, concert, people) == people[8:]


async def test_cursor_at_the_tail_with_empty_queue(stores: Stores) -> None:
    """An idle room saves nothing up: the cursor stays at the tail, and a newcomer has the next number."""
    concert = await with_room(stores, total_active_users=2)
    await join(stores, concert, "ann", "ben")
    await admit(stores, concert)
    for who in ("ann", "ben"):
        await stores.queues.leave(concert.id, PersonId(who))
    assert [await admit(stores, concert) for _ in range(20)] == [0] * 20
    line = (await stores.queues.line(concert.id)).line
    assert (line.serving_number, line.tail, line.waiting_count) == (2, 2, 0)
    people = crowd(5)
    joined = await join(stores, concert, *people)
    assert [record.number for record in joined] == [3, 4, 5, 6, 7]
    assert await standing(stores, concert, people) == people
    assert await admit(stores, concert) == 2
    assert await standing(stores, concert, people) == people[2:]


@pytest.mark.parametrize("is_lottery", [False, True])
async def test_join_racing_the_open(stores: Stores, is_lottery: bool) -> None:
    """Whoever joins in the moment of the opening has one number, and is drawn or stands behind those who are."""
    if is_lottery:
        concert = await with_lottery(stores, total_active_users=3)
    else:
        opens_at = datetime.now(UTC) + timedelta(milliseconds=150)
        concert = await with_room(stores, opens_at=opens_at, total_active_users=3)
    people = crowd(300)

    async def open_line() -> None:
        for _ in range(30):
            if is_lottery:
                await stores.openings.open(concert)
            await admit(stores, concert)
            await asyncio.sleep(0.01)

    async def arrive() -> None:
        for first in range(0, 300, 10):
            await all_join(stores, concert, people[first : first + 10])
            await asyncio.sleep(0.005)

    await asyncio.gather(arrive(), open_line())
    found = {str(record.person_id): record for record in await records(stores, concert, people)}
    numbers = {who: record.number or 0 for who, record in found.items()}
    assert sorted(numbers.values()) == list(range(1, 301))
    in_order = sorted(people, key=numbers.__getitem__)
    if is_lottery:
        reveal = await stores.lotteries.revealed(concert.id, 1)
        assert reveal is not None
        ranks = drawn_ranks(reveal.seed, reveal.registrations)
        assert {r.lot: r.number for r in found.values() if r.lot is not None} == ranks
    assert await called(stores, concert) == in_order[:3]
    assert await standing(stores, concert, people) == in_order[3:]


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
    assert await standing(stores, concert, ["mallory", "ann", "ben"]) == ["mallory", "ann", "ben"]


async def test_reset_under_load(stores: Stores) -> None:
    """Whatever runs into a reset happened before it or after it: no place is of both rounds, and no slot is lost."""
    concert = await with_room(stores, total_active_users=10, new_users_per_minute=100_000)
    people, chance = crowd(150), random.Random(3)
    await all_join(stores, concert, people)

    async def bustle(who: str) -> None:
        for _ in range(6):
            step = chance.choice((stores.queues.join, stores.queues.join, stores.queues.leave, stores.queues.claim))
            try:
                await step(concert.id, PersonId(who))
            except OnsaleError:
                continue

    async def reset(name: str) -> None:
        await asyncio.sleep(0.01)
        await rooms.reset(organizer(stores), concert.id, RoomChange(), name)

    bustling = [bustle(who) for who in people]
    await asyncio.gather(*bustling, reset("one"), reset("two"), *[admit(stores, concert) for _ in range(10)])
    await admit(stores, concert)
    line = await stores.queues.line(concert.id)
    assert line.round == 3
    places, wrong = histories(await told_by(stores, concert.id))
    assert wrong == []
    found = await stores.queues.entries(concert.id, [PersonId(who) for who in people])
    waiting = [who for who, record in found.items() if record.state is WAITING]
    assert {found[who].round for who in waiting} <= {3}
    assert await standing(stores, concert, people) == sorted(waiting, key=lambda who: found[who].number or 0)
    with_slots = [record for record in found.values() if record.state in (READY, ADMITTED)]
    assert len(with_slots) == line.slots_taken == (10 if waiting else line.slots_taken)
    assert all(not places[record.place].is_ended for record in with_slots)


async def test_all_sockets_dropped_at_once(stores: Stores) -> None:
    """Two servers die with everybody on them: who is back within the grace stands where they stood."""
    concert = await with_room(stores, total_active_users=1)
    people = crowd(100)
    await join(stores, concert, *people)
    await admit(stores, concert)
    await stores.queues.claim(concert.id, PersonId("p1"))
    for number, process in enumerate(("a", "b")):
        await stores.queues.attach(concert.id, process, [(PersonId(who), 1) for who in people[number::2]])
    await pass_time(stores, concert, 16)
    assert await standing(stores, concert, people) == people[1:]
    for process in ("a", "b"):
        with pytest.raises(LeaseOver):
            await stores.queues.attach(concert.id, process, said_before=True)
    back, away = people[:75], people[75:]
    await pass_time(stores, concert, 40)
    await stores.queues.attach(concert.id, "c", [(PersonId(who), 1) for who in back])
    for _ in range(7):
        await pass_time(stores, concert, 4)
        await stores.queues.attach(concert.id, "c", said_before=True)
    assert await states(stores, concert, "p1") == ["ADMITTED"]
    assert await standing(stores, concert, people) == back[1:]
    assert {r.end for r in await records(stores, concert, away)} == {EntryEnd.ABSENT}


async def test_clock_jump(stores: Stores) -> None:
    """Forward, or back again: it costs nobody a place, a call, a pass or a hold, and nothing lasts for ever by it."""
    concert = await with_room(stores, total_active_users=2)
    await join(stores, concert, "ann", "ben", "cyd", "dan")
    await admit(stores, concert)
    made = await hold_with(stores, concert, "ann", await pass_of(stores, concert, "ann"))
    await stores.queues.attach(concert.id, "p", [(PersonId("cyd"), 1)])
    state_key = concert_keys(concert.id)[KINDS.index("state")]
    await stores.link.run("HINCRBY", state_key, "now_ms", "3600000")
    # The real clock is an hour behind from here on, as after a jump back.
    for _ in range(3):
        await admit(stores, concert)
    assert await states(stores, concert, "ann", "ben", "cyd", "dan") == ["ADMITTED", "READY", "WAITING", "WAITING"]
    assert await stock(stores, concert) == [(9, 1, 0)]
    await stores.queues.attach(concert.id, "p", said_before=True)
    await stores.queues.claim(concert.id, PersonId("ben"))
    await stores.queues.heartbeat(concert.id, PersonId("dan"))
    await buy(stores, made)
    assert await states(stores, concert, "ann", "ben", "cyd", "dan") == ["COMPLETED", "ADMITTED", "READY", "WAITING"]
    # After the grace time counts again: dan is silent for longer than that, and ends.
    await pass_time(stores, concert, 104)
    assert await states(stores, concert, "cyd", "dan") == ["EXPIRED", "EXPIRED"]
    assert (await records(stores, concert, ["dan"]))[0].end is not None
    assert [r.number for r in await join(stores, concert, "eve")] == [5]


async def test_who_left_before_a_draw_costs_nobody_their_turn(stores: Stores) -> None:
    """The cursor stays before a line that is not drawn: the lot in front that is gone may draw any number."""
    for _ in range(4):
        concert = await with_lottery(stores, total_active_users=3)
        people = crowd(6)
        await join(stores, concert, *people)
        for who in people[:3]:
            await stores.queues.leave(concert.id, PersonId(who))
        await admit(stores, concert)
        assert (await stores.queues.line(concert.id)).line.serving_number == 0
        await stores.openings.open(concert)
        assert len(await standing(stores, concert, people)) == 3
        assert await admit(stores, concert) == 3
        assert await states(stores, concert, *people[3:]) == ["READY"] * 3
