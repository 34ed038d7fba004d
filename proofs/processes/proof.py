"""Replaces and kills the processes of a machine in the middle of a sale, and judges what people
notice of it.
"""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import httpx2

from bench.clients.catalog import SaleConcert, free_concert, open_sale, waiting_room
from bench.clients.child_processes import find_children
from bench.clients.http_client import Client, open_client
from bench.clients.ledger import Ledger, Step, percentile
from bench.clients.queue_client import JOIN
from bench.clients.tokens import sign_in
from domain.queues import NO_ROOM
from proofs.processes.followers import Follower, Followers
from proofs.wait_until import wait_until

STOCK = 100_000
HOLD = """mutation ($input: HoldTicketsInput!) {
  answer: holdTickets(input: $input) { __typename ... on DomainError { code message retryable } }
}"""
PAUSE = """mutation ($input: PauseWaitingRoomInput!) { answer: pauseWaitingRoom(input: $input) { __typename } }"""
BUYERS = 100
WITHIN_S = 300.0
BACK_WITHIN_S = 30.0
SETTLE_S = 2.0
POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Site:
    """The machine that is tested, and how people reach it."""

    url: str
    """What people use, such as the address of a proxy."""
    issuer: str
    supervisor_pid: int
    metrics_url: str
    processes: int


@dataclass(frozen=True, slots=True)
class Plan:
    sockets: int
    in_queue: int
    """How many of the sockets belong to people in a queue."""
    holds_per_s: int
    kills: bool = True
    """Whether processes are killed after they have been replaced."""


@dataclass(frozen=True, slots=True)
class Phase:
    """One event, as people noticed it."""

    name: str
    seconds: float | None
    """How long the event took, or None if it did not end in time."""
    holds_ms: Sequence[float]
    """How long each hold took from its first attempt to its answer."""
    repeated: Counter[str]
    """Why holds had to be sent again, by reason."""
    lost_sockets: Counter[str]
    away_s: Sequence[float]
    """For how long people had no socket, also if they still have none."""
    missing_sockets: int
    is_planned: bool
    """Whether no request may fail: for a replacement, but not for a kill."""

    def violations(self) -> Iterator[str]:
        if self.seconds is None:
            yield f"{self.name}: the processes were not running again within {WITHIN_S:.0f} s"
        if not self.holds_ms:
            yield f"{self.name}: no hold was answered"
        if self.is_planned and self.repeated:
            yield f"{self.name}: requests failed: {dict(self.repeated)}"
        late = [away_s for away_s in self.away_s if away_s > BACK_WITHIN_S]
        if self.missing_sockets or late:
            yield f"{self.name}: {self.missing_sockets} sockets are missing, and {len(late)} were away for too long"


@dataclass(frozen=True, slots=True)
class Outcome:
    phases: Sequence[Phase]
    sockets_per_process: Sequence[int]
    """At the beginning."""
    changed_places: Sequence[str]
    refused: Sequence[str]
    falls: Sequence[str]
    """Totals in the metrics that fell."""

    def violations(self) -> Iterator[str]:
        for phase in self.phases:
            yield from phase.violations()
        yield from self.changed_places
        yield from self.refused
        yield from self.falls


class Holds:
    """Holds that are requested at a steady rate. Each is repeated with its key until answered."""

    def __init__(self, client: Client, ledger: Ledger, concert: SaleConcert, tokens: Sequence[str]) -> None:
        self.took_ms: list[float] = []
        self.refused: list[str] = []
        self._client, self._ledger, self._concert, self._tokens = client, ledger, concert, tokens
        self._asking = set[asyncio.Task[None]]()
        self._count = 0

    @property
    def repeated(self) -> Counter[str]:
        return Counter({why: count for (step, why), count in self._ledger.retried.items() if step is Step.HOLD})

    async def run(self, per_s: int) -> None:
        while True:
            asking = asyncio.create_task(self._ask(self._count))
            self._asking.add(asking)
            asking.add_done_callback(self._asking.discard)
            self._count += 1
            await asyncio.sleep(1 / per_s)

    async def finish(self) -> None:
        await asyncio.gather(*self._asking)

    async def _ask(self, number: int) -> None:
        lines = [{"tierId": self._concert.tier_ids[-1], "quantity": 1}]
        input_ = {"concertId": self._concert.id, "lines": lines, "idempotencyKey": f"hold{number}"}
        token, began_s = self._tokens[number % len(self._tokens)], time.monotonic()
        answer = await self._client.ask(Step.HOLD, HOLD, {"input": input_}, token)
        self.took_ms.append((time.monotonic() - began_s) * 1000)
        if not isinstance(answer, dict) or answer["__typename"] != "HoldTicketsSuccess":
            self.refused.append(f"hold {number} was refused: {answer}")


class Proof:
    def __init__(self, site: Site, plan: Plan, holds: Holds, followers: Followers) -> None:
        self._site, self._plan = site, plan
        self._holds, self._followers = holds, followers
        self._totals: dict[str, float] = {}
        self.falls: list[str] = []

    async def run(self) -> list[Phase]:
        phases = [await self._observe("replaced", self._replace, is_planned=True)]
        if self._plan.kills:
            phases.append(await self._observe("a server killed", lambda: self._kill("server"), is_planned=False))
            phases.append(await self._observe("the workers killed", lambda: self._kill("workers"), is_planned=False))
        return phases

    def pids(self, kind: str) -> list[int]:
        return find_children(self._site.supervisor_pid, kind)

    async def read_metrics(self) -> list[str]:
        """Return the lines of the metrics, and record the totals that fell."""
        async with httpx2.AsyncClient(timeout=30, trust_env=False) as http:
            lines = (await http.get(self._site.metrics_url)).text.splitlines()
        for line in lines:
            name, _, value = line.rpartition(" ")
            if name.startswith("onsale_") and "_total" in name:
                before, self._totals[name] = self._totals.get(name, 0), float(value)
                if self._totals[name] < before:
                    self.falls.append(f"{name} fell from {before:.0f} to {self._totals[name]:.0f}")
        return lines

    async def _observe(self, name: str, event: Callable[[], Awaitable[bool]], *, is_planned: bool) -> Phase:
        holds, followers = self._holds, self._followers
        asked, repeated, lost = len(holds.took_ms), holds.repeated.copy(), followers.lost.copy()
        returned = len(followers.away_s)
        await self.read_metrics()
        began_s = time.monotonic()
        done = await event()
        seconds = time.monotonic() - began_s if done else None
        is_back = await wait_until(
            lambda: followers.open_count == len(followers.all), within_s=BACK_WITHIN_S, poll_interval_s=POLL_S
        )
        await asyncio.sleep(SETTLE_S)
        await self.read_metrics()
        return Phase(
            name,
            seconds=seconds,
            holds_ms=holds.took_ms[asked:],
            repeated=holds.repeated - repeated,
            lost_sockets=followers.lost - lost,
            away_s=[*followers.away_s[returned:], *followers.still_away_s()],
            missing_sockets=0 if is_back else len(followers.all) - followers.open_count,
            is_planned=is_planned,
        )

    async def _replace(self) -> bool:
        before = {*self.pids("server"), *self.pids("workers")}
        os.kill(self._site.supervisor_pid, signal.SIGHUP)
        return await self._wait_for_processes(without=before)

    async def _kill(self, kind: str) -> bool:
        victim = self.pids(kind)[0]
        os.kill(victim, signal.SIGKILL)
        return await self._wait_for_processes(without={victim})

    async def _wait_for_processes(self, without: set[int]) -> bool:
        """Wait until all processes run, none of them is in `without`, and all have answered."""

        async def are_running() -> bool:
            now = [*self.pids("server"), *self.pids("workers")]
            if len(now) != self._site.processes + 1 or without & {*now}:
                return False
            up = [line for line in await self.read_metrics() if line.startswith("onsale_process_up{")]
            return all(line.endswith(" 1.0") for line in up)

        return await wait_until(are_running, within_s=WITHIN_S, poll_interval_s=0.5)


async def prove(site: Site, plan: Plan) -> Outcome:
    """Sell tickets to people with open sockets, replace all processes, and kill some."""
    ledger = Ledger()
    async with open_client([site.url], ledger) as client:
        names = ["olivia", *(f"buyer{number}" for number in range(max(BUYERS, plan.in_queue)))]
        tokens = await sign_in(site.issuer, names)
        organizer, people = tokens.pop("olivia"), list(tokens.values())
        concert = await _open_concert(client, organizer)
        queue = await _open_queue(client, organizer, people[: plan.in_queue])
        strangers = [Follower(concert.id, None) for _ in range(plan.sockets - plan.in_queue)]
        queueing = [Follower(queue.id, token) for token in people[: plan.in_queue]]
        holds = Holds(client, ledger, concert, people[:BUYERS])
        async with _following(site, [*strangers, *queueing]) as followers, _selling(holds, plan.holds_per_s):
            proof = Proof(site, plan, holds, followers)
            per_process = _count_sockets(await proof.read_metrics())
            phases = await proof.run()
        changed = [
            f"a person in the queue has had the numbers {follower.numbers} and was last seen as {follower.seen}"
            for follower in queueing
            if len(follower.numbers) != 1 or follower.seen is None or follower.seen["state"] != "WAITING"
        ]
        refused = [*holds.refused, *followers.surprises]
        return Outcome(phases, per_process, changed_places=changed, refused=refused, falls=proof.falls)


@asynccontextmanager
async def _following(site: Site, people: list[Follower]) -> AsyncIterator[Followers]:
    """Open all sockets, and close them at the end of the block."""
    followers = Followers(site.url, people)
    try:
        if not await wait_until(lambda: followers.open_count == len(people), within_s=WITHIN_S, poll_interval_s=POLL_S):
            followers.surprises.append(f"only {followers.open_count} of {len(people)} sockets could be opened")
        yield followers
    finally:
        await followers.aclose()


@asynccontextmanager
async def _selling(holds: Holds, per_s: int) -> AsyncIterator[None]:
    running = asyncio.create_task(holds.run(per_s))
    try:
        await asyncio.sleep(SETTLE_S)
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])
        await holds.finish()


async def _open_concert(client: Client, organizer: str) -> SaleConcert:
    draft = free_concert(STOCK, datetime.now(UTC))
    terms = replace(draft.terms, limit_per_person=1_000)
    return await open_sale(client, replace(draft, room=NO_ROOM, terms=terms), organizer)


async def _open_queue(client: Client, organizer: str, tokens: Sequence[str]) -> SaleConcert:
    """Open a concert whose queue calls no one, and let people join it."""
    draft = free_concert(STOCK, datetime.now(UTC), waiting_room(STOCK))
    concert = await open_sale(client, draft, organizer)
    await client.ask(Step.LOAD, PAUSE, {"input": {"concertId": concert.id}}, organizer)
    await asyncio.gather(
        *(client.ask(Step.JOIN, JOIN, {"input": {"concertId": concert.id}}, token) for token in tokens)
    )
    return concert


def _count_sockets(lines: Sequence[str]) -> list[int]:
    prefix = 'onsale_sockets{process="server-'
    return [round(float(line.rpartition(" ")[2])) for line in lines if line.startswith(prefix)]


def rows(outcome: Outcome) -> Iterator[tuple[str, str]]:
    """Yield the figures of a proof, by their names."""
    yield "sockets of each process", " ".join(f"{count:,}" for count in outcome.sockets_per_process)
    for phase in outcome.phases:
        p50, p99 = (percentile(phase.holds_ms or [0.0], share) for share in (0.50, 0.99))
        seconds = "not in time" if phase.seconds is None else f"{phase.seconds:.1f} s"
        yield phase.name, seconds
        yield "  holds", f"{len(phase.holds_ms):,}, p50 {p50:.1f} ms, p99 {p99:.1f} ms"
        yield "  holds sent again", _count(phase.repeated)
        yield "  sockets lost", _count(phase.lost_sockets)
        p50_s, p99_s, longest_s = (percentile(phase.away_s or [0.0], share) for share in (0.50, 0.99, 1.0))
        yield "  time without a socket", f"p50 {p50_s:.1f} s, p99 {p99_s:.1f} s, at most {longest_s:.1f} s"


def _count(reasons: Counter[str]) -> str:
    return ", ".join(f"{count:,} ({why})" for why, count in reasons.items()) or "none"
