"""Which mails an order causes, and to whom they go."""

from dataclasses import replace
from datetime import timedelta

from domain.ids import PersonId, TicketId, ticket_id
from domain.mails.mail import Mail, MailKind, mails_of, notices_of
from domain.orders import Order, OrderStatus
from domain.payments.facts import FactState
from domain.payments.payment import RefundReason
from domain.payments.transitions import add_refund, apply_facts
from domain.tickets.transfers import accept_transfer, cancel_transfer, request_transfer
from mail.letters import Site, write_letter
from storage.mongo.order_documents import order_document, order_from_document
from tests.support.payment_orders import NOW, payment_fact, pending_order, with_intent
from tests.support.snapshots import CONCERT

BOB = PersonId("bob")
SITE = Site("https://tickets.example.org", "https://tickets.example.org/tickets/accept")


def paid_order() -> Order:
    return apply_facts(
        with_intent(pending_order("one", 1, 2)), [payment_fact(FactState.SUCCEEDED, amount_minor=5_000)], NOW
    )


def test_an_order_is_confirmed_while_a_part_of_it_is_refunded() -> None:
    order = paid_order()
    order = add_refund(order, order.units[:1], reason=RefundReason.REQUESTED, now=NOW + timedelta(minutes=1))
    assert order.status is OrderStatus.REFUND_PENDING
    assert [mail.kind for mail in mails_of(order, NOW)] == [MailKind.CONFIRMATION]


def test_a_holder_who_offers_a_ticket_again_is_told_at_their_own_address() -> None:
    offered = request_transfer(
        passed_on(), first_ticket(), holder=BOB, email="carol@example.org", secret_digest="other", now=NOW
    )
    _, to_bob = notices_of(offered, MailKind.MOVED, 3, NOW)
    assert (to_bob.person_id, recipient(to_bob, offered)) == (BOB, "bob@example.org")


def test_a_holder_who_withdrew_an_offer_is_told_at_their_own_address() -> None:
    offered = request_transfer(
        passed_on(), first_ticket(), holder=BOB, email="carol@example.org", secret_digest="other", now=NOW
    )
    withdrawn = cancel_transfer(offered, first_ticket(), holder=BOB, now=NOW)
    _, to_bob = notices_of(withdrawn, MailKind.CANCELED, 3, NOW)
    assert (to_bob.person_id, recipient(to_bob, withdrawn)) == (BOB, "bob@example.org")


def test_the_address_of_a_holder_is_stored_with_the_ticket() -> None:
    document = order_document(passed_on())
    assert order_from_document(document).tickets == passed_on().tickets
    assert "bob@example.org" not in repr(passed_on().tickets)


def test_mails_of_an_order_belong_to_the_trace_of_its_purchase() -> None:
    traceparent = f"00-{'a' * 32}-{'b' * 16}-01"
    order = order_from_document(order_document(replace(paid_order(), traceparent=traceparent)))
    assert [mail.traceparent for mail in mails_of(order, NOW)] == [traceparent]


def test_order_of_an_earlier_version_and_its_mails_have_no_trace() -> None:
    document = order_document(paid_order())
    assert "traceparent" not in document
    assert [mail.traceparent for mail in mails_of(order_from_document(document), NOW)] == [None]


def first_ticket() -> TicketId:
    order = paid_order()
    return ticket_id(order.id, order.units[0])


def passed_on() -> Order:
    """Return an order whose first ticket bob has accepted."""
    order = paid_order()
    offered = request_transfer(
        order, first_ticket(), holder=order.person_id, email="bob@example.org", secret_digest="secret", now=NOW
    )
    return accept_transfer(
        offered,
        first_ticket(),
        secret_digest="secret",
        person_id=BOB,
        email="bob@example.org",
        is_email_verified=True,
        name="Bob",
        now=NOW,
    )


def recipient(mail: Mail, order: Order) -> str:
    return write_letter(mail, order, CONCERT, SITE, has_documents=False, now=NOW).recipient
