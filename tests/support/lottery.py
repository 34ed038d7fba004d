"""Test steps for lotteries on real stores: open a queue, register people, and check the draw."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from domain.concerts import Concert
from domain.ids import ConcertId, PersonId
from domain.lottery import Reveal, commitment_of, draw, seed_of
from domain.queues import EntryState, RoomSettings
from storage.connect import Stores
from storage.hot.queues import EntryRecord
from storage.keys import KINDS, concert_keys
from tests.support.queue_steps import join_all, records
from tests.support.sale import on_sale

ROOM: dict[str, Any] = {"suspended": False, "shuffle_at_start": True, "total_active_users": 2}


async def with_lottery(stores: Stores, **changes: Any) -> Concert:
    """Return a concert with a lottery; its queue can be opened but is not open yet."""
    return await on_sale(stores, 10, room=RoomSettings(**ROOM | changes))


@asynccontextmanager
async def before_opening(stores: Stores, concert_id: ConcertId) -> AsyncIterator[None]:
    """Within the block, move the opening time in the store to the far future."""
    state = concert_keys(concert_id)[KINDS.index("state")]
    opens_ms = await stores.script_client.run_command("HGET", state, "opens_ms")
    await stores.script_client.run_command("HSET", state, "opens_ms", str(2**52))
    yield
    await stores.script_client.run_command("HSET", state, "opens_ms", opens_ms)


async def register(stores: Stores, concert: Concert, people: Sequence[PersonId]) -> None:
    """Let people join before the opening."""
    async with before_opening(stores, concert.id):
        await join_all(stores, concert, people)


async def numbers(stores: Stores, concert: Concert, people: Sequence[PersonId]) -> dict[PersonId, int | None]:
    return {entry.person_id: entry.number for entry in await records(stores, concert, people)}


async def sorted_numbers(stores: Stores, concert: Concert, people: Sequence[PersonId]) -> list[int]:
    """Return the sorted numbers of these people, each of whom must have one."""
    found = (await numbers(stores, concert, people)).values()
    given = [number for number in found if number is not None]
    assert len(given) == len(people)
    return sorted(given)


async def revealed(stores: Stores, concert: Concert) -> Reveal:
    found = await stores.lotteries.find_reveal(concert.id, concert.room.round)
    assert found is not None
    return found


async def check_draw(stores: Stores, concert: Concert, people: Sequence[PersonId]) -> None:
    """Check that the commitment, the reveal and the numbers match, and that positions are exact."""
    reveal = await revealed(stores, concert)
    assert reveal.commitment == concert.room.commitment == commitment_of(reveal.secret)
    assert reveal.seed == seed_of(reveal.secret, reveal.digest)
    drawn = draw(reveal.seed, reveal.registrations)
    found = await records(stores, concert, people)
    for entry in found:
        has_left_before = entry.number is None and entry.state is EntryState.LEFT
        if entry.lot is None:
            assert entry.number is not None, entry
            assert entry.number > reveal.registrations, entry
        elif not has_left_before:
            assert entry.number == drawn.number_of(entry.lot), entry
    queue = (await stores.queues.read_queue(concert.id)).positions
    waiting = [entry.number for entry in found if entry.state is EntryState.WAITING]
    assert len(set(waiting)) == len(waiting)
    ordered = sorted(number for number in waiting if number is not None)
    assert [queue.position(number) for number in ordered] == list(range(1, len(waiting) + 1))
    assert queue.waiting_count == len(waiting)


async def secret_of(stores: Stores, concert: Concert) -> str:
    """Read the secret directly from the database, because no store returns it before the reveal."""
    found = await stores.mongo["lotteries"].find_one({"_id": f"{concert.id}:{concert.room.round}"})
    assert found is not None
    return str(found["secret"])


def proof_of(reveal: Reveal, entry: EntryRecord) -> str:
    """Return the proof of an entry as the API returns it."""
    fields = ("registrations", "digest", "secret", "seed", "commitment")
    shown = {name: getattr(reveal, name) for name in fields}
    return json.dumps({"lotteryProof": {"lot": entry.lot, "number": entry.number, **shown}})
