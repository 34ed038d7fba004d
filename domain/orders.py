"""Orders: recorded purchases. No unit belongs to more than one order at a time."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.holds import TicketLine
from domain.ids import ConcertId, EntryId, OrderId, PersonId, Unit
from domain.money import CurrencyCode, Money


class OrderStatus(StrEnum):
    PAID = "PAID"
    VOID = "VOID"
    """Not a purchase: it occupies the id of a hold so that no order can ever use it."""
    WITHDRAWN = "WITHDRAWN"
    """A purchase by the house account, which takes units off sale when a capacity is lowered."""


NEXT_STATUS = {
    OrderStatus.PAID: frozenset[OrderStatus](),
    OrderStatus.VOID: frozenset[OrderStatus](),
    OrderStatus.WITHDRAWN: frozenset[OrderStatus](),
}
"""Maps each status to the statuses that may follow it. Payments will add transitions; for now,
every purchase is recorded as PAID.
"""


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """An event in the history of an order. Events are appended and never changed."""

    kind: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Customer:
    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Order:
    id: OrderId
    concert_id: ConcertId
    person_id: PersonId
    status: OrderStatus
    units: tuple[Unit, ...]
    released_units: tuple[Unit, ...]
    lines: tuple[TicketLine, ...]
    currency: CurrencyCode
    customer: Customer
    version: int
    events: tuple[OrderEvent, ...]
    created_at: datetime
    hold_digest: str = ""
    """The fingerprint of the hold request. A store that lost the hold uses it to recognize a
    repeated request.
    """
    pass_entry_id: EntryId | None = None
    """The entry whose pass the order spent. A store that lost the hold uses it to mark the pass as
    spent.
    """

    @property
    def total(self) -> Money:
        return Money(sum(line.quantity * line.unit_price_minor for line in self.lines), self.currency)
