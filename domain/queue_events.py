"""Events of a queue. An event is identified by its concert and its id in the concert's stream."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.ids import ConcertId, EntryId, PersonId
from domain.queues import EntryEnd


class QueueEventKind(StrEnum):
    JOINED = "joined"
    CALLED = "called"
    ADMITTED = "admitted"
    """A batch of people was called; `count` is their number. `EntryState.ADMITTED` comes later."""
    CLAIMED = "claimed"
    EXPIRED = "expired"
    LEFT = "left"
    COMPLETED = "completed"
    RESET = "reset"
    """The queue was emptied."""
    OVER = "over"
    """The sale ended, and with it the round."""


@dataclass(frozen=True, slots=True)
class QueueEvent:
    concert_id: ConcertId
    id: str
    """The id in the concert's stream, `<unix ms>-<sequence>`, which is unique within the concert.
    """
    kind: QueueEventKind
    at: datetime
    person_id: PersonId | None
    """None for an event that concerns the whole queue."""
    entry_id: EntryId | None
    round: int
    count: int = 1
    """The number of people that the event concerns."""
    end_reason: EntryEnd | None = None
    """The reason for an `expired` event."""
