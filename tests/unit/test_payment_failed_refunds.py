"""Refunds that fail after their order has lost its tickets: the money is returned again."""

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.orders import Order, OrderStatus
from domain.payments import transitions
from domain.payments.facts import FactKind, FactState, ProviderFact
from domain.payments.payment import RefundReason
from domain.payments.status import outstanding_refunds
from domain.payments.steps import StepKind, next_step
from tests.support.payment_orders import NOW, payment_fact, pending_order, with_intent

TOTAL = 5_000


def paid() -> Order:
    return transitions.apply_facts(
        with_intent(pending_order("refunds", 1, 2)), [payment_fact(FactState.SUCCEEDED, amount_minor=TOTAL)], NOW
    )


def reported(
    kind: FactKind, state: FactState, id_: str, *, amount: int = TOTAL, row: int | None = None
) -> ProviderFact:
    return replace(payment_fact(state, amount_minor=amount), kind=kind, id=id_, row=row)


def dashboard_refund(state: FactState, amount: int = TOTAL) -> ProviderFact:
    return reported(FactKind.REFUND, state, "re_dashboard", amount=amount)


def test_dashboard_refund_that_fails_later_is_repeated_by_us() -> None:
    ended = transitions.apply_facts(paid(), [dashboard_refund(FactState.SUCCEEDED)], NOW)
    assert (ended.status, ended.units) == (OrderStatus.REFUNDED, ())
    assert ended.payment is not None
    assert ended.payment.refunds == ()
    failed = transitions.apply_facts(ended, [dashboard_refund(FactState.FAILED)], NOW)
    assert (failed.status, failed.units) == (OrderStatus.REFUND_PENDING, ())
    (refund,) = outstanding_refunds(failed)
    assert (refund.amount_minor, refund.units, refund.reason) == (TOTAL, (), RefundReason.REQUESTED)
    step = next_step(failed, NOW)
    assert step is not None
    assert (step.kind, step.refund, failed.work_at) == (StepKind.SEND_REFUND, refund, NOW)
    done = transitions.apply_facts(failed, [reported(FactKind.REFUND, FactState.SUCCEEDED, "re_ours", row=1)], NOW)
    assert (done.status, done.units, done.work_at) == (OrderStatus.REFUNDED, (), None)


def test_only_the_money_that_came_back_is_returned_again() -> None:
    order = paid()
    one = transitions.add_refund(order, order.units[:1], reason=RefundReason.REQUESTED, now=NOW)
    ours = reported(FactKind.REFUND, FactState.SUCCEEDED, "re_ours", amount=2_500, row=1)
    ended = transitions.apply_facts(one, [ours, dashboard_refund(FactState.SUCCEEDED, 2_500)], NOW)
    assert ended.status is OrderStatus.REFUNDED
    failed = transitions.apply_facts(ended, [dashboard_refund(FactState.FAILED, 2_500)], NOW)
    assert [refund.amount_minor for refund in outstanding_refunds(failed)] == [2_500]


def test_failed_refund_of_ours_is_replaced_and_gets_no_second_row() -> None:
    order = paid()
    asked = transitions.add_refund(order, order.units, reason=RefundReason.REQUESTED, now=NOW)
    states = (FactState.SUCCEEDED, FactState.FAILED)
    for state in states:
        asked = transitions.apply_facts(asked, [reported(FactKind.REFUND, state, "re_ours", row=1)], NOW)
    assert asked.payment is not None
    assert [refund.number for refund in asked.payment.refunds] == [1]
    assert asked.status is OrderStatus.REFUND_PENDING


@pytest.mark.parametrize(
    ("state", "status"), [(FactState.OPEN, OrderStatus.REFUND_PENDING), (FactState.LOST, OrderStatus.DISPUTE_LOST)]
)
def test_money_that_the_bank_claims_is_not_refunded_too(state: FactState, status: OrderStatus) -> None:
    ended = transitions.apply_facts(paid(), [dashboard_refund(FactState.SUCCEEDED)], NOW)
    dispute = reported(FactKind.DISPUTE, state, "dp_1")
    failed = transitions.apply_facts(ended, [dispute, dashboard_refund(FactState.FAILED)], NOW)
    assert (failed.status, outstanding_refunds(failed)) == (status, ())


def test_money_is_returned_once_a_dispute_about_it_is_won() -> None:
    order = transitions.apply_facts(paid(), [dashboard_refund(FactState.SUCCEEDED)], NOW)
    for fact in (
        reported(FactKind.DISPUTE, FactState.OPEN, "dp_1"),
        dashboard_refund(FactState.FAILED),
        reported(FactKind.DISPUTE, FactState.WON, "dp_1"),
    ):
        order = transitions.apply_facts(order, [fact], NOW)
    assert [refund.amount_minor for refund in outstanding_refunds(order)] == [TOTAL]


def test_late_payment_still_gets_tickets_before_a_refund() -> None:
    order = transitions.apply_facts(
        with_intent(pending_order("late", 1, 2)), [payment_fact(FactState.CANCELED)], NOW + timedelta(minutes=11)
    )
    late = transitions.apply_facts(order, [payment_fact(FactState.SUCCEEDED, amount_minor=TOTAL)], NOW)
    assert (late.status, outstanding_refunds(late)) == (OrderStatus.LATE_PAYMENT, ())
