"""The texts of mails, in both languages, and the messages that carry them."""

from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from email.headerregistry import Address

import pytest

from domain.concerts import Concert
from domain.ids import ticket_id
from domain.mails.mail import Mail, MailKind, mails_of, notices_of
from domain.money import CurrencyCode
from domain.orders import Customer, Order, OrderStatus
from domain.payments.facts import FactKind, FactState, ProviderFact
from domain.payments.payment import RefundReason
from domain.payments.transitions import add_refund, apply_facts
from domain.text.links import mask_addresses, without_links
from domain.text.locales import Locale
from domain.tickets.ticket import Transfer
from mail.documents import Attachment
from mail.letters import Letter, Site, write_letter
from mail.messages import MAX_ATTACHED_BYTES, build_message, is_attachable
from tests.support.payment_orders import CONCERT, NOW, concert_of_orders, payment_fact, pending_order, with_intent

SITE = Site("https://tickets.example.org", "https://tickets.example.org/tickets/accept")
SENDER = Address("Onsale", "tickets", "onsale.example")
SOON = NOW + timedelta(minutes=1)


def paid_order(*, locale: Locale = Locale.EN, name: str = "Ada Lovelace") -> Order:
    order = replace(pending_order("one", 1, 2), customer=Customer(name, "ada@example.org", locale))
    return apply_facts(with_intent(order), [payment_fact(FactState.SUCCEEDED, amount_minor=5_000)], NOW)


def refunded_order(reason: RefundReason, *, count: int = 1) -> Order:
    order = paid_order()
    order = add_refund(order, order.units[:count], reason=reason, now=SOON)
    returned = ProviderFact(
        FactKind.REFUND, "re_1", "pi_1", FactState.SUCCEEDED, 2_500 * count, CurrencyCode.EUR, SOON, row=1, code=""
    )
    return apply_facts(order, [returned], SOON)


def letter(mail: Mail, order: Order, *, has_documents: bool = False, of: Concert | None = None) -> Letter:
    return write_letter(mail, order, of or concert_of_orders(), SITE, has_documents=has_documents, now=NOW)


def confirmation(order: Order, *, has_documents: bool = True) -> Letter:
    return letter(mails_of(order, NOW)[0], order, has_documents=has_documents)


def test_confirmation_is_written_in_english() -> None:
    order = paid_order()
    written = confirmation(order)
    assert (written.subject, written.recipient) == ("Your tickets for Winterreise", "ada@example.org")
    assert written.text.replace("\u202f", " ") == (
        "Hello Ada Lovelace,\n\n"
        "Thank you for your order. Your tickets are attached.\n\n"
        "Winterreise\nFriday, March 5, 2027, 8:00 PM\nOlympiahalle, Munich\n\n"
        "2 \u00d7 Standing: €50.00\nTotal: €50.00\n\n"
        f"Order number: {order.number}\n\n"
        "At the door, show the code of each ticket, on paper or on your phone. It admits one person once, so do not"
        " share it.\n\n"
        "Onsale\nhttps://tickets.example.org\n"
    )


def test_confirmation_is_written_in_german() -> None:
    order = paid_order(locale=Locale.DE)
    written = confirmation(order)
    assert written.subject == "Ihre Tickets für Winterreise"
    assert written.text.replace("\xa0", " ").startswith(
        "Guten Tag Ada Lovelace,\n\n"
        "vielen Dank für Ihre Bestellung. Ihre Tickets sind angehängt.\n\n"
        "Winterreise\nFreitag, 5. März 2027, 20:00\nOlympiahalle, Munich\n\n"
        "2 \u00d7 Standing: 50,00 €\nGesamtbetrag: 50,00 €\n\n"
    )


def test_a_venue_without_a_time_zone_is_shown_in_utc() -> None:
    made = concert_of_orders()
    unknown = replace(made, terms=replace(made.terms, venue=replace(made.terms.venue, time_zone=None)))
    order = paid_order()
    text = letter(mails_of(order, NOW)[0], order, of=unknown).text.replace("\u202f", " ")
    assert "\nFriday, March 5, 2027, 7:00 PM UTC\n" in text


def test_a_mail_without_documents_says_where_the_tickets_are() -> None:
    text = confirmation(paid_order(), has_documents=False).text
    assert "Sign in at https://tickets.example.org to see your tickets." in text


def test_a_confirmation_lists_only_the_tickets_that_are_left() -> None:
    order = refunded_order(RefundReason.REQUESTED)
    assert "1 \u00d7 Standing: €25.00\nTotal: €25.00" in confirmation(order).text


def test_a_refund_names_the_money_and_the_tickets() -> None:
    order = refunded_order(RefundReason.REQUESTED)
    [_, mail] = mails_of(order, SOON)
    assert mail.id == f"refund:{order.id}:1"
    written = letter(mail, order)
    assert written.subject == f"Refund for your order {order.number}"
    assert "We have returned €25.00 to the card with which you paid." in written.text
    assert "The refunded tickets are no longer valid:\n1 \u00d7 Standing: €25.00" in written.text


@pytest.mark.parametrize("locale", Locale)
@pytest.mark.parametrize("reason", RefundReason)
def test_every_refund_reason_has_a_text(reason: RefundReason, locale: Locale) -> None:
    order = refunded_order(reason, count=2)
    order = replace(order, customer=replace(order.customer, locale=locale))
    assert order.status is OrderStatus.REFUNDED
    mail = mails_of(order, SOON)[-1]
    text = letter(mail, order).text
    assert "{" not in text
    assert ("50.00" if locale is Locale.EN else "50,00") in text


def test_the_mail_about_a_moved_concert_names_its_new_place() -> None:
    order = paid_order()
    [mail] = notices_of(order, MailKind.MOVED, 7, NOW)
    assert mail.id == f"moved:{CONCERT}:7:{order.id}"
    written = letter(mail, order, has_documents=True)
    assert written.subject == "New date or venue: Winterreise"
    assert "Olympiahalle, Munich" in written.text
    assert "Your tickets remain valid" in written.text


@pytest.mark.parametrize(("price_minor", "promises"), [(2_500, True), (0, False)])
def test_a_canceled_concert_promises_money_only_to_those_who_paid(price_minor: int, promises: bool) -> None:
    order = paid_order()
    order = replace(order, lines=tuple(replace(line, unit_price_minor=price_minor) for line in order.lines))
    [mail] = notices_of(order, MailKind.CANCELED, 7, NOW)
    assert mail.id == f"canceled:{CONCERT}:{order.id}"
    assert ("You will get your money back" in letter(mail, order).text) is promises


def test_mail_about_a_move_says_how_long_tickets_can_be_returned() -> None:
    order, concert = paid_order(), concert_of_orders()
    (mail,) = notices_of(order, MailKind.MOVED, 7, NOW)
    sentence = "If you cannot come, you can return your tickets until "
    until = replace(concert, terms=replace(concert.terms, refunds_until=NOW + timedelta(seconds=1)))
    over = replace(concert, terms=replace(concert.terms, refunds_until=NOW))
    shown = [letter(mail, order, of=of).text for of in (until, over, concert)]
    assert [sentence in text for text in shown] == [True, False, False]
    assert sentence not in letter(replace(mail, kind=MailKind.CANCELED), order, of=until).text


def test_a_transfer_is_sent_to_the_other_person_with_the_link() -> None:
    order = paid_order(name="Ada www.evil.example")
    ticket = order.tickets[0]
    offered = replace(ticket, transfer=Transfer("digest", "bob@example.org", NOW, NOW + timedelta(days=7)))
    order = replace(order, tickets=(offered, *order.tickets[1:]))
    mail = Mail(
        id=f"transfer:{ticket_id(order.id, ticket.unit)}:1:digest",
        kind=MailKind.TRANSFER,
        concert_id=CONCERT,
        order_id=order.id,
        person_id=order.person_id,
        created_at=NOW,
        due_at=NOW,
        unit=ticket.unit,
        secret="the-token",
    )
    written = letter(mail, order)
    assert (written.recipient, written.name) == ("bob@example.org", "")
    assert "https://tickets.example.org/tickets/accept#the-token" in written.text
    assert "\nOlympiahalle, Munich\nStanding\n" in written.text
    assert "Ada www. evil. example would like to pass a ticket on to you:" in written.text
    assert "the-token" not in repr(mail)
    assert "the-token" not in repr(written)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("J.R. Smith", "J. R. Smith"),
        ("Ada Lovelace", "Ada Lovelace"),
        ("St. John", "St. John"),
        ("evil.example/buy", "evil. example/buy"),
        ("https://evil.example", "https: //evil. example"),
        ("WWW.EVIL.EXAMPLE", "WWW. EVIL. EXAMPLE"),
        ("evil\u3002example", "evil\u3002 example"),
        ("evil\uff0eexample", "evil\uff0e example"),
        ("me@evil.example", "me@evil. example"),
        ("1.2.3.4", "1. 2. 3. 4"),
    ],
)
def test_no_part_of_a_name_becomes_a_link(name: str, shown: str) -> None:
    assert without_links(name) == shown


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("550 <ada@example.org>: unknown", "550 <a***@example.org>: unknown"),
        ("to: ada.lovelace+x@example.org, b@example.org", "to: a***@example.org, b***@example.org"),
        ("no address @ all", "no address @ all"),
    ],
)
def test_addresses_are_masked(text: str, masked: str) -> None:
    assert mask_addresses(text) == masked


@pytest.mark.parametrize("name", ["ю" * 200, "张" * 200, "Z" * 200, "👩‍🚀 " * 40, 'Quote "in" name, Jr.'])
def test_a_long_or_unusual_name_makes_a_valid_message(name: str) -> None:
    order = paid_order(name=name)
    written = confirmation(order)
    recipient = Address(written.name, "ada", "example.org")
    message = build_message(mails_of(order, NOW)[0], written, (), sender=SENDER, recipient=recipient, now=NOW)
    content = message.as_bytes()
    assert content.isascii()
    assert max(len(line) for line in content.split(b"\r\n")) <= 998
    read = message_from_bytes(content, policy=policy.default)
    assert [address.addr_spec for address in read["To"].addresses] == ["ada@example.org"]
    plain = read.get_body(("plain",))
    assert plain is not None
    assert plain.get_content().replace("\r\n", "\n") == written.text


def test_large_documents_are_left_out() -> None:
    half = Attachment("a.pdf", "application/pdf", b"x" * (MAX_ATTACHED_BYTES // 2))
    assert is_attachable([half, half])
    assert not is_attachable([half, half, Attachment("b.ics", "text/calendar", b"x")])
    assert not is_attachable([])
