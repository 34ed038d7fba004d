"""The hold types of the schema, and the mutations that create and release holds."""

from datetime import datetime
from typing import Annotated, Self, TypeAlias

import strawberry

import domain.holds
from domain.holds import TicketRequest
from domain.ids import ConcertId, PersonId, concert_of
from domain.validation import key_problems, ticket_line_problems
from resolvers import concerts
from resolvers import holds as resolve
from resolvers.context import Context
from resolvers.permissions import find_organizer
from schema import ids
from schema.concerts import Concert, Tier, load_concert
from schema.enums import CurrencyCode, EndReason, HoldState
from schema.ids import IdReader
from schema.mutations.result_errors import (
    IdempotencyConflictError,
    InvalidInputError,
    LimitExceededError,
    NotAdmittedError,
    NotFoundError,
    NotOnSaleError,
    PurchaseInProgressError,
    RateLimitedError,
    SoldOutError,
    TemporarilyUnavailableError,
)
from schema.scalars import Money, seconds_until
from schema.strawberry_fixes import INPUT, Info, computed

_KEEPS_TICKETS = frozenset({HoldState.HELD, HoldState.BUYING})


@strawberry.type(description="Tickets in one tier, at the price at which they were held.")
class TicketLine:
    line: strawberry.Private[domain.holds.TicketLine]
    tier_id: strawberry.ID = strawberry.field(description="The id of the tier.")
    quantity: int = strawberry.field(description="The number of tickets.")
    unit_price: Money = strawberry.field(description="The price of one ticket.")
    total: Money = strawberry.field(description="The price of all tickets of this line.")

    @classmethod
    def of(cls, line: domain.holds.TicketLine, currency: CurrencyCode) -> Self:
        return cls(
            line=line,
            tier_id=ids.of_tier(line.tier_id),
            quantity=line.quantity,
            unit_price=Money.of(line.unit_price_minor, currency),
            total=Money.of(line.unit_price_minor * line.quantity, currency),
        )

    @computed("The current state of the tier.")
    async def tier(self, info: Info) -> Tier | None:
        concert = await concerts.load_concert(info.context, concert_of(self.line.tier_id))
        tier = concert.tier(self.line.tier_id) if concert else None
        return Tier.of(concert, tier) if concert and tier else None


@strawberry.type(description="Tickets reserved for you until a deadline. Buy them with `purchaseTickets`.")
class Hold(ids.Node):
    person_id: strawberry.Private[PersonId]
    concert_id: strawberry.Private[ConcertId]
    organizer_id: strawberry.Private[PersonId | None]
    state: HoldState = strawberry.field(description="The state of the hold.")
    reason: EndReason | None = strawberry.field(description="Why the hold ended. Null if it has not ended.")
    lines: list[TicketLine] = strawberry.field(
        description="The requested tickets. They stay listed after the hold has ended."
    )
    total: Money = strawberry.field(description="The total price.")
    created_at: datetime = strawberry.field(description="When the hold was created.")
    expires_at: datetime = strawberry.field(description="The deadline, by the server's clock.")
    expires_in_seconds: int = strawberry.field(
        description=(
            "Seconds until the deadline, for clients whose clock may be wrong. 0 if the tickets are no longer held."
        )
    )

    @classmethod
    def of(cls, hold: domain.holds.Hold, currency: CurrencyCode, *, organizer_id: PersonId | None = None) -> Self:
        """Return the hold. Without `organizer_id`, only its owner and admins may see it."""
        return cls(
            person_id=hold.person_id,
            concert_id=hold.concert_id,
            organizer_id=organizer_id,
            id=ids.of_hold(hold.concert_id, hold.id),
            state=hold.state,
            reason=hold.reason,
            lines=[TicketLine.of(line, currency) for line in hold.lines],
            total=Money.of(hold.total_minor, currency),
            created_at=hold.created_at,
            expires_at=hold.expires_at,
            expires_in_seconds=seconds_until(hold.expires_at) if hold.state in _KEEPS_TICKETS else 0,
        )

    @computed("The concert. Null with a top-level error if the catalog is unavailable.")
    async def concert(self, info: Info) -> Concert | None:
        return await load_concert(info.context, self.concert_id)


async def build_hold(context: Context, hold: domain.holds.Hold) -> Hold:
    """Return the hold, visible to its owner and to the organizer of its concert."""
    organizer_id = await find_organizer(context, hold.concert_id, owner=hold.person_id)
    return Hold.of(hold, await concerts.get_currency(context, hold.concert_id), organizer_id=organizer_id)


@strawberry.input(description="A number of tickets in one tier.")
class TicketLineInput:
    tier_id: strawberry.ID = strawberry.field(description="The id of the tier.")
    quantity: int = strawberry.field(description="The number of tickets.")


def read_ticket_lines(lines: list[TicketLineInput], reader: IdReader) -> tuple[TicketRequest, ...]:
    return tuple(
        TicketRequest(tier_id=reader.tier(f"lines.{i}.tierId", line.tier_id), quantity=line.quantity)
        for i, line in enumerate(lines)
    )


@strawberry.input(description="The tickets to hold. Either all of them are held or none.")
class HoldTicketsInput:
    concert_id: strawberry.ID = strawberry.field(description="The id of the concert.")
    lines: list[TicketLineInput] = strawberry.field(description="The tickets to hold, at most one line per tier.")
    idempotency_key: str = strawberry.field(
        description=(
            "A unique key chosen by you, such as a UUID. Repeating the request with the same key returns the same hold."
        )
    )
    queue_pass: str | None = strawberry.field(
        default=None, description="The token of your pass, if the concert has a waiting room."
    )


@strawberry.input(description="The hold to release.")
class ReleaseHoldInput:
    hold_id: strawberry.ID = strawberry.field(description="The id of the hold.")


@strawberry.type(
    description="The current state of the hold. If the key was repeated, it may have ended; check `hold.state`."
)
class HoldTicketsSuccess:
    hold: Hold = strawberry.field(description="The hold.")


@strawberry.type(description="The tickets are on sale again. Releasing a hold twice has the same result.")
class ReleaseHoldSuccess:
    hold: Hold = strawberry.field(description="The released hold.")


HoldTicketsResult: TypeAlias = Annotated[
    HoldTicketsSuccess
    | InvalidInputError
    | NotFoundError
    | NotOnSaleError
    | NotAdmittedError
    | SoldOutError
    | LimitExceededError
    | IdempotencyConflictError
    | RateLimitedError
    | TemporarilyUnavailableError,
    strawberry.union("HoldTicketsResult", description="The result of `holdTickets`: success, or an expected error."),
]
ReleaseHoldResult: TypeAlias = Annotated[
    ReleaseHoldSuccess | InvalidInputError | NotFoundError | PurchaseInProgressError | TemporarilyUnavailableError,
    strawberry.union("ReleaseHoldResult", description="The result of `releaseHold`: success, or an expected error."),
]


async def hold_tickets(info: Info, input_: Annotated[HoldTicketsInput, INPUT]) -> HoldTicketsResult:
    reader = IdReader()
    concert_id = reader.concert("concertId", input_.concert_id)
    lines = read_ticket_lines(input_.lines, reader)
    reader.finish(key_problems(input_.idempotency_key), ticket_line_problems(concert_id, lines))
    hold = await resolve.hold_tickets(
        info.context, concert_id, lines, input_.idempotency_key, queue_pass=input_.queue_pass
    )
    return HoldTicketsSuccess(hold=await build_hold(info.context, hold))


async def release_hold(info: Info, input_: Annotated[ReleaseHoldInput, INPUT]) -> ReleaseHoldResult:
    reader = IdReader()
    concert_id, hold_id = reader.hold("holdId", input_.hold_id)
    reader.finish()
    hold = await resolve.release_hold(info.context, concert_id, hold_id)
    return ReleaseHoldSuccess(hold=await build_hold(info.context, hold))
