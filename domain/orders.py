"""Orders: recorded purchases. No unit belongs to more than one order at a time."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.holds import TicketLine
from domain.ids import ConcertId, EntryId, OrderId, PersonId, Unit, order_number
from domain.money import CurrencyCode, Money
from domain.payments.payment import NO_EFFECTS, Effects, Payment
from domain.text.locales import Locale
from domain.tickets.ticket import Revocation, Ticket


class OrderStatus(StrEnum):
    PENDING_PAYMENT = "PENDING_PAYMENT"
    PAID = "PAID"
    FULFILLED = "FULFILLED"
    """Paid, the tickets are issued, and the document with them is ready."""
    PAYMENT_FAILED = "PAYMENT_FAILED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    LATE_PAYMENT = "LATE_PAYMENT"
    """Paid after the units were released. The order worker takes units again, or refunds the
    payment.
    """
    REFUND_PENDING = "REFUND_PENDING"
    REFUNDED = "REFUNDED"
    DISPUTE_LOST = "DISPUTE_LOST"
    """The bank returned the money to the card holder."""
    VOID = "VOID"
    """Not a purchase: it occupies the id of a hold so that no order can ever use it."""
    WITHDRAWN = "WITHDRAWN"
    """A purchase by the house account, which takes units off sale when a capacity is lowered."""


class StockState(StrEnum):
    """The meaning of an order for the stock. The hot state is updated to agree with it."""

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
    locale: Locale = Locale.EN
    """The language of the mail and the documents that the buyer gets."""


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
    """None if nothing has to be paid: the order is free, belongs to the house account, or was
    placed before Onsale took payments. A refund of such an order adds a payment without attempts.
    """
    effects: Effects = NO_EFFECTS
    work_at: datetime | None = None
    """When the order worker must process the order; None if nothing is due. Each change to the
    order sets it again.
    """
    tickets: tuple[Ticket, ...] = ()
    """Tickets are added and changed, and never removed, not even with their unit."""
    revocations: tuple[Revocation, ...] = ()
    """The codes of the tickets that are dead, oldest first."""
    effects_at: datetime | None = None
    """When the effects worker must process the order; None if no effect is due."""
    traceparent: str | None = None
    """The trace of the purchase, as W3C Trace Context writes it; None if it was not traced."""

    @property
    def number(self) -> str:
        """Return the number that people read and type. Two orders could have the same number, but
        this is too unlikely ever to be seen.
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
