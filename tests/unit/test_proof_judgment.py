"""The judgment of `make proof` finds every kind of lost money."""

from dataclasses import replace

import pytest

from domain.orders import Order, OrderStatus
from domain.payments.facts import FactState
from domain.payments.status import derive_status
from proofs.payments.bank import LedgerEntry
from proofs.payments.judgment import judge, make_accounts
from proofs.sale.records.store_dump import StoreDump
from tests.support.payment_orders import payment_fact, pending_order, with_intent
from tests.support.snapshots import CONCERT


def paid_order(name: str = "a") -> Order:
    pending = with_intent(pending_order(name, 1))
    assert pending.payment is not None
    paid = replace(pending, payment=replace(pending.payment, facts=(payment_fact(FactState.SUCCEEDED),)))
    return replace(paid, status=derive_status(paid))


def charge(order: Order, amount_minor: int = 2_500, number: int = 1) -> LedgerEntry:
    return LedgerEntry(number, "charge", "pi_1", order.id, amount_minor)


def found(orders: tuple[Order, ...], entries: list[LedgerEntry]) -> set[str]:
    dump = StoreDump(replace(CONCERT, tiers=()), orders, {}, {}, (), {}, {}, {})
    money = judge(dump, entries)[:4]
    return {verdict.invariant for verdict in money if verdict.offending}


def test_paid_order_and_its_charge_balance() -> None:
    order = paid_order()
    assert order.status is OrderStatus.PAID
    assert found((order,), [charge(order)]) == set()
    assert make_accounts([charge(order)], [order]).is_balanced


@pytest.mark.parametrize("amounts", [[], [2_499], [2_500, 2_500]], ids=["unpaid", "too little", "twice"])
def test_order_with_another_amount_at_the_bank_is_found(amounts: list[int]) -> None:
    order = paid_order()
    entries = [charge(order, amount, number) for number, amount in enumerate(amounts, 1)]
    assert found((order,), entries) == {"the bank has kept what paid orders cost"}
    assert not make_accounts(entries, [order]).is_balanced


def test_money_of_an_order_that_ended_is_found() -> None:
    order = replace(paid_order(), status=OrderStatus.EXPIRED, units=())
    assert found((order,), [charge(order)]) == {"the bank has kept what paid orders cost"}


def test_money_without_an_order_is_found() -> None:
    assert found((), [charge(paid_order())]) == {"no money without an order"}


def test_order_that_still_waits_is_found() -> None:
    assert found((pending_order("a", 1),), []) == {"no order is stuck"}


def test_paid_order_that_lost_a_unit_is_found() -> None:
    order = replace(paid_order(), units=())
    assert "units are those of the lines" in found((order,), [charge(order)])
