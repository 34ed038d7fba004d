"""The error types that represent refusals in result unions, and the table that maps refusals to
them.
"""

from collections.abc import Mapping
from datetime import datetime

import strawberry

from domain import errors as domain_errors
from domain.errors import Refusal
from domain.limits import errors as limit_errors
from domain.payments import errors as payment_errors
from domain.tickets import errors as ticket_errors
from domain.tiers import errors as tier_errors
from schema import ids
from schema.enums import (
    Admission,
    ChallengeReason,
    ConcertStatus,
    EndReason,
    LimitedCall,
    LimitScope,
    NotRefundableReason,
    RateScope,
    RoomStatus,
    ScanProblem,
    TransferProblem,
)
from schema.execution.top_level_errors import log_store_error
from schema.mutations.domain_error import DomainError
from schema.mutations.input_problems import InputProblem
from schema.mutations.tier_errors import TierRefusedError
from schema.scalars import seconds_until
from schema.strawberry_fixes import Info, computed
from schema.tickets.check_ins import CheckIn
from telemetry import counters


@strawberry.type(description="Some fields of the input are invalid. All of them are listed.")
class InvalidInputError(DomainError):
    refusal: strawberry.Private[domain_errors.InvalidInput]

    @computed("All invalid fields.")
    def problems(self) -> list[InputProblem]:
        return [InputProblem.of(problem) for problem in self.refusal.problems]


@strawberry.type(description="The object does not exist, or is not yours.")
class NotFoundError(DomainError):
    refusal: strawberry.Private[domain_errors.NotFound]


@strawberry.type(description="The concert is a draft or closed, or outside its sale window.")
class NotOnSaleError(DomainError):
    refusal: strawberry.Private[domain_errors.NotOnSale]

    @computed("The status of the concert.")
    def status(self) -> ConcertStatus:
        return self.refusal.status

    @computed("When the sale opens, if it has not opened yet.")
    def opens_at(self) -> datetime | None:
        return self.refusal.opens_at


@strawberry.type(description="A tier has fewer tickets left than requested. No tickets were held in any tier.")
class SoldOutError(DomainError):
    refusal: strawberry.Private[domain_errors.SoldOut]

    @computed("The tier that has too few tickets.")
    def tier_id(self) -> strawberry.ID:
        return ids.of_tier(self.refusal.tier_id)

    @computed("How many tickets that tier has left.")
    def available(self) -> int:
        return self.refusal.available

    @computed("When the first hold on that tier expires and may return its tickets.")
    def next_release_at(self) -> datetime | None:
        return self.refusal.next_release_at


@strawberry.type(description="The request exceeds the limit per order or per person for this concert.")
class LimitExceededError(DomainError):
    refusal: strawberry.Private[domain_errors.LimitExceeded]

    @computed("Which limit was exceeded.")
    def scope(self) -> LimitScope:
        return self.refusal.scope

    @computed("The limit.")
    def limit(self) -> int:
        return self.refusal.limit

    @computed("Tickets you hold now.")
    def held(self) -> int:
        return self.refusal.held

    @computed("Tickets you have bought.")
    def owned(self) -> int:
        return self.refusal.owned


@strawberry.type(description="The hold has ended. Create a new one with a new idempotency key.")
class HoldEndedError(DomainError):
    refusal: strawberry.Private[domain_errors.HoldEnded]

    @computed("Why the hold ended.")
    def reason(self) -> EndReason:
        return self.refusal.reason


@strawberry.type(description="The hold is being bought or has been bought, so it cannot be released.")
class PurchaseInProgressError(DomainError):
    refusal: strawberry.Private[domain_errors.PurchaseInProgress]


@strawberry.type(description="This idempotency key was already used with different input.")
class IdempotencyConflictError(DomainError):
    refusal: strawberry.Private[domain_errors.IdempotencyConflict]


@strawberry.type(description="The concert cannot change from its status to the requested one.")
class IllegalTransitionError(DomainError):
    refusal: strawberry.Private[domain_errors.IllegalTransition]

    @computed("The status of the concert.")
    def status(self) -> ConcertStatus:
        return self.refusal.status


@strawberry.type(description="Another change came first. Read the object again and repeat your change.")
class VersionConflictError(DomainError):
    refusal: strawberry.Private[domain_errors.VersionConflict]

    @computed("The current version of the concert, or of the settings if you changed those.")
    def version(self) -> int:
        return self.refusal.version


@strawberry.type(description="The concert has a waiting room, and you are not admitted; `reason` says why.")
class NotAdmittedError(DomainError):
    refusal: strawberry.Private[domain_errors.NotAdmitted]

    @computed("Your position in the queue. Null if you are not waiting.")
    def position(self) -> int | None:
        return self.refusal.position

    @computed("Why you are not admitted.")
    def reason(self) -> Admission:
        return self.refusal.reason


@strawberry.type(description="You have no active entry in this queue. Join the queue.")
class NotInQueueError(DomainError):
    refusal: strawberry.Private[domain_errors.NotInQueue]


@strawberry.type(description="The queue cannot be joined, or people cannot be called from it; `status` says why.")
class RoomNotOpenError(DomainError):
    refusal: strawberry.Private[domain_errors.RoomNotOpen]

    @computed("The status of the waiting room.")
    def status(self) -> RoomStatus:
        return self.refusal.status

    @computed("When the status changes, if known.")
    def opens_at(self) -> datetime | None:
        return self.refusal.opens_at


@strawberry.type(
    description=(
        "These settings cannot change after the queue has opened. Reset the queue with the new settings, or pause it."
    )
)
class QueueOpenedError(DomainError):
    refusal: strawberry.Private[domain_errors.QueueOpened]

    @computed("The settings that can no longer change in this round, such as `shuffleAtStart`.")
    def settings(self) -> list[str]:
        return list(self.refusal.settings)


@strawberry.type(description="The capacity cannot be lower than the number of tickets held or sold.")
class CapacityInUseError(DomainError):
    refusal: strawberry.Private[domain_errors.CapacityInUse]

    @computed("The tier whose capacity is in use.")
    def tier_id(self) -> strawberry.ID:
        return ids.of_tier(self.refusal.tier_id)

    @computed("The lowest capacity that is possible now.")
    def lowest(self) -> int:
        return self.refusal.lowest


@strawberry.type(description="Only an unpaid order can be canceled. A paid one can be refunded.")
class OrderNotCancelableError(DomainError):
    refusal: strawberry.Private[payment_errors.OrderNotCancelable]


@strawberry.type(description="The order, or the requested part of it, cannot be refunded; `reason` says why.")
class NotRefundableError(DomainError):
    refusal: strawberry.Private[payment_errors.NotRefundable]

    @computed("Why the refund was refused.")
    def reason(self) -> NotRefundableReason:
        return self.refusal.reason

    @computed("The time until which buyers could refund their orders. Null unless that time has passed.")
    def refunds_until(self) -> datetime | None:
        return self.refusal.until

    @computed("How many tickets of the tier can still be refunded. Null unless too many were requested.")
    def refundable(self) -> int | None:
        return self.refusal.left


@strawberry.type(
    description="The ticket cannot be passed on, or the link of a transfer does not work; `reason` says why."
)
class TransferRefusedError(DomainError):
    refusal: strawberry.Private[ticket_errors.TransferRefused]

    @computed("Why it was refused.")
    def reason(self) -> TransferProblem:
        return self.refusal.reason


@strawberry.type(description="Do not admit a second person: another scan has already checked the ticket in.")
class AlreadyCheckedInError(DomainError):
    refusal: strawberry.Private[ticket_errors.AlreadyCheckedIn]

    @computed("The scan that counts: when and where the ticket was checked in.")
    def check_in(self) -> CheckIn:
        return CheckIn.of(self.refusal.check_in)


@strawberry.type(description="Do not admit the person: the code is not valid for this concert; `reason` says why.")
class ScanRefusedError(DomainError):
    refusal: strawberry.Private[ticket_errors.ScanRefused]

    @computed("Why it was refused.")
    def reason(self) -> ScanProblem:
        return self.refusal.reason


@strawberry.type(
    description=(
        "The queue asks for a proof of work. Find a text, the nonce, for which the SHA-256 of `challenge` followed by"
        " the nonce begins with `bits` zero bits, and send both as `proof`."
    )
)
class ChallengeRequiredError(DomainError):
    refusal: strawberry.Private[limit_errors.ChallengeRequired]

    @computed("Why a challenge has to be solved.")
    def reason(self) -> ChallengeReason:
        return self.refusal.reason

    @computed("The challenge. It is for you and this concert, and can be used once.")
    def challenge(self) -> str:
        return self.refusal.challenge.text

    @computed("How many leading bits of the hash must be zero.")
    def bits(self) -> int:
        return self.refusal.challenge.bits

    @computed("When the challenge expires, by the server's clock.")
    def expires_at(self) -> datetime:
        return self.refusal.challenge.expires_at

    @computed("Seconds until the challenge expires.")
    def expires_in_seconds(self) -> int:
        return seconds_until(self.refusal.challenge.expires_at)


@strawberry.type(
    description="You, or all people at your address, sent too many of these requests. Nothing was changed."
)
class RateLimitedError(DomainError):
    refusal: strawberry.Private[limit_errors.RateLimited]

    @computed("Which call is limited.")
    def call(self) -> LimitedCall:
        return self.refusal.call

    @computed("Whose calls are counted.")
    def per(self) -> RateScope:
        return self.refusal.scope

    @computed("How many calls are allowed in `seconds`.")
    def limit(self) -> int:
        return self.refusal.rate.count

    @computed("The time in which `limit` calls are allowed.")
    def seconds(self) -> int:
        return self.refusal.rate.seconds


@strawberry.type(
    description=(
        "A store is unavailable or recovering. The request was carried out completely or not at all;"
        " repeat it with the same idempotency key to find out."
    )
)
class TemporarilyUnavailableError(DomainError):
    refusal: strawberry.Private[domain_errors.TemporarilyUnavailable]

    @computed("The id of this request in the server's logs.")
    def request_id(self, info: Info) -> str:
        return info.context.request_id


ERROR_TYPES: Mapping[type[Refusal], type[DomainError]] = {
    domain_errors.InvalidInput: InvalidInputError,
    domain_errors.NotFound: NotFoundError,
    domain_errors.NotOnSale: NotOnSaleError,
    domain_errors.SoldOut: SoldOutError,
    domain_errors.LimitExceeded: LimitExceededError,
    domain_errors.HoldEnded: HoldEndedError,
    domain_errors.PurchaseInProgress: PurchaseInProgressError,
    domain_errors.IdempotencyConflict: IdempotencyConflictError,
    domain_errors.IllegalTransition: IllegalTransitionError,
    domain_errors.VersionConflict: VersionConflictError,
    domain_errors.NotAdmitted: NotAdmittedError,
    domain_errors.NotInQueue: NotInQueueError,
    domain_errors.RoomNotOpen: RoomNotOpenError,
    domain_errors.QueueOpened: QueueOpenedError,
    domain_errors.CapacityInUse: CapacityInUseError,
    payment_errors.OrderNotCancelable: OrderNotCancelableError,
    payment_errors.NotRefundable: NotRefundableError,
    tier_errors.TierRefused: TierRefusedError,
    ticket_errors.TransferRefused: TransferRefusedError,
    ticket_errors.AlreadyCheckedIn: AlreadyCheckedInError,
    ticket_errors.ScanRefused: ScanRefusedError,
    limit_errors.ChallengeRequired: ChallengeRequiredError,
    limit_errors.RateLimited: RateLimitedError,
    domain_errors.TemporarilyUnavailable: TemporarilyUnavailableError,
}
"""The union member for each refusal."""


class ResultErrorHandler:
    """Converts a refusal to its union member, for fields whose union has that member."""

    def __init__(self, refusal: type[Refusal], error: type[DomainError]) -> None:
        self.exception_type = refusal
        self.error_type = error

    def handle(self, exception: Refusal, *, info: Info, **_where: object) -> DomainError:
        log_store_error(exception, info.context.request_id)
        counters.refused.labels(exception.code).inc()
        info.context.refused_codes.append(exception.code)
        return self.error_type(refusal=exception)


HANDLERS = tuple(ResultErrorHandler(refusal, error) for refusal, error in ERROR_TYPES.items())
