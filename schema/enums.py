"""The domain's enums in the schema, with a description of each value that needs one.

All enums are open: clients need a default branch, because a later version may add values.
"""

from enum import StrEnum

import strawberry
from strawberry.types.enum import has_enum_definition

from auth.viewer import Role
from domain.analytics.time_ranges import TimeInterval
from domain.catalog.details import Genre
from domain.catalog.listing import ConcertSort
from domain.concerts import ConcertStatus
from domain.errors import Admission, ErrorCode, LimitScope
from domain.holds import EndReason, HoldState
from domain.inputs.problems import InputRule
from domain.limits.challenges import ChallengeReason
from domain.limits.rates import LimitedCall, RateScope
from domain.money import CurrencyCode
from domain.payments.errors import NotRefundableReason
from domain.payments.payment import RefundReason
from domain.payments.refunds import RefundState
from domain.queues import EntryEnd, EntryState, PassStatus, QueueingMethod, RoomStatus
from domain.room_audits import AdmissionLimit, RoomAction
from domain.stock import StockAhead
from domain.tickets.check_ins import ScanOutcome
from domain.tickets.errors import TransferProblem
from domain.tickets.state import TicketState
from domain.tickets.ticket import ScanProblem
from domain.tiers.errors import TierProblem

__all__ = [
    "Admission",
    "AdmissionLimit",
    "ChallengeReason",
    "ConcertSort",
    "ConcertStatus",
    "CurrencyCode",
    "EndReason",
    "EntryEnd",
    "EntryState",
    "ErrorCode",
    "Genre",
    "HoldState",
    "InputRule",
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
    "ScanOutcome",
    "ScanProblem",
    "StockAhead",
    "TicketState",
    "TierProblem",
    "TimeInterval",
    "TransferProblem",
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
    "The ISO 4217 code of a currency. Tickets that are not free need a currency that the payment provider accepts.",
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
    ConcertSort,
    "The order of a list of concerts.",
    STARTS_AT="Upcoming concerts first, in order of their start, then past ones, latest first.",
    SALES_START_AT="Concerts whose sale is yet to start, earliest first, then the others, latest sale first.",
)
_show(
    Genre,
    "The kind of music of a concert: the one that describes it best.",
    ALTERNATIVE="Alternative and indie.",
    BLUES="Blues.",
    CLASSICAL="Classical music, old and new.",
    COUNTRY="Country and Americana.",
    ELECTRONIC="Electronic music and club nights.",
    FOLK="Folk and singer-songwriters.",
    HIP_HOP="Hip-hop and rap.",
    JAZZ="Jazz.",
    LATIN="Latin music, tango and flamenco.",
    METAL="Metal and hard rock.",
    OPERA="Opera and musical theater.",
    POP="Pop.",
    PUNK="Punk and hardcore.",
    REGGAE="Reggae, ska and dancehall.",
    ROCK="Rock.",
    SOUL="Soul, funk and R&B.",
    WORLD="Music from traditions around the world.",
    OTHER="Another kind of music.",
)
_show(
    HoldState,
    "The state of a hold.",
    HELD="The tickets are reserved for you until `expiresAt`.",
    BUYING=(
        "A purchase has started and is settled within about a minute, or its order awaits payment until `expiresAt`."
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
    INVALID="The challenge is not yours, is now too easy, or is not solved by the nonce.",
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
    TRANSFER_TICKET="`transferTicket`.",
    CHECK_IN_TICKETS="`checkInTicket` and `checkInTickets`.",
)
_show(
    RateScope,
    "Whose calls a rate counts.",
    PERSON="Your calls.",
    ADDRESS="The calls of all people at your address.",
)
_show(
    TicketState,
    "Whether a ticket is valid.",
    VALID="It admits its holder.",
    SUSPENDED="It admits no one while the bank decides a dispute about the payment.",
    VOID="It is no longer valid: it was refunded or is being refunded, or its order is no longer paid.",
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
    ORDER_CANCELLED="The payment arrived after the order had been canceled.",
    DISPUTE_LOST="The bank reversed a part of the payment, and this refund returns the rest.",
    SECOND_PAYMENT="The order had already been paid.",
    MISMATCH="The amount or currency of the payment differed from the order.",
)
_show(
    TimeInterval,
    (
        "The length of a period. Periods begin at whole minutes, hours and days by the clocks of the venue, or by UTC"
        " if its time zone is not set."
    ),
    MINUTE="One minute.",
    FIVE_MINUTES="Five minutes.",
    HOUR="One hour.",
    DAY="One day, which has 23 or 25 hours when the clocks change.",
)
_show(
    NotRefundableReason,
    "Why an order cannot be refunded.",
    NOT_PAID="The order is not paid.",
    NOTHING_LEFT="All tickets of the order have been refunded, or their refund is on its way.",
    TOO_MANY="More tickets were requested than are left to refund.",
    TOO_LATE="The buyer can no longer refund the order; the organizer and admins can.",
    DISPUTED="The buyer disputes the payment, and the bank has not decided yet.",
    CHECKED_IN="A ticket was checked in, so the buyer cannot refund the ticket; the organizer and admins can.",
)
_show(
    TierProblem,
    "Which rule of a tier a request for tickets breaks.",
    NOT_OPEN="The sale of the tier has not opened yet.",
    SALE_ENDED="The sale of the tier has ended.",
    WITHDRAWN="The organizer has taken the tier off sale.",
    BELOW_MINIMUM="The request has fewer tickets of the tier than an order needs.",
    ABOVE_MAXIMUM="The request has more tickets of the tier than an order can have.",
)
_show(
    TransferProblem,
    "Why a ticket cannot be passed on, or why the link of a transfer does not work.",
    NOT_HOLDER="Another person holds the ticket now.",
    TICKET_VOID="The ticket was refunded, or its order was canceled.",
    TICKET_SUSPENDED="The payment is disputed, and the bank has not decided yet.",
    CHECKED_IN="The ticket was checked in.",
    TOO_OFTEN="The ticket has been passed on too often.",
    LINK_NOT_VALID="The link is incomplete, or the transfer was canceled or replaced by a newer one.",
    LINK_USED="Another person has accepted the ticket with this link.",
    LINK_EXPIRED="The link is more than seven days old.",
    WRONG_PERSON="The link was sent to an email address that is not your account's.",
    EMAIL_NOT_VERIFIED="You have not confirmed the email address of your account.",
)
_show(
    ScanOutcome,
    "The outcome of a scan.",
    ADMITTED="It was the first scan of the ticket, or was made before the one that was recorded first.",
    ALREADY_CHECKED_IN="Another scan of the ticket came first; `checkIn` says when and where.",
    REFUSED="The code admits no one to this concert; `problem` says why.",
)
_show(
    ScanProblem,
    "Why a scan was refused.",
    MALFORMED="The text is not a complete ticket code.",
    UNKNOWN_KEY="The code was not signed by a key of this concert.",
    BAD_SIGNATURE="The code is forged or altered.",
    OTHER_CONCERT="The ticket is for another concert.",
    EXPIRED="The code is too old.",
    UNKNOWN_TICKET="The code is genuine, but no order has its ticket.",
    REPLACED="The ticket has a newer code, because it was passed on or issued again.",
    TICKET_VOID="The ticket was refunded, or its order was canceled.",
    TICKET_SUSPENDED="The payment is disputed, and the bank has not decided yet.",
)
_show(
    InputRule,
    "The rule that an input field breaks. With the numbers in the `InputProblem`, a page can explain it in its"
    " reader's language.",
    REQUIRED="The field must be sent.",
    EMPTY="The text or the list must not be empty.",
    TOO_LONG="The text has `given` characters, and at most `maximum` are allowed.",
    FORBIDDEN_CHARACTER="The character at `position` is not allowed, such as a line break or an invisible character.",
    TOO_MANY_MARKS="One letter has more than `maximum` marks, up to `position`.",
    INVISIBLE="The text must have a visible character.",
    INVALID_FORMAT="The text must have the format of the field, such as an email address or a country code.",
    INVALID_ID="The text must be an id that a query returned, for an object of the right type.",
    OTHER_CONCERT="The object must belong to the concert.",
    OUT_OF_RANGE="The number is `given`. It must be at least `minimum` and at most `maximum`; a bound may be null.",
    NOT_A_MULTIPLE="The number is `given`. It must be a multiple of `step`.",
    WRONG_COUNT="There are `given` items or words. At least `minimum` and at most `maximum` are allowed.",
    WRONG_YEAR="The year must be at least `minimum` and at most `maximum`.",
    TOO_EARLY="The time must be after `other`, or equal to it if the field allows that.",
    TOO_LATE="The time must be before `other` or, if `maximum` is set, at most that many seconds after it.",
    REPEATED="An earlier item or another tier has the same value.",
    TAKEN="Another concert has this value.",
    CONFLICT="The value cannot be combined with the value of `other`.",
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
    TIER_REFUSED="See TierRefusedError.",
    TRANSFER_REFUSED="See TransferRefusedError.",
    ALREADY_CHECKED_IN="See AlreadyCheckedInError.",
    SCAN_REFUSED="See ScanRefusedError.",
    CHALLENGE_REQUIRED="See ChallengeRequiredError.",
    RATE_LIMITED="See RateLimitedError.",
    TEMPORARILY_UNAVAILABLE="See TemporarilyUnavailableError.",
)
