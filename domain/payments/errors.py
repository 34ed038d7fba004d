"""Refusals that concern the payment of an order.

Refusal
├── OrderNotCancelable   the order is paid or over; only an unpaid order can be canceled
└── NotRefundable        the order, or the requested part of it, cannot be refunded
"""

from datetime import datetime
from enum import StrEnum

from domain.errors import ErrorCode, Refusal
from domain.orders import OrderStatus
from domain.text.phrases import format_tickets, format_time


class OrderNotCancelable(Refusal):
    code = ErrorCode.ORDER_NOT_CANCELABLE

    def __init__(self, status: OrderStatus) -> None:
        step = {
            OrderStatus.PAID: "is paid; ask for a refund with refundOrder",
            OrderStatus.FULFILLED: "is paid; ask for a refund with refundOrder",
            OrderStatus.LATE_PAYMENT: "has just been paid; read it again in a few seconds",
            OrderStatus.REFUND_PENDING: "is being refunded; you need not do anything",
            OrderStatus.REFUNDED: "has been refunded; you need not do anything",
            OrderStatus.DISPUTE_LOST: "ended because the bank reversed the payment; you need not do anything",
        }[status]
        super().__init__(f"Only an unpaid order can be canceled. This order {step}.")
        self.status = status


class NotRefundableReason(StrEnum):
    NOT_PAID = "NOT_PAID"
    NOTHING_LEFT = "NOTHING_LEFT"
    TOO_MANY = "TOO_MANY"
    """More tickets were requested than are left to refund."""
    TOO_LATE = "TOO_LATE"
    """The concert does not let buyers refund their orders, or no longer does."""
    DISPUTED = "DISPUTED"
    """The buyer's bank is deciding a dispute about the payment."""
    CHECKED_IN = "CHECKED_IN"
    """A ticket was checked in. The organizer and admins may still refund it."""


class NotRefundable(Refusal):
    """`until` is the deadline that has passed, and `left` the number of refundable tickets of the
    tier. Each is None unless it is the reason for the refusal.
    """

    code = ErrorCode.NOT_REFUNDABLE

    def __init__(
        self,
        reason: NotRefundableReason,
        status: OrderStatus,
        *,
        until: datetime | None = None,
        left: int | None = None,
        used: int = 0,
    ) -> None:
        was = "was" if used == 1 else "were"
        ended = f"could be refunded until {format_time(until)}" if until else "cannot be refunded by its buyers"
        super().__init__(
            {
                NotRefundableReason.NOT_PAID: "This order is not paid, so there is nothing to refund; cancel it with"
                " cancelOrder if it is still waiting for its payment.",
                NotRefundableReason.NOTHING_LEFT: "No ticket of this order is left to refund; read its `status` and"
                " `refunds`.",
                NotRefundableReason.TOO_MANY: f"Only {format_tickets(left or 0)} of this tier can still be refunded;"
                " ask for fewer.",
                NotRefundableReason.TOO_LATE: f"An order for this concert {ended}; ask the organizer for a refund.",
                NotRefundableReason.DISPUTED: "The payment of this order is disputed, and the bank has not "
                "decided yet; wait for its decision.",
                NotRefundableReason.CHECKED_IN: f"{format_tickets(used)} of this order {was} checked in; refund"
                " the others with `tickets`, or ask the organizer for a refund.",
            }[reason]
        )
        self.reason = reason
        self.status = status
        self.until = until
        self.left = left
