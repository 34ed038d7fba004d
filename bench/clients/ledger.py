"""Records the answers that people receive, each exactly once.

Times are in milliseconds, from sending a request to reading its answer. A request that has to be
repeated, because the connection was lost or a store is unavailable, counts as a retry and not as an
answer, so it does not affect the percentiles.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Step(StrEnum):
    LOAD = "load"
    JOIN = "join"
    POLL = "poll"
    CLAIM = "claim"
    LEAVE = "leave"
    STOCK = "stock"
    HOLD = "hold"
    BUY = "buy"
    PAY = "pay"
    SYNC = "sync"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class TicketLine:
    tier_id: str
    """The global id, as GraphQL returns it."""
    quantity: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """An order as the buyer received it."""

    order_id: str
    buyer: str
    email: str
    lines: tuple[TicketLine, ...]
    total_minor: int

    @property
    def units(self) -> int:
        return sum(line.quantity for line in self.lines)


@dataclass(slots=True)
class QueueLedger:
    """Numbers of queue entries, kept in sets so that an entry reported twice counts once."""

    joined: set[int] = field(default_factory=set)
    called: set[int] = field(default_factory=set)
    claimed: set[int] = field(default_factory=set)
    expired: set[int] = field(default_factory=set)
    """Entries that were called but not claimed in time."""
    left: set[int] = field(default_factory=set)
    """Entries that were abandoned, with or without a leaveQueue request."""
    sockets: int = 0
    """The number of sockets opened, including those that replaced lost ones."""
    lost_sockets: Counter[str] = field(default_factory=Counter)
    updates: int = 0
    """The number of positions pushed to sockets."""
    waiting: int = 0
    """The number of people waiting at the last poll."""
    most_waiting: int = 0


@dataclass(slots=True)
class Ledger:
    arrived: int = 0
    done: int = 0
    answered_ms: dict[Step, list[float]] = field(default_factory=lambda: defaultdict(list))
    refused: Counter[str] = field(default_factory=Counter)
    retried: Counter[tuple[Step, str]] = field(default_factory=Counter)
    holds: dict[str, int] = field(default_factory=dict)
    """The number of tickets by hold id, so that a hold reported twice counts once."""
    receipts: dict[str, Receipt] = field(default_factory=dict)
    declined: int = 0
    """The number of cards that were declined."""
    unpaid: dict[str, int] = field(default_factory=dict)
    """The number of tickets in each order that its buyer never pays, by the id of the order."""
    queue: QueueLedger = field(default_factory=QueueLedger)
    surprises: list[str] = field(default_factory=list)
    """Answers that must not occur: a single one makes the proof fail."""

    @property
    def sold_units(self) -> int:
        return sum(receipt.units for receipt in self.receipts.values())

    @property
    def held_units(self) -> int:
        return sum(self.holds.values())

    def record_order(self, receipt: Receipt) -> None:
        known = self.receipts.setdefault(receipt.order_id, receipt)
        if known != receipt:
            self.surprises.append(f"order {receipt.order_id} was answered as {known} and later as {receipt}")

    def retries(self, step: Step) -> int:
        return sum(count for (at, _), count in self.retried.items() if at is step)

    def retry_reasons(self) -> Counter[str]:
        reasons: Counter[str] = Counter()
        for (_, reason), count in self.retried.items():
            reasons[reason] += count
        return reasons


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` of all values do not exceed.

    This is the nearest-rank percentile.
    """
    ranked = sorted(values)
    return ranked[max(math.ceil(share * len(ranked)), 1) - 1]


def table(ledger: Ledger) -> str:
    rows = [f"{'step':<9}{'answered':>9}{'p50 ms':>9}{'p99 ms':>9}{'max ms':>9}{'retried':>9}"]
    for step in Step:
        times = ledger.answered_ms.get(step)
        if times:
            times_ms = "".join(f"{percentile(times, share):>9.1f}" for share in (0.50, 0.99, 1.0))
            rows.append(f"{step:<9}{len(times):>9,}{times_ms}{ledger.retries(step):>9,}")
    rows += [
        "",
        f"arrived  {ledger.arrived:>8,} people",
        *_queue(ledger.queue),
        f"held     {ledger.held_units:>8,} tickets in {len(ledger.holds):,} holds",
        f"sold     {ledger.sold_units:>8,} tickets in {len(ledger.receipts):,} orders",
        f"unpaid   {sum(ledger.unpaid.values()):>8,} tickets in {len(ledger.unpaid):,} orders",
        f"declined {ledger.declined:>8,} cards",
        *_counts("refused", ledger.refused),
        *_counts("retried", ledger.retry_reasons()),
    ]
    return "\n".join(rows)


def _queue(queue: QueueLedger) -> list[str]:
    lost = queue.lost_sockets.total()
    return [
        f"joined   {len(queue.joined):>8,} entries, {queue.most_waiting:,} waiting at once",
        f"called   {len(queue.called):>8,} numbers",
        f"claimed  {len(queue.claimed):>8,} passes",
        f"expired  {len(queue.expired):>8,} calls",
        f"left     {len(queue.left):>8,} entries",
        f"pushed   {queue.updates:>8,} positions to {queue.sockets:,} sockets, {lost:,} of them lost",
        *(f"{count:>17,} {why}" for why, count in sorted(queue.lost_sockets.items())),
    ]


def _counts(title: str, counts: Counter[str]) -> list[str]:
    head = f"{title:<9}{counts.total():>8,} times"
    return [head, *(f"{count:>17,} {reason}" for reason, count in sorted(counts.items()))]
