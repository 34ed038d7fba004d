"""What happens in a line, told in the order in which it happened. An event is known by concert and stream id."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.ids import ConcertId, EntryId, PersonId
from domain.queues import EntryEnd


class QueueEventKind(StrEnum):
    JOINED = "joined"
    CALLED = "called"
    ADMITTED = "admitted"
    """A run of admissions: how many it called."""
    CLAIMED = "claimed"
    EXPIRED = "expired"
    LEFT = "left"
    COMPLETED = "completed"
    RESET = "reset"
    """The line was emptied."""


@dataclass(frozen=True, slots=True)
class QueueEvent:
    concert_id: ConcertId
    id: str
    """Its id in the concert's stream, `<unix ms>-<sequence>`: unique in the concert."""
    kind: QueueEventKind
    at: datetime
    person_id: PersonId | None
    """None: it is about the whole line."""
    entry_id: EntryId | None
    round: int
    count: int = 1
    """People it is about."""
    end_reason: EntryEnd | None = None
    """Of `expired`: why."""
