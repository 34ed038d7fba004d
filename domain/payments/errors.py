"""The refusals about the payment of an order.

Refusal
├── OrderNotCancelable   the order is paid or over; only an unpaid order can be canceled
└── NotRefundable        the order, or as many of its tickets, cannot be refunded
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
            OrderStatus.REFUND_PENDING: "is being refunded; nothing more is to be done",
            OrderStatus.REFUNDED: "is refunded; nothing more is to be done",
            OrderStatus.DISPUTE_LOST: "was paid back by the bank; nothing more is to be done",
        }[status]
        super().__init__(f"Only an unpaid order can be canceled. This order {step}.")
        self.status = status


class NotRefundableReason(StrEnum):
    NOT_PAID = "NOT_PAID"
    NOTHING_LEFT = "NOTHING_LEFT"
    TOO_MANY = "TOO_MANY"
    """Fewer tickets are left to refund than requested."""
    TOO_LATE = "TOO_LATE"
    """The concert does not, or no longer, let its buyers refund their orders."""
    DISPUTED = "DISPUTED"
    """The buyer's bank decides about the money."""


class NotRefundable(Refusal):
    """`until` is the deadline that has passed, and `left` the number of refundable tickets of the
    tier; each is None if it is not the reason.
    """

    code = ErrorCode.NOT_REFUNDABLE

    def __init__(
        self,
        reason: NotRefundableReason,
        status: OrderStatus,
        *,
        until: datetime | None = None,
        left: int | None = None,
    ) -> None:
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
                NotRefundableReason.DISPUTED: "The payment of this order is disputed, and the bank decides about the"
                " money; wait for its decision.",
            }[reason]
        )
        self.reason = reason
        self.status = status
        self.until = until
        self.left = left
