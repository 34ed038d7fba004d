"""Orders: recorded purchases. No unit belongs to more than one order at a time."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.holds import TicketLine
from domain.ids import ConcertId, EntryId, OrderId, PersonId, Unit, order_number
from domain.money import CurrencyCode, Money
from domain.payments.payment import NO_EFFECTS, Effects, Payment


class OrderStatus(StrEnum):
    PENDING_PAYMENT = "PENDING_PAYMENT"
    PAID = "PAID"
    FULFILLED = "FULFILLED"
    """Paid, and the tickets are issued."""
    PAYMENT_FAILED = "PAYMENT_FAILED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    LATE_PAYMENT = "LATE_PAYMENT"
    """Paid after the units were given back. The order worker takes units again, or refunds."""
    REFUND_PENDING = "REFUND_PENDING"
    REFUNDED = "REFUNDED"
    DISPUTE_LOST = "DISPUTE_LOST"
    """The bank gave the money back to the card holder."""
    VOID = "VOID"
    """Not a purchase: it occupies the id of a hold so that no order can ever use it."""
    WITHDRAWN = "WITHDRAWN"
    """A purchase by the house account, which takes units off sale when a capacity is lowered."""


class StockState(StrEnum):
    """The meaning of an order for the stock. The hot state is made to agree with it."""

    BUYING = "BUYING"
    """Its units are held for a payment: recorded, counted as held, and the pass is not spent."""
    SOLD = "SOLD"
    WITHDRAWN = "WITHDRAWN"
    ENDED = "ENDED"
    """It has no units."""


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
    payment: Payment | None = None
    """None if nothing is to be paid: the order is free, belongs to the house, or is older than
    payments are. A refund of such an order adds a payment without attempts.
    """
    effects: Effects = NO_EFFECTS
    work_at: datetime | None = None
    """When the order worker must look at the order; None if nothing is due. Each change of the
    order sets it anew.
    """

    @property
    def number(self) -> str:
        """Return the number that people read and type. Two orders may have the same one, but it is
        so unlikely that no one will see it.
        """
        return order_number(self.id)

    @property
    def total(self) -> Money:
        return Money(sum(line.quantity * line.unit_price_minor for line in self.lines), self.currency)

    @property
    def stock_state(self) -> StockState:
        """Return what this order means for the stock. Every caller of `record_order` uses this."""
        if self.status is OrderStatus.WITHDRAWN and self.units:
            return StockState.WITHDRAWN
        if not self.units:
            return StockState.ENDED
        return StockState.BUYING if self.status is OrderStatus.PENDING_PAYMENT else StockState.SOLD
