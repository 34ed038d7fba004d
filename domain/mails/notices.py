"""Notices to the buyers of a concert that was moved or canceled.

A notice is written in the transaction that changes the concert. A job then goes through the orders
of the concert, page by page, and queues one mail for each.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.concerts import Concert, ConcertStatus
from domain.ids import ConcertId, OrderId
from domain.mails.mail import MailKind, is_refunded_for_cancellation, living_units
from domain.orders import Order, OrderStatus

LEASE = timedelta(seconds=30)
"""Longer than processing a page takes, even if MongoDB is slow."""
TOLD = {
    MailKind.MOVED: (OrderStatus.PAID, OrderStatus.FULFILLED, OrderStatus.REFUND_PENDING),
    # The orders may be refunded before the job reaches them.
    MailKind.CANCELED: (
        OrderStatus.PAID,
        OrderStatus.FULFILLED,
        OrderStatus.REFUND_PENDING,
        OrderStatus.REFUNDED,
    ),
}
"""The statuses of the orders whose buyers may get a notice."""


@dataclass(frozen=True, slots=True)
class ConcertNotice:
    concert_id: ConcertId
    kind: MailKind
    version: int
    """The version of the concert after the change."""
    created_at: datetime
    after: OrderId | None = None
    """The last order of the pages that have been processed."""

    @property
    def id(self) -> str:
        return f"{self.kind.value.lower()}:{self.concert_id}:{self.version}"


def notice_after(before: Concert, after: Concert, now: datetime) -> ConcertNotice | None:
    """Return the notice that a change to a concert causes, or None."""
    if before.status is ConcertStatus.DRAFT or before.terms.starts_at <= now:
        return None
    if after.status is ConcertStatus.CANCELLED:
        is_new = before.status is not ConcertStatus.CANCELLED
        return ConcertNotice(after.id, MailKind.CANCELED, after.version, now) if is_new else None
    return ConcertNotice(after.id, MailKind.MOVED, after.version, now) if _is_moved(before, after) else None


def concerns(notice: ConcertNotice, order: Order) -> bool:
    """Return whether the buyer of this order gets the notice."""
    if living_units(order):
        return True
    return notice.kind is MailKind.CANCELED and is_refunded_for_cancellation(order)


def _is_moved(before: Concert, after: Concert) -> bool:
    old, new = before.terms, after.terms
    places = [(venue.name, venue.city, venue.country) for venue in (old.venue, new.venue)]
    return old.starts_at != new.starts_at or places[0] != places[1]
