"""Tickets follow their order: they are issued when it is paid, and void once a refund is
recorded.
"""

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.ids import OrderId, PersonId, Unit, ticket_id
from domain.money import CurrencyCode
from domain.orders import Order, OrderStatus
from domain.payments import transitions
from domain.payments.effects import due_effects
from domain.payments.facts import FactKind, FactState, ProviderFact
from domain.payments.payment import NO_EFFECTS, Effects, EffectState, RefundReason
from domain.tickets.follow import follow
from domain.tickets.state import TicketState, ticket_state
from domain.tickets.ticket import Revocation, Ticket
from tests.support.payment_orders import NOW, TIER, order_id, pending_order

LATER = NOW + timedelta(minutes=1)
UNITS = tuple(Unit(f"{TIER}:{number}") for number in (1, 2, 3))
VALID, SUSPENDED, VOID = TicketState.VALID, TicketState.SUSPENDED, TicketState.VOID


def unpaid(price: int = 1_000) -> Order:
    return pending_order("order", 1, 2, 3, price_minor=price)


def fact(kind: FactKind, state: FactState, id_: str, *, row: int | None = None) -> ProviderFact:
    return ProviderFact(kind, id_, "pi_1", state, 3_000, CurrencyCode.EUR, NOW, row=row)


PAYMENT = fact(FactKind.PAYMENT, FactState.SUCCEEDED, "pi_1", row=1)


def apply(order: Order, *facts: ProviderFact) -> Order:
    return transitions.apply_facts(order, facts, LATER)


def paid() -> Order:
    return apply(unpaid(), PAYMENT)


def disputed(order: Order, state: FactState = FactState.OPEN) -> Order:
    return apply(order, fact(FactKind.DISPUTE, state, "dp_1"))


def refund(order: Order, *units: Unit) -> Order:
    return transitions.add_refund(order, units, reason=RefundReason.REQUESTED, now=LATER)


def states(order: Order) -> list[TicketState]:
    return [ticket_state(order, ticket) for ticket in order.tickets]


def generations(order: Order) -> list[int]:
    return [ticket.generation for ticket in order.tickets]


def revoked(order: Order) -> list[tuple[str, int]]:
    return [(one.ticket_id, one.generation) for one in order.revocations]


def id_of(number: int) -> str:
    return ticket_id(order_id("order"), UNITS[number])


def test_unpaid_order_has_no_tickets() -> None:
    assert (unpaid().tickets, unpaid().revocations) == ((), ())


def test_transition_that_pays_an_order_issues_its_tickets() -> None:
    order = paid()
    assert order.tickets == tuple(Ticket(unit, 1, PersonId("alice"), "Ada") for unit in UNITS)
    assert (order.status, order.effects.states["tickets"]) == (OrderStatus.PAID, EffectState.DONE)
    assert (states(order), order.revocations, order.effects_at) == ([VALID] * 3, (), LATER)


def test_free_order_has_its_tickets_at_once() -> None:
    order = transitions.paid_at_once(unpaid(price=0))
    assert (states(order), due_effects(order), order.effects_at) == ([VALID] * 3, ("document", "mail", "sales"), NOW)


def test_refund_voids_its_tickets_before_the_provider_is_called() -> None:
    order = refund(paid(), UNITS[1])
    assert (order.status, order.units) == (OrderStatus.REFUND_PENDING, UNITS)
    assert states(order) == [VALID, VOID, VALID]
    assert order.revocations == (Revocation(ticket_id(order.id, UNITS[1]), 1, LATER),)


def test_refund_that_fails_does_not_revive_its_tickets() -> None:
    order = apply(refund(paid(), UNITS[0]), fact(FactKind.REFUND, FactState.FAILED, "re_1", row=1))
    assert states(order) == [VOID, VALID, VALID]
    assert len(order.revocations) == 1


def test_refunded_ticket_stays_in_the_order_and_is_void() -> None:
    order = transitions.paid_at_once(unpaid(price=0))
    ended = refund(order, *UNITS)
    assert (ended.status, ended.units) == (OrderStatus.REFUNDED, ())
    assert states(ended) == [VOID] * 3
    assert revoked(ended) == [(id_of(number), 1) for number in range(3)]


def test_open_dispute_suspends_the_tickets() -> None:
    order = disputed(paid())
    assert (order.status, states(order)) == (OrderStatus.PAID, [SUSPENDED] * 3)
    assert len(order.revocations) == 3


def test_lost_dispute_voids_the_tickets() -> None:
    order = disputed(disputed(paid()), FactState.LOST)
    assert (order.status, states(order)) == (OrderStatus.DISPUTE_LOST, [VOID] * 3)
    assert len(order.revocations) == 3


def test_won_dispute_gives_each_ticket_a_new_code() -> None:
    order = disputed(disputed(paid()), FactState.WON)
    assert (states(order), generations(order)) == ([VALID] * 3, [2, 2, 2])
    assert revoked(order) == [(id_of(number), 1) for number in range(3)]


def test_refund_in_a_dispute_that_is_won_stays_void() -> None:
    order = disputed(refund(disputed(paid()), UNITS[2]), FactState.WON)
    assert (states(order), generations(order)) == ([VALID, VALID, VOID], [2, 2, 1])


def test_whole_refund_at_the_provider_voids_the_tickets() -> None:
    order = apply(paid(), fact(FactKind.REFUND, FactState.SUCCEEDED, "re_1"))
    assert (order.status, states(order), len(order.revocations)) == (OrderStatus.REFUNDED, [VOID] * 3, 3)


def test_goodwill_at_the_provider_voids_no_ticket() -> None:
    goodwill = replace(fact(FactKind.REFUND, FactState.SUCCEEDED, "re_1"), amount_minor=500)
    assert states(apply(paid(), goodwill)) == [VALID] * 3


def test_payment_of_a_canceled_concert_issues_no_ticket() -> None:
    canceled = transitions.request_cancel(unpaid(), "CONCERT", NOW)
    order = apply(canceled, PAYMENT)
    assert (order.status, order.tickets, order.revocations) == (OrderStatus.REFUND_PENDING, (), ())


def test_old_code_is_revoked_when_the_generation_increases() -> None:
    before = paid()
    first = replace(before.tickets[0], generation=2, holder_id=PersonId("bob"))
    after = follow(before, replace(before, tickets=(first, *before.tickets[1:])), LATER)
    assert revoked(after) == [(id_of(0), 1)]
    assert (generations(after), states(after)) == ([2, 1, 1], [VALID] * 3)


def test_following_twice_adds_nothing() -> None:
    order = refund(paid(), UNITS[0])
    assert follow(order, order, LATER) is order


@pytest.mark.parametrize("states_", [NO_EFFECTS.states, dict.fromkeys(("tickets", "mail"), EffectState.DUE)])
def test_order_of_an_earlier_version_gets_its_tickets(states_: dict[str, EffectState]) -> None:
    old = replace(paid(), tickets=(), effects=Effects(states_), effects_at=None)
    assert "tickets" in due_effects(old)
    order = transitions.issue_tickets(old, LATER)
    assert (order.tickets, order.version) == (paid().tickets, old.version + 1)
    assert order.effects.states["tickets"] is EffectState.DONE
    assert transitions.issue_tickets(order, LATER) is order


def test_ticket_ids_differ_by_order_and_unit() -> None:
    other = OrderId("1" * 32)
    made = {ticket_id(order_id("order"), UNITS[0]), ticket_id(other, UNITS[0]), ticket_id(other, UNITS[1])}
    assert {len(one) for one in made} == {32}
    assert len(made) == 3
