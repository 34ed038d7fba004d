"""Changes to an order and its payment, without stores: permuted facts, and invariants."""

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.ids import Unit, ticket_id
from domain.money import CurrencyCode
from domain.orders import Order, OrderStatus
from domain.payments import transitions
from domain.payments.balances import refundable_units
from domain.payments.effects import EFFECTS
from domain.payments.facts import FactKind, FactState, ProviderFact
from domain.payments.payment import EffectState, RefundReason
from domain.payments.steps import CREATION_WINDOW, StepKind, next_step, work_at
from domain.tickets.state import TicketState, ticket_state
from tests.support.payment_orders import NOW, TIER, pending_order

UNITS = tuple(Unit(f"{TIER}:{number}") for number in (1, 2, 3))
PRICE = 1_000
TOTAL = 3 * PRICE
INTENT = "pi_1"


def pending() -> Order:
    return pending_order("order", 1, 2, 3, price_minor=PRICE)


def fact(kind: FactKind, state: FactState, id_: str, *, amount: int = TOTAL, row: int | None = None) -> ProviderFact:
    intent_id = id_ if kind is FactKind.PAYMENT else INTENT
    return ProviderFact(kind, id_, intent_id, state, amount, CurrencyCode.EUR, NOW, row=row)


OPEN = fact(FactKind.PAYMENT, FactState.OPEN, INTENT, row=1)
PAID = fact(FactKind.PAYMENT, FactState.SUCCEEDED, INTENT, row=1)
SECOND = fact(FactKind.PAYMENT, FactState.SUCCEEDED, "pi_2", row=1)
FACTS = (
    OPEN,
    PAID,
    fact(FactKind.DECLINE, FactState.FAILED, "ch_1"),
    fact(FactKind.REFUND, FactState.PENDING, "re_1", amount=500),
    fact(FactKind.REFUND, FactState.SUCCEEDED, "re_1", amount=500),
    fact(FactKind.REFUND, FactState.SUCCEEDED, "re_2", amount=TOTAL - 500),
    fact(FactKind.DISPUTE, FactState.OPEN, "dp_1"),
    fact(FactKind.DISPUTE, FactState.LOST, "dp_1"),
)


def with_intent() -> Order:
    return transitions.record_intent(
        pending(), attempt=1, intent_id=INTENT, client_secret="secret", facts=(OPEN,), now=NOW
    )


def paid() -> Order:
    return transitions.apply_facts(with_intent(), [PAID], NOW)


def left_of_payments(order: Order) -> dict[str, int]:
    """Return, for each successful payment, the amount that no refund has claimed."""
    assert order.payment is not None
    replaced = {refund.replaces for refund in order.payment.refunds}
    rows = {refund.number for refund in order.payment.refunds}
    left = {}
    for payment in order.payment.facts:
        if payment.kind is FactKind.PAYMENT and payment.state is FactState.SUCCEEDED:
            ours = sum(
                one.amount_minor
                for one in order.payment.refunds
                if one.intent_id == payment.intent_id and one.number not in replaced
            )
            others = sum(
                one.amount_minor
                for one in order.payment.facts
                if one.kind is FactKind.REFUND and one.intent_id == payment.intent_id and one.row not in rows
            )
            left[payment.intent_id] = payment.amount_minor - ours - others
    return left


@given(st.permutations([*FACTS, *FACTS]), st.integers(1, 4))
def test_facts_in_any_sequence_and_repeated_give_the_same_result(facts: list[ProviderFact], size: int) -> None:
    order = with_intent()
    for start in range(0, len(facts), size):
        order = transitions.apply_facts(order, facts[start : start + size], NOW)
    expected = transitions.apply_facts(with_intent(), FACTS, NOW)
    assert (order.status, order.units, order.payment) == (expected.status, expected.units, expected.payment)
    assert set(order.released_units) == set(UNITS)
    assert order.status is OrderStatus.DISPUTE_LOST


@given(st.permutations([OPEN, PAID, SECOND, SECOND, PAID]))
def test_second_payment_is_refunded_whichever_comes_first(facts: list[ProviderFact]) -> None:
    order = with_intent()
    for one in facts:
        order = transitions.apply_facts(order, [one], NOW)
    assert (order.status, order.units) == (OrderStatus.PAID, UNITS)
    assert left_of_payments(order) == {INTENT: TOTAL, "pi_2": 0}


@settings(max_examples=400)
@given(st.data())
def test_rules_hold_after_any_sequence_of_changes(data: st.DataObject) -> None:
    order, now = data.draw(st.sampled_from([with_intent(), paid()])), NOW
    # Refunds in the dashboard are left out: the provider, and not our rules, keeps both kinds of
    # refunds together from exceeding the payment.
    facts = [one for one in FACTS if one.kind is not FactKind.REFUND]
    facts += [SECOND, fact(FactKind.PAYMENT, FactState.CANCELED, INTENT, row=1)]
    for _ in range(data.draw(st.integers(1, 12))):
        now += timedelta(minutes=data.draw(st.integers(0, 8)))
        match data.draw(
            st.sampled_from(["facts", "cancel", "refund", "take", "refuse", "refunded", "failed", "replace"])
        ):
            case "facts":
                changed = transitions.apply_facts(order, [data.draw(st.sampled_from(facts))], now)
            case "cancel":
                changed = transitions.request_cancel(order, data.draw(st.sampled_from(["BUYER", "CONCERT"])), now)
            case "refund":
                left = refundable_units(order)
                units = left[: data.draw(st.integers(0, 3))]
                changed = transitions.add_refund(order, units, reason=RefundReason.REQUESTED, now=now)
            case "take":
                changed = transitions.take_units(order, UNITS, now)
            case "refuse":
                changed = transitions.refuse_late_payment(order, now)
            case "replace":
                changed = replace_first_failed(order, now)
            case state:
                changed = report_refunds(order, state, now)
        check_rules(order, changed)
        order = changed


def report_refunds(order: Order, state: str, now: datetime) -> Order:
    """Let the provider report each of our refunds."""
    assert order.payment is not None
    to = FactState.SUCCEEDED if state == "refunded" else FactState.FAILED
    reported = [
        ProviderFact(
            FactKind.REFUND, f"our_{one.number}", one.intent_id, to, one.amount_minor, CurrencyCode.EUR, now, one.number
        )
        for one in order.payment.refunds
        if one.intent_id is not None
    ]
    return transitions.apply_facts(order, reported, now)


def replace_first_failed(order: Order, now: datetime) -> Order:
    step = next_step(order, now)
    if step is None or step.refund is None:
        return order
    return transitions.replace_refund(order, step.refund, now)


def check_rules(before: Order, after: Order) -> None:
    assert after is before or after.version == before.version + 1
    assert after.work_at == work_at(after)
    assert set(after.units) | set(after.released_units) == set(UNITS)
    assert not set(after.units) & set(after.released_units)
    assert all(left >= 0 for left in left_of_payments(after).values()), left_of_payments(after)
    if after.status in (OrderStatus.PAID, OrderStatus.FULFILLED):
        assert after.units
        assert after.effects.states == dict.fromkeys(EFFECTS, EffectState.DUE) | {"tickets": EffectState.DONE}
        assert {ticket.unit for ticket in after.tickets} >= set(after.units)
    valid = {ticket for ticket in after.tickets if ticket_state(after, ticket) is TicketState.VALID}
    revoked = {(one.ticket_id, one.generation) for one in after.revocations}
    assert len(revoked) == len(after.revocations)
    assert valid == {one for one in after.tickets if (ticket_id(after.id, one.unit), one.generation) not in revoked}
    assert after.revocations[: len(before.revocations)] == before.revocations
    if after.status is OrderStatus.PENDING_PAYMENT:
        assert after.units == UNITS
        assert after.work_at is not None
    if after.status in (OrderStatus.EXPIRED, OrderStatus.PAYMENT_FAILED, OrderStatus.CANCELLED):
        assert not after.units


def test_intent_reported_before_our_own_write_is_recorded() -> None:
    order = transitions.apply_facts(pending(), [PAID], NOW)
    assert order.payment is not None
    assert (order.status, order.payment.attempt.intent_id) == (OrderStatus.PAID, INTENT)


def test_intent_canceled_in_the_dashboard_frees_the_units() -> None:
    order = transitions.apply_facts(with_intent(), [replace(OPEN, state=FactState.CANCELED)], NOW)
    assert (order.status, order.units) == (OrderStatus.CANCELLED, ())


def test_unsent_refund_of_a_lost_dispute_is_not_sent() -> None:
    order = transitions.add_refund(paid(), UNITS, reason=RefundReason.REQUESTED, now=NOW)
    step = next_step(order, NOW)
    assert step is not None
    assert step.kind is StepKind.SEND_REFUND
    lost = transitions.apply_facts(order, [fact(FactKind.DISPUTE, FactState.LOST, "dp_1")], NOW)
    assert (lost.status, lost.work_at) == (OrderStatus.DISPUTE_LOST, None)


def test_pause_before_a_failed_refund_is_repeated_grows() -> None:
    order = transitions.add_refund(paid(), UNITS, reason=RefundReason.REQUESTED, now=NOW)
    pauses = []
    for _ in range(6):
        order = report_refunds(order, "failed", NOW)
        assert order.work_at is not None
        pauses.append(order.work_at - NOW)
        order = replace_first_failed(order, order.work_at)
    minutes = [pause / timedelta(minutes=1) for pause in pauses]
    assert minutes == [1, 4, 16, 64, 256, 360]


def test_intent_reported_as_open_is_still_found_with_its_secret() -> None:
    reported = transitions.apply_facts(pending(), [OPEN], NOW)
    step = next_step(reported, NOW + CREATION_WINDOW)
    assert step is not None
    assert step.kind is StepKind.CREATE_INTENT
    recorded = transitions.record_intent(
        reported, attempt=1, intent_id=INTENT, client_secret="secret", facts=(OPEN,), now=NOW
    )
    assert recorded.payment is not None
    assert (recorded.payment.attempt.intent_id, recorded.payment.attempt.client_secret) == (INTENT, "secret")
