"""Everything Onsale refuses, and what a caller can do about it. Nothing here knows HTTP or GraphQL.

OnsaleError
├── Refusal                  an expected answer: a member of a result union
│   ├── InvalidInput         one or more fields, each with what is wrong and what is allowed
│   ├── NotFound             no such thing, or not yours
│   ├── NotOnSale            draft, closed, before or after the sale window
│   ├── SoldOut              fewer left than asked for
│   ├── LimitExceeded        per order or per person
│   ├── HoldEnded            released, expired or lost; take a new one
│   ├── PurchaseInProgress   the hold is being bought and cannot be released
│   ├── IdempotencyConflict  the key was used for something else
│   ├── IllegalTransition    the concert cannot go from its status to that one
│   ├── VersionConflict      somebody else changed it first
│   ├── NotAdmitted          the waiting room is on, and no valid pass was shown
│   ├── NotInQueue           the viewer has no active entry in this queue
│   ├── RoomNotOpen          there is no queue to join
│   ├── QueueOpened          what the opening of a queue settled stays until the queue is reset
│   ├── CapacityInUse        held or sold units cannot be withdrawn
│   └── TemporarilyUnavailable  a store is away, recovering or overloaded; nothing is half done
└── Denial                   the system says no: a top-level error
    ├── Unauthenticated
    ├── Forbidden
    ├── RateLimited          too often; says when to come back
    └── BadUserInput
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import ClassVar

from domain.concerts import ConcertStatus
from domain.holds import EndReason
from domain.ids import ConcertId, HoldId, TierId
from domain.queues import RoomStatus


class ErrorCode(StrEnum):
    INVALID_INPUT = "INVALID_INPUT"
    NOT_FOUND = "NOT_FOUND"
    NOT_ON_SALE = "NOT_ON_SALE"
    SOLD_OUT = "SOLD_OUT"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    HOLD_ENDED = "HOLD_ENDED"
    PURCHASE_IN_PROGRESS = "PURCHASE_IN_PROGRESS"
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"
    ILLEGAL_TRANSITION = "ILLEGAL_TRANSITION"
    VERSION_CONFLICT = "VERSION_CONFLICT"
    NOT_ADMITTED = "NOT_ADMITTED"
    NOT_IN_QUEUE = "NOT_IN_QUEUE"
    ROOM_NOT_OPEN = "ROOM_NOT_OPEN"
    QUEUE_OPENED = "QUEUE_OPENED"
    CAPACITY_IN_USE = "CAPACITY_IN_USE"
    TEMPORARILY_UNAVAILABLE = "TEMPORARILY_UNAVAILABLE"


def _at(moment: datetime) -> str:
    """As the API writes it, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class OnsaleError(Exception):
    """`str(error)` is the message for people: what failed, the value, the next step."""


class Refusal(OnsaleError):
    code: ClassVar[ErrorCode]
    retryable: ClassVar[bool] = False
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class FieldProblem:
    path: str
    """Dotted, as in the input: `lines.0.quantity`."""
    message: str


class InvalidInput(Refusal):
    code = ErrorCode.INVALID_INPUT

    def __init__(self, *problems: FieldProblem) -> None:
        super().__init__("; ".join(f"{problem.path}: {problem.message}" for problem in problems))
        self.problems = problems


class NotFound(Refusal):
    code = ErrorCode.NOT_FOUND

    def __init__(self, kind: str, id_: str) -> None:
        lost = ", or was lost with a store; take a new one" if kind == "Hold" else "; check the id"
        super().__init__(f"This {kind.lower()} does not exist, or is not yours{lost}.")
        self.kind = kind
        self.id = id_


class NotOnSale(Refusal):
    """`opens_at` is set while the sale is still to come."""

    code = ErrorCode.NOT_ON_SALE

    def __init__(self, concert_id: ConcertId, status: ConcertStatus, opens_at: datetime | None = None) -> None:
        when = f"opens at {_at(opens_at)}; come back then" if opens_at else "is not open; choose another concert"
        super().__init__(f"The sale of this concert {when}.")
        self.concert_id = concert_id
        self.status = status
        self.opens_at = opens_at


class SoldOut(Refusal):
    """`next_release_at` is when the first hold on this tier ends, if one is held."""

    code = ErrorCode.SOLD_OUT

    def __init__(self, tier_id: TierId, available: int, next_release_at: datetime | None) -> None:
        step = "ask for fewer" if available else "try again when a hold ends" if next_release_at else "try another tier"
        super().__init__(f"Only {available} left in this tier; {step}.")
        self.tier_id = tier_id
        self.available = available
        self.next_release_at = next_release_at


class LimitScope(StrEnum):
    ORDER = "ORDER"
    PERSON = "PERSON"


class LimitExceeded(Refusal):
    code = ErrorCode.LIMIT_EXCEEDED

    def __init__(self, scope: LimitScope, limit: int, *, held: int, owned: int) -> None:
        have = f"; you hold {held} and own {owned}" if scope is LimitScope.PERSON else ""
        super().__init__(f"At most {limit} tickets per {scope.lower()}{have}; ask for fewer.")
        self.scope = scope
        self.limit = limit
        self.held = held
        self.owned = owned


class HoldEnded(Refusal):
    code = ErrorCode.HOLD_ENDED

    def __init__(self, hold_id: HoldId, reason: EndReason) -> None:
        super().__init__(f"This hold ended ({reason.lower()}); take a new one with a new idempotency key.")
        self.hold_id = hold_id
        self.reason = reason


class PurchaseInProgress(Refusal):
    """The purchase is settled within about a minute, one way or the other; or it has been made."""

    code = ErrorCode.PURCHASE_IN_PROGRESS

    def __init__(self, hold_id: HoldId) -> None:
        super().__init__("This hold is being bought or has been; look at your orders.")
        self.hold_id = hold_id


class IdempotencyConflict(Refusal):
    code = ErrorCode.IDEMPOTENCY_CONFLICT

    def __init__(self) -> None:
        super().__init__("This idempotency key was used with other contents; send the same contents or a new key.")


class IllegalTransition(Refusal):
    code = ErrorCode.ILLEGAL_TRANSITION

    def __init__(self, concert_id: ConcertId, status: ConcertStatus, wanted: str) -> None:
        super().__init__(f"This concert is {status.lower()} and cannot be {wanted}.")
        self.concert_id = concert_id
        self.status = status


class VersionConflict(Refusal):
    code = ErrorCode.VERSION_CONFLICT

    def __init__(self, concert_id: ConcertId, version: int, *, of_settings: bool = False) -> None:
        what = "waiting room has its settings" if of_settings else "concert is"
        super().__init__(f"This {what} at version {version} now; read it again and repeat the change.")
        self.concert_id = concert_id
        self.version = version


class Admission(StrEnum):
    """Why somebody is not admitted."""

    NO_PASS = "NO_PASS"
    BAD_PASS = "BAD_PASS"
    """Forged, expired, spent, bound to another hold, or somebody else's."""
    NOT_CALLED = "NOT_CALLED"


class NotAdmitted(Refusal):
    """`position` is None for a person who is not in the line."""

    code = ErrorCode.NOT_ADMITTED

    def __init__(self, reason: Admission, position: int | None) -> None:
        step = {
            Admission.NO_PASS: "join the queue and send the pass it gives you",
            Admission.BAD_PASS: "claim a new pass; this one is not valid here, or not any more",
            Admission.NOT_CALLED: "wait until your number is called",
        }[reason]
        super().__init__(f"This concert has a waiting room; {step}.")
        self.reason = reason
        self.position = position


class NotInQueue(Refusal):
    code = ErrorCode.NOT_IN_QUEUE

    def __init__(self) -> None:
        super().__init__("You have no place in this line; join the queue.")


class RoomNotOpen(Refusal):
    """There is no line to join, or nobody to call; `opens_at` is set where it is known when that changes."""

    code = ErrorCode.ROOM_NOT_OPEN

    def __init__(self, concert_id: ConcertId, status: RoomStatus, opens_at: datetime | None = None) -> None:
        when = f" until {_at(opens_at)}" if opens_at else ""
        step = {
            RoomStatus.SUSPENDED: "is off; hold tickets without a pass",
            RoomStatus.SCHEDULED: f"is not open{when}; come back then",
            RoomStatus.PREQUEUE: f"calls nobody{when}; wait for its opening",
            RoomStatus.REJECTING: "takes nobody in now; come back later",
            RoomStatus.CLOSED: "is closed, because the sale is over; choose another concert",
        }[status]
        super().__init__(f"The waiting room of this concert {step}.")
        self.concert_id = concert_id
        self.status = status
        self.opens_at = opens_at


class QueueOpened(Refusal):
    """`settings`: those that cannot change in this round any more, by their names in the API."""

    code = ErrorCode.QUEUE_OPENED

    def __init__(self, concert_id: ConcertId, settings: tuple[str, ...]) -> None:
        super().__init__(
            f"The line has opened, so its {' and '.join(settings)} cannot change; "
            "pause the room, or reset it with the new settings, which empties the line."
        )
        self.concert_id = concert_id
        self.settings = settings


class CapacityInUse(Refusal):
    code = ErrorCode.CAPACITY_IN_USE

    def __init__(self, tier_id: TierId, *, lowest: int) -> None:
        super().__init__(f"{lowest} tickets of this tier are held or sold; its capacity cannot go below that now.")
        self.tier_id = tier_id
        self.lowest = lowest


class TemporarilyUnavailable(Refusal):
    """Whatever was asked is either done or not done, never half; the same idempotency key finds out which."""

    code = ErrorCode.TEMPORARILY_UNAVAILABLE
    retryable = True

    def __init__(self, what: str, *, retry_after_s: int = 1) -> None:
        super().__init__(
            f"{what}; repeat the same request in {retry_after_s} s, with its idempotency key if it has one."
        )
        self.retry_after_s = retry_after_s


class Denial(OnsaleError):
    pass


class Unauthenticated(Denial):
    pass


class Forbidden(Denial):
    pass


class RateLimited(Denial):
    def __init__(self, what: str, retry_after_s: int) -> None:
        super().__init__(f"Too many {what}; try again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s


class BadUserInput(Denial):
    pass
