"""The sales of a concert: rows that follow from its orders, and the figures summed from them.

A row is one event with a fixed id: an order was paid, or one of its refunds succeeded. A refund has
negative numbers. The rows of an order are a pure function of the order, and a row never changes, so
recording an order again adds only rows that are missing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.holds import TicketLine
from domain.ids import ConcertId, OrderId, TierId, ordinal_of, tier_of
from domain.orders import Order, OrderStatus
from domain.payments.effects import SALES
from domain.payments.facts import FactKind, FactState, ProviderFact
from domain.payments.payment import Refund, RefundReason
from domain.payments.refunds import RefundState, refund_lines, refund_state, shown_refunds
from domain.payments.status import accepted_payment, disputes, is_dispute_lost, refund_fact, replaced_by

_SOLD = frozenset({OrderStatus.PAID.value, OrderStatus.FULFILLED.value})
_NOT_PURCHASES = frozenset({OrderStatus.VOID, OrderStatus.WITHDRAWN})


class SalesKind(StrEnum):
    SALE = "SALE"
    REFUND = "REFUND"
    """A refund that Onsale requested."""
    GOODWILL = "GOODWILL"
    """Money that was returned in the provider's dashboard."""
    GOODWILL_FAILED = "GOODWILL_FAILED"
    """Money returned in the dashboard that came back, because the bank could not deliver it."""
    DISPUTE = "DISPUTE"
    """A payment that the bank returned to the card holder."""
    RELEASE = "RELEASE"
    """Tickets that the order lost because its whole price was returned in the dashboard."""


@dataclass(frozen=True, slots=True)
class SalesLine:
    tier_id: TierId | None
    """None for money that belongs to no particular tier."""
    tickets: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class SalesRow:
    id: str
    concert_id: ConcertId
    order_id: OrderId
    kind: SalesKind
    at: datetime
    lines: tuple[SalesLine, ...]


@dataclass(frozen=True, slots=True)
class SalesFigures:
    """The sums over some rows. Refunds include goodwill and lost disputes."""

    orders: int = 0
    tickets_sold: int = 0
    gross_minor: int = 0
    tickets_refunded: int = 0
    refunded_minor: int = 0

    def __add__(self, other: "SalesFigures") -> "SalesFigures":
        return SalesFigures(
            self.orders + other.orders,
            self.tickets_sold + other.tickets_sold,
            self.gross_minor + other.gross_minor,
            self.tickets_refunded + other.tickets_refunded,
            self.refunded_minor + other.refunded_minor,
        )


NO_SALES = SalesFigures()


@dataclass(frozen=True, slots=True)
class ConcertSales:
    concert_id: ConcertId
    version: int
    """The number of rows. Rows are only added, so a higher version is a newer one."""
    total: SalesFigures
    tiers: Mapping[TierId, SalesFigures]
    """The figures of each tier with sales. Their count of orders is 0."""


def figures_of(kind: SalesKind, *, rows: int, tickets: int, amount_minor: int) -> SalesFigures:
    """Return figures with these sums, for this number of rows of one kind."""
    if kind is SalesKind.SALE:
        return SalesFigures(orders=rows, tickets_sold=tickets, gross_minor=amount_minor)
    return SalesFigures(tickets_refunded=-tickets, refunded_minor=-amount_minor)


def sales_rows(order: Order) -> tuple[SalesRow, ...]:
    """Return the rows of an order, or none if it was never a sale because it was not paid, or was
    paid too late and refused.
    """
    if order.status in _NOT_PURCHASES or SALES not in order.effects.states:
        return ()
    rows = [_sale(order), *(_refund(order, refund) for refund in _succeeded_refunds(order))]
    rows += [row for fact in _goodwill(order) for row in _goodwill_rows(order, fact)]
    rows += _release(order)
    for fact in disputes(order):
        if fact.state is FactState.LOST:
            rows.append(_dispute(order, fact, rows))
    return tuple(rows)


def _sale(order: Order) -> SalesRow:
    at = next((event.at for event in order.events if event.kind in _SOLD), order.created_at)
    lines = tuple(SalesLine(line.tier_id, line.quantity, line.quantity * line.unit_price_minor) for line in order.lines)
    return _row(order, SalesKind.SALE, "", at, lines)


def _succeeded_refunds(order: Order) -> tuple[Refund, ...]:
    """Return the successful refunds of the payment that pays the order, oldest first."""
    accepted = accepted_payment(order)
    return tuple(
        refund
        for refund in shown_refunds(order)
        if refund_state(order, refund) is RefundState.SUCCEEDED
        and (refund.intent_id is None or (accepted is not None and refund.intent_id == accepted.intent_id))
    )


def _refund(order: Order, refund: Refund) -> SalesRow:
    """Return the row of a refund. A refund that replaces others keeps the number of the first
    one.
    """
    assert order.payment is not None
    first = (refund.number, *replaced_by(order.payment, refund))[-1]
    fact = refund_fact(order, refund)
    at = refund.requested_at if fact is None else fact.at
    lines = _split(refund.amount_minor, refund_lines(order, refund))
    return _row(order, SalesKind.REFUND, str(first), at, lines)


def _split(amount_minor: int, lines: Iterable[TicketLine]) -> tuple[SalesLine, ...]:
    """Return negative lines whose amounts add up to the amount of a refund, which may be less than
    the price of its tickets.
    """
    split, left = list[SalesLine](), amount_minor
    for line in lines:
        part = min(left, line.quantity * line.unit_price_minor)
        split.append(SalesLine(line.tier_id, -line.quantity, -part))
        left -= part
    return (*split, SalesLine(None, 0, -left)) if left else tuple(split)


def _goodwill(order: Order) -> tuple[ProviderFact, ...]:
    """Return the refunds of the order's payment that are not ours."""
    accepted = accepted_payment(order)
    if order.payment is None or accepted is None:
        return ()
    rows = {refund.number for refund in order.payment.refunds}
    return tuple(
        fact
        for fact in order.payment.facts
        if fact.kind is FactKind.REFUND and fact.intent_id == accepted.intent_id and fact.row not in rows
    )


def _goodwill_rows(order: Order, fact: ProviderFact) -> tuple[SalesRow, ...]:
    """Return the row of a refund that is not ours, and a second row if it has failed, because the
    first one may already have been recorded.
    """
    if fact.state is FactState.PENDING:
        return ()
    returned = _row(order, SalesKind.GOODWILL, fact.id, fact.at, (SalesLine(None, 0, -fact.amount_minor),))
    if fact.state is FactState.SUCCEEDED:
        return (returned,)
    lines = (SalesLine(None, 0, fact.amount_minor),)
    return (returned, _row(order, SalesKind.GOODWILL_FAILED, fact.id, fact.at, lines))


def _dispute(order: Order, fact: ProviderFact, rows: Iterable[SalesRow]) -> SalesRow:
    """Return the row of a lost dispute, which takes all remaining tickets and money."""
    tickets, money = _left(rows)
    amount_minor = min(fact.amount_minor, money)
    prices = {line.tier_id: line.unit_price_minor for line in order.lines}
    lines = [TicketLine(tier_id, count, prices[tier_id]) for tier_id, count in tickets.items()]
    return _row(order, SalesKind.DISPUTE, fact.id, fact.at, _split(amount_minor, lines))


def _release(order: Order) -> tuple[SalesRow, ...]:
    """Return the row of the tickets that an order lost without one of our refunds."""
    if order.units or order.payment is None or (is_dispute_lost(order) and not _is_returned(order)):
        return ()
    refunded = Counter(tier_of(unit) for unit in {unit for refund in order.payment.refunds for unit in refund.units})
    lines = tuple(
        SalesLine(line.tier_id, refunded[line.tier_id] - line.quantity, 0)
        for line in order.lines
        if refunded[line.tier_id] < line.quantity
    )
    if not lines:
        return ()
    at = max((fact.at for fact in _goodwill(order)), default=order.events[-1].at)
    return (_row(order, SalesKind.RELEASE, "", at, lines),)


def _is_returned(order: Order) -> bool:
    """Return whether the whole price was returned without the bank's decision, even if some of it
    could not be delivered. In that case the tickets were lost before the dispute.
    """
    goodwill = sum(fact.amount_minor for fact in _goodwill(order) if fact.state is not FactState.PENDING)
    refunds = [refund for refund in _succeeded_refunds(order) if refund.reason is not RefundReason.DISPUTE_LOST]
    return goodwill + sum(refund.amount_minor for refund in refunds) >= order.total.minor


def _left(rows: Iterable[SalesRow]) -> tuple[Mapping[TierId, int], int]:
    """Return the tickets of each tier and the money that remain after these rows of an order."""
    tickets, money = Counter[TierId](), 0
    for line in (line for row in rows for line in row.lines):
        money += line.amount_minor
        if line.tier_id is not None:
            tickets[line.tier_id] += line.tickets
    return {tier_id: tickets[tier_id] for tier_id in sorted(tickets, key=ordinal_of) if tickets[tier_id] > 0}, money


def _row(order: Order, kind: SalesKind, name: str, at: datetime, lines: tuple[SalesLine, ...]) -> SalesRow:
    id_ = ":".join(part for part in (kind.lower(), order.id, name) if part)
    return SalesRow(id_, order.concert_id, order.id, kind, at, lines)
