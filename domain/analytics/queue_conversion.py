"""The conversion of a queue: how many people reached each step, and where the others dropped out.

People are counted by queue entry, and an entry counts once per step: a store that lost its last
seconds repeats steps, whose events are then archived again under new ids.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from datetime import datetime

from domain.queue_events import QueueEventKind
from domain.queues import EntryEnd

DROPOUT_ENDS = (EntryEnd.LEFT, EntryEnd.ABSENT, EntryEnd.NOT_CLAIMED, EntryEnd.SESSION_OVER)
"""The ends caused by the person. Other ends come with the round, the sale or the concert."""


@dataclass(frozen=True, slots=True)
class EntryStep:
    """An event of one entry, without its time."""

    kind: QueueEventKind
    end: EntryEnd | None = None


@dataclass(frozen=True, slots=True)
class QueueConversion:
    joined: int = 0
    called: int = 0
    claimed: int = 0
    completed: int = 0
    left_waiting: int = 0
    absent: int = 0
    left_called: int = 0
    not_claimed: int = 0
    left_admitted: int = 0
    session_over: int = 0

    @property
    def rate(self) -> float | None:
        """Return the share of people who joined and then bought tickets, or None if no one
        joined.
        """
        return self.completed / self.joined if self.joined else None


@dataclass(frozen=True, slots=True)
class QueueSteps:
    """How many people reached each step in one bucket of a time range."""

    start: datetime
    joined: int = 0
    called: int = 0
    claimed: int = 0
    completed: int = 0
    dropped_out: int = 0


def sum_entries(entries: Iterable[tuple[Collection[EntryStep], int]]) -> QueueConversion:
    """Return the conversion, given each combination of steps and the number of entries that took
    it.
    """
    names = [field.name for field in fields(QueueConversion)]
    sums = dict.fromkeys(names, 0)
    for steps, count in entries:
        for name in _names_of(steps):
            sums[name] += count
    return QueueConversion(**sums)


def _names_of(steps: Collection[EntryStep]) -> set[str]:
    """Return the counts to which an entry with these steps belongs."""
    kinds = {step.kind for step in steps}
    reached = (QueueEventKind.JOINED, QueueEventKind.CALLED, QueueEventKind.CLAIMED, QueueEventKind.COMPLETED)
    names = {kind.value for kind in reached if kind in kinds}
    ends = {step.end for step in steps}
    if QueueEventKind.COMPLETED not in kinds:
        # An entry that ended twice, before and after a store was rolled back, drops out once.
        end = next((end for end in DROPOUT_ENDS if end in ends), None)
        if end is EntryEnd.LEFT:
            names.add(_left_at(kinds))
        elif end is not None:
            names.add(end.lower())
    return names


def _left_at(kinds: Collection[QueueEventKind]) -> str:
    if QueueEventKind.CLAIMED in kinds:
        return "left_admitted"
    return "left_called" if QueueEventKind.CALLED in kinds else "left_waiting"
