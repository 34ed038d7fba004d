"""Random traffic of people, organizers and sockets against one room, from a seed; refusals are part of it."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias

from domain.concerts import Concert
from domain.errors import OnsaleError
from domain.ids import PersonId
from domain.queues import RoomSettings
from domain.room_changes import RoomSettingsPatch
from resolvers import holds, queues, rooms
from storage.connect import Stores
from storage.hot.queues import LeaseExpired
from tests.support.sale import buy, context, key, lines, organizer

PEOPLE = tuple(PersonId(f"p{number}") for number in range(300))
CAPS = (5, 10, 20, 40)
ROOM = RoomSettings(
    suspended=False,
    total_active_users=20,
    pass_claim_timeout_ms=1_000,
    session_duration_ms=2_000,
    heartbeat_timeout_ms=2_000,
    disconnect_grace_ms=1_000,
)
"""Short enough that calls, sessions and absences run out in the middle of it."""

Step: TypeAlias = Callable[[], Awaitable[None]]


@dataclass
class Traffic:
    """`caps`: the slots that were allowed, by the version of the concert that allowed them."""

    stores: list[Stores]
    concert: Concert
    chance: random.Random
    done: Counter[str] = field(default_factory=Counter)
    caps: dict[int, int] = field(default_factory=dict)
    news: int = 0

    def __post_init__(self) -> None:
        self.caps[self.concert.version] = self.concert.room.total_active_users

    async def run(self, seconds: float, *, crowd: int = 12) -> None:
        until = asyncio.get_running_loop().time() + seconds
        async with asyncio.TaskGroup() as group:
            for _ in range(crowd):
                group.create_task(self._repeat(self._person, until, pause_s=0.0))
            for process in ("a", "b"):
                group.create_task(self._repeat(self._process(process), until, pause_s=0.1))
            group.create_task(self._repeat(self._organizer, until, pause_s=0.15))

    async def _repeat(self, step: Step, until: float, *, pause_s: float) -> None:
        while asyncio.get_running_loop().time() < until:
            try:
                await step()
            except OnsaleError as refusal:
                self.done[f"refused: {type(refusal).__name__}"] += 1
            await asyncio.sleep(pause_s)

    async def _person(self) -> None:
        who, stores = self.chance.choice(PEOPLE), self.chance.choice(self.stores)
        asking, id_ = stores.queues, self.concert.id
        what = self.chance.choices(
            ("join", "heartbeat", "claim", "buy", "leave"), weights=(40, 15, 30, 20, 4)
        )[0]  # fmt: skip
        match what:
            case "join":
                await asking.join(id_, who)
            case "heartbeat":
                await asking.heartbeat(id_, who)
            case "claim":
                await asking.claim(id_, who)
            case "leave":
                await asking.leave(id_, who)
            case _:
                await self._buy(stores, who)
        self.done[what] += 1

    async def _buy(self, stores: Stores, who: PersonId) -> None:
        asking = context(stores, who)
        await stores.queues.claim(self.concert.id, who)
        shown = await queues.get_viewer_entry(asking, self.concert.id)
        token = shown and shown.queue_pass and shown.queue_pass.token
        held = await holds.hold_tickets(asking, self.concert.id, lines(self.concert, 1), key(), token or None)
        await buy(stores, held)

    def _process(self, name: str) -> Step:
        """A process with sockets: it says who has come and gone, and takes a new name when its lease was given up."""
        names = iter(f"{name}{number}" for number in range(1_000_000))
        current = [next(names)]

        async def say() -> None:
            self.news += 1
            crowd = self.chance.sample(PEOPLE, 8)
            said = [(who, self.chance.choice((self.news, self.news, -self.news))) for who in crowd]
            try:
                await self.stores[0].queues.sync_presence(self.concert.id, current[0], said)
            except LeaseExpired:
                current[0] = next(names)
            self.done["attach"] += len(said)

        return say

    async def _organizer(self) -> None:
        stores = self.chance.choice(self.stores)
        asking, id_ = organizer(stores), self.concert.id
        what = self.chance.choices(("cap", "pause", "resume", "admit next", "reset"), weights=(30, 12, 30, 20, 2))[0]
        match what:
            case "cap":
                await self.change(asking.stores, total_active_users=self.chance.choice(CAPS))
            case "pause":
                await self.change(asking.stores, queue_all=True)
            case "resume":
                await self.change(asking.stores, queue_all=False)
            case "reset":
                self._note(await rooms.reset(asking, id_, RoomSettingsPatch(), key()))
            case _:
                with suppress(OnsaleError):
                    await rooms.admit_next(asking, id_, self.chance.randint(1, 5), key())
        self.done[what] += 1

    async def change(self, stores: Stores, **given: bool | int) -> None:
        change = RoomSettingsPatch(tuple(given.items()))
        self._note(await rooms.configure(organizer(stores), self.concert.id, change, expected_version=None))

    def _note(self, changed: Concert) -> None:
        self.caps[changed.version] = changed.room.total_active_users
