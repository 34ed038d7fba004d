"""Four sets of workers against one room: everything that an observer sees in one step, and all that the events tell."""

import asyncio
import json
import os
import random
import sys
import tempfile
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from domain.concerts import Concert
from domain.ids import ConcertId, PersonId
from domain.queue_events import QueueEvent, QueueEventKind
from domain.queues import EntryState
from storage.connect import Stores
from storage.embedded import supervisor
from storage.keys import KINDS, concert_keys
from tests.support.event_histories import EntryHistory, build_histories, read_events
from tests.support.room_traffic import PEOPLE, ROOM, Traffic
from tests.support.sale import check_invariants, on_sale, opened
from tests.support.waiting import wait_until
from workers.runner import run_workers

WORKERS = ("expiry", "admission", "settle", "record", "apply")
"""All but the history, which would trim what the proof reads."""
SETS_OF_WORKERS = 4
WINDOW_MS = 60_000

LOOK = """
local state = redis.call('HMGET', KEYS[1], 'concert_version', 'total_active_users', 'round')
return {state[1], state[2], state[3], redis.call('ZRANGE', KEYS[2], 0, -1), redis.call('HGETALL', KEYS[3]),
  redis.call('HGETALL', KEYS[4])}
"""
"""The room in one step."""


@dataclass
class Findings:
    observed: int = 0
    most_slots: int = 0
    at_the_cap: int = 0
    """Observed states without a free slot."""
    busiest_minute: int = 0
    calls: int = 0
    places: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def rows(self) -> list[tuple[str, int]]:
        own = [
            ("states observed", self.observed),
            ("of them without a free slot", self.at_the_cap),
            ("most slots taken", self.most_slots),
            ("places given", self.places),
            ("people called", self.calls),
            ("most called in 60 s", self.busiest_minute),
        ]
        return [*own, *sorted(self.ends.items()), *sorted(self.done.items()), ("violations", len(self.wrong))]


class Observer:
    """Reads the room in one step again and again, and judges each state by the one before."""

    def __init__(self, stores: Stores, traffic: Traffic, findings: Findings) -> None:
        self._stores = stores
        self._traffic = traffic
        self._findings = findings
        self._keys = [
            concert_keys(traffic.concert.id)[KINDS.index(k)] for k in ("state", "slots", "entries", "waiters")
        ]
        self._seen: list[tuple[int, int, int]] = []

    async def watch(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(0.005)

    async def look(self) -> None:
        version, cap, round_, slots, entries, line = await self._stores.script_client.run_command(
            "EVAL", LOOK, "4", *self._keys
        )
        found = self._findings
        found.observed += 1
        found.most_slots = max(found.most_slots, len(slots))
        found.at_the_cap += len(slots) >= int(cap)
        self._seen.append((int(version), int(cap), len(slots)))
        records = {name.decode(): json.loads(text) for name, text in _pairs(entries)}
        called = {name for name, entry in records.items() if entry["state"] in ("READY", "ADMITTED")}
        waiting = {
            entry["id"]: name
            for name, entry in records.items()
            if entry["state"] == "WAITING" and entry["round"] == int(round_)
        }
        if called != {name.decode() for name in slots}:
            found.wrong.append(f"who was called and who has a slot differ: {called ^ {n.decode() for n in slots}}")
        if waiting != {int(place): name.decode() for place, name in _pairs(line)}:
            found.wrong.append("who waits and who is in line differ")

    def judge(self) -> None:
        """Every cap that was in force since the look before could be used; above the highest nobody is added."""
        seen_at, allowed_then, slots_before = self._seen[0]
        for version, cap, slots in self._seen:
            between = [cap for at, cap in self._traffic.caps.items() if seen_at <= at <= version]
            allowed = max(cap, slots_before, *between, allowed_then if version != seen_at else 0)
            if slots > allowed:
                self._findings.wrong.append(f"{slots} slots were taken where {allowed} were allowed")
            seen_at, allowed_then, slots_before = version, cap, slots


@dataclass(frozen=True, slots=True)
class Proof:
    redis_url: str
    mongo_url: str
    database: str
    seconds: float
    a_minute: int
    seed: int
    end_workers: Callable[[], Awaitable[None]] | None = None
    """Of workers in processes of their own; without it they run here."""

    async def run(self) -> Findings:
        async with AsyncExitStack() as stack:
            opening = [opened(self.redis_url, self.mongo_url, self.database) for _ in range(SETS_OF_WORKERS)]
            stores = [await stack.enter_async_context(one) for one in opening]
            room = replace(ROOM, new_users_per_minute=self.a_minute)
            concert = await on_sale(stores[0], 50_000, limit_per_person=1_000, room=room)
            traffic, findings = Traffic(stores, concert, random.Random(self.seed)), Findings()
            async with asyncio.TaskGroup() as group:
                observer = Observer(stores[0], traffic, findings)
                tasks = [group.create_task(observer.watch())]
                if self.end_workers is None:
                    tasks += [group.create_task(run_workers(one, self.redis_url, WORKERS)) for one in stores]
                await traffic.run(self.seconds)
                calls_until = await _let_everybody_in(stores[0], traffic)
                for task in tasks:
                    task.cancel()
            if self.end_workers is not None:
                await self.end_workers()
            observer.judge()
            await _judge(stores[0], concert, findings, a_minute=self.a_minute, until=calls_until)
            await check_invariants(stores[0], concert)
        findings.done = dict(traffic.done)
        return findings


async def _let_everybody_in(stores: Stores, traffic: Traffic) -> int:
    """Whoever waits at the end is called once there is room: nobody was lost on the way. The store's time before it."""
    id_ = traffic.concert.id
    await stores.queues.sync_presence(id_, "end", [(who, 1_000_000_000) for who in PEOPLE])
    found = await stores.queues.read_entries(id_, PEOPLE)
    waiting = [who for who, entry in found.items() if entry.state is EntryState.WAITING]
    seconds, micros = await stores.script_client.run_command("TIME")
    before_ms = int(seconds) * 1_000 + int(micros) // 1_000
    await traffic.change(stores, queue_all=False, total_active_users=1_000, new_users_per_minute=1_000_000)

    async def is_empty() -> bool:
        await stores.queues.sync_presence(id_, "end", is_known=True)
        return (await stores.queues.read_queue(id_)).positions.waiting_count == 0

    await wait_until(is_empty, timeout=10, what="the end of the line")
    found = await stores.queues.read_entries(id_, waiting)
    lost = [who for who in waiting if found[who].number is None]
    traffic.done["waiting at the end, all called"] = len(waiting)
    assert lost == []
    return before_ms


async def _judge(stores: Stores, concert: Concert, findings: Findings, *, a_minute: int, until: int) -> None:
    told = await read_events(stores, concert.id)
    places, wrong = build_histories(told)
    findings.wrong += wrong
    findings.places = len(places)
    _judge_calls(told, findings, a_minute=a_minute, until=until)
    for place in places.values():
        if place.is_ended:
            end = f"ended: {place.end}"
            findings.ends[end] = findings.ends.get(end, 0) + 1
    findings.wrong += await _lost(stores, concert.id, places)


def _judge_calls(told: Sequence[QueueEvent], findings: Findings, *, a_minute: int, until: int) -> None:
    """In order within a round; and, until everybody was let in, under the minute's cap."""
    last: dict[int, int] = {}
    window: deque[int] = deque()
    for event in told:
        if event.kind is not QueueEventKind.CALLED or event.entry_id is None:
            continue
        findings.calls += 1
        if event.entry_id < last.get(event.round, 0):
            findings.wrong.append(f"place {event.entry_id} was called after {last[event.round]}")
        last[event.round] = event.entry_id
        at_ms = int(event.id.partition("-")[0])
        window.append(at_ms)
        while window[0] <= at_ms - WINDOW_MS:
            window.popleft()
        if at_ms <= until:
            findings.busiest_minute = max(findings.busiest_minute, len(window))
    if findings.busiest_minute > a_minute:
        findings.wrong.append(f"{findings.busiest_minute} people were called in 60 s where {a_minute} were allowed")


async def _lost(stores: Stores, concert_id: ConcertId, places: dict[int, EntryHistory]) -> list[str]:
    """Who lives by the events and not by the store, or the other way round."""
    found = await stores.queues.read_entries(concert_id, PEOPLE)
    state = await stores.queues.read_queue(concert_id)
    living = {entry.entry_id: who for who, entry in found.items() if entry.end_reason is None}
    told = {
        number: PersonId(place.person or "")
        for number, place in places.items()
        if not place.is_ended and (place.is_called or place.round == state.round)
    }
    return [f"place {number} lives only here or there" for number in set(living.items()) ^ set(told.items())]


def _pairs(flat: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    return list(zip(flat[::2], flat[1::2], strict=True))


async def main(arguments: Sequence[str]) -> int:
    """A minute and more on stores of its own, with four worker processes; 0: nothing was wrong."""
    seconds, seed = float(arguments[0]) if arguments else 70.0, int(arguments[1]) if len(arguments) > 1 else 1
    with tempfile.TemporaryDirectory() as directory:
        valkey, mongod = (
            supervisor.make_valkey(Path(directory, "valkey")),
            supervisor.make_mongod(Path(directory, "mongod")),
        )
        async with AsyncExitStack() as stack:
            for store in (valkey, mongod):
                await store.start()
                stack.push_async_callback(store.kill)
            workers = await stack.enter_async_context(AsyncExitStack())
            for _ in range(SETS_OF_WORKERS):
                workers.push_async_callback(_end, await _worker_process(valkey.url, mongod.url))
            proof = Proof(valkey.url, mongod.url, "proof", seconds, 300, seed, end_workers=workers.aclose)
            findings = await proof.run()
    for name, count in findings.rows():
        sys.stdout.write(f"{name:40}{count:>10,}\n")
    for wrong in findings.wrong[:20]:
        sys.stdout.write(f"WRONG: {wrong}\n")
    return 1 if findings.wrong else 0


async def _worker_process(redis_url: str, mongo_url: str) -> asyncio.subprocess.Process:
    given = {"REDIS_URL": redis_url, "MONGO_URL": mongo_url, "MONGO_DATABASE": "proof"}
    environment = os.environ | {f"ONSALE_{name}": value for name, value in given.items()}
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "workers", *WORKERS, env=environment)


async def _end(process: asyncio.subprocess.Process) -> None:
    process.terminate()
    await process.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
