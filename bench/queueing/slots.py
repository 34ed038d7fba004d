"""Measures the time from a call, or from a freed slot, to READY on the called person's socket.

Each person has an open socket. Calls are made manually while the room is paused; then the room is
resumed with every slot taken, so the next person is called whenever a slot is freed. Some of the
people with a slot leave, some buy, and the others let their call expire. Only the calls that are to
expire have a short timeout; all other calls outlast the measurement, however slow the machine is.
The store's records (when each person was called, and when each entry ended) are read afterward; in
one queue, the nth slot to be freed goes to the nth person to be called next.
"""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import redis.asyncio

from bench.clients.catalog import SaleConcert
from bench.clients.ledger import Ledger, TicketLine
from bench.clients.mutations import RefusedMutation
from bench.clients.observations import Observations
from bench.clients.queue_client import QueueClient
from bench.clients.shop import Shop
from bench.metrics import Metric, NotMeasured, median, p99
from bench.queueing.environment import ROOM, BenchServer
from bench.queueing.joins import join_all
from bench.queueing.users import User, credentials_of
from bench.subscribers import Counts, Subscribers, open_subscribers
from domain.ids import ConcertId
from schema.ids import read_concert
from storage.keys import KINDS, concert_keys

Answer = TypeVar("Answer")

PAUSE = "mutation ($input: PauseWaitingRoomInput!) { pauseWaitingRoom(input: $input) { __typename } }"
CONFIGURE = "mutation ($input: ConfigureWaitingRoomInput!) { configureWaitingRoom(input: $input) { __typename } }"
RESUME = "mutation ($input: ResumeWaitingRoomInput!) { resumeWaitingRoom(input: $input) { __typename } }"
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
    """Only for the calls that are to expire.

    Longer than the calls, the departures and the purchases take in total, so that each kind of
    refill is measured separately.
    """
    settled_within_s: float = 15.0

    def __post_init__(self) -> None:
        if (self.leave + self.buy) % self.called_at_once:
            raise ValueError("the people who leave or buy must fill whole calls, because a call has one timeout")

    @property
    def calls_to_use(self) -> int:
        """Return how many calls, counted from the first, end with a departure or a purchase.

        The later calls expire.
        """
        return (self.leave + self.buy) // self.called_at_once

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


async def measure(
    server: BenchServer, people: Sequence[User], directory: Path, plan: Plan, *, document: str
) -> list[Metric]:
    people = people[: plan.sockets]
    concert = await server.open_concert(replace(ROOM, total_active_users=plan.slots))
    await server.organize(PAUSE, concertId=concert.id)
    await join_all(server, concert, people, at_once=64)
    async with open_subscribers(
        credentials_of(people),
        port=server.app.port,
        document=document,
        concert_id=concert.id,
        directory=directory,
    ) as subscribers:
        return await _measure_latencies(server, concert, people, subscribers, plan)


async def _measure_latencies(
    server: BenchServer, concert: SaleConcert, people: Sequence[User], subscribers: Subscribers, plan: Plan
) -> list[Metric]:
    before = await subscribers.read_counts()
    await _call(server, concert, plan)
    called, counts = await _read_when_settled(server, concert, people, subscribers, plan, called=plan.slots)
    ready = ready_ms(called, people, counts)
    resumed_ms = time.time() * 1000
    await server.organize(RESUME, concertId=concert.id)
    inside = sorted((user for user in people if user.person_id in called), key=lambda v: called[v.person_id].number)
    sent_ms = await _free(server, concert, inside, plan)
    # The others let their calls expire, so wait until the latest call has expired.
    await asyncio.sleep(max(max(e.called_ms for e in called.values()) / 1000 + plan.claim_timeout_s - time.time(), 0))
    entries, counts = await _read_when_settled(server, concert, people, subscribers, plan, called=2 * plan.slots)
    refills = refill_ms(entries, sent_ms, people, counts, plan, resumed_ms=resumed_ms)
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
            round(counts.frames_per_s(before)),
            "positions pushed in the meantime, at the configured push intervals",
            counts.frames - before.frames,
        ),
    ]


def _refills(refills: Mapping[str, Sequence[float]]) -> list[Metric]:
    names = {
        "LEFT": "from the request to leave",
        "COMPLETED": "from the request to buy",
        "EXPIRED": "from its deadline",
    }
    kinds = [
        p99(
            f"refill_{state.lower()}_p99_ms",
            refills[state],
            f"{names[state]} to the next person's READY",
            at_most=1_000,
        )
        for state in names
        if refills.get(state)
    ]
    if not kinds:
        raise NotMeasured("no slot was freed")
    worst = max(kinds, key=lambda metric: metric.value)
    return [
        Metric("refill_p99_ms", worst.value, f"freed slot to READY: the slowest kind, {worst.what}", worst.n, 1_000),
        *kinds,
    ]


async def _call(server: BenchServer, concert: SaleConcert, plan: Plan) -> None:
    async def set_claim_timeout(seconds: int) -> None:
        await server.organize(CONFIGURE, concertId=concert.id, settings={"passClaimTimeoutSeconds": seconds})

    began = time.monotonic()
    for number in range(plan.calls):
        if number == plan.calls_to_use:
            await set_claim_timeout(plan.claim_timeout_s)
        await asyncio.sleep(max(began + number * plan.call_every_s - time.monotonic(), 0))
        await server.organize(ADMIT, concertId=concert.id, count=plan.called_at_once, idempotencyKey=f"call-{number}")
    # A call that refills a slot must not expire: that would free one more slot.
    await set_claim_timeout(ROOM.pass_claim_timeout_ms // 1000)


async def _free(server: BenchServer, concert: SaleConcert, inside: Sequence[User], plan: Plan) -> dict[str, float]:
    """Free slots, and return for each person the time of the request that freed the slot.

    The times are by this machine's clock.
    """
    ledger = Ledger()
    queue = QueueClient(server.client, ledger, concert, urls=[server.app.url], observations=Observations())
    shop = Shop(server.client, ledger, concert)
    sent_ms: dict[str, float] = {}

    async def leave(user: User) -> None:
        sent_ms[user.person_id] = time.time() * 1000
        _check(await queue.leave(token=user.token))

    async def buy(user: User) -> None:
        name = f"buyer{user.person_id}"
        queue_pass = _check(await queue.claim(name, token=user.token)).token
        lines = [TicketLine(concert.tier_ids[-1], 1)]
        held = _check(await shop.hold(lines, name, token=user.token, queue_pass=queue_pass))
        sent_ms[user.person_id] = time.time() * 1000
        _check(await shop.buy(held.hold_id, name, buyer=name, token=user.token))

    async with asyncio.TaskGroup() as group:
        for user in inside[: plan.leave]:
            group.create_task(leave(user))
            await asyncio.sleep(1 / plan.leave_per_s)
        for user in inside[plan.leave : plan.leave + plan.buy]:
            group.create_task(buy(user))
            await asyncio.sleep(1 / plan.buy_per_s)
    return sent_ms


async def _read_when_settled(
    server: BenchServer,
    concert: SaleConcert,
    people: Sequence[User],
    subscribers: Subscribers,
    plan: Plan,
    *,
    called: int,
) -> tuple[dict[str, CalledEntry], Counts]:
    """Wait until `called` entries have been called, and return them with the counts.

    By then, each called person's socket has received the call. Raises NotMeasured after
    `plan.settled_within_s`.
    """
    deadline = time.monotonic() + plan.settled_within_s
    while True:
        entries = await read_entries(server.urls.redis, read_concert(concert.id), people)
        counts = await subscribers.read_counts()
        calls = zip(people, counts.found_ms, strict=True)
        missing = sum(at_ms is None for user, at_ms in calls if user.person_id in entries)
        if len(entries) >= called and not missing:
            return entries, counts
        if time.monotonic() > deadline:
            raise NotMeasured(f"{len(entries)} of {called} people were called, and {missing} sockets missed the call")
        await asyncio.sleep(0.2)


async def read_entries(redis_url: str, concert_id: ConcertId, people: Sequence[User]) -> dict[str, CalledEntry]:
    """Return every entry that has been called, by person."""
    key = concert_keys(concert_id)[KINDS.index("entries")]
    names = [user.person_id for user in people]
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        texts = await client.hmget(key, names)
    found: dict[str, Any] = {name: json.loads(text) for name, text in zip(names, texts, strict=True) if text}
    return {
        name: CalledEntry(record["number"], record["state"], record["called_ms"], record["deadline_ms"])
        for name, record in found.items()
        if "called_ms" in record
    }


def ready_ms(entries: Mapping[str, CalledEntry], people: Sequence[User], counts: Counts) -> list[float]:
    """Return the call latencies in ms. Raises NotMeasured if a socket did not receive its call."""
    calls = zip(people, counts.found_ms, strict=True)
    return [_since(at_ms, entries[user.person_id].called_ms) for user, at_ms in calls if user.person_id in entries]


def refill_ms(
    entries: Mapping[str, CalledEntry],
    sent_ms: Mapping[str, float],
    people: Sequence[User],
    counts: Counts,
    plan: Plan,
    *,
    resumed_ms: float,
) -> dict[str, list[float]]:
    """Return the refill latencies in ms, by the end state of the entry that freed the slot.

    Each is the time until the next person's socket received READY. Only the slots freed by the
    first `plan.slots` numbers are measured; slots freed by later numbers matter only for the order.
    If a slot was freed before the room was resumed, the time is measured from the resumption.
    """
    ended = [(name, entry) for name, entry in entries.items() if entry.state in ("LEFT", "COMPLETED", "EXPIRED")]
    ended.sort(key=lambda pair: (pair[1].ended_ms, pair[1].number))
    followers = sorted((e.number, name) for name, e in entries.items() if e.number > plan.slots)
    ready_at_ms = dict(zip([user.person_id for user in people], counts.found_ms, strict=True))
    found: dict[str, list[float]] = {}
    for nth, (name, entry) in enumerate(ended):
        if entry.number > plan.slots:
            continue
        if nth >= len(followers):
            raise NotMeasured(f"{len(ended)} slots were freed, but {len(followers)} people were called")
        deadline_ms = entry.called_ms + plan.claim_timeout_s * 1000
        freed_ms = max(deadline_ms, resumed_ms) if entry.state == "EXPIRED" else sent_ms[name]
        found.setdefault(entry.state, []).append(_since(ready_at_ms[followers[nth][1]], freed_ms))
    return found


def _check(answer: Answer | RefusedMutation) -> Answer:
    """Return the answer. Raises NotMeasured if it is a refusal, because then no slot was freed."""
    if isinstance(answer, RefusedMutation):
        raise NotMeasured(f"a request that was to free a slot was refused: {answer.code}: {answer.message}")
    return answer


def _since(at_ms: float | None, since_ms: float) -> float:
    if at_ms is None:
        raise NotMeasured("a person was called, but their socket did not receive the call")
    return at_ms - since_ms
