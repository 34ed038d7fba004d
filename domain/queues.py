"""The waiting room of a concert: its settings, one person's place in line, and the pass that lets them hold tickets."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.estimates.room_flow import RoomFlow
from domain.estimates.wait_estimates import WaitEstimate
from domain.ids import ConcertId, EntryId, PersonId


class EntryState(StrEnum):
    PREQUEUED = "PREQUEUED"
    """Joined before the line opened."""
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
    EntryState.PREQUEUED: frozenset({EntryState.WAITING, EntryState.LEFT, EntryState.EXPIRED}),
    EntryState.WAITING: frozenset({EntryState.READY, EntryState.LEFT, EntryState.EXPIRED}),
    EntryState.READY: frozenset({EntryState.ADMITTED, EntryState.LEFT, EntryState.EXPIRED}),
    EntryState.ADMITTED: frozenset({EntryState.COMPLETED, EntryState.LEFT, EntryState.EXPIRED}),
    EntryState.COMPLETED: frozenset[EntryState](),
    EntryState.LEFT: frozenset[EntryState](),
    EntryState.EXPIRED: frozenset[EntryState](),
}
"""Where an entry may go from each state. An ended entry stays ended; joining again is a new one, behind the line."""


ACTIVE_STATES = frozenset({EntryState.PREQUEUED, EntryState.WAITING, EntryState.READY, EntryState.ADMITTED})


class EntryEnd(StrEnum):
    """Why a place ended."""

    SPENT = "SPENT"
    """Its pass was spent on an order."""
    LEFT = "LEFT"
    ABSENT = "ABSENT"
    """Nobody spoke for it while it waited."""
    NOT_CLAIMED = "NOT_CLAIMED"
    """Its number was called, and nobody came."""
    SESSION_OVER = "SESSION_OVER"
    """Its pass was not spent in time."""
    RESET = "RESET"
    """An organiser emptied the line."""


class PassStatus(StrEnum):
    """Names of the token-and-serving-number seed."""

    CREATED = "CREATED"
    TRANSACTION_COMPLETE = "TRANSACTION_COMPLETE"
    TRANSACTION_FAILED = "TRANSACTION_FAILED"
    TOKEN_EXPIRED = "TOKEN_EXPIRED"


class QueueingMethod(StrEnum):
    FIFO = "FIFO"
    RANDOM = "RANDOM"
    """Each admission draws among those who wait: nobody has a place in an order."""
    PASSTHROUGH = "PASSTHROUGH"
    """Who joins is called at once, and nobody needs a pass: people are counted and not held up."""
    REJECT = "REJECT"
    """Nobody joins and nobody is called; places and passes stay."""


class RoomStatus(StrEnum):
    """What a room does now, worked out from its settings, its concert and the time."""

    SUSPENDED = "SUSPENDED"
    """It is off, and everybody passes."""
    SCHEDULED = "SCHEDULED"
    """Nobody may join yet."""
    PREQUEUE = "PREQUEUE"
    """People join, and nobody is called yet."""
    OPEN = "OPEN"
    PAUSED = "PAUSED"
    REJECTING = "REJECTING"
    CLOSED = "CLOSED"
    """The sale is over."""


@dataclass(frozen=True, slots=True)
class RoomSettings:
    """How a waiting room admits. They belong to the concert's document; `version` rises with each change of them."""

    suspended: bool = True
    """The room is off: everybody may hold tickets."""
    queueing_method: QueueingMethod = QueueingMethod.FIFO
    total_active_users: int = 1_000
    """Slots: people called or admitted at a time."""
    new_users_per_minute: int = 600
    """Admissions in any 60 seconds."""
    pass_claim_timeout_ms: int = 60_000
    session_duration_ms: int = 300_000
    """Life of a pass, from its claim."""
    prequeue_starts_at: datetime | None = None
    """From when people may join. None: from the publication on."""
    opens_at: datetime | None = None
    """From when people are called. None: from the start of the sale on."""
    shuffle_at_start: bool = False
    """Those who joined before the opening are put into an order by lot."""
    queue_all: bool = False
    """Paused: everybody queues, nobody is called."""
    heartbeat_timeout_ms: int = 30_000
    disconnect_grace_ms: int = 60_000
    message: str = ""
    """To everybody in the line."""
    version: int = 1
    round: int = 1
    """Rises when the line is reset: places of earlier rounds have ended."""
    commitment: str = ""
    """SHA-256, in hexadecimal, of the secret of this round's lottery; empty without one."""

    @property
    def is_on(self) -> bool:
        return not self.suspended

    @property
    def has_lottery(self) -> bool:
        """Whether this round's order is drawn. A commitment that was published is kept whatever is configured later."""
        return self.shuffle_at_start and self.commitment != ""


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
    entry_id: EntryId
    """What this entry is called by inside Onsale, and in its global id: unique in the concert, for ever."""
    number: int | None
    """Place in line, from 1 in each round; never changes. None before a lottery is drawn, and where lots are drawn."""
    state: EntryState
    position: int | None
    """People still there who stand before this one, plus one; 0 once called. None where there is no number."""
    joined_at: datetime
    expires_at: datetime | None
    """READY: claim the pass before. ADMITTED: the pass ends. WAITING without a socket: send a heartbeat before."""
    queue_pass: QueuePass | None
    end_reason: EntryEnd | None = None
    """Of an entry that has ended."""
    lot: int | None = None
    """The index it was registered under for the lottery, from 1; None for one that had no part in it."""
    round: int = 1
    estimate: WaitEstimate | None = None

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE_STATES


@dataclass(frozen=True, slots=True)
class WaitingRoom:
    """A room at one version. `serving_number` is the highest number called so far."""

    concert_id: ConcertId
    settings: RoomSettings
    status: RoomStatus
    opens_at: datetime
    """When people are called from: the setting, or the start of the sale."""
    epoch: int
    version: int
    serving_number: int
    tail: int
    """The highest number given in this round."""
    waiting_count: int
    slots_taken: int
    """READY and ADMITTED."""
    passes_issued: int
    flow: RoomFlow

    def people_ahead(self, entry: QueueEntry | None) -> int:
        """Who may take tickets first. Where lots are drawn, only those who were called are certain to."""
        if entry is None:
            return self.waiting_count + self.slots_taken
        if entry.state not in (EntryState.PREQUEUED, EntryState.WAITING):
            return 0
        return self.slots_taken + (entry.position - 1 if entry.position else 0)
