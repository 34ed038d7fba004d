"""The mutations that buy tickets, and that pay, cancel and refund orders."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, TypeAlias

import strawberry

import domain.orders
from domain.errors import InvalidInput
from domain.ids import ConcertId, HoldId
from domain.inputs.problems import FieldProblem, InputRule
from domain.orders import Customer
from domain.payments.refunds import refund_choice_problems
from domain.text.locales import choose_locale, locale_problems
from domain.validation import customer_problems, key_problems, raise_problems, ticket_line_problems
from resolvers import orders as resolve
from resolvers import payments
from resolvers.context import Context
from schema.holds import Hold, TicketLineInput, load_hold, read_ticket_lines
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
from schema.mutations.tier_errors import TierRefusedError
from schema.orders import Order, build_order
from schema.queues import QueueEntry, load_entry
from schema.strawberry_fixes import INPUT, Info, computed


@strawberry.input(description="Tickets to hold and buy in one step. Either all of them are bought or none.")
class NewHoldInput:
    concert_id: strawberry.ID = strawberry.field(description="The id of the concert.")
    lines: list[TicketLineInput] = strawberry.field(description="The tickets, at most one line per tier.")
    queue_pass: str | None = strawberry.field(
        default=None, description="The token of your pass, if the concert has a waiting room."
    )


@strawberry.input(one_of=True, description="What to buy.")
class PurchaseWhat:
    hold_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The id of one of your holds. It keeps its own queue pass."
    )
    new_hold: NewHoldInput | None = strawberry.field(
        default=strawberry.UNSET, description="Tickets to hold and buy in one step."
    )


_USE_HOLD = "Use `what: {holdId: …}`, which cannot be sent together with lines."
_USE_NEW_HOLD = "Use `what: {newHold: …}`, which cannot be sent together with a hold."


@strawberry.input(description="What to buy, and for whom.")
class PurchaseTicketsInput:
    what: PurchaseWhat | None = strawberry.field(
        default=None, description="What to buy. Null only with the deprecated fields."
    )
    hold_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="The hold to buy; not allowed with `what`, `concertId` and `lines`.",
        deprecation_reason=_USE_HOLD,
    )
    concert_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Required with `lines`; not allowed with `what` and `holdId`.",
        deprecation_reason=_USE_NEW_HOLD,
    )
    lines: list[TicketLineInput] | None = strawberry.field(
        default=None,
        description="Required with `concertId`; not allowed with `what` and `holdId`.",
        deprecation_reason=_USE_NEW_HOLD,
    )
    queue_pass: str | None = strawberry.field(
        default=None,
        description=(
            "The token of your pass, if the concert has a waiting room; not allowed with `what`. Used only with"
            " `lines`; a hold keeps its own pass."
        ),
        deprecation_reason=_USE_NEW_HOLD,
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
    locale: str | None = strawberry.field(
        default=None,
        description=(
            "The language of your mail and documents, as a tag such as `de` or `de-AT`. Every "
            "language other than German gets English."
        ),
    )


@strawberry.type(
    description=(
        "The recorded order. Pay it with `order.payment` before its deadline; if it costs nothing, it is paid already."
    )
)
class PurchaseTicketsSuccess:
    order: Order = strawberry.field(description="The order.")

    @computed("The hold that was bought. Null with a top-level error if the store is unavailable; the order stands.")
    async def hold(self, info: Info) -> Hold | None:
        return await load_hold(info.context, self.order.concert_id, HoldId(self.order.order.id))

    @computed(
        "Your queue entry after the purchase. Null if you never joined, and with a top-level error if the store is"
        " unavailable; the order stands."
    )
    async def entry(self, info: Info) -> QueueEntry | None:
        return await load_entry(info.context, self.order.concert_id)


PurchaseTicketsResult: TypeAlias = Annotated[
    PurchaseTicketsSuccess
    | InvalidInputError
    | NotFoundError
    | NotOnSaleError
    | NotAdmittedError
    | TierRefusedError
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
    customer = Customer(input_.customer_name, input_.customer_email, choose_locale(input_.locale))
    key = input_.idempotency_key
    others = (*key_problems(key), *customer_problems(customer), *locale_problems("locale", input_.locale))
    what = _read_what(input_)
    if isinstance(what, FieldProblem):
        raise InvalidInput(what, *others)
    with _paths_in_what(has_what=input_.what is not None):
        reader = IdReader()
        if isinstance(what, NewHoldInput):
            concert_id, lines = reader.concert("concertId", what.concert_id), read_ticket_lines(what.lines, reader)
            problems = (*others, *ticket_line_problems(concert_id, lines))
            reader.finish(problems)
            raise_problems(iter(problems))
            return await resolve.purchase_lines(context, concert_id, lines, customer, key, queue_pass=what.queue_pass)
        concert_id, hold_id = reader.hold("holdId", what)
        reader.finish(others)
        raise_problems(iter(others))
        return await resolve.purchase_hold(context, concert_id, hold_id, customer, key)


def _read_what(input_: PurchaseTicketsInput) -> strawberry.ID | NewHoldInput | FieldProblem:
    """Return the id of a hold, or the tickets to hold, in whichever form the client sent them."""
    old = {
        "holdId": input_.hold_id,
        "concertId": input_.concert_id,
        "lines": input_.lines,
        "queuePass": input_.queue_pass,
    }
    if input_.what is not None:
        if sent := [name for name, value in old.items() if value is not None]:
            message = "cannot be sent with `holdId`, `concertId`, `lines` or `queuePass`; omit those"
            return FieldProblem("what", message, InputRule.CONFLICT, other=sent[0])
        return input_.what.new_hold or input_.what.hold_id or strawberry.ID("")
    if input_.hold_id is not None and input_.concert_id is None and input_.lines is None:
        return input_.hold_id
    if input_.hold_id is None and input_.concert_id is not None and input_.lines is not None:
        return NewHoldInput(concert_id=input_.concert_id, lines=input_.lines, queue_pass=input_.queue_pass)
    message = "is missing; send it with either a hold (`holdId`) or tickets to hold (`newHold`)"
    return FieldProblem("what", message, InputRule.REQUIRED)


@contextmanager
def _paths_in_what(*, has_what: bool) -> Iterator[None]:
    """Correct the paths of the problems with what to buy, if the client sent it as `what`."""
    try:
        yield
    except InvalidInput as error:
        if not has_what:
            raise
        raise InvalidInput(*map(_in_what, error.problems)) from error


def _in_what(problem: FieldProblem) -> FieldProblem:
    places = {"holdId": "what.holdId", "concertId": "what.newHold.concertId", "lines": "what.newHold.lines"}
    first, dot, rest = problem.path.partition(".")
    return replace(problem, path=f"{places.get(first, first)}{dot}{rest}")


@strawberry.input(description="The order whose payment the provider is asked about.")
class SyncOrderPaymentInput:
    order_id: strawberry.ID = strawberry.field(description="The id of the order.")


@strawberry.input(description="The order to cancel.")
class CancelOrderInput:
    order_id: strawberry.ID = strawberry.field(description="The id of the order.")


@strawberry.input(
    description="The order to refund, as a whole or in part. A buyer cannot refund a ticket that was checked in."
)
class RefundOrderInput:
    order_id: strawberry.ID = strawberry.field(description="The id of the order.")
    lines: list[TicketLineInput] | None = strawberry.field(
        default=None,
        description=(
            "How many tickets to refund, at most one line per tier. Without `lines` and `tickets`, "
            "all remaining tickets are refunded."
        ),
    )
    tickets: list[strawberry.ID] | None = strawberry.field(
        default=None, description="The ids of the tickets to refund; not allowed with `lines`."
    )
    idempotency_key: str = strawberry.field(
        description=(
            "A unique key chosen by you, such as a UUID. Repeating the request with the same key refunds nothing more."
        )
    )


@strawberry.type(
    description=(
        "The order after the provider was asked. Its status may still be PENDING_PAYMENT; "
        "`orderUpdated` delivers every later change."
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


@strawberry.type(description="The refund was requested. `order.refunds` shows its progress.")
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
    tickets = None if input_.tickets is None else reader.tickets("tickets", input_.tickets)
    reader.finish(
        key_problems(key),
        ticket_line_problems(ConcertId(""), lines) if lines is not None else (),
        refund_choice_problems(lines, tickets),
    )
    order = await payments.refund_order(info.context, order_id, lines, tickets=tickets, idempotency_key=key)
    return RefundOrderSuccess(order=await build_order(info.context, order))
