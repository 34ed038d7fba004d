"""Generates random traffic in one room.

Customers, an organizer and processes with sockets act on the room, and refusals are expected.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

from domain.concerts import Concert
from domain.errors import OnsaleError
from domain.ids import PersonId
from domain.queues import RoomSettings
from domain.room_changes import RoomSettingsPatch
from proofs.waiting_room.shop import buy_ticket, new_key, organizer_context
from resolvers import rooms
from storage.connect import Stores
from storage.hot.queues import LeaseExpired

PEOPLE = tuple(PersonId(f"p{number}") for number in range(300))
CONCURRENT_PEOPLE = 12
CAPS = (5, 10, 20, 40)
ROOM = RoomSettings(
    suspended=False,
    total_active_users=20,
    pass_claim_timeout_ms=1_000,
    session_duration_ms=2_000,
    heartbeat_timeout_ms=2_000,
    disconnect_grace_ms=1_000,
)
"""The timeouts are short so that calls, sessions and grace periods expire during the proof."""

Step = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Traffic:
    stores: list[Stores]
    concert: Concert
    rng: random.Random
    done: Counter[str] = field(default_factory=Counter)
    caps: dict[int, int] = field(default_factory=dict)
    """The number of slots allowed, by the concert version that introduced the limit."""
    presence_number: int = 0

    def __post_init__(self) -> None:
        self._record_cap(self.concert)

    async def run(self, is_over: Callable[[], bool]) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(CONCURRENT_PEOPLE):
                group.create_task(self._repeat(self._act_as_person, is_over, pause_s=0.0))
            for process in ("a", "b"):
                group.create_task(self._repeat(self._socket_process(process), is_over, pause_s=0.1))
            group.create_task(self._repeat(self._act_as_organizer, is_over, pause_s=0.15))

    async def change(self, stores: Stores, **settings: bool | int) -> None:
        """Change room settings."""
        patch, context = RoomSettingsPatch(tuple(settings.items())), organizer_context(stores)
        self._record_cap(await rooms.configure(context, self.concert.id, patch, expected_version=None))

    async def _repeat(self, step: Step, is_over: Callable[[], bool], *, pause_s: float) -> None:
        while not is_over():
            try:
                await step()
            except OnsaleError as refusal:
                self.done[f"refused: {type(refusal).__name__}"] += 1
            await asyncio.sleep(pause_s)

    async def _act_as_person(self) -> None:
        person_id, stores, concert_id = self.rng.choice(PEOPLE), self.rng.choice(self.stores), self.concert.id
        actions = ("join", "heartbeat", "claim", "buy", "leave")
        match action := self.rng.choices(actions, weights=(40, 15, 30, 20, 4))[0]:
            case "join":
                await stores.queues.join(concert_id, person_id)
            case "heartbeat":
                await stores.queues.heartbeat(concert_id, person_id)
            case "claim":
                await stores.queues.claim(concert_id, person_id)
            case "leave":
                await stores.queues.leave(concert_id, person_id)
            case _:
                await buy_ticket(stores, self.concert, person_id)
        self.done[action] += 1

    def _socket_process(self, name: str) -> Step:
        """Return a step in which a process with sockets connects and disconnects people.

        If the process's lease has expired, the next step uses a new process name.
        """
        names = (f"{name}{number}" for number in count())
        current = [next(names)]

        async def sync() -> None:
            self.presence_number += 1
            number = self.presence_number
            changes = [(person, self.rng.choice((number, number, -number))) for person in self.rng.sample(PEOPLE, 8)]
            try:
                await self.stores[0].queues.sync_presence(self.concert.id, current[0], changes)
            except LeaseExpired:
                current[0] = next(names)
            self.done["sync presence"] += len(changes)

        return sync

    async def _act_as_organizer(self) -> None:
        stores, concert_id = self.rng.choice(self.stores), self.concert.id
        context = organizer_context(stores)
        actions = ("cap", "pause", "resume", "admit next", "reset")
        match action := self.rng.choices(actions, weights=(30, 12, 30, 20, 2))[0]:
            case "cap":
                await self.change(stores, total_active_users=self.rng.choice(CAPS))
            case "pause":
                await self.change(stores, queue_all=True)
            case "resume":
                await self.change(stores, queue_all=False)
            case "reset":
                self._record_cap(await rooms.reset(context, concert_id, RoomSettingsPatch(), new_key()))
            case _:
                with suppress(OnsaleError):
                    await rooms.admit_next(context, concert_id, self.rng.randint(1, 5), new_key())
        self.done[action] += 1

    def _record_cap(self, concert: Concert) -> None:
        self.caps[concert.version] = concert.room.total_active_users
