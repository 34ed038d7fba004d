"""The domain's enums as the schema shows them, with a sentence for each value that does not speak for itself.

All of them are open: a client keeps a default branch, because a later version may add a value.
"""

from enum import StrEnum

import strawberry
from strawberry.types.enum import has_enum_definition

from auth.viewer import Role
from domain.concerts import ConcertStatus
from domain.errors import Admission, ErrorCode, LimitScope
from domain.holds import EndReason, HoldState
from domain.money import CurrencyCode
from domain.queues import EntryEnd, EntryState, PassStatus, QueueingMethod, RoomStatus
from domain.room_audits import AdmissionLimit, RoomAction
from domain.stock import StockAhead

__all__ = [
    "Admission",
    "AdmissionLimit",
    "ConcertStatus",
    "CurrencyCode",
    "EndReason",
    "EntryEnd",
    "EntryState",
    "ErrorCode",
    "HoldState",
    "LimitScope",
    "PassStatus",
    "QueueingMethod",
    "Role",
    "RoomAction",
    "RoomStatus",
    "StockAhead",
]


def _show(enum: type[StrEnum], description: str, **values: str) -> None:
    """Makes the enum a type of the schema; KeyError where `values` names no member of it."""
    strawberry.enum(enum, description=description)
    assert has_enum_definition(enum)
    shown = {value.name: value for value in enum.__strawberry_definition__.values}
    for name, text in values.items():
        shown[name].description = text


_show(CurrencyCode, "ISO 4217 code of a currency.")
_show(
    ConcertStatus,
    "Where a concert is in its life: DRAFT, then PUBLISHED, then CLOSED.",
    DRAFT="Being prepared; only organizers see it.",
    PUBLISHED="In the catalogue; on sale inside its sale window.",
    CLOSED="In the catalogue; never on sale again.",
)
_show(
    HoldState,
    "Where a hold is in its life.",
    HELD="The tickets are yours until `expiresAt`.",
    BUYING="A purchase has begun; it is decided within about a minute, and the deadline waits for it.",
    SOLD="It became an order.",
    ENDED="It gave its tickets back; `reason` says why.",
)
_show(
    EndReason,
    "Why a hold ended.",
    RELEASED="Its owner let it go.",
    EXPIRED="Its deadline passed.",
    REFUSED="The purchase it was taken for was refused.",
    UNITS_LOST="Its tickets turned out to be sold already, and there were no others.",
    NOT_RECORDED="A purchase was begun and never recorded.",
    PASS_SPENT="The pass it was taken under was spent on another order.",
    ORDER_ENDED="Its order gave all of its tickets back.",
)
_show(
    EntryState,
    "Where a place in line is in its life. An ended one stays ended; joining again is a new one, behind the line.",
    PREQUEUED="You joined before the line opened; from the opening on you wait.",
    WAITING="Behind `position - 1` people who are still there.",
    READY="Your number was called: claim the pass before it lapses.",
    ADMITTED="The pass was claimed: hold and buy before it ends.",
    COMPLETED="The pass was spent on an order.",
    LEFT="You gave the place up.",
    EXPIRED="It ended without you; `endReason` says why.",
)
_show(
    EntryEnd,
    "Why a place in line ended.",
    SPENT="Its pass was spent on an order.",
    LEFT="You gave it up.",
    ABSENT="Nobody spoke for it while it waited.",
    NOT_CLAIMED="Its number was called, and the pass was not claimed in time.",
    SESSION_OVER="Its pass was not spent in time.",
    RESET="An organizer emptied the line.",
)
_show(
    QueueingMethod,
    "Who is called next.",
    FIFO="In the order of the line: that of joining, or the one drawn at the opening.",
    RANDOM="Whoever is drawn from all who wait, each time; there are no numbers and no positions.",
    PASSTHROUGH="Everybody at once, whatever the caps, and nobody needs a pass: people are counted and not held up.",
    REJECT="Nobody: nobody joins and nobody is called; places and passes stay.",
)
_show(
    RoomStatus,
    "What a waiting room does now.",
    SUSPENDED="It is off: everybody may hold tickets, without a pass.",
    SCHEDULED="Nobody may join yet.",
    PREQUEUE="People join, and nobody is called before `opensAt`.",
    OPEN="People join and are called.",
    PAUSED="People join and keep their places, and nobody is called, except by hand.",
    REJECTING="Nobody joins and nobody is called.",
    CLOSED="The sale is over.",
)
_show(
    RoomAction,
    "What was done to a waiting room.",
    CONFIGURED="Settings were changed.",
    PAUSED="Calling stopped.",
    RESUMED="Calling went on.",
    ADMITTED_NEXT="People were called by hand.",
    RESET="The line was emptied.",
)
_show(
    AdmissionLimit,
    "Why fewer people were called than were asked for.",
    NOBODY_WAITS="Everybody who waited was called.",
    TOTAL_ACTIVE_USERS="As many are called or admitted as may be at a time.",
    NEW_USERS_PER_MINUTE="As many were called in the last 60 seconds as may be.",
)
_show(
    StockAhead,
    "What will be left when your turn comes, as far as can be told now.",
    AVAILABLE="There is still something.",
    SOLD_OUT="Nothing is left for you; it changes back if holds give their tickets back.",
)
_show(
    PassStatus,
    "What became of a pass.",
    CREATED="It lets you hold tickets.",
    TRANSACTION_COMPLETE="It was spent on an order.",
    TRANSACTION_FAILED="Its owner left without an order.",
    TOKEN_EXPIRED="It was not used in time.",
)
_show(
    Admission,
    "Why somebody is not admitted.",
    NO_PASS="No pass was sent; join the queue.",
    BAD_PASS="The pass is forged, over, spent, somebody else's, of another concert, or busy with another hold.",
    NOT_CALLED="Your number was not called yet.",
)
_show(
    Role,
    "What a person may do.",
    CUSTOMER="Holds and buys tickets.",
    ORGANIZER="Prepares and sells concerts, and sees every order.",
    GATE="Checks tickets at the door.",
)
_show(LimitScope, "What a limit counts.", ORDER="Tickets in one request.", PERSON="All that one person holds and owns.")
_show(ErrorCode, "What was refused; one code for each error type, for clients that switch on strings.")
