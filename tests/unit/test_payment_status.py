"""The status of an order: a function of facts and decisions, whatever the order of arrival."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from domain.orders import Order, OrderStatus, StockState
from domain.payments.facts import FactKind, FactState, ProviderFact, merge_facts
from domain.payments.payment import Effects, EffectState, FreedBy, LateOutcome, Refund, RefundReason
from domain.payments.status import (
    NEXT_STATUS,
    accepted_payment,
    derive_status,
    is_dispute_lost,
    is_refunded,
    mismatched_payments,
)
from tests.support.payment_orders import NOW, payment_fact, pending_order, with_intent

PRICE = 2_500
TOTAL = 2 * PRICE
PAID, REFUNDED = OrderStatus.PAID, OrderStatus.REFUNDED
REFUND_STATES = (FactState.PENDING, FactState.SUCCEEDED, FactState.FAILED)


def new_order() -> Order:
    return with_intent(pending_order("a", 1, 2))


def payment(state: FactState, *, amount_minor: int = TOTAL) -> ProviderFact:
    return payment_fact(state, amount_minor=amount_minor)


def refund(id_: str, state: FactState, amount_minor: int = TOTAL, *, row: int | None = None) -> ProviderFact:
    return replace(payment(state, amount_minor=amount_minor), kind=FactKind.REFUND, id=id_, row=row)


def dispute(state: FactState) -> ProviderFact:
    return replace(payment(state), kind=FactKind.DISPUTE, id="dp_1", row=None)


def decline() -> ProviderFact:
    return replace(payment(FactState.FAILED), kind=FactKind.DECLINE, id="ch_1", code="card_declined")


def add(order: Order, *facts: ProviderFact) -> Order:
    assert order.payment is not None
    changed = replace(order, payment=replace(order.payment, facts=merge_facts(order.payment.facts, facts)))
    return replace(changed, status=derive_status(changed))


def decide(order: Order, **decision: object) -> Order:
    assert order.payment is not None
    changed = replace(order, payment=replace(order.payment, **decision))  # type: ignore[arg-type]
    return replace(changed, status=derive_status(changed))


def without_units(order: Order) -> Order:
    changed = replace(order, units=(), released_units=order.released_units + order.units)
    return replace(changed, status=derive_status(changed))


HISTORIES: list[tuple[list[ProviderFact], OrderStatus]] = [
    ([payment(FactState.OPEN), decline(), payment(FactState.PENDING)], OrderStatus.PENDING_PAYMENT),
    ([payment(FactState.OPEN), decline(), payment(FactState.SUCCEEDED)], PAID),
    ([payment(FactState.SUCCEEDED), payment(FactState.CANCELED)], PAID),
    ([payment(FactState.SUCCEEDED), refund("re_1", FactState.SUCCEEDED, 100)], PAID),
    ([payment(FactState.SUCCEEDED), refund("re_1", FactState.PENDING), refund("re_1", FactState.SUCCEEDED)], REFUNDED),
    ([payment(FactState.SUCCEEDED), refund("re_1", FactState.PENDING), refund("re_1", FactState.FAILED)], PAID),
    (
        [
            payment(FactState.SUCCEEDED),
            refund("re_1", FactState.SUCCEEDED, TOTAL - 1),
            refund("re_2", FactState.SUCCEEDED, 1),
        ],
        REFUNDED,
    ),
    ([payment(FactState.SUCCEEDED), dispute(FactState.OPEN)], PAID),
    ([payment(FactState.SUCCEEDED), dispute(FactState.OPEN), dispute(FactState.WON)], PAID),
    ([payment(FactState.SUCCEEDED), dispute(FactState.OPEN), dispute(FactState.LOST)], OrderStatus.DISPUTE_LOST),
    ([payment(FactState.SUCCEEDED, amount_minor=TOTAL - 1)], OrderStatus.REFUND_PENDING),
    (
        [payment(FactState.SUCCEEDED, amount_minor=TOTAL - 1), refund("re_1", FactState.SUCCEEDED, TOTAL - 1)],
        REFUNDED,
    ),
    ([replace(payment(FactState.SUCCEEDED), currency=None)], OrderStatus.REFUND_PENDING),
    ([replace(payment(FactState.SUCCEEDED), id="pi_2", intent_id="pi_2")], OrderStatus.PENDING_PAYMENT),
]


@pytest.mark.parametrize(("facts", "status"), HISTORIES)
@given(data=st.data())
@settings(max_examples=30)
def test_facts_give_the_same_status_in_any_order_and_if_repeated(
    facts: list[ProviderFact], status: OrderStatus, data: st.DataObject
) -> None:
    order = new_order()
    repeated = data.draw(st.lists(st.sampled_from(facts), max_size=5))
    for fact in data.draw(st.permutations([*facts, *repeated])):
        changed = add(order, fact)
        assert changed.status is order.status or changed.status in NEXT_STATUS[order.status]
        order = changed
    assert order.status is status


@pytest.mark.parametrize("freed_by", FreedBy)
def test_a_payment_for_a_freed_order_is_late_until_decided(freed_by: FreedBy) -> None:
    freed = without_units(decide(new_order(), freed_by=freed_by))
    late = add(freed, payment(FactState.SUCCEEDED))
    assert late.status is OrderStatus.LATE_PAYMENT
    assert decide(late, late=LateOutcome.REFUSED).status is OrderStatus.REFUND_PENDING
    again = replace(late, units=late.released_units, released_units=())
    assert decide(again, late=LateOutcome.TAKEN).status is PAID


def test_a_late_payment_already_returned_needs_no_units() -> None:
    freed = without_units(decide(new_order(), freed_by=FreedBy.EXPIRED))
    assert add(freed, payment(FactState.SUCCEEDED), refund("re_1", FactState.SUCCEEDED)).status is REFUNDED


def test_an_order_whose_refund_fails_later_never_revives() -> None:
    refunded = without_units(add(new_order(), payment(FactState.SUCCEEDED), refund("re_1", FactState.SUCCEEDED)))
    assert refunded.status is REFUNDED
    assert add(refunded, refund("re_1", FactState.FAILED)).status is OrderStatus.REFUND_PENDING


def test_every_status_has_its_successors() -> None:
    assert set(NEXT_STATUS) == set(OrderStatus)
    reachable = {status for following in NEXT_STATUS.values() for status in following}
    assert reachable == set(OrderStatus) - {OrderStatus.PENDING_PAYMENT, OrderStatus.VOID, OrderStatus.WITHDRAWN}


class StatusHistories(RuleBasedStateMachine):
    """A provider that emits facts, a network that delivers them late and twice, and an order worker
    that decides.
    """

    def __init__(self) -> None:
        super().__init__()
        self.order = new_order()
        self.emitted: list[ProviderFact] = [payment(FactState.OPEN)]
        self.statuses = [self.order.status]

    def keep(self, order: Order) -> None:
        """Keep a changed order. Units are released as soon as its status ends it."""
        if order.units and (order.status in (REFUNDED, OrderStatus.DISPUTE_LOST) or is_dead_unpaid(order)):
            order = without_units(order)
        if order.status is not self.statuses[-1]:
            assert order.status in NEXT_STATUS[self.statuses[-1]], (self.statuses[-1], order.status)
            self.statuses.append(order.status)
        self.order = order

    def emit(self, *facts: ProviderFact, is_delayed: bool) -> None:
        self.emitted += facts
        if not is_delayed:
            self.keep(add(self.order, *facts))

    @property
    def has_succeeded(self) -> bool:
        return any(fact.kind is FactKind.PAYMENT and fact.state is FactState.SUCCEEDED for fact in self.emitted)

    @rule(state=st.sampled_from([FactState.PENDING, FactState.CANCELED]), is_delayed=st.booleans())
    def provider_reports_an_unpaid_intent(self, state: FactState, is_delayed: bool) -> None:
        self.emit(payment(state), decline(), is_delayed=is_delayed)

    @precondition(lambda self: not self.has_succeeded)
    @rule(amount=st.sampled_from([TOTAL, TOTAL, TOTAL, TOTAL - 1]), is_delayed=st.booleans())
    def provider_takes_the_money(self, amount: int, is_delayed: bool) -> None:
        self.emit(payment(FactState.SUCCEEDED, amount_minor=amount), is_delayed=is_delayed)

    @precondition(lambda self: self.has_succeeded)
    @rule(amount=st.sampled_from([100, TOTAL]), state=st.sampled_from(REFUND_STATES), is_delayed=st.booleans())
    def provider_reports_a_dashboard_refund(self, amount: int, state: FactState, is_delayed: bool) -> None:
        self.emit(refund(f"re_dashboard_{amount}", state, amount), is_delayed=is_delayed)

    @precondition(lambda self: self.has_succeeded)
    @rule(state=st.sampled_from([FactState.OPEN, FactState.WON, FactState.LOST]), is_delayed=st.booleans())
    def card_holder_disputes(self, state: FactState, is_delayed: bool) -> None:
        self.emit(dispute(state), is_delayed=is_delayed)

    @rule(data=st.data())
    def network_delivers_late_or_again(self, data: st.DataObject) -> None:
        facts = data.draw(st.lists(st.sampled_from(self.emitted), min_size=1, max_size=3))
        self.keep(add(self.order, *facts))

    @precondition(lambda self: self.order.status is OrderStatus.PENDING_PAYMENT)
    @rule(freed_by=st.sampled_from(list(FreedBy)[:3]))
    def worker_frees(self, freed_by: FreedBy) -> None:
        self.keep(decide(self.order, freed_by=freed_by))

    @precondition(lambda self: bool(mismatched_payments(self.order)) and self.order.payment.freed_by is None)
    @rule()
    def worker_frees_after_a_mismatch(self) -> None:
        self.keep(decide(self.order, freed_by=FreedBy.MISMATCH))

    @precondition(lambda self: self.order.status is OrderStatus.LATE_PAYMENT)
    @rule()
    def worker_takes_units_again(self) -> None:
        again = replace(self.order, units=self.order.released_units, released_units=())
        self.keep(decide(again, late=LateOutcome.TAKEN))

    @precondition(lambda self: self.order.status is OrderStatus.LATE_PAYMENT)
    @rule()
    def worker_refuses_a_late_payment(self) -> None:
        self.keep(decide(self.order, late=LateOutcome.REFUSED))

    @precondition(lambda self: self.order.status in (PAID, OrderStatus.FULFILLED) and not self.order.payment.refunds)
    @rule(count=st.integers(1, 2))
    def buyer_asks_for_a_refund(self, count: int) -> None:
        units = self.order.units[:count]
        asked = Refund(1, "pi_1", PRICE * len(units), units, RefundReason.REQUESTED, NOW)
        self.keep(decide(self.order, refunds=(asked,)))

    @precondition(lambda self: bool(self.order.payment.refunds))
    @rule(state=st.sampled_from(REFUND_STATES), is_delayed=st.booleans())
    def provider_handles_our_refund(self, state: FactState, is_delayed: bool) -> None:
        assert self.order.payment is not None
        asked = self.order.payment.refunds[0]
        self.emit(refund("re_ours", state, asked.amount_minor, row=asked.number), is_delayed=is_delayed)

    @precondition(lambda self: self.order.status is PAID)
    @rule()
    def worker_finishes_the_document(self) -> None:
        changed = replace(self.order, effects=Effects(dict.fromkeys(("tickets", "document"), EffectState.DONE)))
        self.keep(replace(changed, status=derive_status(changed)))

    @invariant()
    def status_is_a_function_of_what_is_stored(self) -> None:
        assert derive_status(self.order) is self.order.status
        shuffled = replace(self.order, status=OrderStatus.PENDING_PAYMENT)
        assert derive_status(shuffled) is self.order.status

    @invariant()
    def only_a_paid_order_has_sold_units(self) -> None:
        if self.order.stock_state is StockState.SOLD:
            assert accepted_payment(self.order) or mismatched_payments(self.order)
            assert not is_refunded(self.order)
            assert not is_dispute_lost(self.order)


def is_dead_unpaid(order: Order) -> bool:
    assert order.payment is not None
    return order.payment.freed_by is not None and accepted_payment(order) is None


TestStatusHistories = StatusHistories.TestCase
TestStatusHistories.settings = settings(max_examples=100, stateful_step_count=25)
