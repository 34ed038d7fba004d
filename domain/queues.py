"""The waiting room of a concert: its settings, one person's place in line, and the pass that lets them hold tickets."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.ids import ConcertId, PersonId


class EntryState(StrEnum):
    WAITING = "WAITING"
    READY = "READY"
    """My number was called, a pass waits to be claimed."""
    ADMITTED = "ADMITTED"
    """The pass was claimed."""
    COMPLETED = "COMPLETED"
    """The pass was spent on an order."""
    LEFT = "LEFT"
    EXPIRED = "EXPIRED"


NEXT_ENTRY_STATE = {
    EntryState.WAITING: frozenset({EntryState.READY, EntryState.LEFT, EntryState.EXPIRED}),
    EntryState.READY: frozenset({EntryState.ADMITTED, EntryState.LEFT, EntryState.EXPIRED}),
    EntryState.ADMITTED: frozenset({EntryState.COMPLETED, EntryState.LEFT, EntryState.EXPIRED}),
    EntryState.COMPLETED: frozenset[EntryState](),
    EntryState.LEFT: frozenset[EntryState](),
    EntryState.EXPIRED: frozenset[EntryState](),
}
"""Where an entry may go from each state. An ended entry stays ended; joining again is a new one, behind the line."""


class PassStatus(StrEnum):
    """Names of the token-and-serving-number seed."""

    CREATED = "CREATED"
    TRANSACTION_COMPLETE = "TRANSACTION_COMPLETE"
    TRANSACTION_FAILED = "TRANSACTION_FAILED"
    TOKEN_EXPIRED = "TOKEN_EXPIRED"


@dataclass(frozen=True, slots=True)
class RoomSettings:
    """How a waiting room admits. They belong to the concert's document and its version."""

    is_on: bool = False
    total_active_users: int = 1_000
    """Slots: people called or admitted at a time."""
    new_users_per_minute: int = 600
    """Admissions in any 60 seconds."""
    pass_claim_timeout_ms: int = 60_000
    session_duration_ms: int = 300_000
    """Life of a pass, from its claim."""
    heartbeat_timeout_ms: int = 30_000
    disconnect_grace_ms: int = 60_000


NO_ROOM = RoomSettings()
"""What a concert has until its organiser turns the room on."""


@dataclass(frozen=True, slots=True)
class QueuePass:
    """`token` is None until the entry is ADMITTED; the same pass always has the same bytes."""

    id: str
    token: str | None
    status: PassStatus
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class QueueEntry:
    concert_id: ConcertId
    person_id: PersonId
    number: int
    """Place in line, given once, from 1; never changes."""
    state: EntryState
    position: int
    """People still there who stand before this one, plus one; 0 once called."""
    joined_at: datetime
    expires_at: datetime | None
    """READY: claim the pass before. ADMITTED: the pass ends. WAITING without a socket: send a heartbeat before."""
    queue_pass: QueuePass | None

    @property
    def is_living(self) -> bool:
        return self.state in (EntryState.WAITING, EntryState.READY, EntryState.ADMITTED)


@dataclass(frozen=True, slots=True)
class WaitingRoom:
    """A room at one version. `serving_number` is the highest number called so far."""

    concert_id: ConcertId
    settings: RoomSettings
    epoch: int
    version: int
    serving_number: int
    tail: int
    """The highest number given."""
    waiting_count: int
    slots_taken: int
    """READY and ADMITTED."""
    passes_issued: int
