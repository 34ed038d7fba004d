"""One line of 100,000: everybody's position, from one snapshot, is their rank among those who still wait."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from domain.concerts import Concert
from domain.ids import ConcertId, PersonId
from domain.queue_positions import QueuePositions
from domain.queues import EntryState
from domain.room_changes import RoomSettingsPatch
from resolvers import rooms
from storage.connect import Stores
from storage.hot.queues import EntryRecord
from storage.keys import KINDS, concert_keys
from tests.integration.test_storage_rooms import ROOM, admit
from tests.support.lottery import before_opening
from tests.support.queue_model import drawn_ranks
from tests.support.sale import on_sale, organizer

PLACES = 100_000
CHUNK = 5_000
A_SAMPLE = 2_000
LONG_MS = 7_200_000
WAITING = (EntryState.PREQUEUED, EntryState.WAITING)


async def all_of(
    stores: Stores, concert: Concert, step: Callable[[ConcertId, PersonId], Awaitable[Any]], people: Sequence[PersonId]
) -> None:
    """Thousands of calls share a few round trips, and the workers have their turn in between."""
    for first in range(0, len(people), CHUNK):
        await asyncio.gather(*[step(concert.id, who) for who in people[first : first + CHUNK]])
        await stores.hot_state.expire_holds(concert.id, limit=100)


async def everybody(
    stores: Stores, concert: Concert, people: Sequence[PersonId]
) -> tuple[QueuePositions, list[EntryRecord]]:
    found: dict[PersonId, EntryRecord] = {}
    for first in range(0, len(people), 2_000):
        found |= await stores.queues.read_entries(concert.id, people[first : first + 2_000])
    return (await stores.queues.read_queue(concert.id)).positions, list(found.values())


def check(line: QueuePositions, records: Sequence[EntryRecord]) -> int:
    """Against a naive rank. How many wait."""
    numbers = sorted(r.number for r in records if r.state in WAITING and r.number is not None)
    assert [line.position(number) for number in numbers] == list(range(1, len(numbers) + 1))
    assert line.waiting_count == len(numbers) == sum(r.state in WAITING for r in records)
    newest = max(r.round for r in records)
    others = {r.number for r in records if r.state not in WAITING and r.number is not None and r.round == newest}
    assert not others & set(numbers)
    assert not any(line.is_waiting(number) for number in others if number <= line.tail)
    return len(numbers)


async def end_some(stores: Stores, concert: Concert, people: Sequence[PersonId], chance: random.Random) -> None:
    """Some leave, and more fall silent and are ended by the workers."""
    leaving, silent = chance.sample(people, A_SAMPLE), chance.sample(people, A_SAMPLE)
    await all_of(stores, concert, stores.queues.leave, leaving)
    alive = concert_keys(concert.id)[KINDS.index("presence_deadlines")]
    pairs = [word for who in silent for word in ("1", who)]
    await stores.script_client.run_command("ZADD", alive, "XX", *pairs)
    while (await stores.hot_state.run_admission(concert.id, bound=1_000)).is_bounded:
        await stores.hot_state.expire_holds(concert.id, limit=100)


@pytest.mark.timeout(180)
async def test_every_position_in_a_line_of_100_000_is_exact(stores: Stores) -> None:
    chance = random.Random(5)
    room = replace(ROOM, total_active_users=2_000, new_users_per_minute=1_000_000, heartbeat_timeout_ms=LONG_MS)
    concert = await on_sale(stores, 10, room=replace(room, shuffle_at_start=True))
    people = [PersonId(f"p{number}") for number in range(PLACES)]

    # Registered for a lottery, of whom some go before the draw.
    async with before_opening(stores, concert.id):
        await all_of(stores, concert, stores.queues.join, people)
    await end_some(stores, concert, people, chance)
    line, records = await everybody(stores, concert, people[:1_000])
    assert {r.number for r in records} == {None}
    waiting = line.waiting_count
    assert PLACES - 2 * A_SAMPLE <= waiting < PLACES - A_SAMPLE
    assert await stores.lottery_opener.open(concert) == "OPENED"
    line, records = await everybody(stores, concert, people)
    assert check(line, records) == waiting
    reveal = await stores.lotteries.find_reveal(concert.id, 1)
    assert reveal is not None
    ranks = drawn_ranks(reveal.seed, PLACES)
    assert all(r.number == ranks[r.lot or 0] for r in records if r.state in WAITING)

    # Admissions, departures anywhere, and joins behind.
    assert 0 < await admit(stores, concert) <= 1_000
    await admit(stores, concert)
    await end_some(stores, concert, people, chance)
    more = RoomSettingsPatch((("total_active_users", 5_000),))
    await rooms.configure(organizer(stores), concert.id, more, expected_version=None)
    await admit(stores, concert)
    back = chance.sample(people, A_SAMPLE)
    await all_of(stores, concert, stores.queues.join, back)
    assert 80_000 < check(*await everybody(stores, concert, people)) < PLACES

    # A new round, in the bits and numbers behind it.
    concert = await rooms.reset(organizer(stores), concert.id, RoomSettingsPatch((("shuffle_at_start", False),)), "k")
    line, records = await everybody(stores, concert, people[:5_000])
    assert check(line, records) == line.tail == 0
    again = chance.sample(people, 8_000)
    await all_of(stores, concert, stores.queues.join, again)
    await end_some(stores, concert, again, chance)
    assert 1_000 < check(*await everybody(stores, concert, again)) < 8_000
