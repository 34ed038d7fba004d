"""Latency from a call to the person's socket, and from a freed slot to the next person's socket.

Everyone's socket is open. Calls are made manually while the room is paused; then it is resumed
with every slot taken, and each freed slot is the next person's call: some of the people inside
leave, some buy, and the others let their call expire. The store's records (time of call and time
of end) are read afterwards; in one queue, the nth freed slot belongs to the nth call.
"""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import redis.asyncio

from bench.queueing.environment import ROOM, BenchServer
from bench.queueing.joins import join_all
from bench.queueing.metrics import Metric, NotMeasured, median, p99
from bench.queueing.socket_clients import Counts, SocketClients, open_socket_clients
from bench.queueing.users import User
from bench.sale.catalog import SaleConcert
from bench.sale.ledger import Ledger, TicketLine
from bench.sale.observations import Observations
from bench.sale.queue_client import QueueClient
from bench.sale.shop import Held, Shop
from domain.ids import ConcertId
from schema.ids import read_concert
from storage.keys import KINDS, concert_keys

PAUSE = "mutation ($input: PauseWaitingRoomInput!) { pauseWaitingRoom(input: $input) { __typename } }"
RESUME = "mutation ($input: ResumeWaitingRoomInput!) { resumeWaitingRoom(input: $input) { __typename } }"
SETTLED_WITHIN_S = 15.0
ADMIT = "mutation ($input: AdmitNextInput!) { admitNext(input: $input) { __typename } }"


@dataclass(frozen=True, slots=True)
class Plan:
    sockets: int = 5_000
    calls: int = 20
    called_at_once: int = 50
    call_every_s: float = 0.5
    leave: int = 300
    leave_per_s: float = 25.0
    buy: int = 150
    buy_per_s: float = 12.0
    claim_timeout_s: int = 45
    """Longer than the calls, the departures and the purchases take together."""

    @property
    def slots(self) -> int:
        return self.calls * self.called_at_once


@dataclass(frozen=True, slots=True)
class CalledEntry:
    """A called entry as the store recorded it."""

    number: int
    state: str
    called_ms: int
    ended_ms: int


async def measure(site: BenchServer, people: Sequence[User], directory: Path, plan: Plan) -> list[Metric]:
    people = people[: plan.sockets]
    room = replace(ROOM, total_active_users=plan.slots, pass_claim_timeout_ms=plan.claim_timeout_s * 1000)
    concert = await site.concert(room)
    await site.organize(PAUSE, concertId=concert.id)
    await join_all(site, concert, people, at_once=64)
    async with open_socket_clients(people, port=site.app.port, concert=concert.id, directory=directory) as crowd:
        return await _watch(site, concert, people, crowd, plan)


async def _watch(
    site: BenchServer, concert: SaleConcert, people: Sequence[User], crowd: SocketClients, plan: Plan
) -> list[Metric]:
    before = await crowd.read_counts()
    await _call(site, concert, plan)
    called, seen = await _settled(site, concert, people, crowd, plan.slots)
    ready = ready_ms(called, people, seen)
    await site.organize(RESUME, concertId=concert.id)
    inside = sorted(
        (visitor for visitor in people if visitor.person_id in called), key=lambda v: called[v.person_id].number
    )
    asked_ms = await _free(site, concert, inside, plan)
    # People who neither left nor bought: the last of them was called last.
    await asyncio.sleep(max(max(e.called_ms for e in called.values()) / 1000 + plan.claim_timeout_s - time.time(), 0))
    entries, seen = await _settled(site, concert, people, crowd, 2 * plan.slots)
    refills = refill_ms(entries, asked_ms, people, seen, plan)
    return [
        p99(
            "ready_p99_ms",
            ready,
            f"admitNext to READY on the socket, {plan.called_at_once} at once, {plan.sockets:,} sockets",
            at_most=250,
        ),
        median("ready_p50_ms", ready, "the same"),
        *_refills(refills),
        Metric(
            "design_pushes_per_s",
            round(seen.frames_per_s(before)),
            "positions pushed all the while, in the bands of the settings",
            seen.frames - before.frames,
        ),
    ]


def _refills(refills: Mapping[str, Sequence[float]]) -> list[Metric]:
    words = {
        "LEFT": "from the request to leave",
        "COMPLETED": "from the request to buy",
        "EXPIRED": "from its deadline",
    }
    kinds = [
        p99(
            f"refill_{state.lower()}_p99_ms",
            refills[state],
            f"{words[state]} to the next person's READY",
            at_most=1_000,
        )
        for state in words
        if refills.get(state)
    ]
    if not kinds:
        raise NotMeasured("no slot freed")
    worst = max(kinds, key=lambda figure: figure.value)
    return [
        Metric("refill_p99_ms", worst.value, f"freed slot to READY: the slowest kind, {worst.what}", worst.n, 1_000),
        *kinds,
    ]


async def _call(site: BenchServer, concert: SaleConcert, plan: Plan) -> None:
    began = time.monotonic()
    for number in range(plan.calls):
        await asyncio.sleep(max(began + number * plan.call_every_s - time.monotonic(), 0))
        await site.organize(ADMIT, concertId=concert.id, count=plan.called_at_once, idempotencyKey=f"call-{number}")


async def _free(site: BenchServer, concert: SaleConcert, inside: Sequence[User], plan: Plan) -> dict[str, float]:
    """Free slots;
    return for each person when the freeing request was sent, by this machine's clock.
    """
    ledger = Ledger()
    line = QueueClient(site.client, ledger, concert, urls=[site.app.url], observations=Observations())
    shop = Shop(site.client, ledger, concert)
    asked_ms: dict[str, float] = {}

    async def leave(visitor: User) -> None:
        asked_ms[visitor.person_id] = time.time() * 1000
        await line.leave(token=visitor.token)

    async def buy(visitor: User) -> None:
        name = f"buyer{visitor.person_id}"
        queue_pass = await line.claim(name, token=visitor.token)
        token = getattr(queue_pass, "token", None)
        held = await shop.hold([TicketLine(concert.tier_ids[-1], 1)], name, token=visitor.token, queue_pass=token)
        if not isinstance(held, Held):
            raise NotMeasured(f"a hold was refused: {held}")
        asked_ms[visitor.person_id] = time.time() * 1000
        await shop.buy(held.hold_id, name, buyer=name, token=visitor.token)

    async with asyncio.TaskGroup() as group:
        for visitor in inside[: plan.leave]:
            group.create_task(leave(visitor))
            await asyncio.sleep(1 / plan.leave_per_s)
        for visitor in inside[plan.leave : plan.leave + plan.buy]:
            group.create_task(buy(visitor))
            await asyncio.sleep(1 / plan.buy_per_s)
    return asked_ms


async def _settled(
    site: BenchServer, concert: SaleConcert, people: Sequence[User], crowd: SocketClients, called: int
) -> tuple[dict[str, CalledEntry], Counts]:
    """Return the called entries and the counts once `called` entries exist and each socket has the
    call.

    Raises NotMeasured after SETTLED_WITHIN_S.
    """
    deadline = time.monotonic() + SETTLED_WITHIN_S
    while True:
        entries = await read_entries(site.urls.redis, read_concert(concert.id), people)
        seen = await crowd.read_counts()
        told = zip(people, seen.called_ms, strict=True)
        silent = sum(at_ms is None for who, at_ms in told if who.person_id in entries)
        if len(entries) >= called and not silent:
            return entries, seen
        if time.monotonic() > deadline:
            raise NotMeasured(f"{len(entries)} of {called} people were called, and {silent} sockets never said so")
        await asyncio.sleep(0.2)


async def read_entries(redis_url: str, concert_id: ConcertId, people: Sequence[User]) -> dict[str, CalledEntry]:
    """Return the entries that were ever called, by person."""
    key = concert_keys(concert_id)[KINDS.index("entries")]
    names = [visitor.person_id for visitor in people]
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        texts = await client.hmget(key, names)
    found: dict[str, Any] = {name: json.loads(text) for name, text in zip(names, texts, strict=True) if text}
    return {
        name: CalledEntry(record["number"], record["state"], record["called_ms"], record["deadline_ms"])
        for name, record in found.items()
        if "called_ms" in record
    }


def ready_ms(entries: Mapping[str, CalledEntry], people: Sequence[User], seen: Counts) -> list[float]:
    """Return the call latencies in ms. Raises NotMeasured if a socket did not receive its call."""
    told = zip(people, seen.called_ms, strict=True)
    return [_later(at_ms, entries[who.person_id].called_ms) for who, at_ms in told if who.person_id in entries]


def refill_ms(
    entries: Mapping[str, CalledEntry],
    asked_ms: Mapping[str, float],
    people: Sequence[User],
    seen: Counts,
    plan: Plan,
) -> dict[str, list[float]]:
    """Return the refill latencies in ms, by the end state of the entry that freed the slot.

    Each is the time until the socket of the next person received READY.
    """
    ended = [(name, entry) for name, entry in entries.items() if entry.state in ("LEFT", "COMPLETED", "EXPIRED")]
    ended.sort(key=lambda pair: (pair[1].ended_ms, pair[1].number))
    followers = sorted((e.number, name) for name, e in entries.items() if e.number > plan.slots)[: len(ended)]
    if len(followers) < len(ended):
        raise NotMeasured(f"{len(ended)} slots freed, and {len(followers)} people were called")
    told = dict(zip([visitor.person_id for visitor in people], seen.called_ms, strict=True))
    found: dict[str, list[float]] = {}
    for (name, entry), (_, follower) in zip(ended, followers, strict=True):
        lapsed_ms = entry.called_ms + plan.claim_timeout_s * 1000
        freed_ms = lapsed_ms if entry.state == "EXPIRED" else asked_ms[name]
        found.setdefault(entry.state, []).append(_later(told[follower], freed_ms))
    return found


def _later(at_ms: float | None, since_ms: float) -> float:
    if at_ms is None:
        raise NotMeasured("somebody was called, and their socket never said so")
    return at_ms - since_ms
