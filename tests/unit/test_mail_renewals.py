"""The mails about new codes after a dispute was won."""

from dataclasses import replace

from domain.mails.mail import Mail, MailKind, mails_of
from domain.mails.outdated import why_outdated
from domain.orders import Order
from domain.payments.effects import MAIL, due_effects
from domain.payments.facts import FactKind, FactState
from domain.payments.payment import RefundReason
from domain.payments.transitions import add_refund, apply_facts, finish_effects
from domain.text.locales import Locale
from mail.letters import Site, write_letter
from storage.mongo.order_documents import order_document, order_from_document
from tests.support.payment_orders import NOW, concert_of_orders, payment_fact
from tests.support.ticket_orders import BOB, accepted, disputed, id_of, later, offered, paid_order

PAID = finish_effects(paid_order("renewals", 1, 2), ["document", "mail", "sales"], NOW)
SITE = Site("https://tickets.example.org", "https://tickets.example.org/tickets/accept")


def renewed(order: Order, *, hours: int = 1, id_: str = "dp_1") -> Order:
    """Return the order after a dispute was opened and won."""
    for state in (FactState.OPEN, FactState.WON):
        fact = replace(payment_fact(state, at=later(hours=hours)), kind=FactKind.DISPUTE, id=id_, row=None)
        order = apply_facts(order, [fact], later(hours=hours))
    return order


def renewal_mails(order: Order) -> list[Mail]:
    return [mail for mail in mails_of(order, NOW) if mail.kind is MailKind.RENEWED]


def test_won_dispute_causes_one_mail_with_the_new_document() -> None:
    open_ = disputed(PAID, FactState.OPEN)
    assert MAIL not in due_effects(open_)
    order = renewed(PAID)
    assert MAIL in due_effects(order)
    (mail,) = renewal_mails(order)
    assert (mail.id, mail.person_id, mail.has_documents) == (f"renewed:{order.id}:1", order.person_id, True)
    assert why_outdated(mail, order, concert_of_orders(), newest_notice=0, now=NOW) is None


def test_each_won_dispute_causes_its_own_mail() -> None:
    twice = renewed(renewed(PAID), hours=2, id_="dp_2")
    assert [mail.id for mail in renewal_mails(twice)] == [f"renewed:{PAID.id}:2"]


def test_mail_about_new_codes_is_dropped_during_another_dispute() -> None:
    order = renewed(PAID)
    (mail,) = renewal_mails(order)
    again = replace(payment_fact(FactState.OPEN, at=later(hours=2)), kind=FactKind.DISPUTE, id="dp_2", row=None)
    suspended = apply_facts(order, [again], later(hours=2))
    assert why_outdated(mail, suspended, concert_of_orders(), newest_notice=0, now=NOW) == "the order has changed"


def test_other_holder_of_a_ticket_gets_a_mail_too() -> None:
    order = renewed(accepted(offered(PAID)))
    buyer, other = renewal_mails(order)
    assert (buyer.id, buyer.unit) == (f"renewed:{order.id}:1", None)
    assert (other.id, other.person_id) == (f"renewed:{order.id}:{id_of(order)}:3", BOB)
    letter = write_letter(other, order, concert_of_orders(), SITE, has_documents=True, now=NOW)
    assert (letter.recipient, letter.name) == ("bob@example.org", "Bob")
    assert order.number not in letter.text


def test_transfer_after_the_renewal_causes_no_such_mail() -> None:
    passed_on = accepted(offered(renewed(PAID)))
    assert [mail.id for mail in renewal_mails(passed_on)] == [f"renewed:{PAID.id}:1"]
    alone = add_refund(passed_on, passed_on.units[1:], reason=RefundReason.REQUESTED, now=later(hours=3))
    assert renewal_mails(alone) == []


def test_renewals_are_stored_and_are_zero_in_older_orders() -> None:
    order = renewed(PAID)
    document = order_document(order)
    assert order_from_document(document) == order
    for ticket in document["tickets"]:
        del ticket["renewals"]
    assert renewal_mails(order_from_document(document)) == []


def test_letter_about_new_codes_says_that_old_ones_are_invalid() -> None:
    order = renewed(PAID)
    (mail,) = renewal_mails(order)
    english = write_letter(mail, order, concert_of_orders(), SITE, has_documents=False, now=NOW)
    assert english.subject == "New tickets for Winterreise"
    assert "Tickets that you have printed or saved before no longer open the door." in english.text
    assert "Sign in at https://tickets.example.org to see your new tickets." in english.text
    german = replace(order, customer=replace(order.customer, locale=Locale.DE))
    text = write_letter(mail, german, concert_of_orders(), SITE, has_documents=True, now=NOW).text
    assert "Ihre neuen Tickets sind angehängt." in text
