"""Resolvers for what happens to an order after its purchase: payment, cancellation and refunds.

They check who may ask, and pass the request to the saga, which alone changes an order. A repeated
request has no further effect.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain

from domain.errors import Forbidden, IdempotencyConflict, NotFound, TemporarilyUnavailable
from domain.holds import TicketRequest
from domain.ids import OrderId, TicketId, Unit, fingerprint
from domain.orders import Order, OrderStatus
from domain.payments.balances import refundable_units
from domain.payments.errors import NotRefundable, OrderNotCancelable
from domain.payments.facts import FactKind, ProviderFact
from domain.payments.payment import Payment, RefundReason
from domain.payments.refunds import (
    choose_units,
    raise_if_checked_in,
    raise_unless_buyer_may_refund,
    raise_unless_refundable,
    refund_choice_problems,
    units_of_tickets,
)
from domain.validation import key_problems, raise_problems, ticket_line_problems
from resolvers.context import Context
from resolvers.holds import fingerprint_parts
from resolvers.orders import get_order
from resolvers.permissions import organizes

MAX_CONFLICTS = 20
"""The maximum number of attempts to refund tickets while other requests refund the same order."""
_OVER_UNPAID = frozenset({OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.PAYMENT_FAILED})


@dataclass(frozen=True, slots=True)
class PayableAttempt:
    """The values that an owner's client needs to pay for an order. Only the owner may read them."""

    provider: str
    publishable_key: str
    intent_id: str
    client_secret: str = field(repr=False)
    deadline: datetime
    last_decline: ProviderFact | None
    test_payment_url: str | None = field(repr=False)


def find_payable_attempt(context: Context, order: Order) -> PayableAttempt | None:
    """Return what is needed to pay for the order, or None if it cannot be paid now."""
    payment, checkout = order.payment, context.checkout
    if payment is None or order.status is not OrderStatus.PENDING_PAYMENT or payment.provider != checkout.provider:
        return None
    intent_id, client_secret = payment.attempt.intent_id, payment.attempt.client_secret
    if intent_id is None or client_secret is None or payment.cancel_requested_at is not None:
        return None
    return PayableAttempt(
        provider=payment.provider,
        publishable_key=checkout.publishable_key,
        intent_id=intent_id,
        client_secret=client_secret,
        deadline=payment.expires_at,
        last_decline=_last_decline(payment),
        test_payment_url=checkout.test_payment_url(intent_id, client_secret),
    )


async def sync_payment(context: Context, order_id: OrderId) -> Order:
    """Ask the provider about the payment of an order, and return the order.

    Raises NotFound, RateLimited, or TemporarilyUnavailable if the provider does not answer.
    """
    order = await _get(context, order_id)
    if order.payment is None:
        return order
    context.call_limits.count_payment_sync(context.signed_in().person_id, context.address)
    return await context.stores.detached_tasks.run(context.payments.sync(order.id, order.concert_id))


async def cancel_order(context: Context, order_id: OrderId) -> Order:
    """Ask for the cancellation of an unpaid order, and return the order.

    An order that ended unpaid is not changed. Raises NotFound, Forbidden for anyone
    but the owner, or OrderNotCancelable.
    """
    order = await _get(context, order_id)
    viewer = context.signed_in()
    if order.person_id != viewer.person_id:
        raise Forbidden(
            f"Only its buyer can cancel an order. You are signed in as {viewer.name};"
            " refund the order, or cancel the concert."
        )
    if order.status is OrderStatus.PENDING_PAYMENT:
        order = await context.stores.detached_tasks.run(context.payments.request_cancel(order, "BUYER"))
    if order.status is OrderStatus.PENDING_PAYMENT or order.status in _OVER_UNPAID:
        return order
    raise OrderNotCancelable(order.status)


async def refund_order(
    context: Context,
    order_id: OrderId,
    lines: Sequence[TicketRequest] | None,
    *,
    tickets: Sequence[TicketId] | None = None,
    idempotency_key: str,
) -> Order:
    """Request the refund of these lines or tickets, or of all remaining tickets, and return the
    order.

    Raises NotFound, NotRefundable, or IdempotencyConflict.
    """
    raise_problems(chain(key_problems(idempotency_key), refund_choice_problems(lines, tickets)))
    order = await _get(context, order_id)
    raise_problems(chain.from_iterable([] if lines is None else [ticket_line_problems(order.concert_id, lines)]))
    request_key = fingerprint(context.signed_in().person_id, order.id, "refundOrder", idempotency_key)
    digest = _refund_digest(lines, tickets)
    for refund in order.payment.refunds if order.payment else ():
        if refund.request_key == request_key:
            if refund.request_digest != digest:
                raise IdempotencyConflict
            return order
    is_organizer = await _check_who_refunds(context, order)
    for _ in range(MAX_CONFLICTS):
        raise_unless_refundable(order)
        units = _units_to_refund(order, lines, tickets)
        if not is_organizer:
            raise_if_checked_in(order, refundable_units(order) if units is None else units)
        request = context.payments.request_refund(
            order,
            units=units,
            reason=RefundReason.REQUESTED,
            requested_by=context.signed_in().person_id,
            request_key=request_key,
            digest=digest,
            includes_checked_in=is_organizer,
        )
        try:
            return await context.stores.detached_tasks.run(request)
        except NotRefundable:
            # Another request has just taken some of these units. Others may be left.
            order = await _get(context, order_id)
    raise TemporarilyUnavailable("This order is being refunded by many requests")


def _refund_digest(lines: Sequence[TicketRequest] | None, tickets: Sequence[TicketId] | None) -> str:
    if tickets is not None:
        return fingerprint("tickets", *sorted(tickets))
    return fingerprint(*(fingerprint_parts(tuple(lines)) if lines is not None else ("all",)))


def _units_to_refund(
    order: Order, lines: Sequence[TicketRequest] | None, tickets: Sequence[TicketId] | None
) -> tuple[Unit, ...] | None:
    if tickets is not None:
        return units_of_tickets(order, tickets)
    return None if lines is None else choose_units(order, lines)


async def _check_who_refunds(context: Context, order: Order) -> bool:
    """Return whether the viewer is the organizer or an admin, who may refund at any time.

    Raises NotRefundable for a buyer after the concert's deadline for refunds.
    """
    concert = await context.stores.concerts.get(order.concert_id)
    if concert is None:
        raise NotFound("Concert", order.concert_id)
    if organizes(context, concert):
        return True
    raise_unless_buyer_may_refund(order, concert.terms.refunds_until, datetime.now(UTC))
    return False


async def _get(context: Context, order_id: OrderId) -> Order:
    order = await get_order(context, order_id)
    if order is None:
        raise NotFound("Order", order_id)
    return order


def _last_decline(payment: Payment) -> ProviderFact | None:
    declines = [fact for fact in payment.facts if fact.kind is FactKind.DECLINE]
    return max(declines, key=lambda fact: (fact.at, fact.id), default=None)
