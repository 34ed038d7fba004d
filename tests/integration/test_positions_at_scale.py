"""In a queue of 70,000, every position equals the person's rank among the people waiting."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
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
from tests.support.hot_keys import end_grace, make_due
from tests.support.lottery import before_opening
from tests.support.queue_model import drawn_ranks
from tests.support.queue_steps import admit, make_people, with_room
from tests.support.sale import organizer

ENTRIES = 70_000
"""More than 65,536, so the numbers do not fit in 16 bits."""
CHUNK = 1_000
SAMPLE = 2_000
LONG_MS = 7_200_000
WAITING = (EntryState.PREQUEUED, EntryState.WAITING)


async def call_for_all(
    stores: Stores, concert: Concert, step: Callable[[ConcertId, PersonId], Awaitable[Any]], people: Sequence[PersonId]
) -> None:
    """Call `step` for all people in chunks, and expire holds after each chunk."""
    for first in range(0, len(people), CHUNK):
        await asyncio.gather(*[step(concert.id, who) for who in people[first : first + CHUNK]])
        await stores.hot_state.expire_holds(concert.id, limit=100)


async def read_all(
    stores: Stores, concert: Concert, people: Sequence[PersonId]
) -> tuple[QueuePositions, list[EntryRecord]]:
    found: dict[PersonId, EntryRecord] = {}
    for first in range(0, len(people), 2_000):
        found |= await stores.queues.read_entries(concert.id, people[first : first + 2_000])
    return (await stores.queues.read_queue(concert.id)).positions, list(found.values())


def check_positions(queue: QueuePositions, records: Sequence[EntryRecord]) -> int:
    """Compare each position with a naively computed rank. Return the number of people waiting."""
    numbers = sorted(r.number for r in records if r.state in WAITING and r.number is not None)
    assert [queue.position(number) for number in numbers] == list(range(1, len(numbers) + 1))
    assert queue.waiting_count == len(numbers) == sum(r.state in WAITING for r in records)
    last_round = max(r.round for r in records)
    others = {r.number for r in records if r.state not in WAITING and r.number is not None and r.round == last_round}
    assert not others & set(numbers)
    assert not any(queue.is_waiting(number) for number in others if number <= queue.tail)
    return len(numbers)


async def end_some(stores: Stores, concert: Concert, people: Sequence[PersonId], chance: random.Random) -> None:
    """Let some people leave, and let the workers end the entries of others who are absent."""
    leaving, absent = chance.sample(people, SAMPLE), chance.sample(people, SAMPLE)
    await call_for_all(stores, concert, stores.queues.leave, leaving)
    await make_due(stores, concert, "presence_deadlines", *absent)
    await stores.hot_state.expire_holds(concert.id, limit=100)
    await end_grace(stores, concert)
    while (await stores.hot_state.run_admission(concert.id, bound=1_000)).is_bounded:
        await stores.hot_state.expire_holds(concert.id, limit=100)


@pytest.mark.timeout(600)
async def test_every_position_in_a_queue_of_70_000_is_exact(stores: Stores) -> None:
    chance = random.Random(5)
    limits = {"total_active_users": 2_000, "new_users_per_minute": 1_000_000, "heartbeat_timeout_ms": LONG_MS}
    concert = await with_room(stores, shuffle_at_start=True, **limits)
    people = make_people(ENTRIES)

    # Everyone joins before a lottery, and some people leave before the draw.
    async with before_opening(stores, concert.id):
        await call_for_all(stores, concert, stores.queues.join, people)
    await end_some(stores, concert, people, chance)
    queue, records = await read_all(stores, concert, people[:1_000])
    assert {r.number for r in records} == {None}
    waiting = queue.waiting_count
    assert ENTRIES - 2 * SAMPLE <= waiting < ENTRIES - SAMPLE
    assert await stores.lottery_opener.open(concert) == "OPENED"
    queue, records = await read_all(stores, concert, people)
    assert check_positions(queue, records) == waiting
    reveal = await stores.lotteries.find_reveal(concert.id, 1)
    assert reveal is not None
    ranks = drawn_ranks(reveal.seed, ENTRIES)
    assert all(r.number == ranks[r.lot or 0] for r in records if r.state in WAITING)

    # People are called from the front, leave from anywhere, and join at the end.
    assert await admit(stores, concert) == 2_000
    await end_some(stores, concert, people, chance)
    more = RoomSettingsPatch((("total_active_users", 5_000),))
    await rooms.configure(organizer(stores), concert.id, more, expected_version=None)
    await admit(stores, concert)
    returning = chance.sample(people, SAMPLE)
    await call_for_all(stores, concert, stores.queues.join, returning)
    assert 50_000 < check_positions(*await read_all(stores, concert, people)) < ENTRIES

    # In a new round, entry ids and their bits continue after the entries of the first round.
    concert = await rooms.reset(organizer(stores), concert.id, RoomSettingsPatch((("shuffle_at_start", False),)), "k")
    queue, records = await read_all(stores, concert, people[:5_000])
    assert check_positions(queue, records) == queue.tail == 0
    again = chance.sample(people, 8_000)
    await call_for_all(stores, concert, stores.queues.join, again)
    await end_some(stores, concert, again, chance)
    assert 1_000 < check_positions(*await read_all(stores, concert, again)) < 8_000
