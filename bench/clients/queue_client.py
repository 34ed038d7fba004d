"""The queue as a person uses it: join, follow the position, claim the pass, leave."""

import asyncio
import itertools
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Sequence
from dataclasses import dataclass

from bench.clients.catalog import SaleConcert
from bench.clients.http_client import Client, Denied, JsonObject
from bench.clients.ledger import Ledger, Step
from bench.clients.mutations import REFUSAL, MutationClient, RefusedMutation
from bench.clients.observations import Observation, Observations, RoomObservation
from bench.clients.subscription import SocketLost, SocketRefused, subscribed

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

ENTRY = """query Entry($id: ID!) {
  queueEntry(concertId: $id) { number state position pass { token expiresInSeconds } }
}"""

ROOM = """query Room($id: ID!) {
  waitingRoom(concertId: $id) { epoch version servingNumber waitingCount slotsTaken }
}"""

POSITION = """subscription Position($id: ID!) {
  queuePosition(concertId: $id) { epoch version state number position servingNumber waitingCount }
}"""

ROOM_POLL_INTERVAL_S = 0.2
MAX_SOCKETS = 500
"""The maximum number of open sockets; beyond it, people poll instead.

The limit exists because the servers and all clients share two cores.
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
    """The `time.monotonic` value at which the pass expires; accurate only to within a second."""


class QueueClient(MutationClient):
    def __init__(
        self, client: Client, ledger: Ledger, concert: SaleConcert, *, urls: Sequence[str], observations: Observations
    ) -> None:
        super().__init__(client, ledger, concert)
        self._urls = urls
        self.observations = observations
        self._record = ledger.queue
        self._random = random.Random(0)
        self._open_sockets = 0
        self.claimed_passes: dict[str, str] = {}
        """The last pass that each person claimed, by name, for attempts to use a stolen pass."""

    @property
    def is_full(self) -> bool:
        return self._open_sockets >= MAX_SOCKETS

    async def join(self, *, token: str) -> EntryView | RefusedMutation:
        answer = await self._mutate(Step.JOIN, JOIN, self._input, token)
        if isinstance(answer, RefusedMutation):
            return answer
        entry = _entry_view(answer["entry"])
        self._record.joined.add(entry.number)
        return entry

    async def read_entry(self, *, token: str) -> EntryView | RefusedMutation:
        """Return the person's entry without sending a heartbeat."""
        return await self._ask_for_entry(self._client.ask(Step.POLL, ENTRY, {"id": self._concert_id}, token))

    async def heartbeat(self, *, token: str) -> EntryView | RefusedMutation:
        return await self._ask_for_entry(self._client.ask(Step.POLL, HEARTBEAT, {"input": self._input}, token))

    async def claim(self, name: str, *, token: str) -> QueuePass | RefusedMutation:
        answer = await self._mutate(Step.CLAIM, CLAIM, self._input, token)
        if isinstance(answer, RefusedMutation):
            return answer
        entry = answer["entry"]
        self._record.called.add(entry["number"])
        self._record.claimed.add(entry["number"])
        self.claimed_passes[name] = entry["pass"]["token"]
        good_until_s = time.monotonic() + entry["pass"]["expiresInSeconds"]
        return QueuePass(entry["pass"]["token"], entry["number"], good_until_s)

    async def leave(self, *, token: str) -> EntryView | RefusedMutation:
        answer = await self._mutate(Step.LEAVE, LEAVE, self._input, token)
        return answer if isinstance(answer, RefusedMutation) else _entry_view(answer["entry"])

    async def poll_room(self) -> None:
        """Poll the waiting room until canceled."""
        while True:
            await self.read_room()
            await asyncio.sleep(ROOM_POLL_INTERVAL_S)

    async def read_room(self) -> RoomObservation | None:
        """Return the waiting room, or None if it cannot be read."""
        room = await self._client.ask(Step.POLL, ROOM, {"id": self._concert_id}, None)
        if isinstance(room, Denied):
            self.ledger.surprises.append(f"the waiting room query was answered with {room}")
            return None
        observed = RoomObservation.from_room(room)
        self.observations.rooms.append(observed)
        self._record.waiting = observed.waiting
        self._record.most_waiting = max(self._record.most_waiting, observed.waiting)
        return observed

    async def positions(
        self, name: str, *, token: str, drops_after_s: Sequence[float]
    ) -> AsyncGenerator[EntryView, None]:
        """Yield each pushed state of the person's entry until the entry ends.

        A lost socket is replaced, on another server if possible. For each value in `drops_after_s`,
        one socket is dropped on purpose after that time.
        """
        drops = iter(drops_after_s)
        first = self._random.randrange(len(self._urls))
        for attempt in itertools.count(first):
            self._open_sockets += 1
            self._record.sockets += 1
            try:
                async for entry in self._pushed(self._urls[attempt % len(self._urls)], name, token, next(drops, None)):
                    yield entry
                return
            except SocketLost as lost:
                self._record.lost_sockets[str(lost)] += 1
            except SocketRefused as refused:
                self.ledger.surprises.append(f"{name}: {refused}")
            finally:
                self._open_sockets -= 1
            longest_s = min(0.2 * 2.0 ** min(attempt - first, 8), LONGEST_PAUSE_S)
            await asyncio.sleep(self._random.uniform(0.1, longest_s))

    async def _pushed(
        self, url: str, name: str, token: str, drop_after_s: float | None
    ) -> AsyncGenerator[EntryView, None]:
        async with subscribed(url, token, POSITION, {"id": self._concert_id}) as subscription:
            if drop_after_s is not None:
                asyncio.get_running_loop().call_later(drop_after_s, subscription.drop)
            socket = self.observations.start_socket(name)
            async for pushed in subscription:
                if pushed["number"] is None:
                    raise SocketRefused(f"a person in the queue received {pushed}")
                observation = Observation.from_push(pushed)
                socket.observations.append(observation)
                self._record.updates += 1
                yield self._record_call(EntryView(observation.number, observation.state, observation.position))

    async def _ask_for_entry(self, request: Awaitable[JsonObject | Denied]) -> EntryView | RefusedMutation:
        since = self.observations.last_room
        answer = await request
        if isinstance(answer, Denied):
            return RefusedMutation(answer.code, answer.message)
        if "code" in answer:
            return RefusedMutation(answer["code"], answer["message"])
        entry = self._record_call(_entry_view(answer.get("entry", answer)))
        if entry.is_waiting:
            self.observations.record_waiting(entry.number, since)
        return entry

    def _record_call(self, entry: EntryView) -> EntryView:
        if entry.state in ("READY", "ADMITTED"):
            self._record.called.add(entry.number)
        return entry

    @property
    def _input(self) -> JsonObject:
        return {"concertId": self._concert_id}


def _entry_view(entry: JsonObject) -> EntryView:
    return EntryView(entry["number"], entry["state"], entry["position"])
