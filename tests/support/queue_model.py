"""A simple model of a waiting room, against which tests check the real scripts.

`waiting` lists the waiting people in order. The model has no clock; a test decides who is overdue.
"""

import hashlib
from dataclasses import dataclass, field

from domain.queues import EntryEnd, EntryState, QueueingMethod, RoomStatus

WITH_A_SLOT = (EntryState.READY, EntryState.ADMITTED)
END_STATES = {EntryEnd.LEFT: EntryState.LEFT, EntryEnd.SPENT: EntryState.COMPLETED}


@dataclass
class ModelEntry:
    lot: int
    state: EntryState = EntryState.WAITING
    end: EntryEnd | None = None
    number: int | None = None
    """The final number, which is set when the entry is called or ends."""


@dataclass
class QueueModel:
    cap: int
    per_minute: int
    method: QueueingMethod = QueueingMethod.FIFO
    is_paused: bool = False
    is_suspended: bool = False
    is_due: bool = True
    """Whether the opening time has been reached."""
    is_lottery: bool = False
    is_sale_over: bool = False
    has_slots_to_free: bool = False
    """Whether the sale has ended but no worker has freed the slots yet."""
    round: int = 1
    frozen: int | None = None
    ranks: dict[int, int] | None = None
    """The numbers by lot, or None before the draw."""
    revealed: dict[int, int] | None = None
    """The numbers by lot, or None before the reveal, which may be long before the draw."""
    tail: int = 0
    called_lately: int = 0
    in_grace: bool = False
    random_calls: int = 0
    """How many people must have been called at random; `QueueMachine.adopt` learns who they are."""
    waiting: list[str] = field(default_factory=list)
    entries: dict[str, ModelEntry] = field(default_factory=dict)
    presence: dict[str, dict[str, int]] = field(default_factory=dict)
    """The latest sequence number by person and process; it is negative after a disconnect."""
    overdue: set[str] = field(default_factory=set)
    """Waiting people whose presence has expired, and people whose call or session has expired."""

    @property
    def is_open(self) -> bool:
        return self.is_due and (not self.is_lottery or self.ranks is not None)

    @property
    def status(self) -> RoomStatus:
        if self.is_sale_over:
            return RoomStatus.CLOSED
        if self.is_suspended:
            return RoomStatus.SUSPENDED
        if self.method is QueueingMethod.REJECT:
            return RoomStatus.REJECTING
        if not self.is_open:
            return RoomStatus.PREQUEUE
        return RoomStatus.PAUSED if self.is_paused else RoomStatus.OPEN

    def with_a_slot(self) -> list[str]:
        return [who for who, entry in self.entries.items() if entry.state in WITH_A_SLOT]

    def has_active_entry(self, who: str) -> bool:
        return who in self.entries and (who in self.waiting or self.entries[who].state in WITH_A_SLOT)

    def is_present(self, who: str) -> bool:
        return any(number > 0 for number in self.presence.get(who, {}).values())

    def number(self, who: str) -> int | None:
        entry = self.entries[who]
        if who not in self.waiting:
            return entry.number
        if self.ranks is not None and entry.lot in self.ranks:
            return self.ranks[entry.lot]
        is_undrawn = self.is_lottery and self.ranks is None and (self.frozen is None or entry.lot <= self.frozen)
        return None if is_undrawn else entry.lot

    def join(self, who: str) -> bool:
        """Let a person join, and return whether the person then has an active entry."""
        if self.status in (RoomStatus.SUSPENDED, RoomStatus.CLOSED):
            return False
        if self.status is RoomStatus.REJECTING and not self.has_active_entry(who):
            return False
        if not self.has_active_entry(who):
            if self.is_lottery and self.is_due and not self.is_open:
                self.freeze()
            self.tail += 1
            self.entries[who] = ModelEntry(self.tail)
            self.waiting.append(who)
        if who in self.waiting:
            self.overdue.discard(who)
        return True

    def leave(self, who: str) -> None:
        if self.has_active_entry(who):
            self.give_back(who, EntryEnd.LEFT)

    def give_back(self, who: str, end: EntryEnd) -> None:
        """End an entry. If this frees a slot, the next person is called immediately."""
        had_slot = who not in self.waiting
        self.end(who, end)
        if had_slot:
            self.call()

    def end(self, who: str, end: EntryEnd) -> None:
        entry = self.entries[who]
        if who in self.waiting:
            entry.number = self.number(who)
            self.waiting.remove(who)
        entry.state, entry.end = END_STATES.get(end, EntryState.EXPIRED), end
        self.overdue.discard(who)

    def claim(self, who: str) -> None:
        if self.entries[who].state is EntryState.READY:
            self.overdue.discard(who)
            self.entries[who].state = EntryState.ADMITTED

    def sync_presence(self, who: str, process: str, number: int) -> None:
        if who not in self.entries:
            return
        presence = self.presence.setdefault(who, {})
        if abs(number) > abs(presence.get(process, 0)):
            presence[process] = number
            if who in self.waiting:
                self.overdue.discard(who)

    def turn(self) -> None:
        """Run the workers, which end all overdue entries and fill the free slots."""
        if self.is_sale_over or not self.in_grace:
            self.has_slots_to_free = False
        if not self.in_grace:
            for who in sorted(self.overdue):
                absent = EntryEnd.ABSENT if who in self.waiting else None
                called = self.entries[who].state is EntryState.READY
                self.end(who, absent or (EntryEnd.NOT_CLAIMED if called else EntryEnd.SESSION_OVER))
        self.call()

    def room_for(self, most: int, *, is_manual: bool) -> int:
        """Return how many people may be called now."""
        if self.status is not RoomStatus.OPEN and not (self.status is RoomStatus.PAUSED and is_manual):
            return 0
        if self.method is QueueingMethod.PASSTHROUGH and not self.is_paused:
            return most
        return max(0, min(most, self.cap - len(self.with_a_slot()), self.per_minute - self.called_lately))

    def call(self, most: int = 1_000, *, is_manual: bool = False) -> int:
        """Call people in order. With the random method, only count the calls; `adopt`
        records who was called."""
        free, called = self.room_for(most, is_manual=is_manual), 0
        if self.method is QueueingMethod.RANDOM:
            self.random_calls = min(free, len([who for who in self.waiting if not self.is_absent(who)]))
            return self.random_calls
        while self.waiting and called < free:
            who = self.waiting[0]
            if self.is_absent(who):
                self.end(who, EntryEnd.ABSENT)
            else:
                self.mark_called(who)
                called += 1
        return called

    def is_absent(self, who: str) -> bool:
        return who in self.overdue and not self.in_grace

    def mark_called(self, who: str) -> None:
        entry = self.entries[who]
        entry.number = self.number(who)
        entry.state = EntryState.READY
        self.waiting.remove(who)
        self.overdue.discard(who)
        self.called_lately += 1

    def reset(self, *, is_lottery: bool, is_due: bool) -> None:
        for who in self.waiting:
            self.entries[who].state, self.entries[who].end = EntryState.EXPIRED, EntryEnd.RESET
        self.overdue -= set(self.waiting)
        self.waiting, self.tail, self.frozen, self.ranks, self.revealed = [], 0, None, None, None
        self.round, self.is_lottery, self.is_due = self.round + 1, is_lottery, is_due

    def end_sale(self) -> None:
        """End every active entry; in this model, no hold keeps an entry active."""
        self.has_slots_to_free = True
        for who in [*self.waiting, *self.with_a_slot()]:
            self.entries[who].state, self.entries[who].end = EntryState.EXPIRED, EntryEnd.SALE_OVER
        self.waiting, self.overdue, self.is_sale_over = [], set(), True

    def begin_sale(self) -> None:
        self.reset(is_lottery=self.is_lottery, is_due=self.is_due)
        self.is_sale_over = False

    def freeze(self) -> int:
        if self.frozen is None:
            self.frozen = self.tail
        return self.frozen

    def draw(self) -> None:
        """Put the queue in the order of the revealed numbers; people who joined later follow."""
        self.ranks = self.revealed
        assert self.ranks is not None
        self.waiting = sorted(self.waiting, key=lambda who: self.number(who) or 0)


def drawn_ranks(seed: str, count: int) -> dict[int, int]:
    """Return the rank of each lot; this is a second implementation of docs/lottery.md."""

    def key(lot: int) -> bytes:
        return hashlib.sha256(bytes.fromhex(seed) + lot.to_bytes(8, "big")).digest()

    return {lot: number for number, lot in enumerate(sorted(range(1, count + 1), key=key), 1)}
