"""A room in memory that follows the same rules as the scripts, for tests and for tuning."""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from domain.estimates.room_flow import SLICE_S, SLICES, RoomFlow
from domain.ids import TierId
from domain.money import CurrencyCode
from domain.queues import RoomSettings
from domain.stock import Stock, TierStock
from proofs.simulation.room import RoomObservation, Transitions

EPOCH_S = 1_700_000_000
HOLD_S = 600.0


@dataclass(slots=True)
class _Entry:
    ends_s: float | None = None
    """When the entry expires.

    For a waiting person, this is the end of the grace period after the socket closes, or None. For
    a called person, it is the end of the call or the session.
    """
    alive_until_s: float = 0.0
    """The entry does not expire before this time, even without a socket."""
    is_inside: bool = False
    is_claimed: bool = False
    held: int = 0
    hold_ends_s: float = 0.0


class MemoryRoom:
    def __init__(self, settings: RoomSettings, stock: int) -> None:
        self._settings = settings
        self._capacity, self._sold = stock, 0
        self._now_s = 0.0
        self._entries: dict[str, _Entry] = {}
        self._queue: deque[str] = deque()
        """The waiting people, in order."""
        self._calls: Counter[int] = Counter()
        self._totals: Counter[str] = Counter()
        self._slices: dict[str, Counter[int]] = {"joined": Counter(), "called": Counter(), "gone": Counter()}
        self._ended: list[str] = []

    async def move_clock(self, at_s: float) -> None:
        self._now_s = at_s

    async def join(self, people: Sequence[str]) -> None:
        for person in people:
            self._entries[person] = _Entry(alive_until_s=self._now_s + self._settings.heartbeat_timeout_ms / 1000)
            self._queue.append(person)
            self._count("joined")

    async def leave(self, people: Sequence[str]) -> None:
        for person in people:
            self._end(person, "left")

    async def disconnect(self, people: Sequence[str]) -> None:
        for person in people:
            entry = self._entries[person]
            entry.ends_s = max(entry.alive_until_s, self._now_s + self._settings.disconnect_grace_ms / 1000)

    async def claim(self, people: Sequence[str]) -> Sequence[str]:
        claimed = [person for person in people if person in self._entries]
        for person in claimed:
            entry = self._entries[person]
            entry.is_claimed = True
            entry.ends_s = self._now_s + self._settings.session_duration_ms / 1000
            self._totals["claimed"] += 1
        return claimed

    async def hold(self, person: str, wish: int) -> bool:
        free = self._capacity - self._sold - self._held
        entry = self._entries[person]
        entry.held, entry.hold_ends_s = min(wish, free), self._now_s + HOLD_S
        return entry.held > 0

    async def buy(self, people: Sequence[str]) -> None:
        for person in people:
            if (entry := self._entries.get(person)) and entry.held:
                self._sold += entry.held
                self._totals["tickets"] += entry.held
                self._end(person, "completed")

    async def configure(self, changes: Mapping[str, int]) -> None:
        self._settings = replace(self._settings, **changes)  # type: ignore[arg-type]

    async def advance(self) -> Transitions:
        self._end_expired()
        called = []
        while self._now_s >= 0 and self._queue and self._may_call():
            person = self._queue.popleft()
            entry = self._entries[person]
            entry.is_inside, entry.ends_s = True, self._now_s + self._settings.pass_claim_timeout_ms / 1000
            self._calls[int(self._now_s)] += 1
            self._count("called")
            called.append(person)
        ended, self._ended = self._ended, []
        return Transitions(called, ended)

    async def observe(self) -> RoomObservation:
        positions = {person: position for position, person in enumerate(self._queue, start=1)}
        tiers = (TierStock(TierId("t"), self._capacity, self._held, self._sold, price_minor=0),)
        stock = Stock(1, 1, tiers, CurrencyCode.EUR)
        return RoomObservation(self._flow(), self._settings, self._slots_taken, len(positions), positions, stock)

    @property
    def _slots_taken(self) -> int:
        return sum(entry.is_inside for entry in self._entries.values())

    @property
    def _held(self) -> int:
        return sum(entry.held for entry in self._entries.values())

    def _may_call(self) -> bool:
        recent = sum(count for second, count in self._calls.items() if second >= self._now_s - 60)
        return recent < self._settings.new_users_per_minute and self._slots_taken < self._settings.total_active_users

    def _end_expired(self) -> None:
        for person, entry in list(self._entries.items()):
            if entry.held and entry.hold_ends_s <= self._now_s:
                entry.held = 0
            if entry.ends_s is not None and entry.ends_s <= self._now_s and not entry.held:
                reason = "session_over" if entry.is_claimed else "not_claimed"
                self._end(person, reason if entry.is_inside else "absent")

    def _end(self, person: str, reason: str) -> None:
        if (entry := self._entries.pop(person, None)) is None:
            return
        self._totals[reason] += 1
        if not entry.is_inside:
            self._slices["gone"][self._slice] += 1
            self._queue.remove(person)
        self._ended.append(person)

    def _count(self, kind: str) -> None:
        self._totals[kind] += 1
        self._slices[kind][self._slice] += 1

    @property
    def _slice(self) -> int:
        return int((EPOCH_S + self._now_s) // SLICE_S)

    def _flow(self) -> RoomFlow:
        return RoomFlow(
            now_s=EPOCH_S + self._now_s,
            opened_s=EPOCH_S,
            joined_lately=self._lately("joined"),
            called_lately=self._lately("called"),
            gone_lately=self._lately("gone"),
            **self._totals,
        )

    def _lately(self, kind: str) -> tuple[int, ...]:
        return tuple(self._slices[kind][self._slice - back] for back in reversed(range(SLICES)))
