"""Onsale's errors. Each one tells the caller what to do next. This module does not depend on HTTP
or GraphQL.

OnsaleError
├── Refusal                  an expected error: a member of a result union
│   ├── InvalidInput         one or more fields are invalid; says what is wrong and what is allowed
│   ├── NotFound             the object does not exist, or belongs to another person
│   ├── NotOnSale            the concert is a draft, closed, or outside its sale window
│   ├── SoldOut              fewer tickets are left than requested
│   ├── LimitExceeded        more tickets than allowed per order or per person
│   ├── HoldEnded            the hold was released, expired or lost; hold the tickets again
│   ├── PurchaseInProgress   the hold is being bought and cannot be released
│   ├── IdempotencyConflict  the key was used for a different request
│   ├── IllegalTransition    the status of the concert does not allow the change
│   ├── VersionConflict      another change came first
│   ├── NotAdmitted          the waiting room is on, and the request has no valid pass
│   ├── NotInQueue           the viewer has no active entry in this queue
│   ├── RoomNotOpen          the waiting room does not accept or call people
│   ├── QueueOpened          the queue has opened, so these settings cannot change until it is reset
│   ├── CapacityInUse        held or sold units cannot be withdrawn
│   ├── TemporarilyUnavailable  a store is down, recovering or overloaded
│   └── …                    refusals about limits, payments, tickets and tiers:
│                            domain/limits/errors.py, and so on
└── Denial                   a top-level error
    ├── Unauthenticated
    ├── SessionLost          the login session has ended; sign in again
    ├── Forbidden
    └── BadUserInput
"""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from domain.concerts import ConcertStatus
from domain.holds import EndReason
from domain.ids import ConcertId, HoldId, TierId
from domain.inputs.problems import FieldProblem
from domain.queues import RoomStatus
from domain.text.phrases import format_tickets, format_time


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
    ORDER_NOT_CANCELABLE = "ORDER_NOT_CANCELABLE"
    NOT_REFUNDABLE = "NOT_REFUNDABLE"
    TIER_REFUSED = "TIER_REFUSED"
    TRANSFER_REFUSED = "TRANSFER_REFUSED"
    ALREADY_CHECKED_IN = "ALREADY_CHECKED_IN"
    SCAN_REFUSED = "SCAN_REFUSED"
    CHALLENGE_REQUIRED = "CHALLENGE_REQUIRED"
    RATE_LIMITED = "RATE_LIMITED"
    TEMPORARILY_UNAVAILABLE = "TEMPORARILY_UNAVAILABLE"


class OnsaleError(Exception):
    """The base class of all errors. `str(error)` is the message for users."""


class Refusal(OnsaleError):
    code: ClassVar[ErrorCode]
    retryable: bool = False
    retry_after_s: int | None = None


class InvalidInput(Refusal):
    code = ErrorCode.INVALID_INPUT

    def __init__(self, *problems: FieldProblem) -> None:
        super().__init__("; ".join(f"{problem.path}: {problem.message}" for problem in problems))
        self.problems = problems


class NotFound(Refusal):
    code = ErrorCode.NOT_FOUND

    def __init__(self, kind: str, id_: str) -> None:
        if kind == "Hold":
            why = "does not exist, is not yours, or was lost when a store restarted; hold the tickets again"
        else:
            why = "does not exist, or you cannot see it; check the id"
        super().__init__(f"This {kind.lower()} {why}.")
        self.kind = kind
        self.id = id_


class NotOnSale(Refusal):
    """The concert is not on sale; `opens_at` is set before the sale opens."""

    code = ErrorCode.NOT_ON_SALE

    def __init__(self, concert_id: ConcertId, status: ConcertStatus, opens_at: datetime | None = None) -> None:
        when = (
            f"opens at {format_time(opens_at)}; try again then" if opens_at else "is not open; choose another concert"
        )
        is_canceled = status is ConcertStatus.CANCELLED
        what = (
            "This concert has been canceled; choose another one" if is_canceled else f"The sale of this concert {when}"
        )
        super().__init__(f"{what}.")
        self.concert_id = concert_id
        self.status = status
        self.opens_at = opens_at


class SoldOut(Refusal):
    """Fewer tickets are left than requested.

    `next_release_at` is when the first hold on this tier ends; None if there is no hold. `minimum`
    is the number of tickets that an order of this tier needs.
    """

    code = ErrorCode.SOLD_OUT

    def __init__(self, tier_id: TierId, available: int, next_release_at: datetime | None, minimum: int = 1) -> None:
        verb = "is" if available == 1 else "are"
        if 0 < available < minimum:
            left = f"Only {format_tickets(available)} {verb} left in this tier"
            super().__init__(f"{left}, and an order needs at least {minimum}; choose another tier.")
        elif available:
            super().__init__(f"Only {format_tickets(available)} {verb} left in this tier; ask for fewer.")
        elif next_release_at:
            when = format_time(next_release_at)
            super().__init__(f"All remaining tickets in this tier are held; try again when a hold ends at {when}.")
        else:
            super().__init__("This tier is sold out; choose another tier.")
        self.tier_id = tier_id
        self.available = available
        self.next_release_at = next_release_at


class LimitScope(StrEnum):
    ORDER = "ORDER"
    PERSON = "PERSON"


class LimitExceeded(Refusal):
    code = ErrorCode.LIMIT_EXCEEDED

    def __init__(self, scope: LimitScope, limit: int, *, held: int, owned: int) -> None:
        have = f", and you hold {held} and own {owned}" if scope is LimitScope.PERSON else ""
        super().__init__(f"The limit is {format_tickets(limit)} per {scope.lower()}{have}; ask for fewer.")
        self.scope = scope
        self.limit = limit
        self.held = held
        self.owned = owned


_HOW_HOLDS_END = {
    EndReason.RELEASED: "was released",
    EndReason.EXPIRED: "has expired",
    EndReason.REFUSED: "ended because its purchase was refused",
    EndReason.UNITS_LOST: "ended because its tickets were already sold",
    EndReason.NOT_RECORDED: "ended because its purchase was not recorded in time",
    EndReason.PASS_SPENT: "ended because its queue pass was spent on another order",
    EndReason.ORDER_ENDED: "ended because its order returned all of its tickets",
    EndReason.CONCERT_CANCELLED: "ended because the concert was canceled",
}


class HoldEnded(Refusal):
    code = ErrorCode.HOLD_ENDED

    def __init__(self, hold_id: HoldId, reason: EndReason) -> None:
        again = "hold the tickets again with a new idempotency key"
        step = "choose another concert" if reason is EndReason.CONCERT_CANCELLED else again
        super().__init__(f"This hold {_HOW_HOLDS_END[reason]}; {step}.")
        self.hold_id = hold_id
        self.reason = reason


class PurchaseInProgress(Refusal):
    """The hold has an order, or its purchase will be settled within about a minute."""

    code = ErrorCode.PURCHASE_IN_PROGRESS

    def __init__(self, hold_id: HoldId, *, awaits_payment: bool = False) -> None:
        unpaid = "The order of this hold awaits payment; to return the tickets, cancel the order with cancelOrder."
        other = "The purchase of this hold is in progress or complete; check your orders."
        super().__init__(unpaid if awaits_payment else other)
        self.hold_id = hold_id


class IdempotencyConflict(Refusal):
    code = ErrorCode.IDEMPOTENCY_CONFLICT

    def __init__(self) -> None:
        super().__init__(
            "This idempotency key was used for a different request; send a new key, or repeat the original request."
        )


class IllegalTransition(Refusal):
    code = ErrorCode.ILLEGAL_TRANSITION

    def __init__(
        self,
        concert_id: ConcertId,
        status: ConcertStatus,
        wanted: str,
        *,
        of_room: bool = False,
        step: str | None = None,
    ) -> None:
        what = "its waiting room" if of_room else "it"
        is_now, usual_step = {
            ConcertStatus.DRAFT: ("a draft", "publish the concert first"),
            ConcertStatus.PUBLISHED: ("published", "read the concert again"),
            ConcertStatus.CLOSED: ("closed", "create a new concert"),
            ConcertStatus.CANCELLED: ("canceled", "create a new concert"),
        }[status]
        super().__init__(f"This concert is {is_now}, so {what} cannot be {wanted}; {step or usual_step}.")
        self.concert_id = concert_id
        self.status = status


class VersionConflict(Refusal):
    """Another change came first. The error is retryable if the caller did not expect a particular
    version, because repeating the change may then succeed.
    """

    code = ErrorCode.VERSION_CONFLICT

    def __init__(
        self, concert_id: ConcertId, version: int, *, of_settings: bool = False, is_retryable: bool = False
    ) -> None:
        what = "The settings of this waiting room are" if of_settings else "This concert is"
        again = "them" if of_settings else "it"
        step = (
            "many changes were made at the same time; repeat the request"
            if is_retryable
            else (f"read {again} again and repeat the change")
        )
        super().__init__(f"{what} now at version {version}; {step}.")
        self.concert_id = concert_id
        self.version = version
        if is_retryable:
            self.retryable, self.retry_after_s = True, 1


class Admission(StrEnum):
    """The reason a person is not admitted."""

    NO_PASS = "NO_PASS"
    BAD_PASS = "BAD_PASS"
    """Forged, expired, spent, bound to another hold, or issued to another person."""
    NOT_CALLED = "NOT_CALLED"


class NotAdmitted(Refusal):
    """`position` is None for a person who is not in the queue."""

    code = ErrorCode.NOT_ADMITTED

    def __init__(self, reason: Admission, position: int | None) -> None:
        at = "" if position is None else f" at position {position}"
        super().__init__(
            {
                Admission.NO_PASS: "This concert requires a queue pass; join its queue, claim a pass and send it.",
                Admission.BAD_PASS: "This queue pass is not valid for this request; claim a new pass.",
                Admission.NOT_CALLED: f"Your turn has not come yet; wait in the queue{at} until you are called.",
            }[reason]
        )
        self.reason = reason
        self.position = position


class NotInQueue(Refusal):
    code = ErrorCode.NOT_IN_QUEUE

    def __init__(self) -> None:
        super().__init__("You have no active entry in this queue; join the queue.")


class RoomNotOpen(Refusal):
    """The waiting room does not accept or call people.

    `opens_at` is when that will change, if known.
    """

    code = ErrorCode.ROOM_NOT_OPEN

    def __init__(self, concert_id: ConcertId, status: RoomStatus, opens_at: datetime | None = None) -> None:
        until, then = (f"until {format_time(opens_at)}", "then") if opens_at else ("yet", "later")
        step = {
            RoomStatus.SUSPENDED: "is off; hold tickets without a pass",
            RoomStatus.SCHEDULED: f"is not open {until}; try again {then}",
            RoomStatus.PREQUEUE: f"does not call people {until}; wait until it opens",
            RoomStatus.REJECTING: "is not accepting people; try again later",
            RoomStatus.CLOSED: "is closed because the sale has ended; choose another concert",
        }[status]
        super().__init__(f"The waiting room of this concert {step}.")
        self.concert_id = concert_id
        self.status = status
        self.opens_at = opens_at


class QueueOpened(Refusal):
    """`settings` lists the API names of the settings that can no longer change in this round."""

    code = ErrorCode.QUEUE_OPENED

    def __init__(self, concert_id: ConcertId, settings: tuple[str, ...]) -> None:
        super().__init__(
            f"The queue has opened, so {' and '.join(settings)} can no longer change; "
            "pause the waiting room, or reset it with the new settings, which empties the queue."
        )
        self.concert_id = concert_id
        self.settings = settings


class CapacityInUse(Refusal):
    code = ErrorCode.CAPACITY_IN_USE

    def __init__(self, tier_id: TierId, *, lowest: int) -> None:
        verb = "is" if lowest == 1 else "are"
        held = f"{format_tickets(lowest)} in this tier {verb} held or sold"
        super().__init__(f"{held}; set a capacity of at least {lowest}.")
        self.tier_id = tier_id
        self.lowest = lowest


class TemporarilyUnavailable(Refusal):
    """The request was carried out completely or not at all. Repeat it with the same key to find
    out.
    """

    code = ErrorCode.TEMPORARILY_UNAVAILABLE
    retryable = True

    def __init__(self, what: str, *, retry_after_s: int = 1) -> None:
        super().__init__(
            f"{what}; repeat the same request in {retry_after_s} s, with the same idempotency key if it has one."
        )
        self.retry_after_s = retry_after_s


class Denial(OnsaleError):
    pass


class Unauthenticated(Denial):
    pass


SESSION_ENDED = "Your session has ended; sign in again"


class SessionLost(Denial):
    def __init__(self) -> None:
        super().__init__(f"{SESSION_ENDED}. Your place, holds and orders are kept.")


class Forbidden(Denial):
    pass


class BadUserInput(Denial):
    pass


def describe_cause(error: BaseException) -> str:
    """Describe the root cause of an error, which is the first error in its chain, for a log."""
    cause = error
    while (earlier := cause.__cause__) is not None:
        cause = earlier
    return str(error) if cause is error and str(error) else f"{type(cause).__name__}: {cause}"
