"""Disputes about a part of a payment: a lost one ends the order, and the rest is refunded."""

from dataclasses import replace

from domain.money import CurrencyCode
from domain.orders import Order, OrderStatus
from domain.payments import transitions
from domain.payments.balances import kept_minor
from domain.payments.facts import FactKind, FactState, ProviderFact
from domain.payments.payment import RefundReason
from domain.payments.status import derive_status, outstanding_refunds
from domain.payments.steps import StepKind, next_step
from proofs.payments.bank import LedgerEntry
from proofs.payments.judgment import make_accounts
from tests.support.payment_orders import NOW, payment_fact, pending_order, with_intent

INTENT = "pi_1"
TOTAL, PART, REST = 5_000, 2_000, 3_000


def paid() -> Order:
    """Return a paid order for two tickets at 25.00."""
    return transitions.apply_facts(
        with_intent(pending_order("a", 1, 2)), [payment_fact(FactState.SUCCEEDED, amount_minor=TOTAL)], NOW
    )


def dispute(state: FactState, amount: int = PART) -> ProviderFact:
    return ProviderFact(FactKind.DISPUTE, "dp_1", INTENT, state, amount, CurrencyCode.EUR, NOW)


def refunded(amount: int, row: int | None) -> ProviderFact:
    return ProviderFact(FactKind.REFUND, f"re_{row}", INTENT, FactState.SUCCEEDED, amount, CurrencyCode.EUR, NOW, row)


def rows(order: Order) -> list[tuple[int, RefundReason]]:
    return [(refund.amount_minor, refund.reason) for refund in outstanding_refunds(order)]


def entries(order: Order, **amounts: int) -> list[LedgerEntry]:
    return [
        LedgerEntry(number, kind, INTENT, order.id, order.concert_id, order.currency, minor)
        for number, (kind, minor) in enumerate(amounts.items(), 1)
    ]


def test_lost_dispute_about_a_part_ends_the_order_and_refunds_the_rest() -> None:
    lost = transitions.apply_facts(paid(), [dispute(FactState.LOST)], NOW)
    assert (lost.status, lost.units, len(lost.released_units)) == (OrderStatus.DISPUTE_LOST, (), 2)
    assert rows(lost) == [(REST, RefundReason.DISPUTE_LOST)]
    step = next_step(lost, NOW)
    assert step is not None
    assert step.kind is StepKind.SEND_REFUND
    assert transitions.apply_facts(lost, [dispute(FactState.LOST)], NOW) is lost
    money = {"charge": TOTAL, "dispute_opened": -PART, "dispute_lost": 0}
    accounts = make_accounts(entries(lost, **money), [lost])
    assert (accounts.lost, accounts.pending, accounts.is_balanced) == (PART, REST, True)
    done = transitions.apply_facts(lost, [refunded(REST, row=1)], NOW)
    assert (done.status, rows(done), done.work_at) == (OrderStatus.DISPUTE_LOST, [], None)
    assert make_accounts(entries(done, **money, refund=-REST), [done]).is_balanced


def test_open_and_won_disputes_about_a_part_refund_nothing() -> None:
    order = paid()
    for state in (FactState.OPEN, FactState.WON):
        order = transitions.apply_facts(order, [dispute(state)], NOW)
        assert (order.status, rows(order), len(order.units)) == (OrderStatus.PAID, [], 2)


def test_goodwill_is_not_refunded_again_after_a_lost_dispute() -> None:
    given = transitions.apply_facts(paid(), [refunded(1_000, row=None)], NOW)
    lost = transitions.apply_facts(given, [dispute(FactState.LOST)], NOW)
    assert rows(lost) == [(REST - 1_000, RefundReason.DISPUTE_LOST)]


def test_unsent_refunds_shrink_to_what_a_lost_dispute_leaves() -> None:
    order = paid()
    for unit in order.units:
        order = transitions.add_refund(order, (unit,), reason=RefundReason.REQUESTED, now=NOW)
    lost = transitions.apply_facts(order, [dispute(FactState.LOST)], NOW)
    assert rows(lost) == [(2_500, RefundReason.REQUESTED)] * 2
    assert kept_minor(lost, INTENT) == REST
    money = {"charge": TOTAL, "dispute_opened": -PART, "dispute_lost": 0}
    assert make_accounts(entries(lost, **money), [lost]).is_balanced
    # The provider makes the first one, and refuses the second, which is more than is left.
    lost = transitions.apply_facts(lost, [refunded(2_500, row=1)], NOW)
    (second,) = outstanding_refunds(lost)
    assert next_step(lost, NOW) is not None
    smaller = transitions.replace_refund(lost, second, NOW)
    assert rows(smaller) == [(500, RefundReason.REQUESTED)]
    assert make_accounts(entries(smaller, **money, refund=-2_500), [smaller]).is_balanced


def test_status_after_a_lost_dispute_is_the_same_in_any_order_of_facts() -> None:
    pending = with_intent(pending_order("a", 1, 2))
    early = transitions.apply_facts(pending, [dispute(FactState.LOST)], NOW)
    assert early.status is OrderStatus.PENDING_PAYMENT
    late = transitions.apply_facts(early, [payment_fact(FactState.SUCCEEDED, amount_minor=TOTAL)], NOW)
    assert (late.status, rows(late)) == (OrderStatus.DISPUTE_LOST, [(REST, RefundReason.DISPUTE_LOST)])
    assert derive_status(replace(late, status=OrderStatus.PAID)) is OrderStatus.DISPUTE_LOST
