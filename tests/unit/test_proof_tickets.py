"""The judgment of `make proof` finds valid tickets without a valid code, and void tickets with
one.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from domain.ids import ticket_id
from domain.orders import Order
from domain.payments import transitions
from domain.payments.facts import FactState
from domain.payments.payment import RefundReason
from domain.tickets.ticket import Revocation
from proofs.payments.ticket_judgment import one_valid_code_per_living_ticket
from tests.support.payment_orders import NOW, payment_fact, pending_order, with_intent


def paid_order() -> Order:
    return transitions.apply_facts(with_intent(pending_order("a", 1)), [payment_fact(FactState.SUCCEEDED)], NOW)


def refunded_order() -> Order:
    order = paid_order()
    return transitions.add_refund(order, order.units, reason=RefundReason.REQUESTED, now=NOW)


def revocation(order: Order, generation: int) -> Revocation:
    return Revocation(ticket_id(order.id, order.tickets[0].unit), generation, NOW)


def test_tickets_of_correct_orders_are_accepted() -> None:
    assert list(one_valid_code_per_living_ticket([paid_order()])) == []
    assert list(one_valid_code_per_living_ticket([refunded_order()])) == []


@pytest.mark.parametrize(
    ("make", "damage", "problem"),
    [
        (paid_order, lambda order: replace(order, tickets=()), "has no ticket"),
        (paid_order, lambda order: replace(order, tickets=order.tickets * 2), "has 2 tickets for"),
        (refunded_order, lambda order: replace(order, revocations=()), "is VOID, but gates accept its generations [1]"),
        (
            paid_order,
            lambda order: replace(order, revocations=(revocation(order, 1),)),
            "is VALID, but gates accept its generations []",
        ),
        (
            paid_order,
            lambda order: replace(order, tickets=(replace(order.tickets[0], generation=2),)),
            "is VALID, but gates accept its generations [1, 2]",
        ),
        (refunded_order, lambda order: replace(order, revocations=order.revocations * 2), "was revoked 2 times"),
    ],
)
def test_wrong_ticket_is_found(make: Callable[[], Order], damage: Callable[[Order], Order], problem: str) -> None:
    (found,) = one_valid_code_per_living_ticket([damage(make())])
    assert problem in found
