"""An order: what is bought, paid and recorded. Its units are in no other living order."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.holds import TicketLine
from domain.ids import ConcertId, EntryId, OrderId, PersonId, Unit
from domain.money import CurrencyCode, Money


class OrderStatus(StrEnum):
    PAID = "PAID"
    VOID = "VOID"
    """A fence, not a purchase: it stands under a hold's id so that no order ever can."""
    WITHDRAWN = "WITHDRAWN"
    """A purchase by the house: units that a lower capacity took off sale."""


NEXT_STATUS = {
    OrderStatus.PAID: frozenset[OrderStatus](),
    OrderStatus.VOID: frozenset[OrderStatus](),
    OrderStatus.WITHDRAWN: frozenset[OrderStatus](),
}
"""Where an order may go from each status. Payment brings the edges: until then an order is PAID when it is recorded."""


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One line of an order's history, appended and never changed."""

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
    """Of what its hold was asked with: a store that forgot the hold still knows a repeated request."""
    pass_entry_id: EntryId | None = None
    """The place whose pass it spent: a store that forgot the hold still spends it."""

    @property
    def total(self) -> Money:
        return Money(sum(line.quantity * line.unit_price_minor for line in self.lines), self.currency)
