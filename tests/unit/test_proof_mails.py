"""The judgment of `make proof` finds fulfilled orders whose buyers got no mail."""

from dataclasses import replace

from domain.orders import Order, OrderStatus
from domain.payments import transitions
from domain.payments.facts import FactState
from domain.payments.payment import RefundReason
from proofs.payments.mail_judgment import a_mail_for_each_fulfilled_order
from tests.support.payment_orders import NOW, payment_fact, pending_order, with_intent


def fulfilled_order() -> Order:
    paid = transitions.apply_facts(with_intent(pending_order("a", 1)), [payment_fact(FactState.SUCCEEDED)], NOW)
    return replace(paid, status=OrderStatus.FULFILLED)


def test_order_whose_confirmation_was_sent_is_accepted() -> None:
    order = fulfilled_order()
    assert list(a_mail_for_each_fulfilled_order([order], {f"confirm:{order.id}"})) == []


def test_order_whose_confirmation_was_not_sent_is_found() -> None:
    order = fulfilled_order()
    (found,) = a_mail_for_each_fulfilled_order([order], set())
    assert found == f"order {order.id} is fulfilled, but mail confirm:{order.id} was not sent"


def test_orders_that_are_not_fulfilled_need_no_mail() -> None:
    order = fulfilled_order()
    refunded = transitions.add_refund(order, order.units, reason=RefundReason.REQUESTED, now=NOW)
    pending = pending_order("b", 2)
    assert list(a_mail_for_each_fulfilled_order([refunded, pending], set())) == []
