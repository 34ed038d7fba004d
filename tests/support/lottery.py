"""A lottery on real stores for tests: people who register, what was drawn for them, and whether it adds up."""

import asyncio
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
from tests.support.sale import on_sale

ROOM: dict[str, Any] = {"suspended": False, "shuffle_at_start": True, "total_active_users": 2}


async def with_lottery(stores: Stores, **changes: Any) -> Concert:
    """Its time has come, and nobody has opened it yet."""
    return await on_sale(stores, 10, room=RoomSettings(**ROOM | changes))


def make_people(count: int, first: int = 1) -> list[PersonId]:
    return [PersonId(f"person{number}") for number in range(first, first + count)]


@asynccontextmanager
async def before_opening(stores: Stores, concert_id: ConcertId) -> AsyncIterator[None]:
    """The store takes the opening to be in the future."""
    state = concert_keys(concert_id)[KINDS.index("state")]
    opens_ms = await stores.script_client.run_command("HGET", state, "opens_ms")
    await stores.script_client.run_command("HSET", state, "opens_ms", str(2**52))
    yield
    await stores.script_client.run_command("HSET", state, "opens_ms", opens_ms)


async def register(stores: Stores, concert: Concert, people: Sequence[PersonId]) -> None:
    async with before_opening(stores, concert.id):
        await asyncio.gather(*[stores.queues.join(concert.id, person) for person in people])


async def leave(stores: Stores, concert: Concert, people: Sequence[PersonId]) -> None:
    await asyncio.gather(*[stores.queues.leave(concert.id, person) for person in people])


async def entries(stores: Stores, concert: Concert, people: Sequence[PersonId]) -> list[EntryRecord]:
    found = await stores.queues.read_entries(concert.id, people)
    return [found[person] for person in people]


async def numbers(stores: Stores, concert: Concert, people: Sequence[PersonId]) -> dict[PersonId, int | None]:
    return {entry.person_id: entry.number for entry in await entries(stores, concert, people)}


async def sorted_numbers(stores: Stores, concert: Concert, people: Sequence[PersonId]) -> list[int]:
    """Of people who all have one."""
    found = (await numbers(stores, concert, people)).values()
    given = [number for number in found if number is not None]
    assert len(given) == len(people)
    return sorted(given)


async def revealed(stores: Stores, concert: Concert) -> Reveal:
    found = await stores.lotteries.find_reveal(concert.id, concert.room.round)
    assert found is not None
    return found


async def check_draw(stores: Stores, concert: Concert, people: Sequence[PersonId]) -> None:
    """The reveal fits the commitment; numbers fit the reveal; positions count exactly those still waiting in front."""
    reveal = await revealed(stores, concert)
    assert reveal.commitment == concert.room.commitment == commitment_of(reveal.secret)
    assert reveal.seed == seed_of(reveal.secret, reveal.digest)
    drawn = draw(reveal.seed, reveal.registrations)
    found = await entries(stores, concert, people)
    for entry in found:
        has_left_before = entry.number is None and entry.state is EntryState.LEFT
        if entry.lot is None:
            assert entry.number is not None, entry
            assert entry.number > reveal.registrations, entry
        elif not has_left_before:
            assert entry.number == drawn.number_of(entry.lot), entry
    line = (await stores.queues.read_queue(concert.id)).positions
    waiting = [entry.number for entry in found if entry.state is EntryState.WAITING]
    assert len(set(waiting)) == len(waiting)
    ordered = sorted(number for number in waiting if number is not None)
    assert [line.position(number) for number in ordered] == list(range(1, len(waiting) + 1))
    assert line.waiting_count == len(waiting)


async def secret_of(stores: Stores, concert: Concert) -> str:
    """Behind the product's back."""
    found = await stores.mongo["lotteries"].find_one({"_id": f"{concert.id}:{concert.room.round}"})
    assert found is not None
    return str(found["secret"])


def proof_of(reveal: Reveal, entry: EntryRecord) -> str:
    """As the API gives it."""
    fields = ("registrations", "digest", "secret", "seed", "commitment")
    shown = {name: getattr(reveal, name) for name in fields}
    return json.dumps({"lotteryProof": {"lot": entry.lot, "number": entry.number, **shown}})


class Copy:
    """A concert's keys as they were at one moment."""

    def __init__(self, stores: Stores, concert: Concert) -> None:
        self._stores = stores
        self._concert = concert
        self._names = concert_keys(concert.id)
        self._contents: list[bytes | None] = []

    async def take(self) -> "Copy":
        self._contents = [await self._stores.script_client.run_command("DUMP", name) for name in self._names]
        return self

    async def put_back(self) -> None:
        """As a failover to an older replica would: nobody believes the store until it was recovered."""
        await self._stores.script_client.run_command("DEL", *self._names)
        for name, content in zip(self._names, self._contents, strict=True):
            if content is not None:
                await self._stores.script_client.run_command("RESTORE", name, "0", content)
        await self._stores.script_client.run_command("HSET", self._names[KINDS.index("state")], "incarnation", "older")

    async def wipe(self) -> None:
        await self._stores.script_client.run_command("DEL", *self._names)
