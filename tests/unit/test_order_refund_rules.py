"""The refunds of an order, and the rules for what may still be refunded."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.holds import TicketLine, TicketRequest
from domain.ids import ConcertId, OrderId, PersonId, TierId, Unit
from domain.money import CurrencyCode
from domain.orders import Customer, Order, OrderEvent, OrderStatus
from domain.payments.balances import refundable_units
from domain.payments.errors import NotRefundable, NotRefundableReason
from domain.payments.facts import FactKind, FactState, ProviderFact
from domain.payments.payment import Payment, PaymentAttempt, Refund, RefundReason
from domain.payments.refunds import (
    RefundState,
    choose_units,
    raise_unless_buyer_may_refund,
    raise_unless_refundable,
    refund_lines,
    refund_state,
    refunded_minor,
    shown_refunds,
)

NOW = datetime(2026, 6, 1, 18, tzinfo=UTC)
STANDING, BALCONY = TierId("abcdefghjkmn-1"), TierId("abcdefghjkmn-2")
UNITS = tuple(Unit(unit) for unit in ("abcdefghjkmn-1:4", "abcdefghjkmn-1:9", "abcdefghjkmn-2:1"))


def fact(kind: FactKind, id_: str, state: FactState, amount: int, row: int | None = None) -> ProviderFact:
    return ProviderFact(kind, id_, "pi_1", state, amount, CurrencyCode.EUR, NOW, row)


PAID_FACT = fact(FactKind.PAYMENT, "pi_1", FactState.SUCCEEDED, 18_000, row=1)
PAID = Order(
    id=OrderId("0" * 32),
    concert_id=ConcertId("abcdefghjkmn"),
    person_id=PersonId("alice"),
    status=OrderStatus.PAID,
    units=UNITS,
    released_units=(),
    lines=(TicketLine(STANDING, 2, 5_000), TicketLine(BALCONY, 1, 8_000)),
    currency=CurrencyCode.EUR,
    customer=Customer("Alice", "alice@onsale.example"),
    version=2,
    events=(OrderEvent("PAID", NOW),),
    created_at=NOW,
    payment=Payment("sandbox", NOW, (PaymentAttempt(1, NOW, "pi_1", "secret"),), (PAID_FACT,)),
)


def refund(number: int, *units: Unit, amount: int = 5_000, replaces: int | None = None) -> Refund:
    return Refund(number, "pi_1", amount, units, RefundReason.REQUESTED, NOW, replaces=replaces)


def with_refunds(*refunds: Refund, facts: tuple[ProviderFact, ...] = ()) -> Order:
    assert PAID.payment is not None
    return replace(PAID, payment=replace(PAID.payment, refunds=refunds, facts=(PAID_FACT, *facts)))


def refusal(order: Order, *lines: TicketRequest) -> NotRefundable:
    with pytest.raises(NotRefundable) as refused:
        check_refund(order, lines)
    return refused.value


def check_refund(order: Order, lines: Sequence[TicketRequest]) -> None:
    raise_unless_refundable(order)
    choose_units(order, lines)


def test_refund_is_pending_until_the_provider_confirms_it() -> None:
    pending = with_refunds(refund(1, UNITS[0]))
    assert refund_state(pending, refund(1, UNITS[0])) is RefundState.PENDING
    assert refunded_minor(pending) == 0
    done = with_refunds(refund(1, UNITS[0]), facts=(fact(FactKind.REFUND, "re_1", FactState.SUCCEEDED, 5_000, row=1),))
    assert refund_state(done, refund(1, UNITS[0])) is RefundState.SUCCEEDED
    assert refunded_minor(done) == 5_000


def test_replaced_refund_is_not_shown() -> None:
    again = refund(2, UNITS[0], replaces=1)
    assert shown_refunds(with_refunds(refund(1, UNITS[0]), again)) == (again,)


def test_refund_made_by_the_provider_counts_as_returned_money() -> None:
    order = with_refunds(facts=(fact(FactKind.REFUND, "re_9", FactState.SUCCEEDED, 700),))
    assert (refunded_minor(order), shown_refunds(order)) == (700, ())


def test_refund_lists_its_tickets_at_the_prices_of_the_order() -> None:
    returned = refund(1, UNITS[2], UNITS[0], UNITS[1])
    lines = (TicketLine(STANDING, 2, 5_000), TicketLine(BALCONY, 1, 8_000))
    assert refund_lines(with_refunds(returned), returned) == lines
    without_tickets = refund(1)
    assert refund_lines(with_refunds(without_tickets), without_tickets) == ()


def test_unit_is_refunded_only_once() -> None:
    order = with_refunds(refund(1, UNITS[0]))
    assert refundable_units(order) == UNITS[1:]
    assert choose_units(order, [TicketRequest(STANDING, 1)]) == (UNITS[1],)
    refused = refusal(order, TicketRequest(STANDING, 2))
    assert (refused.reason, refused.left) == (NotRefundableReason.TOO_MANY, 1)
    assert str(refused) == "Only 1 ticket of this tier can still be refunded; ask for fewer."


def test_same_lines_choose_the_same_units() -> None:
    lines = [TicketRequest(BALCONY, 1), TicketRequest(STANDING, 1)]
    assert choose_units(PAID, lines) == choose_units(PAID, lines) == (UNITS[2], UNITS[0])


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (OrderStatus.PENDING_PAYMENT, NotRefundableReason.NOT_PAID),
        (OrderStatus.EXPIRED, NotRefundableReason.NOT_PAID),
        (OrderStatus.PAYMENT_FAILED, NotRefundableReason.NOT_PAID),
        (OrderStatus.CANCELLED, NotRefundableReason.NOT_PAID),
        (OrderStatus.REFUNDED, NotRefundableReason.NOTHING_LEFT),
        (OrderStatus.LATE_PAYMENT, NotRefundableReason.NOTHING_LEFT),
        (OrderStatus.DISPUTE_LOST, NotRefundableReason.DISPUTED),
    ],
)
def test_only_a_paid_order_is_refundable(status: OrderStatus, reason: NotRefundableReason) -> None:
    assert refusal(replace(PAID, status=status)).reason is reason


def test_disputed_order_waits_for_the_bank() -> None:
    disputed = with_refunds(facts=(fact(FactKind.DISPUTE, "dp_1", FactState.OPEN, 18_000),))
    assert refusal(disputed).reason is NotRefundableReason.DISPUTED


def test_order_with_all_units_requested_is_not_refundable_again() -> None:
    pending = replace(with_refunds(refund(1, *UNITS, amount=18_000)), status=OrderStatus.REFUND_PENDING)
    assert refusal(pending).reason is NotRefundableReason.NOTHING_LEFT


def test_buyer_may_refund_until_the_deadline_of_the_concert() -> None:
    raise_unless_buyer_may_refund(PAID, NOW + timedelta(milliseconds=1), NOW)
    for until, ended in (
        (NOW, "could be refunded until 2026-06-01T18:00:00Z"),
        (None, "cannot be refunded by its buyers"),
    ):
        with pytest.raises(NotRefundable, match=ended) as refused:
            raise_unless_buyer_may_refund(PAID, until, NOW)
        assert (refused.value.reason, refused.value.until) == (NotRefundableReason.TOO_LATE, until)
