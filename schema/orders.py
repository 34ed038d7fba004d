"""The order types of the schema, the order query, and the purchase mutation."""

from datetime import datetime
from enum import Enum
from itertools import chain
from typing import Annotated, Self, TypeAlias

import strawberry

import domain.orders
from domain.errors import FieldProblem, InvalidInput
from domain.ids import ConcertId, OrderId, PersonId
from domain.orders import Customer
from domain.validation import customer_problems, key_problems, ticket_line_problems
from resolvers import orders as resolve
from resolvers.context import Context
from resolvers.permissions import find_organizer
from schema import ids
from schema.concerts import Concert, load_concert
from schema.holds import TicketLine, TicketLineInput, read_ticket_lines
from schema.ids import IdReader, Kind
from schema.mutations.result_errors import (
    HoldEndedError,
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
from schema.scalars import Money
from schema.strawberry_fixes import ID, INPUT, Info, computed


@strawberry.enum(description="The status of an order.")
class OrderStatus(Enum):
    # Fences (VOID) and house purchases (WITHDRAWN) are bookkeeping and are never shown.
    PAID = strawberry.enum_value(domain.orders.OrderStatus.PAID.value, description="Paid and recorded.")


@strawberry.type(description="A purchase. No other order contains its tickets.")
class Order(ids.Node):
    person_id: strawberry.Private[PersonId]
    concert_id: strawberry.Private[ConcertId]
    organizer_id: strawberry.Private[PersonId | None]
    status: OrderStatus = strawberry.field(description="The status of the order.")
    lines: list[TicketLine] = strawberry.field(description="The tickets.")
    total: Money = strawberry.field(description="The total price.")
    customer_name: str = strawberry.field(description="The name of the ticket holder.")
    customer_email: str = strawberry.field(description="The email address for the tickets.")
    created_at: datetime = strawberry.field(description="When the order was created.")
    version: int = strawberry.field(description="Increases with every change to the order.")

    @classmethod
    def of(cls, order: domain.orders.Order, *, organizer_id: PersonId | None = None) -> Self:
        """Return the order. Without `organizer_id`, only its owner and admins may see it."""
        return cls(
            person_id=order.person_id,
            concert_id=order.concert_id,
            organizer_id=organizer_id,
            id=ids.of_order(order.id),
            status=OrderStatus(order.status.value),
            lines=[TicketLine.of(line, order.currency) for line in order.lines],
            total=Money.of(order.total.minor, order.currency),
            customer_name=order.customer.name,
            customer_email=order.customer.email,
            created_at=order.created_at,
            version=order.version,
        )

    @computed("The concert. Null with a top-level error if the catalog is unavailable.")
    async def concert(self, info: Info) -> Concert | None:
        return await load_concert(info.context, self.concert_id)


async def load_order(context: Context, order_id: OrderId) -> Order | None:
    found = await resolve.get_order(context, order_id)
    return await build_order(context, found) if found else None


async def build_order(context: Context, order: domain.orders.Order) -> Order:
    """Return the order, visible to its owner and to the organizer of its concert."""
    return Order.of(order, organizer_id=await find_organizer(context, order.concert_id, owner=order.person_id))


async def find_order(info: Info, id_: Annotated[strawberry.ID, ID]) -> Order | None:
    return await load_order(info.context, OrderId(ids.argument("id", id_, Kind.ORDER).parts[0]))


@strawberry.input(description="Either one of your holds, or a concert and lines to hold and buy in one step.")
class PurchaseTicketsInput:
    hold_id: strawberry.ID | None = strawberry.field(
        default=None, description="The hold to buy; not allowed with `concertId` and `lines`."
    )
    concert_id: strawberry.ID | None = strawberry.field(
        default=None, description="Required with `lines`; not allowed with `holdId`."
    )
    lines: list[TicketLineInput] | None = strawberry.field(
        default=None, description="Required with `concertId`; not allowed with `holdId`."
    )
    queue_pass: str | None = strawberry.field(
        default=None,
        description=(
            "The token of your pass, if the concert has a waiting room."
            " Used only with `lines`; a hold keeps its own pass."
        ),
    )
    customer_name: str = strawberry.field(
        description=("The name of the ticket holder: one line of at most 200 characters, without invisible characters.")
    )
    customer_email: str = strawberry.field(
        description="The email address for the tickets. It is stored without surrounding spaces."
    )
    idempotency_key: str = strawberry.field(
        description=(
            "A unique key chosen by you, such as a UUID. Repeating the request with the same key "
            "returns the same order."
        )
    )


@strawberry.type(description="The recorded order.")
class PurchaseTicketsSuccess:
    order: Order = strawberry.field(description="The order.")


PurchaseTicketsResult: TypeAlias = Annotated[
    PurchaseTicketsSuccess
    | InvalidInputError
    | NotFoundError
    | NotOnSaleError
    | NotAdmittedError
    | SoldOutError
    | LimitExceededError
    | HoldEndedError
    | PurchaseInProgressError
    | IdempotencyConflictError
    | RateLimitedError
    | TemporarilyUnavailableError,
    strawberry.union(
        "PurchaseTicketsResult", description="The result of `purchaseTickets`: success, or an expected error."
    ),
]


async def purchase_tickets(info: Info, input_: Annotated[PurchaseTicketsInput, INPUT]) -> PurchaseTicketsResult:
    return PurchaseTicketsSuccess(order=Order.of(await _purchase(info.context, input_)))


async def _purchase(context: Context, input_: PurchaseTicketsInput) -> domain.orders.Order:
    reader = IdReader()
    customer, key = Customer(name=input_.customer_name, email=input_.customer_email), input_.idempotency_key
    others = chain(key_problems(key), customer_problems(customer))
    if input_.hold_id is not None and input_.concert_id is None and input_.lines is None:
        concert_id, hold_id = reader.hold("holdId", input_.hold_id)
        reader.finish(others)
        return await resolve.purchase_hold(context, concert_id, hold_id, customer, key)
    if input_.hold_id is None and input_.concert_id is not None and input_.lines is not None:
        concert_id, lines = reader.concert("concertId", input_.concert_id), read_ticket_lines(input_.lines, reader)
        reader.finish(others, ticket_line_problems(concert_id, lines))
        return await resolve.purchase_lines(context, concert_id, lines, customer, key, queue_pass=input_.queue_pass)
    raise InvalidInput(FieldProblem("holdId", "send either `holdId`, or both `concertId` and `lines`"), *others)
