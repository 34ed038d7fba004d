"""The judgment of `make proof` finds every kind of lost money."""

from dataclasses import replace

import pytest

from domain.money import CurrencyCode
from domain.orders import Order, OrderStatus
from domain.payments import transitions
from domain.payments.facts import FactKind, FactState
from domain.payments.payment import RefundReason
from domain.payments.status import derive_status
from proofs.payments.bank import LedgerEntry
from proofs.payments.judgment import judge, make_accounts
from proofs.sale.records.store_dump import StoreDump
from schema.ids import of_order
from tests.support.payment_orders import NOW, payment_fact, pending_order, with_intent
from tests.support.snapshots import CONCERT


def paid_order(name: str = "a") -> Order:
    pending = with_intent(pending_order(name, 1))
    assert pending.payment is not None
    paid = replace(pending, payment=replace(pending.payment, facts=(payment_fact(FactState.SUCCEEDED),)))
    return replace(paid, status=derive_status(paid))


def charge(order: Order, amount_minor: int = 2_500, number: int = 1) -> LedgerEntry:
    return LedgerEntry(number, "charge", "pi_1", order.id, order.concert_id, order.currency, amount_minor)


def found(orders: tuple[Order, ...], entries: list[LedgerEntry]) -> set[str]:
    dump = StoreDump(replace(CONCERT, tiers=()), orders, {}, {}, (), {}, {}, {})
    money = judge(dump, entries, {})[:7]
    return {verdict.invariant for verdict in money if verdict.offending}


def test_paid_order_and_its_charge_balance() -> None:
    order = paid_order()
    assert order.status is OrderStatus.PAID
    assert found((order,), [charge(order)]) == set()
    assert make_accounts([charge(order)], [order]).is_balanced


@pytest.mark.parametrize("amounts", [[], [2_499], [2_500, 2_500]], ids=["unpaid", "too little", "twice"])
def test_order_with_a_different_amount_at_the_bank_is_found(amounts: list[int]) -> None:
    order = paid_order()
    entries = [charge(order, amount, number) for number, amount in enumerate(amounts, 1)]
    assert found((order,), entries) == {"the bank has kept the price of each order"}
    assert not make_accounts(entries, [order]).is_balanced


def test_money_kept_for_an_order_that_ended_is_found() -> None:
    order = replace(paid_order(), status=OrderStatus.EXPIRED, units=())
    assert found((order,), [charge(order)]) == {"the bank has kept the price of each order"}


def test_money_without_an_order_is_found() -> None:
    assert found((), [charge(paid_order())]) == {"no money without an order"}


def test_order_that_still_waits_is_found() -> None:
    assert found((pending_order("a", 1),), []) == {"no order is stuck"}


def test_paid_order_that_lost_a_unit_is_found() -> None:
    order = replace(paid_order(), units=())
    assert "units match the lines" in found((order,), [charge(order)])


def returned_order() -> Order:
    """Return a paid order whose only ticket is about to be refunded."""
    order = paid_order()
    return transitions.add_refund(order, order.units, reason=RefundReason.REQUESTED, now=NOW)


def with_failed_refund(order: Order) -> Order:
    assert order.payment is not None
    paid = payment_fact(FactState.FAILED)
    fact = replace(paid, kind=FactKind.REFUND, id="re_1", row=1)
    changed = replace(order, payment=replace(order.payment, facts=(*order.payment.facts, fact)))
    return replace(changed, status=derive_status(changed))


def test_refund_returned_by_the_bank_may_wait_and_still_balances() -> None:
    order = with_failed_refund(returned_order())
    accounts = make_accounts([charge(order)], [order])
    assert (accounts.owned, accounts.pending) == (0, 2_500)
    assert accounts.is_balanced
    assert found((order,), [charge(order)]) == set()


def test_refund_that_was_never_sent_is_found() -> None:
    order = returned_order()
    assert found((order,), [charge(order)]) == {"no order is stuck"}


def test_refund_unknown_to_its_order_is_found() -> None:
    order = with_failed_refund(returned_order())
    entries = [charge(order), replace(charge(order, -2_500, 2), kind="refund")]
    assert found((order,), entries) == {"the bank has kept the price of each order"}
    assert not make_accounts(entries, [order]).is_balanced


def test_charge_in_another_currency_is_found() -> None:
    order = paid_order()
    entry = replace(charge(order), currency=CurrencyCode.ISK)
    assert found((order,), [entry]) == {"every currency is the concert's"}


def test_answered_order_that_does_not_exist_is_found() -> None:
    dump = StoreDump(replace(CONCERT, tiers=()), (), {}, {}, (), {}, {}, {})
    verdicts = judge(dump, [], {"ada": {"one"}})
    offending = {verdict.invariant: verdict.offending for verdict in verdicts if verdict.offending}
    assert offending == {"every answered order is recorded": ("ada was told of order one, which does not exist",)}


def test_two_orders_for_one_purchase_are_found() -> None:
    orders = (paid_order("a"), paid_order("b"))
    told = {str(of_order(order.id)) for order in orders}
    dump = StoreDump(replace(CONCERT, tiers=()), orders, {}, {}, (), {}, {}, {})
    verdicts = judge(dump, [charge(order) for order in orders], {"ada": told})
    assert [verdict.invariant for verdict in verdicts[:7] if verdict.offending] == ["no purchase led to two orders"]
