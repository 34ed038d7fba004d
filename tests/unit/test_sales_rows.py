"""The rows that follow from an order: its sale, its refunds, and what the provider returned."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from domain.analytics.sales import (
    NO_SALES,
    ConcertSales,
    SalesFigures,
    SalesKind,
    SalesLine,
    SalesRow,
    figures_of,
    sales_rows,
)
from domain.holds import TicketLine
from domain.ids import ConcertId, TierId, Unit, tier_id
from domain.orders import Order, OrderStatus
from domain.payments import transitions
from domain.payments.facts import FactKind, FactState, ProviderFact
from domain.payments.payment import RefundReason
from domain.payments.refunds import refunded_minor
from domain.payments.status import outstanding_refunds
from tests.support.payment_orders import CONCERT, DEADLINE, NOW, TIER, payment_fact, pending_order, with_intent

PRICE = 2_500
LATER = NOW + timedelta(hours=1)


def paid(*numbers: int) -> Order:
    """Return a paid order for units of the first tier, at 25.00 euros each."""
    pending = with_intent(pending_order("sold", *numbers))
    return apply(pending, payment_fact(FactState.SUCCEEDED, amount_minor=PRICE * len(numbers)))


def apply(order: Order, *facts: ProviderFact) -> Order:
    return transitions.apply_facts(order, facts, NOW)


def refund_fact(
    state: FactState, amount_minor: int, *, row: int | None = None, id_: str = "re_1", intent_id: str = "pi_1"
) -> ProviderFact:
    fact = payment_fact(state, amount_minor=amount_minor, intent_id=intent_id, at=LATER)
    return replace(fact, kind=FactKind.REFUND, id=id_, row=row)


def dispute_fact(state: FactState, amount_minor: int) -> ProviderFact:
    return replace(payment_fact(state, amount_minor=amount_minor, at=LATER), kind=FactKind.DISPUTE, id="dp_1")


def refund(order: Order, *units: Unit) -> Order:
    return transitions.add_refund(order, units, reason=RefundReason.REQUESTED, now=NOW)


def total_of(*orders: Order) -> SalesFigures:
    """Return the sums of everything that was recorded for these versions of an order."""
    return summed(*orders).total


def summed(*orders: Order) -> ConcertSales:
    return sum_rows(CONCERT, [row for order in orders for row in sales_rows(order)])


def sum_rows(concert_id: ConcertId, rows: Iterable[SalesRow]) -> ConcertSales:
    """Sum the rows of a concert. A row that is given twice counts once."""
    by_id = {row.id: row for row in rows}
    total, tiers = NO_SALES, dict[TierId, SalesFigures]()
    for row in by_id.values():
        total += figures_of(row.kind, rows=1, tickets=0, amount_minor=0)
        for line in row.lines:
            sales = figures_of(row.kind, rows=0, tickets=line.tickets, amount_minor=line.amount_minor)
            total += sales
            if line.tier_id is not None:
                tiers[line.tier_id] = tiers.get(line.tier_id, NO_SALES) + sales
    return ConcertSales(concert_id, len(by_id), total, tiers)


def test_paid_order_has_one_row_with_its_lines() -> None:
    order = paid(1, 2)
    (row,) = sales_rows(order)
    lines = (SalesLine(TIER, 2, 2 * PRICE),)
    assert row == SalesRow(f"sale:{order.id}", CONCERT, order.id, SalesKind.SALE, NOW, lines)


def test_unpaid_and_unsuccessful_orders_have_no_rows() -> None:
    pending = with_intent(pending_order("unpaid", 1))
    expired = transitions.apply_facts(pending, [payment_fact(FactState.CANCELED)], DEADLINE)
    late = apply(expired, payment_fact(FactState.SUCCEEDED))
    refused = transitions.refuse_late_payment(late, NOW)
    returned = apply(refused, refund_fact(FactState.SUCCEEDED, PRICE, row=1))
    orders = (pending, expired, late, refused, returned)
    assert [order.status.value for order in orders[1:]] == ["EXPIRED", "LATE_PAYMENT", "REFUND_PENDING", "REFUNDED"]
    assert [sales_rows(order) for order in orders] == [()] * 5


def test_house_orders_and_void_orders_have_no_rows() -> None:
    order = paid(1)
    for status in (OrderStatus.WITHDRAWN, OrderStatus.VOID):
        assert sales_rows(replace(order, status=status)) == ()


def test_refund_counts_once_its_money_is_returned() -> None:
    order = paid(1, 2)
    asked = refund(order, order.units[0])
    assert sales_rows(asked) == sales_rows(order)
    done = apply(asked, refund_fact(FactState.SUCCEEDED, PRICE, row=1))
    _, row = sales_rows(done)
    lines = (SalesLine(TIER, -1, -PRICE),)
    assert row == SalesRow(f"refund:{order.id}:1", CONCERT, order.id, SalesKind.REFUND, LATER, lines)
    assert total_of(done) == SalesFigures(1, 2, 2 * PRICE, 1, PRICE)


def test_refund_that_replaces_another_keeps_the_first_number() -> None:
    order = paid(1, 2)
    asked = refund(order, *order.units)
    assert asked.payment is not None
    failed = apply(asked, refund_fact(FactState.FAILED, 2 * PRICE, row=1))
    again = transitions.replace_refund(failed, asked.payment.refunds[0], NOW)
    done = apply(again, refund_fact(FactState.SUCCEEDED, 2 * PRICE, row=2, id_="re_2"))
    assert [row.id for row in sales_rows(done)] == [f"sale:{order.id}", f"refund:{order.id}:1"]


def test_refund_that_fails_after_it_was_counted_is_counted_once() -> None:
    order = paid(1, 2)
    asked = refund(order, *order.units)
    assert asked.payment is not None
    counted = apply(asked, refund_fact(FactState.SUCCEEDED, 2 * PRICE, row=1))
    failed = apply(counted, refund_fact(FactState.FAILED, 2 * PRICE, row=1))
    again = transitions.replace_refund(failed, asked.payment.refunds[0], NOW)
    done = apply(again, refund_fact(FactState.SUCCEEDED, 2 * PRICE, row=2, id_="re_2"))
    assert total_of(order, counted, failed, again, done) == SalesFigures(1, 2, 2 * PRICE, 2, 2 * PRICE)


def test_free_order_is_a_sale_without_money_and_so_is_its_refund() -> None:
    pending = pending_order("free", 1, 2)
    free = replace(pending, lines=(TicketLine(TIER, 2, 0),))
    order = transitions.paid_at_once(free)
    done = refund(order, order.units[0])
    assert total_of(done) == SalesFigures(orders=1, tickets_sold=2, tickets_refunded=1)


def test_goodwill_returns_money_but_no_tickets() -> None:
    done = apply(paid(1, 2), refund_fact(FactState.SUCCEEDED, 700))
    assert total_of(done) == SalesFigures(1, 2, 2 * PRICE, 0, 700)
    assert summed(done).tiers[TIER].refunded_minor == 0


def test_goodwill_that_fails_is_taken_back_whether_or_not_it_was_counted() -> None:
    order = paid(1, 2)
    counted = apply(order, refund_fact(FactState.SUCCEEDED, 700))
    failed = apply(counted, refund_fact(FactState.FAILED, 700))
    assert total_of(counted, failed) == total_of(failed) == SalesFigures(1, 2, 2 * PRICE)


def test_whole_price_returned_in_the_dashboard_returns_the_tickets() -> None:
    order = paid(1, 2)
    partly = apply(order, refund_fact(FactState.SUCCEEDED, PRICE))
    ended = apply(partly, refund_fact(FactState.SUCCEEDED, PRICE, id_="re_2"))
    assert ended.status is OrderStatus.REFUNDED
    assert total_of(order, partly, ended) == SalesFigures(1, 2, 2 * PRICE, 2, 2 * PRICE)
    assert sales_rows(ended)[-1].lines == (SalesLine(TIER, -2, 0),)


def test_tickets_stay_returned_if_a_refund_in_the_dashboard_fails_later() -> None:
    order = paid(1, 2)
    ended = apply(order, refund_fact(FactState.SUCCEEDED, 700), refund_fact(FactState.SUCCEEDED, 4_300, id_="re_2"))
    failed = apply(ended, refund_fact(FactState.FAILED, 700))
    assert (failed.status, failed.units) == (OrderStatus.REFUND_PENDING, ())
    assert total_of(ended, failed) == total_of(failed) == SalesFigures(1, 2, 2 * PRICE, 2, 4_300)


def test_tickets_of_a_refund_that_fails_are_not_returned_twice() -> None:
    order = paid(1, 2)
    counted = apply(refund(order, *order.units), refund_fact(FactState.SUCCEEDED, 2 * PRICE, row=1))
    failed = apply(counted, refund_fact(FactState.FAILED, 2 * PRICE, row=1))
    assert failed.units == ()
    assert total_of(counted, failed) == SalesFigures(1, 2, 2 * PRICE, 2, 2 * PRICE)


def test_lost_dispute_takes_the_remaining_tickets_and_money() -> None:
    order = paid(1, 2, 3)
    refunded = apply(refund(order, order.units[0]), refund_fact(FactState.SUCCEEDED, PRICE, row=1))
    assert sales_rows(apply(refunded, dispute_fact(FactState.OPEN, 3 * PRICE))) == sales_rows(refunded)
    lost = apply(refunded, dispute_fact(FactState.LOST, 3 * PRICE))
    assert sales_rows(lost)[-1].lines == (SalesLine(TIER, -2, -2 * PRICE),)
    assert total_of(lost) == SalesFigures(1, 3, 3 * PRICE, 3, 3 * PRICE)


def test_second_payment_and_its_refund_do_not_count_as_sales() -> None:
    order = paid(1)
    twice = apply(order, payment_fact(FactState.SUCCEEDED, intent_id="pi_2"))
    returned = apply(twice, refund_fact(FactState.SUCCEEDED, PRICE, row=1, intent_id="pi_2"))
    assert refunded_minor(returned) == PRICE
    assert sales_rows(returned) == sales_rows(order)


def test_figures_of_two_tiers_are_kept_apart() -> None:
    balcony = tier_id(CONCERT, 2)
    order = replace(
        paid(1), lines=(TicketLine(TIER, 1, PRICE), TicketLine(balcony, 3, 100)), units=(Unit(f"{TIER}:1"),)
    )
    found = summed(order)
    assert found.total == SalesFigures(1, 4, PRICE + 300)
    assert found.tiers == {
        TIER: SalesFigures(tickets_sold=1, gross_minor=PRICE),
        balcony: SalesFigures(tickets_sold=3, gross_minor=300),
    }


OURS = [refund_fact(state, PRICE, row=1, id_="re_ours") for state in (FactState.PENDING, FactState.SUCCEEDED)]
GOODWILL = [
    refund_fact(state, amount, id_=f"re_{amount}")
    for state in (FactState.PENDING, FactState.SUCCEEDED, FactState.FAILED)
    for amount in (300, PRICE, 3 * PRICE - 300)
]
OTHERS = [payment_fact(FactState.SUCCEEDED, amount_minor=3 * PRICE, intent_id="pi_2"), dispute_fact(FactState.WON, 900)]


@given(facts=st.lists(st.sampled_from([*OURS, *GOODWILL, *OTHERS])), recorded=st.sets(st.integers(0, 30)))
def test_recorded_rows_agree_with_the_order_whenever_they_are_recorded(
    facts: list[ProviderFact], recorded: set[int]
) -> None:
    order = refund(paid(1, 2, 3), Unit(f"{TIER}:1"))
    versions = []
    for number, fact in enumerate(facts):
        order = apply(order, fact)
        if number in recorded:
            versions.append(order)
    total = total_of(*versions, order)
    assert order.payment is not None
    returned = sum(
        fact.amount_minor
        for fact in order.payment.facts
        if fact.kind is FactKind.REFUND and fact.state is FactState.SUCCEEDED and fact.intent_id == "pi_1"
    )
    assert (total.orders, total.tickets_sold, total.gross_minor) == (1, 3, 3 * PRICE)
    # A ticket whose refund is under way counts as sold, even if the whole price was returned.
    waiting = {unit for one in outstanding_refunds(order) for unit in one.units} & set(order.released_units)
    left = len(order.units) + len(waiting)
    assert (total.tickets_sold - total.tickets_refunded, total.refunded_minor) == (left, returned)
