"""The cancellation of a concert: a job that cancels or refunds every order, and its progress."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.ids import ConcertId, OrderId, PersonId
from domain.orders import OrderStatus

UNDOABLE = (OrderStatus.PENDING_PAYMENT, OrderStatus.PAID, OrderStatus.FULFILLED, OrderStatus.REFUND_PENDING)
"""The statuses of the orders that the job cancels or refunds. A partial refund may be pending while
other tickets of the order are still valid.
"""
OPEN = (*UNDOABLE, OrderStatus.LATE_PAYMENT)
"""The statuses of orders whose money or tickets are not settled yet."""

LEASE = timedelta(seconds=30)
"""How long a process may work on one page. If it dies, another process continues after this time.
"""
PAUSE = timedelta(seconds=2)
"""The pause between two passes while some orders are open."""
IDLE_PAUSE = timedelta(seconds=30)
"""The pause between two passes once no order is open. A purchase that was in progress during the
cancellation, or a store that was restored from a copy, may still add one.
"""


@dataclass(frozen=True, slots=True)
class CancellationJob:
    concert_id: ConcertId
    started_at: datetime
    requested_by: PersonId
    after: OrderId | None
    """The last order of this pass whose cancellation or refund has been requested."""
    finished_at: datetime | None
    """The first time at which no order was open."""


@dataclass(frozen=True, slots=True)
class CancellationProgress:
    started_at: datetime
    finished_at: datetime | None
    open_orders: int
    refunded_orders: int
