"""The hold types of the schema, and the mutations that create and release holds."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, TypeAlias

import strawberry

import domain.holds
from domain.errors import NotFound
from domain.holds import TicketRequest
from domain.ids import ConcertId, HoldId, OrderId, PersonId
from domain.validation import key_problems, ticket_line_problems
from resolvers import concerts
from resolvers import holds as resolve
from resolvers.context import Context
from resolvers.permissions import find_organizer
from schema import ids
from schema.catalog.tiers import Tier, load_tier
from schema.concerts import Concert, load_concert
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
from schema.mutations.tier_errors import TierRefusedError
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

    @staticmethod
    def of(line: domain.holds.TicketLine, currency: CurrencyCode) -> "TicketLine":
        return TicketLine(
            line=line,
            tier_id=ids.of_tier(line.tier_id),
            quantity=line.quantity,
            unit_price=Money.of(line.unit_price_minor, currency),
            total=Money.of(line.unit_price_minor * line.quantity, currency),
        )

    @computed("The current state of the tier, even if it was hidden later.")
    async def tier(self, info: Info) -> Tier | None:
        return await load_tier(info, self.line.tier_id)


@strawberry.type(description="Tickets reserved for you until a deadline. Buy them with `purchaseTickets`.")
class Hold(ids.Node):
    hold_id: strawberry.Private[HoldId]
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
    version: int = strawberry.field(
        description=(
            "The version of the concert at which the hold was read. Of two answers with the same epoch, the one with"
            " the higher version is newer."
        )
    )
    epoch: int = strawberry.field(
        description="A new epoch means that the hold was rebuilt. Accept it regardless of its version."
    )

    @staticmethod
    def of(hold: domain.holds.Hold, currency: CurrencyCode, *, organizer_id: PersonId | None = None) -> "Hold":
        """Return the hold. Without `organizer_id`, only its owner and admins may see it."""
        return _LazyHold(hold, currency, organizer_id)

    @computed("The concert. Null with a top-level error if the catalog is unavailable.")
    async def concert(self, info: Info) -> Concert | None:
        return await load_concert(info.context, self.concert_id)

    @computed(
        "The order of the hold. Null until you buy the hold, and with a top-level error if the database is"
        " unavailable.",
        graphql_type=strawberry.LazyType("Order", "schema.orders") | None,
    )
    async def order(self, info: Info) -> object:
        # `schema.orders` imports this module, because an order has a hold.
        from schema.orders import load_order

        return None if self.state is HoldState.HELD else await load_order(info.context, OrderId(self.hold_id))


class _LazyHold(Hold):
    """A hold that builds most of its fields when they are read, because few are selected."""

    def __init__(self, hold: domain.holds.Hold, currency: CurrencyCode, organizer_id: PersonId | None) -> None:
        self._hold = hold
        self._currency = currency
        self.hold_id = hold.id
        self.person_id = hold.person_id
        self.concert_id = hold.concert_id
        self.organizer_id = organizer_id
        self.state = hold.state
        self.reason = hold.reason
        self.version = hold.version
        self.epoch = hold.epoch


class _BuiltWhenRead:
    """A field that is built when it is first read, and then kept by the hold."""

    def __init__(self, name: str, build: Callable[[domain.holds.Hold, CurrencyCode], object]) -> None:
        self._name = name
        self._build = build

    def __get__(self, hold: _LazyHold | None, _owner: type) -> object:
        if hold is None:
            return self
        value = hold.__dict__[self._name] = self._build(hold._hold, hold._currency)  # noqa: SLF001
        return value


_BUILT_WHEN_READ: Mapping[str, Callable[[domain.holds.Hold, CurrencyCode], object]] = {
    "id": lambda hold, _: ids.of_hold(hold.concert_id, hold.id),
    "lines": lambda hold, currency: [TicketLine.of(line, currency) for line in hold.lines],
    "total": lambda hold, currency: Money.of(hold.total_minor, currency),
    "created_at": lambda hold, _: hold.created_at,
    "expires_at": lambda hold, _: hold.expires_at,
    "expires_in_seconds": lambda hold, _: seconds_until(hold.expires_at) if hold.state in _KEEPS_TICKETS else 0,
}
for _name, _build in _BUILT_WHEN_READ.items():
    setattr(_LazyHold, _name, _BuiltWhenRead(_name, _build))


async def build_hold(context: Context, hold: domain.holds.Hold) -> Hold:
    """Return the hold, visible to its owner and to the organizer of its concert."""
    organizer_id = await find_organizer(context, hold.concert_id, owner=hold.person_id)
    return Hold.of(hold, await concerts.get_currency(context, hold.concert_id), organizer_id=organizer_id)


async def load_hold(context: Context, concert_id: ConcertId, hold_id: HoldId) -> Hold | None:
    """Return the hold. Returns None if the viewer may not see it, or the concert does not exist, is
    a draft or is past.
    """
    try:
        hold = await resolve.get_hold(context, concert_id, hold_id)
    except NotFound:
        return None
    return await build_hold(context, hold) if hold else None


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

    @computed("The concert with its stock after the hold. Null with a top-level error if the catalog is unavailable.")
    async def concert(self, info: Info) -> Concert | None:
        return await load_concert(info.context, self.hold.concert_id)


@strawberry.type(description="The tickets are on sale again. Releasing a hold twice has the same result.")
class ReleaseHoldSuccess:
    hold: Hold = strawberry.field(description="The released hold.")


HoldTicketsResult: TypeAlias = Annotated[
    HoldTicketsSuccess
    | InvalidInputError
    | NotFoundError
    | NotOnSaleError
    | NotAdmittedError
    | TierRefusedError
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
