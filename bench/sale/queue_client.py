"""The queue as a person uses it: join, watch or poll one's position, claim the pass, leave."""

import asyncio
import itertools
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Sequence
from dataclasses import dataclass

from bench.sale.catalog import SaleConcert
from bench.sale.client import Client, Denied, JsonObject
from bench.sale.ledger import Ledger, Step
from bench.sale.mutations import REFUSAL, MutationClient, RefusedMutation
from bench.sale.observations import Observation, Observations, RoomObservation
from bench.sale.sockets import SocketLost, SocketRefused, subscribed
from bench.sale.stock_poller import POLL_EVERY_S

_ENTRY = "entry { number state position pass { token expiresInSeconds } }"

JOIN = f"""mutation Join($input: JoinQueueInput!) {{
  joinQueue(input: $input) {{ __typename ... on JoinQueueSuccess {{ {_ENTRY} }} {REFUSAL} }}
}}"""

HEARTBEAT = f"""mutation Heartbeat($input: HeartbeatInput!) {{
  heartbeat(input: $input) {{ __typename ... on HeartbeatSuccess {{ {_ENTRY} }} {REFUSAL} }}
}}"""

CLAIM = f"""mutation Claim($input: ClaimQueuePassInput!) {{
  claimQueuePass(input: $input) {{ __typename ... on ClaimQueuePassSuccess {{ {_ENTRY} }} {REFUSAL} }}
}}"""

LEAVE = f"""mutation Leave($input: LeaveQueueInput!) {{
  leaveQueue(input: $input) {{ __typename ... on LeaveQueueSuccess {{ {_ENTRY} }} {REFUSAL} }}
}}"""

PLACE = """query Place($id: ID!) {
  queueEntry(concertId: $id) { number state position pass { token expiresInSeconds } }
}"""

ROOM = """query Room($id: ID!) {
  waitingRoom(concertId: $id) { epoch version servingNumber waitingCount slotsTaken }
}"""

POSITION = """subscription Position($id: ID!) {
  queuePosition(concertId: $id) { epoch version state number position servingNumber waitingCount }
}"""

MOST_SOCKETS = 500
"""Open at the same time; people above it poll instead.

Two cores carry the servers and all clients.
"""
LONGEST_PAUSE_S = 2.0

ENDED = frozenset({"COMPLETED", "LEFT", "EXPIRED"})


@dataclass(frozen=True, slots=True)
class EntryView:
    number: int
    state: str
    position: int | None

    @property
    def is_waiting(self) -> bool:
        return self.state == "WAITING"

    @property
    def is_over(self) -> bool:
        return self.state in ENDED


@dataclass(frozen=True, slots=True)
class QueuePass:
    token: str
    number: int
    good_until_s: float
    """By `time.monotonic`; whole seconds, as the server reports them."""


class QueueClient(MutationClient):
    def __init__(
        self, client: Client, ledger: Ledger, concert: SaleConcert, *, urls: Sequence[str], observations: Observations
    ) -> None:
        super().__init__(client, ledger, concert)
        self._urls = urls
        self.observations = observations
        self._book = ledger.line
        self._dice = random.Random(0)
        self._open = 0
        self.passes_seen: dict[str, str] = {}
        """The last pass that each person claimed: those that a thief would find."""

    @property
    def is_crowded(self) -> bool:
        return self._open >= MOST_SOCKETS

    async def join(self, *, token: str) -> EntryView | RefusedMutation:
        answer = await self._mutate(Step.JOIN, JOIN, self._input, token)
        if isinstance(answer, RefusedMutation):
            return answer
        place = _place(answer["entry"])
        self._book.joined.add(place.number)
        return place

    async def ask(self, *, token: str) -> EntryView | RefusedMutation:
        """Return the person's entry without sending a heartbeat."""
        return await self._told(self._client.ask(Step.POLL, PLACE, {"id": self._concert_id}, token))

    async def heartbeat(self, *, token: str) -> EntryView | RefusedMutation:
        return await self._told(self._client.ask(Step.POLL, HEARTBEAT, {"input": self._input}, token))

    async def claim(self, name: str, *, token: str) -> QueuePass | RefusedMutation:
        answer = await self._mutate(Step.CLAIM, CLAIM, self._input, token)
        if isinstance(answer, RefusedMutation):
            return answer
        entry = answer["entry"]
        self._book.called.add(entry["number"])
        self._book.claimed.add(entry["number"])
        self.passes_seen[name] = entry["pass"]["token"]
        good_until_s = time.monotonic() + entry["pass"]["expiresInSeconds"]
        return QueuePass(entry["pass"]["token"], entry["number"], good_until_s)

    async def leave(self, *, token: str) -> EntryView | RefusedMutation:
        answer = await self._mutate(Step.LEAVE, LEAVE, self._input, token)
        return answer if isinstance(answer, RefusedMutation) else _place(answer["entry"])

    async def watch_room(self) -> None:
        """Poll the waiting room as often as the stock poller polls the stock, until cancelled."""
        while True:
            await self.room()
            await asyncio.sleep(POLL_EVERY_S)

    async def room(self) -> RoomObservation | None:
        """Return the waiting room; None while it cannot be read."""
        room = await self._client.ask(Step.POLL, ROOM, {"id": self._concert_id}, None)
        if isinstance(room, Denied):
            self.ledger.surprises.append(f"a look at the waiting room was answered with {room}")
            return None
        seen = RoomObservation.of(room)
        self.observations.rooms.append(seen)
        self._book.waiting = seen.waiting
        self._book.most_waiting = max(self._book.most_waiting, seen.waiting)
        return seen

    async def positions(
        self, name: str, *, token: str, drops_after_s: Sequence[float]
    ) -> AsyncGenerator[EntryView, None]:
        """Yield pushed entries until the entry is over.

        A lost socket is replaced, on another server if there is one. The first sockets are
        dropped on purpose, each after its time.
        """
        drops = iter(drops_after_s)
        first = self._dice.randrange(len(self._urls))
        for attempt in itertools.count(first):
            self._open += 1
            self._book.sockets += 1
            try:
                async for place in self._pushed(self._urls[attempt % len(self._urls)], name, token, next(drops, None)):
                    yield place
                return
            except SocketLost as lost:
                self._book.lost_sockets[str(lost)] += 1
            except SocketRefused as refused:
                self.ledger.surprises.append(f"{name}: {refused}")
            finally:
                self._open -= 1
            await asyncio.sleep(self._dice.uniform(0.1, min(0.2 * 2.0 ** min(attempt - first, 8), LONGEST_PAUSE_S)))

    async def _pushed(
        self, url: str, name: str, token: str, drop_after_s: float | None
    ) -> AsyncGenerator[EntryView, None]:
        async with subscribed(url, token, POSITION, {"id": self._concert_id}) as subscription:
            if drop_after_s is not None:
                asyncio.get_running_loop().call_later(drop_after_s, subscription.drop)
            trail = self.observations.of_person(name)
            async for pushed in subscription:
                if pushed["number"] is None:
                    raise SocketRefused(f"somebody who has joined was pushed {pushed}")
                sighting = Observation.of(pushed)
                trail.observations.append(sighting)
                self._book.updates += 1
                yield self._seen(EntryView(sighting.number, sighting.state, sighting.position))

    async def _told(self, question: Awaitable[JsonObject | Denied]) -> EntryView | RefusedMutation:
        since = self.observations.last_room
        answer = await question
        if isinstance(answer, Denied):
            return RefusedMutation(answer.code, answer.message)
        if "code" in answer:
            return RefusedMutation(answer["code"], answer["message"])
        place = self._seen(_place(answer.get("entry", answer)))
        if place.is_waiting:
            self.observations.record_waiting(place.number, since)
        return place

    def _seen(self, place: EntryView) -> EntryView:
        if place.state in ("READY", "ADMITTED"):
            self._book.called.add(place.number)
        return place

    @property
    def _input(self) -> JsonObject:
        return {"concertId": self._concert_id}


def _place(entry: JsonObject) -> EntryView:
    return EntryView(entry["number"], entry["state"], entry["position"])
