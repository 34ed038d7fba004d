"""The rules for refunding particular tickets, and tickets that were checked in."""

from collections.abc import Callable

import pytest

from domain.errors import NotFound
from domain.holds import TicketRequest
from domain.orders import Order
from domain.payments.errors import NotRefundable, NotRefundableReason
from domain.payments.payment import RefundReason
from domain.payments.refunds import choose_units, raise_if_checked_in, units_of_tickets
from domain.payments.transitions import add_refund
from domain.tickets.check_ins import check_in
from tests.support.payment_orders import NOW, TIER
from tests.support.ticket_orders import id_of, paid_order, scan, scanned

PAID = paid_order("refund rules", 1, 2, 3)
USED = check_in(PAID, scanned(PAID), scan("scan-1"), NOW)[0]


def refusal(check: Callable[[], object]) -> NotRefundable:
    with pytest.raises(NotRefundable) as refused:
        check()
    return refused.value


def refund(order: Order, *indexes: int) -> Order:
    units = tuple(order.units[index] for index in indexes)
    return add_refund(order, units, reason=RefundReason.REQUESTED, now=NOW)


def test_particular_tickets_can_be_refunded() -> None:
    assert units_of_tickets(PAID, [id_of(PAID, 2), id_of(PAID, 0)]) == (PAID.units[2], PAID.units[0])


def test_ticket_of_another_order_is_not_found() -> None:
    other = paid_order("another", 9)
    with pytest.raises(NotFound, match="This ticket does not exist"):
        units_of_tickets(PAID, [id_of(PAID), id_of(other)])


def test_ticket_is_not_refunded_twice() -> None:
    refunded = refund(PAID, 1)
    reasons = refusal(lambda: units_of_tickets(refunded, [id_of(PAID, 0), id_of(PAID, 1)])).reason
    assert reasons is NotRefundableReason.NOTHING_LEFT


def test_lines_choose_unused_tickets_first() -> None:
    assert choose_units(USED, [TicketRequest(TIER, 2)]) == PAID.units[1:]
    assert choose_units(USED, [TicketRequest(TIER, 3)]) == (*PAID.units[1:], PAID.units[0])


def test_refusal_of_used_tickets_says_how_many_there_are() -> None:
    raise_if_checked_in(USED, USED.units[1:])
    refused = refusal(lambda: raise_if_checked_in(USED, USED.units))
    assert refused.reason is NotRefundableReason.CHECKED_IN
    assert str(refused) == (
        "1 ticket of this order was checked in; refund the others with `tickets`, or ask the organizer for a refund."
    )
