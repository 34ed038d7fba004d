"""Runs one proof: several sets of workers and random traffic act on one room.

Every observed state, all events and the records in both stores are then checked.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from bench.clients.background import run_in_background
from domain.concerts import Concert
from domain.ids import ConcertId, PersonId
from domain.queues import EntryState
from proofs.wait_until import wait_until
from proofs.waiting_room.event_histories import EntryHistory, build_histories, judge_calls, read_events
from proofs.waiting_room.findings import Findings
from proofs.waiting_room.invariants import find_violations
from proofs.waiting_room.observer import Observer
from proofs.waiting_room.shop import open_concert, open_ready_stores
from proofs.waiting_room.traffic import PEOPLE, ROOM, Traffic
from storage.connect import Stores
from workers.runner import run_workers

WORKERS = ("expiry", "admission", "settle", "record", "apply")
"""All workers except the history worker, which would trim the events that the proof reads."""
WORKER_SETS = 4
ALL_CALLED_WITHIN_S = 60.0
ENOUGH_WITHIN_S = 180.0


@dataclass(frozen=True, slots=True)
class Proof:
    redis_url: str
    mongo_url: str
    database: str
    seconds: float
    users_per_minute: int
    seed: int
    stop_workers: Callable[[], Awaitable[None]] | None = None
    """Stops the worker processes; if None, the workers run in this process."""
    is_enough: Callable[[Findings], bool] = lambda _: True
    """Returns whether the traffic may stop after `seconds`.

    If not, the traffic continues for at most ENOUGH_WITHIN_S.
    """

    async def run(self) -> Findings:
        async with AsyncExitStack() as stack:
            opening = [open_ready_stores(self.redis_url, self.mongo_url, self.database) for _ in range(WORKER_SETS)]
            stores = [await stack.enter_async_context(one) for one in opening]
            concert = await open_concert(stores[0], replace(ROOM, new_users_per_minute=self.users_per_minute))
            traffic, findings = Traffic(stores, concert, random.Random(self.seed)), Findings()
            observer = Observer(stores[0], traffic, findings)
            workers = [run_workers(one, self.redis_url, WORKERS) for one in stores] if self.stop_workers is None else []
            async with run_in_background(observer.observe(), *workers):
                await traffic.run(self._make_stop(findings))
                until_ms = await _call_all_waiting(stores[0], traffic, findings)
            if self.stop_workers is not None:
                await self.stop_workers()
            observer.judge_slots()
            await _judge_events(stores[0], concert, findings, per_minute=self.users_per_minute, until_ms=until_ms)
            findings.violations += await find_violations(stores[0], concert)
        findings.done = dict(traffic.done)
        return findings

    def _make_stop(self, findings: Findings) -> Callable[[], bool]:
        """Return a function that tells whether the traffic should stop."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()

        def is_over() -> bool:
            lasted_s = loop.time() - began_s
            return lasted_s >= self.seconds and (self.is_enough(findings) or lasted_s >= self.seconds + ENOUGH_WITHIN_S)

        return is_over


async def _call_all_waiting(stores: Stores, traffic: Traffic, findings: Findings) -> int:
    """Raise the caps, wait until the queue is empty, and check that everyone in it was called.

    Returns the store's time before the caps were raised, in ms.
    """
    concert_id = traffic.concert.id
    await stores.queues.sync_presence(concert_id, "end", [(person_id, 1_000_000_000) for person_id in PEOPLE])
    entries = await stores.queues.read_entries(concert_id, PEOPLE)
    waiting = [person_id for person_id, entry in entries.items() if entry.state is EntryState.WAITING]
    seconds, micros = await stores.script_client.run_command("TIME")
    before_ms = int(seconds) * 1_000 + int(micros) // 1_000
    await traffic.change(stores, queue_all=False, total_active_users=1_000, new_users_per_minute=1_000_000)

    async def is_empty() -> bool:
        await stores.queues.sync_presence(concert_id, "end", is_known=True)
        return (await stores.queues.read_queue(concert_id)).positions.waiting_count == 0

    if not await wait_until(is_empty, within_s=ALL_CALLED_WITHIN_S, poll_interval_s=0.01):
        findings.violations.append(f"people were still waiting after {ALL_CALLED_WITHIN_S:.0f} s with high caps")
    entries = await stores.queues.read_entries(concert_id, waiting)
    findings.violations += [f"{person} waited but was not called" for person in waiting if not entries[person].number]
    traffic.done["waiting at the end, all called"] = len(waiting)
    return before_ms


async def _judge_events(
    stores: Stores, concert: Concert, findings: Findings, *, per_minute: int, until_ms: int
) -> None:
    events = await read_events(stores, concert.id)
    histories, violations = build_histories(events)
    calls = judge_calls(events, per_minute=per_minute, until_ms=until_ms)
    findings.entries, findings.calls, findings.busiest_minute = len(histories), calls.count, calls.busiest_minute
    findings.violations += [*violations, *calls.violations]
    for history in histories.values():
        if history.is_ended:
            end = f"ended: {history.end}"
            findings.ends[end] = findings.ends.get(end, 0) + 1
    findings.violations += await _find_lost_entries(stores, concert.id, histories)


async def _find_lost_entries(stores: Stores, concert_id: ConcertId, histories: dict[int, EntryHistory]) -> list[str]:
    """Return a violation for each entry that is active in the store but not in the events, or vice
    versa.
    """
    entries = await stores.queues.read_entries(concert_id, PEOPLE)
    state = await stores.queues.read_queue(concert_id)
    in_store = {(entry.entry_id, person_id) for person_id, entry in entries.items() if entry.end_reason is None}
    by_events = {
        (entry_id, PersonId(history.person or ""))
        for entry_id, history in histories.items()
        if not history.is_ended and (history.is_called or history.round == state.round)
    }
    return [f"the store and the events disagree on whether entry {id_} is active" for id_, _ in in_store ^ by_events]
