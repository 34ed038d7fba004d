"""The mutations that buy tickets, and that pay, cancel and refund orders."""

from itertools import chain
from typing import Annotated, TypeAlias

import strawberry

import domain.orders
from domain.errors import FieldProblem, InvalidInput
from domain.ids import ConcertId
from domain.orders import Customer
from domain.validation import customer_problems, key_problems, ticket_line_problems
from resolvers import orders as resolve
from resolvers import payments
from resolvers.context import Context
from schema.holds import TicketLineInput, read_ticket_lines
from schema.ids import IdReader, read_order
from schema.mutations.result_errors import (
    HoldEndedError,
    IdempotencyConflictError,
    InvalidInputError,
    LimitExceededError,
    NotAdmittedError,
    NotFoundError,
    NotOnSaleError,
    NotRefundableError,
    OrderNotCancelableError,
    PurchaseInProgressError,
    RateLimitedError,
    SoldOutError,
    TemporarilyUnavailableError,
)
from schema.orders import Order, build_order
from schema.strawberry_fixes import INPUT, Info


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


@strawberry.type(
    description=(
        "The recorded order. Pay it with `order.payment` before its deadline; if it costs nothing, it is paid already."
    )
)
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


@strawberry.input(description="The order whose payment the provider is asked about.")
class SyncOrderPaymentInput:
    order_id: strawberry.ID = strawberry.field(description="The id of the order.")


@strawberry.input(description="The order to cancel.")
class CancelOrderInput:
    order_id: strawberry.ID = strawberry.field(description="The id of the order.")


@strawberry.input(description="The order to refund, as a whole or in part.")
class RefundOrderInput:
    order_id: strawberry.ID = strawberry.field(description="The id of the order.")
    lines: list[TicketLineInput] | None = strawberry.field(
        default=None,
        description="The tickets to refund, at most one line per tier. Omit it to refund all that are left.",
    )
    idempotency_key: str = strawberry.field(
        description=(
            "A unique key chosen by you, such as a UUID. Repeating the request with the same key refunds nothing more."
        )
    )


@strawberry.type(
    description=(
        "The order after the provider was asked. Its status may still be PENDING_PAYMENT; `orderUpdated` brings every"
        " later change."
    )
)
class SyncOrderPaymentSuccess:
    order: Order = strawberry.field(description="The order.")


@strawberry.type(
    description=(
        "The order is canceled, or will be: its status changes once the provider confirms that it can no longer be"
        " paid. If you paid first, the payment counts. Canceling an order twice has the same result."
    )
)
class CancelOrderSuccess:
    order: Order = strawberry.field(description="The order.")


@strawberry.type(description="The refund was requested. `order.refunds` shows how it goes on.")
class RefundOrderSuccess:
    order: Order = strawberry.field(description="The order.")


SyncOrderPaymentResult: TypeAlias = Annotated[
    SyncOrderPaymentSuccess | InvalidInputError | NotFoundError | RateLimitedError | TemporarilyUnavailableError,
    strawberry.union(
        "SyncOrderPaymentResult", description="The result of `syncOrderPayment`: success, or an expected error."
    ),
]
CancelOrderResult: TypeAlias = Annotated[
    CancelOrderSuccess | InvalidInputError | NotFoundError | OrderNotCancelableError | TemporarilyUnavailableError,
    strawberry.union("CancelOrderResult", description="The result of `cancelOrder`: success, or an expected error."),
]
RefundOrderResult: TypeAlias = Annotated[
    RefundOrderSuccess
    | InvalidInputError
    | NotFoundError
    | NotRefundableError
    | IdempotencyConflictError
    | TemporarilyUnavailableError,
    strawberry.union("RefundOrderResult", description="The result of `refundOrder`: success, or an expected error."),
]


async def sync_order_payment(info: Info, input_: Annotated[SyncOrderPaymentInput, INPUT]) -> SyncOrderPaymentResult:
    order = await payments.sync_payment(info.context, read_order(input_.order_id))
    return SyncOrderPaymentSuccess(order=await build_order(info.context, order))


async def cancel_order(info: Info, input_: Annotated[CancelOrderInput, INPUT]) -> CancelOrderResult:
    order = await payments.cancel_order(info.context, read_order(input_.order_id))
    return CancelOrderSuccess(order=await build_order(info.context, order))


async def refund_order(info: Info, input_: Annotated[RefundOrderInput, INPUT]) -> RefundOrderResult:
    reader, key = IdReader(), input_.idempotency_key
    order_id = reader.order("orderId", input_.order_id)
    lines = None if input_.lines is None else read_ticket_lines(input_.lines, reader)
    reader.finish(key_problems(key), ticket_line_problems(ConcertId(""), lines) if lines is not None else ())
    order = await payments.refund_order(info.context, order_id, lines, idempotency_key=key)
    return RefundOrderSuccess(order=await build_order(info.context, order))
