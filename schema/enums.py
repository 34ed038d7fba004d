"""The domain's enums in the schema, with a description of each value that needs one.

All enums are open: clients need a default branch, because a later version may add values.
"""

from enum import StrEnum

import strawberry
from strawberry.types.enum import has_enum_definition

from auth.viewer import Role
from domain.concerts import ConcertStatus
from domain.errors import Admission, ErrorCode, LimitScope
from domain.holds import EndReason, HoldState
from domain.limits.challenges import ChallengeReason
from domain.limits.rates import LimitedCall, RateScope
from domain.money import CurrencyCode
from domain.payments.errors import NotRefundableReason
from domain.payments.payment import RefundReason
from domain.payments.refunds import RefundState
from domain.queues import EntryEnd, EntryState, PassStatus, QueueingMethod, RoomStatus
from domain.room_audits import AdmissionLimit, RoomAction
from domain.stock import StockAhead

__all__ = [
    "Admission",
    "AdmissionLimit",
    "ChallengeReason",
    "ConcertStatus",
    "CurrencyCode",
    "EndReason",
    "EntryEnd",
    "EntryState",
    "ErrorCode",
    "HoldState",
    "LimitScope",
    "LimitedCall",
    "NotRefundableReason",
    "PassStatus",
    "QueueingMethod",
    "RateScope",
    "RefundReason",
    "RefundState",
    "Role",
    "RoomAction",
    "RoomStatus",
    "StockAhead",
]


def _show(enum: type[StrEnum], description: str, **values: str) -> None:
    """Add the enum to the schema. Raises KeyError if `values` names an unknown member."""
    strawberry.enum(enum, description=description)
    assert has_enum_definition(enum)
    shown = {value.name: value for value in enum.__strawberry_definition__.values}
    for name, text in values.items():
        shown[name].description = text


_show(
    CurrencyCode,
    "The ISO 4217 code of a currency. Tickets that cost money need one that the payment provider takes.",
    **{code.name: f"{code.label}." for code in CurrencyCode},
)
_show(
    ConcertStatus,
    "The status of a concert: DRAFT, then PUBLISHED, then CLOSED. It may end as CANCELLED.",
    DRAFT="In preparation; only its organizer and admins see it.",
    PUBLISHED="Listed, and on sale inside its sale window.",
    CLOSED="Listed, and never on sale again.",
    CANCELLED="Listed, but it does not take place. Every order is refunded.",
)
_show(
    HoldState,
    "The state of a hold.",
    HELD="The tickets are reserved for you until `expiresAt`.",
    BUYING=(
        "A purchase has started, and is settled within about a minute; or its order awaits payment until `expiresAt`."
    ),
    SOLD="Its tickets became an order.",
    ENDED="It returned its tickets; `reason` says why.",
)
_show(
    EndReason,
    "Why a hold ended.",
    RELEASED="Its owner released it.",
    EXPIRED="Its deadline passed.",
    REFUSED="The purchase that created it was refused.",
    UNITS_LOST="Its tickets had already been sold, and no others were left.",
    NOT_RECORDED="A purchase started but was never recorded.",
    PASS_SPENT="Its pass was spent on another order.",
    ORDER_ENDED="Its order returned all of its tickets.",
    CONCERT_CANCELLED="The concert was canceled.",
)
_show(
    EntryState,
    (
        "The state of a queue entry. An ended entry stays ended; joining again creates a new "
        "one at the end of the queue."
    ),
    PREQUEUED="You joined before the queue opened. You start waiting when it opens.",
    WAITING="You are waiting behind `position - 1` people.",
    READY="Your number was called. Claim the pass before the call expires.",
    ADMITTED="You claimed the pass. Hold and buy tickets before it expires.",
    COMPLETED="The pass was spent on an order.",
    LEFT="You left the queue.",
    EXPIRED="The entry expired; `endReason` says why.",
)
_show(
    EntryEnd,
    "Why a queue entry ended.",
    SPENT="Its pass was spent on an order.",
    LEFT="You left the queue.",
    ABSENT="No connection and no heartbeat kept it alive while it waited.",
    NOT_CLAIMED="Its number was called, but the pass was not claimed in time.",
    SESSION_OVER="Its pass was not used in time.",
    RESET="An organizer reset the queue.",
    SALE_OVER="The sale ended. If it opens again, a new round begins, and you can join again.",
    CONCERT_CANCELLED="The concert was canceled.",
)
_show(
    QueueingMethod,
    "How the next person is chosen.",
    FIFO="The first person in the queue: in order of joining, or in the order drawn at the opening.",
    RANDOM="A random person from the queue. There are no numbers and no positions.",
    PASSTHROUGH="Everyone enters immediately, without limits. No pass is needed; people are only counted.",
    REJECT="No one is chosen: people can neither join nor be called. Entries and passes are kept.",
)
_show(
    RoomStatus,
    "The status of a waiting room.",
    SUSPENDED="It is off: tickets can be held without a pass.",
    SCHEDULED="People cannot join yet.",
    PREQUEUE="People can join, but are not called before `opensAt`.",
    OPEN="People can join and are called.",
    PAUSED="People can join and keep their places, but are only called manually.",
    REJECTING="People can neither join nor be called.",
    CLOSED="The sale is over.",
)
_show(
    RoomAction,
    "A change to a waiting room.",
    CONFIGURED="Settings were changed.",
    PAUSED="The queue was paused.",
    RESUMED="The queue was resumed.",
    ADMITTED_NEXT="People were called manually.",
    RESET="The queue was reset.",
)
_show(
    AdmissionLimit,
    "Why fewer people were called than requested.",
    NOBODY_WAITS="Everyone in the queue was called.",
    TOTAL_ACTIVE_USERS="The limit `totalActiveUsers` is reached.",
    NEW_USERS_PER_MINUTE="The limit `newUsersPerMinute` is reached.",
)
_show(
    StockAhead,
    "A forecast of whether tickets will be left when it is your turn.",
    AVAILABLE="Tickets will probably be left.",
    SOLD_OUT="No tickets will be left, unless holds return some.",
)
_show(
    PassStatus,
    "The status of a pass.",
    CREATED="It is valid: you can hold tickets.",
    TRANSACTION_COMPLETE="It was spent on an order.",
    TRANSACTION_FAILED="Its owner left the queue without placing an order.",
    TOKEN_EXPIRED="It expired before it was used.",
)
_show(
    Admission,
    "Why a person is not admitted.",
    NO_PASS="No pass was sent. Join the queue to get one.",
    BAD_PASS="The pass is forged, expired, spent, in use by another hold, or belongs to another person or concert.",
    NOT_CALLED="Your number has not been called yet.",
)
_show(
    Role,
    "The role of a person.",
    CUSTOMER="Holds and buys tickets.",
    ORGANIZER="Prepares and sells concerts, and sees all orders for them.",
    GATE="Checks tickets at the entrance.",
    ADMIN="Manages all concerts, and decides who organizes each.",
)
_show(
    LimitScope,
    "The scope of a limit.",
    ORDER="Tickets in one request.",
    PERSON="All tickets one person holds and owns.",
)
_show(
    ChallengeReason,
    "Why a challenge has to be solved.",
    MISSING="The request has no `proof`.",
    INVALID="The challenge is not yours, is too easy by now, or is not solved by the nonce.",
    EXPIRED="The challenge has expired.",
    USED="You have joined with this challenge, or with a newer one.",
)
_show(
    LimitedCall,
    "A call whose rate is limited.",
    JOIN_QUEUE="`joinQueue`, if it would create an entry, per concert.",
    HOLD_TICKETS="`holdTickets`, and `purchaseTickets` with `lines`.",
    PURCHASE_TICKETS="`purchaseTickets`, per concert.",
    SYNC_ORDER_PAYMENT="`syncOrderPayment`.",
)
_show(
    RateScope,
    "Whose calls a rate counts.",
    PERSON="Your calls.",
    ADDRESS="The calls of all people at your address.",
)
_show(
    RefundState,
    "The state of a refund.",
    PENDING="It is on its way. A refund that fails is repeated.",
    SUCCEEDED="The provider has returned the money. Banks may take some days to show it.",
)
_show(
    RefundReason,
    "Why a refund was made.",
    REQUESTED="The buyer, the organizer or an admin requested it.",
    CONCERT_CANCELLED="The concert was canceled.",
    HOLD_EXPIRED="The payment arrived after the tickets had been sold to others.",
    SECOND_PAYMENT="The order had already been paid.",
    MISMATCH="The payment had another amount or currency than the order.",
)
_show(
    NotRefundableReason,
    "Why an order cannot be refunded.",
    NOT_PAID="It is not paid.",
    NOTHING_LEFT="None of its tickets is left: they are refunded, or their refund is on its way.",
    TOO_MANY="Fewer of its tickets are left to refund than requested.",
    TOO_LATE="Its buyer can no longer refund it; the organizer and admins can.",
    DISPUTED="The buyer disputes the payment, and the bank decides about the money.",
)
_show(
    ErrorCode,
    "The code of an error. Each error type has its own.",
    INVALID_INPUT="See InvalidInputError.",
    NOT_FOUND="See NotFoundError.",
    NOT_ON_SALE="See NotOnSaleError.",
    SOLD_OUT="See SoldOutError.",
    LIMIT_EXCEEDED="See LimitExceededError.",
    HOLD_ENDED="See HoldEndedError.",
    PURCHASE_IN_PROGRESS="See PurchaseInProgressError.",
    IDEMPOTENCY_CONFLICT="See IdempotencyConflictError.",
    ILLEGAL_TRANSITION="See IllegalTransitionError.",
    VERSION_CONFLICT="See VersionConflictError.",
    NOT_ADMITTED="See NotAdmittedError.",
    NOT_IN_QUEUE="See NotInQueueError.",
    ROOM_NOT_OPEN="See RoomNotOpenError.",
    QUEUE_OPENED="See QueueOpenedError.",
    CAPACITY_IN_USE="See CapacityInUseError.",
    ORDER_NOT_CANCELABLE="See OrderNotCancelableError.",
    NOT_REFUNDABLE="See NotRefundableError.",
    CHALLENGE_REQUIRED="See ChallengeRequiredError.",
    RATE_LIMITED="See RateLimitedError.",
    TEMPORARILY_UNAVAILABLE="See TemporarilyUnavailableError.",
)
