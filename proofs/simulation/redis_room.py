"""A room that runs the real scripts on its own Valkey, with a fast clock.

A script's clock is never earlier than the last time stored for its concert
(storage/lua/lib/prologue.lua), so writing a later time to the state advances the clock. Orders are
recorded in the hot state as order sync would record them, but not in MongoDB.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from domain.concerts import Concert
from domain.errors import HoldEnded, NotAdmitted, NotFound, NotInQueue, OnsaleError, SoldOut, TemporarilyUnavailable
from domain.holds import Hold, TicketRequest
from domain.ids import ConcertId, PersonId, hold_id
from domain.queues import EntryState
from proofs.simulation.concert import EPOCH, concert_of, order_of
from proofs.simulation.room import RoomObservation, Transitions
from proofs.simulation.scenarios import Scenario
from storage.embedded import supervisor
from storage.hot.guarded_client import GuardedClient
from storage.hot.holds import HoldStore
from storage.hot.hot_state import HotState
from storage.hot.queues import EntryRecord, QueueStore
from storage.hot.script_client import ScriptClient
from storage.hot.snapshots import SnapshotStore
from storage.keys import concert_keys
from subscriptions.publishing.presence import RENEW_EVERY_S
from workers.admission import BOUND
from workers.expiry import MAX_HOLDS_PER_CALL

PROCESS = "simulation"
BATCH_SIZE = 500
STATES_WITH_SLOT = frozenset({EntryState.READY, EntryState.ADMITTED})
ENDED = frozenset({EntryState.COMPLETED, EntryState.LEFT, EntryState.EXPIRED})


class NoRecovery:
    """Fails instead of recovering if the store is not trusted, which ends the simulation."""

    async def refusal_for(self, concert_id: ConcertId, word: str) -> OnsaleError:
        return TemporarilyUnavailable(f"The store answered {word} about concert {concert_id}")


@asynccontextmanager
async def open_script_client(directory: Path) -> AsyncIterator[ScriptClient]:
    """Open a script client on a new Valkey without persistence."""
    child = supervisor.make_valkey(directory, options=("--appendonly", "no"))
    await child.start()
    try:
        client = ScriptClient(child.url)
        try:
            yield client
        finally:
            await client.aclose()
    finally:
        await child.stop()


class RedisRoom:
    def __init__(self, client: ScriptClient, concert: Concert) -> None:
        self._client = client
        self._concert = concert
        guarded = GuardedClient(client, NoRecovery())
        self._queues, self._holds, self._snapshots = QueueStore(guarded), HoldStore(guarded), SnapshotStore(guarded)
        self._hot = HotState(client)
        self._state_key = concert_keys(concert.id)[0]
        opens_at = concert.room.opens_at
        assert opens_at is not None
        self._opening_ms = int(opens_at.timestamp() * 1000)
        self._entries: dict[str, EntryRecord] = {}
        """The entries of everyone who is waiting or has a slot."""
        self._held: dict[str, Hold] = {}
        self._presence_number = 0
        self._version = 0
        self._leased_s = float("-inf")

    async def open(self) -> None:
        await self._apply()
        await self._hot.mark_recovery(self._concert.id, EPOCH)
        await self._hot.finish_recovery(self._concert.id, EPOCH)

    async def move_clock(self, at_s: float) -> None:
        await self._client.run_command("HSET", self._state_key, "now_ms", str(self._opening_ms + int(at_s * 1000)))
        await self._hot.expire_holds(self._concert.id, limit=MAX_HOLDS_PER_CALL)
        if at_s - self._leased_s >= RENEW_EVERY_S:
            await self._queues.sync_presence(self._concert.id, PROCESS)
            self._leased_s = at_s

    async def join(self, people: Sequence[str]) -> None:
        for batch in _batches(people):
            joined = await asyncio.gather(*[self._queues.join(self._concert.id, PersonId(name)) for name in batch])
            self._entries.update((name, entry.record) for name, entry in zip(batch, joined, strict=True))
            await self._sync_presence(batch, 1)

    async def leave(self, people: Sequence[str]) -> None:
        for batch in _batches(people):
            await asyncio.gather(*[self._queues.leave(self._concert.id, PersonId(name)) for name in batch])

    async def disconnect(self, people: Sequence[str]) -> None:
        for batch in _batches(people):
            await self._sync_presence(batch, -1)

    async def claim(self, people: Sequence[str]) -> Sequence[str]:
        claimed = await asyncio.gather(*[self._claim(name) for name in people])
        return [name for name, has_pass in zip(people, claimed, strict=True) if has_pass]

    async def hold(self, person: str, wish: int) -> bool:
        key = hold_id(PersonId(person), self._concert.id, "hold", str(self._entries[person].entry_id))
        try:
            self._held[person] = await self._holds.hold(
                self._concert.id,
                key,
                [TicketRequest(self._concert.tiers[0].id, wish)],
                person_id=PersonId(person),
                digest="",
                pass_entry_id=self._entries[person].entry_id,
            )
        except SoldOut as refusal:
            return refusal.available > 0 and await self.hold(person, refusal.available)
        except NotAdmitted:
            # The pass expired during this second.
            return False
        return True

    async def buy(self, people: Sequence[str]) -> None:
        await asyncio.gather(*[self._buy(self._held.pop(name)) for name in people])

    async def configure(self, changes: Mapping[str, int]) -> None:
        room = replace(self._concert.room, **dict(changes), version=self._concert.room.version + 1)  # type: ignore[arg-type]
        self._concert = replace(self._concert, room=room, version=self._concert.version + 1)
        await self._apply()

    async def advance(self) -> Transitions:
        is_bounded = True
        while is_bounded:
            is_bounded = (await self._hot.run_admission(self._concert.id, bound=BOUND)).is_bounded
        changes = (await self._snapshots.read(self._concert.id, after=self._version)).changes
        self._version = changes.version
        called, ended = [], []
        for batch in _batches([name for name in changes.people if name in self._entries]):
            for person, record in (
                await self._queues.read_entries(self._concert.id, [PersonId(n) for n in batch])
            ).items():
                if self._entries[person].state not in STATES_WITH_SLOT and record.state in STATES_WITH_SLOT:
                    called.append(str(person))
                if record.state in ENDED:
                    ended.append(str(person))
                    del self._entries[person]
                else:
                    self._entries[person] = record
        return Transitions(called, ended)

    async def observe(self) -> RoomObservation:
        state = await self._queues.read_queue(self._concert.id)
        positions = {
            name: state.positions.position(record.number)
            for name, record in self._entries.items()
            if record.state not in STATES_WITH_SLOT and record.number is not None
        }
        stock = await self._holds.read_stock(self._concert)
        return RoomObservation(
            state.flow, self._concert.room, state.slots_taken, state.positions.waiting_count, positions, stock
        )

    async def _apply(self) -> None:
        await self._hot.apply_concert(self._concert)

    async def _sync_presence(self, people: Sequence[str], sign: int) -> None:
        pairs = []
        for name in people:
            self._presence_number += 1
            pairs.append((PersonId(name), sign * self._presence_number))
        await self._queues.sync_presence(self._concert.id, PROCESS, pairs)

    async def _claim(self, name: str) -> bool:
        try:
            self._entries[name] = (await self._queues.claim(self._concert.id, PersonId(name))).record
        except NotInQueue:
            return False
        return True

    async def _buy(self, held: Hold) -> None:
        try:
            bought = await self._holds.begin_purchase(
                held.concert_id, held.id, person_id=held.person_id, purchase_key=held.id, digest=""
            )
        except (HoldEnded, NotFound):
            return
        await self._hot.record_order(order_of(bought))


async def open_redis_room(client: ScriptClient, scenario: Scenario) -> RedisRoom:
    room = RedisRoom(client, concert_of(scenario, datetime.now(UTC)))
    await room.open()
    return room


def _batches(people: Sequence[str]) -> Iterator[Sequence[str]]:
    return (people[first : first + BATCH_SIZE] for first in range(0, len(people), BATCH_SIZE))
