"""The judgment of `make proof` finds effects that were not done, and missing documents."""

from dataclasses import replace

from domain.ids import ticket_id
from domain.orders import Order, OrderStatus
from domain.payments import transitions
from domain.payments.effects import due_effects
from domain.payments.facts import FactState
from domain.tickets.ticket import Revocation
from proofs.payments.effect_judgment import no_effect_is_due, one_document_per_fulfilled_order
from tests.support.payment_orders import NOW, payment_fact, pending_order, with_intent


def paid_order() -> Order:
    return transitions.apply_facts(with_intent(pending_order("a", 1)), [payment_fact(FactState.SUCCEEDED)], NOW)


def fulfilled_order() -> Order:
    order = paid_order()
    return transitions.finish_effects(order, due_effects(order), NOW)


def test_effect_that_was_not_done_is_found() -> None:
    assert list(no_effect_is_due([fulfilled_order()])) == []
    (found,) = no_effect_is_due([paid_order()])
    assert found.endswith("is PAID, and document and mail and sales are due")


def test_fulfilled_order_has_one_document() -> None:
    order = fulfilled_order()
    assert order.status is OrderStatus.FULFILLED
    assert list(one_document_per_fulfilled_order([order], {order.id: 1})) == []
    for count in (0, 2):
        (found,) = one_document_per_fulfilled_order([order], {order.id: count})
        assert found == f"order {order.id} is fulfilled, but has {count} documents"


def test_order_whose_tickets_changed_may_have_any_documents() -> None:
    order = fulfilled_order()
    dead = Revocation(ticket_id(order.id, order.units[0]), 1, NOW)
    changed = replace(order, revocations=(dead,))
    assert list(one_document_per_fulfilled_order([changed, paid_order()], {})) == []
