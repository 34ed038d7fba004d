"""The waiting room of a concert: its settings, its queue entries, and the passes for holding
tickets.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from domain.estimates.room_flow import RoomFlow
from domain.estimates.wait_estimates import WaitEstimate
from domain.ids import ConcertId, EntryId, PersonId


class EntryState(StrEnum):
    PREQUEUED = "PREQUEUED"
    """Joined before the queue opened."""
    WAITING = "WAITING"
    READY = "READY"
    """The number was called, and the pass can be claimed."""
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
"""Maps each state to the states that may follow it.

An ended entry stays ended; joining again creates a new entry at the end of the queue.
"""


WAITING_STATES = frozenset({EntryState.PREQUEUED, EntryState.WAITING})
ACTIVE_STATES = WAITING_STATES | {EntryState.READY, EntryState.ADMITTED}


class EntryEnd(StrEnum):
    """The reason an entry ended."""

    SPENT = "SPENT"
    """Its pass was spent on an order."""
    LEFT = "LEFT"
    ABSENT = "ABSENT"
    """The person's presence ended while the entry was waiting."""
    NOT_CLAIMED = "NOT_CLAIMED"
    """Its number was called, but its pass was not claimed in time."""
    SESSION_OVER = "SESSION_OVER"
    """Its pass was not spent in time."""
    RESET = "RESET"
    """An organizer reset the queue."""
    SALE_OVER = "SALE_OVER"
    """The sale was closed, or its window ended."""
    CONCERT_CANCELLED = "CONCERT_CANCELLED"


class PassStatus(StrEnum):
    """The status of a queue pass."""

    CREATED = "CREATED"
    TRANSACTION_COMPLETE = "TRANSACTION_COMPLETE"
    TRANSACTION_FAILED = "TRANSACTION_FAILED"
    TOKEN_EXPIRED = "TOKEN_EXPIRED"


class QueueingMethod(StrEnum):
    FIFO = "FIFO"
    RANDOM = "RANDOM"
    """Each call draws one of the waiting entries at random; the queue has no order."""
    PASSTHROUGH = "PASSTHROUGH"
    """Each person is called on joining, and no pass is required.

    People are counted but not delayed.
    """
    REJECT = "REJECT"
    """People can neither join nor be called; entries and passes are kept."""


class RoomStatus(StrEnum):
    """The current state of a room, derived from its settings, its concert and the time."""

    SUSPENDED = "SUSPENDED"
    """The room is off; no pass is required."""
    SCHEDULED = "SCHEDULED"
    """Joining is not possible yet."""
    PREQUEUE = "PREQUEUE"
    """People can join, but are not called yet."""
    OPEN = "OPEN"
    PAUSED = "PAUSED"
    REJECTING = "REJECTING"
    CLOSED = "CLOSED"
    """The sale is over."""


@dataclass(frozen=True, slots=True)
class RoomSettings:
    """Admission settings, stored in the concert's document.

    `version` increases whenever they change.
    """

    suspended: bool = True
    """Whether the room is off, so that anyone may hold tickets."""
    queueing_method: QueueingMethod = QueueingMethod.FIFO
    total_active_users: int = 1_000
    """The number of slots: the maximum number of people called or admitted at the same time."""
    new_users_per_minute: int = 600
    """The maximum number of people called in any 60 seconds."""
    pass_claim_timeout_ms: int = 60_000
    session_duration_ms: int = 300_000
    """The lifetime of a pass, from the moment it is claimed."""
    prequeue_starts_at: datetime | None = None
    """When people may start to join; None means at publication."""
    opens_at: datetime | None = None
    """When the first person is called; None means at the start of the sale."""
    shuffle_at_start: bool = False
    """Whether a lottery orders the entries that joined before the opening."""
    queue_all: bool = False
    """Whether the queue is paused: people can join, but are only called manually."""
    heartbeat_timeout_ms: int = 90_000
    """More than a minute, because a hidden browser tab runs its timers only once a minute."""
    disconnect_grace_ms: int = 60_000
    message: str = ""
    """Shown to everyone in the queue."""
    proof_of_work_bits: int = 0
    """The difficulty of the challenge that each new entry needs; 0 means that none is needed."""
    version: int = 1
    round: int = 1
    """Increases when the queue is reset, and when a sale that was over reopens.

    Entries of earlier rounds have ended.
    """
    commitment: str = ""
    """The SHA-256, in hex, of the secret of this round's lottery; empty if there is no lottery."""

    @property
    def is_on(self) -> bool:
        return not self.suspended

    @property
    def has_lottery(self) -> bool:
        """Return whether a lottery draws this round's order.

        A published commitment stays valid when other settings change.
        """
        return self.shuffle_at_start and self.commitment != ""


def begin_round(settings: RoomSettings) -> RoomSettings:
    """Return the settings of the next round, with an empty queue and a new lottery."""
    return replace(settings, round=settings.round + 1, commitment="")


NO_ROOM = RoomSettings()
"""The room settings of a concert until its organizer turns the room on."""


@dataclass(frozen=True, slots=True)
class QueuePass:
    """A queue pass. `token` is None unless the entry is ADMITTED; once issued, it never changes."""

    id: str
    token: str | None
    status: PassStatus
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class QueueEntry:
    concert_id: ConcertId
    person_id: PersonId
    entry_id: EntryId
    """The internal id, which is part of the global id and never reused within the concert."""
    number: int | None
    """The number in the queue, starting at 1 in each round; it never changes.

    None before a lottery draw and for RANDOM.
    """
    state: EntryState
    position: int | None
    """The number of people waiting ahead, plus one; 0 once called. None if there is no number."""
    joined_at: datetime
    expires_at: datetime | None
    """READY: the deadline for claiming the pass. ADMITTED: when the pass expires. WAITING without a
    connection: the deadline for the next heartbeat.
    """
    queue_pass: QueuePass | None
    end_reason: EntryEnd | None = None
    """Set once the entry has ended."""
    lot: int | None = None
    """The index of its lottery registration, starting at 1; None if it is not in a lottery."""
    round: int = 1
    estimate: WaitEstimate | None = None
    epoch: int = field(default=0, compare=False)
    version: int = field(default=0, compare=False)
    """The epoch and the version of the concert at which the entry was read. They are not compared,
    so a later read of the same entry is equal.
    """

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE_STATES


@dataclass(frozen=True, slots=True)
class WaitingRoom:
    """A room at one version. `serving_number` is the highest number called so far."""

    concert_id: ConcertId
    organizer_id: PersonId
    """The organizer of the concert. Only the organizer and admins can see `flow`."""
    settings: RoomSettings
    status: RoomStatus
    opens_at: datetime
    """When the first person is called: the configured time, or the start of the sale."""
    epoch: int
    version: int
    serving_number: int
    tail: int
    """The highest number assigned in this round."""
    waiting_count: int
    slots_taken: int
    """The number of READY and ADMITTED entries."""
    passes_issued: int
    flow: RoomFlow
    is_past: bool = False
    """Whether the counts have expired in the store, because the concert ended long ago."""

    def people_ahead(self, entry: QueueEntry | None) -> int:
        """Return how many people can take tickets before the owner of this entry.

        For RANDOM, only people who have already been called count.
        """
        if entry is None:
            return self.waiting_count + self.slots_taken
        if entry.state not in WAITING_STATES:
            return 0
        return self.slots_taken + (entry.position - 1 if entry.position else 0)
