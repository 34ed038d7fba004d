"""Orders: purchases that are paid and recorded. The units of an order are in no other active
order.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.holds import TicketLine
from domain.ids import ConcertId, EntryId, OrderId, PersonId, Unit
from domain.money import CurrencyCode, Money


class OrderStatus(StrEnum):
    PAID = "PAID"
    VOID = "VOID"
    """A fence, not a purchase: it occupies the id of a hold so that no order can ever have it."""
    WITHDRAWN = "WITHDRAWN"
    """A purchase by the house account: units that a lower capacity took off sale."""


NEXT_STATUS = {
    OrderStatus.PAID: frozenset[OrderStatus](),
    OrderStatus.VOID: frozenset[OrderStatus](),
    OrderStatus.WITHDRAWN: frozenset[OrderStatus](),
}
"""The allowed next statuses. Payment will add transitions; until then, a recorded order is PAID."""


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One event in an order's history, appended and never changed."""

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
    """Fingerprint of the hold request, by which a store that lost the hold still recognizes a
    repeated request.
    """
    pass_entry_id: EntryId | None = None
    """The entry whose pass the order spent, so that a store that lost the hold still spends the
    pass.
    """

    @property
    def total(self) -> Money:
        return Money(sum(line.quantity * line.unit_price_minor for line in self.lines), self.currency)
