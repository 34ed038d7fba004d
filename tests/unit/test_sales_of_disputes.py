"""The sales rows of orders whose payment was disputed more than once, or after it was returned."""

from dataclasses import replace

from domain.analytics.sales import NO_SALES, SalesFigures, SalesRow, figures_of, sales_rows
from domain.orders import Order
from domain.payments import transitions
from domain.payments.facts import FactKind, FactState, ProviderFact
from tests.support.payment_orders import NOW, payment_fact, pending_order, with_intent

RETURNED = SalesFigures(orders=1, tickets_sold=2, gross_minor=5_000, tickets_refunded=2, refunded_minor=5_000)


def apply(order: Order, *facts: ProviderFact) -> Order:
    return transitions.apply_facts(order, facts, NOW)


def paid() -> Order:
    return apply(with_intent(pending_order("sold", 1, 2)), payment_fact(FactState.SUCCEEDED, amount_minor=5_000))


def lost(id_: str, amount_minor: int) -> ProviderFact:
    return replace(payment_fact(FactState.LOST, amount_minor=amount_minor), kind=FactKind.DISPUTE, id=id_)


def recorded(*orders: Order) -> SalesFigures:
    """Return the sums of all rows that were recorded for these versions of an order."""
    rows: dict[str, SalesRow] = {}
    for order in orders:
        rows = {row.id: row for row in sales_rows(order)} | rows
    total = NO_SALES
    for row in rows.values():
        tickets = sum(line.tickets for line in row.lines)
        money = sum(line.amount_minor for line in row.lines)
        total += figures_of(row.kind, rows=1, tickets=tickets, amount_minor=money)
    return total


def test_two_lost_disputes_return_each_ticket_once() -> None:
    sold = paid()
    first = apply(sold, lost("dp_1", 2_500))
    second = apply(first, lost("dp_2", 2_500))
    assert recorded(sold, first, second) == RETURNED
    assert recorded(second) == RETURNED


def test_a_dispute_lost_after_the_price_was_returned_returns_nothing_more() -> None:
    sold = paid()
    goodwill = replace(payment_fact(FactState.SUCCEEDED, amount_minor=5_000), kind=FactKind.REFUND, id="re_1", row=None)
    returned = apply(sold, goodwill)
    disputed = apply(returned, lost("dp_1", 5_000))
    assert recorded(sold, returned, disputed) == RETURNED
    assert recorded(disputed) == RETURNED
