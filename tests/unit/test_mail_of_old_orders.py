"""Refunds made by an earlier version, which sent no mail, cause no mail after the upgrade."""

from dataclasses import replace

from domain.mails.mail import MailKind, mails_of
from domain.money import CurrencyCode
from domain.orders import Order, OrderStatus
from domain.payments.facts import FactKind, FactState, ProviderFact
from domain.payments.payment import NO_EFFECTS, RefundReason
from domain.payments.transitions import add_refund, apply_facts, finish_effects, issue_tickets
from storage.mongo.order_documents import order_document, order_from_document
from tests.support.payment_orders import NOW
from tests.support.ticket_orders import later, paid_order


def refund_fact(number: int, *, count: int = 1) -> ProviderFact:
    return ProviderFact(
        FactKind.REFUND,
        f"re_{number}",
        "pi_1",
        FactState.SUCCEEDED,
        2_500 * count,
        CurrencyCode.EUR,
        later(hours=number),
        row=number,
        code="",
    )


def old_order(*, refunded: int, reason: RefundReason = RefundReason.REQUESTED) -> Order:
    """Return an order with two tickets as the earlier version left it."""
    order = paid_order("old", 1, 2)
    order = add_refund(order, order.units[:refunded], reason=reason, now=NOW)
    order = apply_facts(order, [refund_fact(1, count=refunded)], later(hours=1))
    return replace(order, tickets=(), revocations=(), effects=NO_EFFECTS, effects_at=None)


def kinds(order: Order) -> list[MailKind]:
    return [mail.kind for mail in mails_of(order_from_document(order_document(order)), NOW)]


def test_old_refund_of_an_active_order_causes_no_mail() -> None:
    order = issue_tickets(old_order(refunded=1), later(days=9))
    assert kinds(order) == [MailKind.CONFIRMATION]
    order = finish_effects(order, ["document", "mail", "sales"], later(days=9))
    assert kinds(order) == [MailKind.CONFIRMATION]


def test_old_order_that_was_refunded_causes_no_mail() -> None:
    for reason in (RefundReason.REQUESTED, RefundReason.CONCERT_CANCELLED):
        order = old_order(refunded=2, reason=reason)
        assert order.status is OrderStatus.REFUNDED
        # The provider corrects the amount, which makes the effect due again.
        corrected = replace(refund_fact(1, count=2), amount_minor=4_900, at=later(days=9))
        assert kinds(apply_facts(order, [corrected], later(days=9))) == []


def test_new_refund_of_an_old_order_causes_its_mail() -> None:
    order = issue_tickets(old_order(refunded=1), later(days=9))
    order = add_refund(order, order.units, reason=RefundReason.REQUESTED, now=later(days=9))
    order = apply_facts(order, [refund_fact(2)], later(days=10))
    assert [mail.id for mail in mails_of(order, NOW)] == [f"refund:{order.id}:2"]


def test_refund_in_progress_at_the_upgrade_causes_its_mail() -> None:
    order = paid_order("old", 1, 2)
    order = add_refund(order, order.units[:1], reason=RefundReason.REQUESTED, now=NOW)
    order = issue_tickets(replace(order, tickets=(), revocations=(), effects=NO_EFFECTS), later(hours=1))
    order = apply_facts(order, [refund_fact(1)], later(hours=2))
    assert MailKind.REFUND in kinds(order)
