"""Expected refusals as members of their mutation's union: the error types, and ONE table from a refusal to its type."""

from collections.abc import Mapping
from datetime import datetime

import strawberry

from domain import errors as domain_errors
from domain.errors import Refusal
from schema import ids
from schema.enums import Admission, ConcertStatus, EndReason, ErrorCode, LimitScope, RoomStatus
from schema.strawberry_fixes import Info, computed


@strawberry.interface(description="An expected refusal; `message` says what to do next.")
class DomainError:
    refusal: strawberry.Private[Refusal]

    @computed("For programs.")
    def code(self) -> ErrorCode:
        return self.refusal.code

    @computed("For developers: what was refused, the value, and the next step.")
    def message(self) -> str:
        return str(self.refusal)

    @computed("Whether the same request, unchanged, may succeed later.")
    def retryable(self) -> bool:
        return self.refusal.retryable

    @computed("How long to wait before the same request is worth sending again.")
    def retry_after_seconds(self) -> int | None:
        return self.refusal.retry_after_s


@strawberry.type(description="What is wrong with one field of the input.")
class InputProblem:
    path: str = strawberry.field(description="Where in the input, like `lines.0.quantity`.")
    message: str


@strawberry.type(description="Fields of the input are not acceptable; all of them are listed.")
class InvalidInputError(DomainError):
    refusal: strawberry.Private[domain_errors.InvalidInput]

    @computed()
    def problems(self) -> list[InputProblem]:
        return [InputProblem(path=problem.path, message=problem.message) for problem in self.refusal.problems]


@strawberry.type(description="There is no such thing, or it is not yours.")
class NotFoundError(DomainError):
    refusal: strawberry.Private[domain_errors.NotFound]


@strawberry.type(description="The concert is a draft or closed, or this is not its sale window.")
class NotOnSaleError(DomainError):
    refusal: strawberry.Private[domain_errors.NotOnSale]

    @computed()
    def status(self) -> ConcertStatus:
        return self.refusal.status

    @computed("When the sale opens, if that is still to come.")
    def opens_at(self) -> datetime | None:
        return self.refusal.opens_at


@strawberry.type(description="Fewer tickets are left in a tier than were asked for. Nothing was taken from any tier.")
class SoldOutError(DomainError):
    refusal: strawberry.Private[domain_errors.SoldOut]

    @computed("The tier that has too few.")
    def tier_id(self) -> strawberry.ID:
        return ids.of_tier(self.refusal.tier_id)

    @computed("How many that tier had left.")
    def available(self) -> int:
        return self.refusal.available

    @computed("When the first hold on that tier ends, and its tickets may come back.")
    def next_release_at(self) -> datetime | None:
        return self.refusal.next_release_at


@strawberry.type(description="More tickets than one order, or one person, may have of this concert.")
class LimitExceededError(DomainError):
    refusal: strawberry.Private[domain_errors.LimitExceeded]

    @computed()
    def scope(self) -> LimitScope:
        return self.refusal.scope

    @computed()
    def limit(self) -> int:
        return self.refusal.limit

    @computed("Tickets you hold now.")
    def held(self) -> int:
        return self.refusal.held

    @computed("Tickets you have bought.")
    def owned(self) -> int:
        return self.refusal.owned


@strawberry.type(description="The hold is over; take a new one with a new idempotency key.")
class HoldEndedError(DomainError):
    refusal: strawberry.Private[domain_errors.HoldEnded]

    @computed()
    def reason(self) -> EndReason:
        return self.refusal.reason


@strawberry.type(description="The hold is being bought or has been, so it cannot be released.")
class PurchaseInProgressError(DomainError):
    refusal: strawberry.Private[domain_errors.PurchaseInProgress]


@strawberry.type(description="This idempotency key was used before, for something else.")
class IdempotencyConflictError(DomainError):
    refusal: strawberry.Private[domain_errors.IdempotencyConflict]


@strawberry.type(description="The concert cannot go from its status to the one asked for.")
class IllegalTransitionError(DomainError):
    refusal: strawberry.Private[domain_errors.IllegalTransition]

    @computed("The status it has.")
    def status(self) -> ConcertStatus:
        return self.refusal.status


@strawberry.type(description="Somebody else changed it first; read it again and repeat the change.")
class VersionConflictError(DomainError):
    refusal: strawberry.Private[domain_errors.VersionConflict]

    @computed("The version it has now: of the concert, or of the settings where those were to be changed.")
    def version(self) -> int:
        return self.refusal.version


@strawberry.type(description="The concert has a waiting room, and this person may not go in, or not yet.")
class NotAdmittedError(DomainError):
    refusal: strawberry.Private[domain_errors.NotAdmitted]

    @computed("Where you stand in line; null if you do not wait in it.")
    def position(self) -> int | None:
        return self.refusal.position

    @computed()
    def reason(self) -> Admission:
        return self.refusal.reason


@strawberry.type(description="You have no living place in this line; join the queue.")
class NotInQueueError(DomainError):
    refusal: strawberry.Private[domain_errors.NotInQueue]


@strawberry.type(description="There is no line to join, or nobody can be called from it; `status` says why.")
class RoomNotOpenError(DomainError):
    refusal: strawberry.Private[domain_errors.RoomNotOpen]

    @computed("What the room does instead.")
    def status(self) -> RoomStatus:
        return self.refusal.status

    @computed("When that changes, where it is known.")
    def opens_at(self) -> datetime | None:
        return self.refusal.opens_at


@strawberry.type(description="The opening of the line settled this; reset the line with the new settings, or pause it.")
class QueueOpenedError(DomainError):
    refusal: strawberry.Private[domain_errors.QueueOpened]

    @computed("Those that cannot change in this round any more, like `shuffleAtStart`.")
    def settings(self) -> list[str]:
        return list(self.refusal.settings)


@strawberry.type(description="A capacity cannot go below what is held or sold.")
class CapacityInUseError(DomainError):
    refusal: strawberry.Private[domain_errors.CapacityInUse]

    @computed()
    def tier_id(self) -> strawberry.ID:
        return ids.of_tier(self.refusal.tier_id)

    @computed("The lowest capacity possible now.")
    def lowest(self) -> int:
        return self.refusal.lowest


@strawberry.type(
    description="A store is away or recovering. The request was done or not done, never half; "
    "the same request with the same idempotency key finds out which."
)
class TemporarilyUnavailableError(DomainError):
    refusal: strawberry.Private[domain_errors.TemporarilyUnavailable]

    @computed("Names this request in the server's logs.")
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
    domain_errors.TemporarilyUnavailable: TemporarilyUnavailableError,
}
"""The error type of each refusal, where it is a member of the mutation's union."""


class ResultErrorHandler:
    """Strawberry asks it for the union member of a refusal, in fields whose union has that member."""

    def __init__(self, refusal: type[Refusal], error: type[DomainError]) -> None:
        self.exception_type = refusal
        self.error_type = error

    def handle(self, exception: Refusal, **_where: object) -> DomainError:
        return self.error_type(refusal=exception)


HANDLERS = tuple(ResultErrorHandler(refusal, error) for refusal, error in ERROR_TYPES.items())
