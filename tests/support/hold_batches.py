"""A concert in the hot store alone, whose holds are made one by one or in one batch.

Its clock stands still unless a test moves it, so that both ways can give the same answers.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.concerts import Concert, Tier
from domain.errors import OnsaleError, TemporarilyUnavailable
from domain.holds import Hold, TicketRequest
from domain.ids import ConcertId, EntryId, HoldId, PersonId, TierId, new_concert_id, tier_id
from domain.limits.rates import NO_RATES, CallRates
from domain.queues import RoomSettings
from storage.hot.guarded_client import GuardedClient
from storage.hot.holds import HoldStore
from storage.hot.hot_state import HotState
from storage.hot.queues import QueueStore
from storage.hot.script_client import ScriptClient
from storage.keys import KINDS, concert_keys
from tests.support.snapshots import CONCERT

HASHES = ("state", "tiers", "units", "holds", "people", "entries")
SORTED_SETS = ("free", "deadlines", "buying", "changes", "rates", "slots")


@dataclass(frozen=True)
class HoldCall:
    """The arguments of one hold. Tiers are numbered from 1; the concert has no third one."""

    person: str
    number: int
    """The hold id is made of person and number, so a repeated number is a repeated call."""
    lines: tuple[tuple[int, int], ...] = ((1, 1),)
    digest: str = "d"
    pass_entry_id: int | None = None
    rates: CallRates = NO_RATES
    address: str | None = None
    sells_hidden: bool = False

    @property
    def hold_id(self) -> HoldId:
        return HoldId(f"{self.person}-{self.number}")


@dataclass(frozen=True)
class Refusal:
    """A refusal that can be compared."""

    kind: str
    details: str


Answer = Hold | Refusal


class NoRecovery:
    """Refuses calls for a concert that is not trusted, and leaves it so."""

    async def refusal_for(self, concert_id: ConcertId, word: str) -> OnsaleError:
        return TemporarilyUnavailable(word)


def make_concert(*capacities: int, **changes: Any) -> Concert:
    """Return a concert with these tiers, whose room lets everyone hold unless it is changed."""
    id_ = new_concert_id()
    tiers = tuple(
        Tier(tier_id(id_, number), f"Tier {number}", 1_000 * number, capacity, capacity)
        for number, capacity in enumerate(capacities, 1)
    )
    return replace(CONCERT, id=id_, tiers=tiers, **({"room": RoomSettings()} | changes))


class BatchShop:
    def __init__(self, client: ScriptClient, concert: Concert) -> None:
        guarded = GuardedClient(client, NoRecovery())
        self.client = client
        self.concert = concert
        self.holds = HoldStore(guarded)
        self.queues = QueueStore(guarded)
        self.hot = HotState(client)
        self._names = dict(zip(KINDS, concert_keys(concert.id), strict=True))

    async def open(self) -> None:
        """Create the concert and stop its clock an hour ahead, before any deadline."""
        await self.hot.apply_concert(self.concert)
        await self.hot.mark_recovery(self.concert.id, 1)
        assert await self.hot.finish_recovery(self.concert.id, 1) == "RECOVERED"
        await self.set_clock(int((datetime.now(UTC) + timedelta(hours=1)).timestamp() * 1000))
        await self.hot.expire_holds(self.concert.id, limit=1)

    async def set_clock(self, now_ms: int) -> None:
        await self.run("HSET", "state", "now_ms", str(now_ms), "worker_ms", str(now_ms))

    async def now_ms(self) -> int:
        return int(await self.run("HGET", "state", "now_ms"))

    async def version(self) -> int:
        return int(await self.run("HGET", "state", "version"))

    async def count_writes(self) -> int:
        """Return how many writes the store has made for all concerts."""
        persistence = (await self.client.run_command("INFO", "persistence")).decode()
        return int(persistence.split("rdb_changes_since_last_save:")[1].split()[0])

    async def change(self, **changes: Any) -> None:
        """Apply the concert with some of its fields changed."""
        self.concert = replace(self.concert, version=self.concert.version + 1, **changes)
        assert await self.hot.apply_concert(self.concert) == "APPLIED"

    async def run(self, command: str, kind: str, *args: str | bytes) -> Any:
        return await self.client.run_command(command, self._names[kind], *args)

    def tier(self, number: int) -> TierId:
        return tier_id(self.concert.id, number)

    async def hold(self, call: HoldCall) -> Hold:
        return await self.holds.hold(
            self.concert.id,
            call.hold_id,
            [TicketRequest(self.tier(number), quantity) for number, quantity in call.lines],
            person_id=PersonId(call.person),
            digest=call.digest,
            pass_entry_id=None if call.pass_entry_id is None else EntryId(call.pass_entry_id),
            rates=call.rates,
            address=call.address,
            sells_hidden=call.sells_hidden,
        )

    async def hold_one_by_one(self, calls: Sequence[HoldCall]) -> list[Answer]:
        return [(await self._answers([call]))[0] for call in calls]

    async def hold_in_batch(self, calls: Sequence[HoldCall]) -> list[Answer]:
        """Make all calls in one turn of the event loop."""
        return await self._answers(calls)

    async def _answers(self, calls: Sequence[HoldCall]) -> list[Answer]:
        found = await asyncio.gather(*map(self.hold, calls), return_exceptions=True)
        answers: list[Answer] = []
        for answer in found:
            if isinstance(answer, OnsaleError):
                details = {name: value for name, value in vars(answer).items() if not name.startswith("_")}
                answers.append(Refusal(type(answer).__name__, f"{answer} {details}"))
            elif isinstance(answer, BaseException):
                raise answer
            else:
                answers.append(answer)
        return answers

    async def copy(self) -> dict[str, bytes | None]:
        """Return the contents of all keys."""
        return {kind: await self.run("DUMP", kind) for kind in KINDS}

    async def put_back(self, contents: dict[str, bytes | None]) -> None:
        for kind, content in contents.items():
            await self.run("UNLINK", kind)
            if content is not None:
                await self.run("RESTORE", kind, "0", content)

    async def read_state(self) -> dict[str, Any]:
        """Return the decoded keys that holds change, without versions."""
        state: dict[str, Any] = {}
        for kind in HASHES:
            state[kind] = await self._read_pairs("HGETALL", kind)
        for kind in SORTED_SETS:
            state[kind] = await self._read_pairs("ZRANGE", kind, "0", "-1", "WITHSCORES")
        for kind in ("holds", "people", "entries"):
            state[kind] = {name: json.loads(text) for name, text in state[kind].items()}
        state["state"].pop("version")
        state["changes"] = set(state["changes"])
        return state

    async def _read_pairs(self, command: str, kind: str, *args: str) -> dict[str, str]:
        flat = [word.decode() for word in await self.run(command, kind, *args)]
        return dict(zip(flat[::2], flat[1::2], strict=True))
