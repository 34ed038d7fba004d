"""The HTML alternative of a mail has the same text and no active content."""

import re
from dataclasses import replace
from email import message_from_bytes, policy
from email.headerregistry import Address
from html import unescape

import pytest

from domain.mails.mail import Mail, MailKind, mails_of
from domain.text.locales import Locale
from mail.documents import Attachment
from mail.letter_html import write_html
from mail.letters import Letter, Site, write_letter
from mail.messages import build_message
from tests.support.payment_orders import NOW, concert_of_orders
from tests.support.ticket_orders import offered, paid_order

SITE = Site("https://tickets.example.org", "https://tickets.example.org/tickets/accept")
SENDER = Address("Onsale", "tickets", "onsale.example")


def text_of(html: str) -> str:
    body = html.partition("<body")[2].partition(">")[2]
    return unescape(re.sub(r"<[^>]+>", "", body.replace("</p>", "\n"))).strip() + "\n"


def confirmation(name: str = "Ada Lovelace", locale: Locale = Locale.EN) -> tuple[Mail, Letter]:
    order = paid_order("html", 1)
    order = replace(order, customer=replace(order.customer, name=name, locale=locale))
    mail = mails_of(order, NOW)[0]
    return mail, write_letter(mail, order, concert_of_orders(), SITE, has_documents=False, now=NOW)


@pytest.mark.parametrize("locale", Locale)
def test_html_has_the_text_of_the_letter(locale: Locale) -> None:
    _, letter = confirmation(locale=locale)
    html = write_html(letter)
    assert f'<html lang="{locale.value}">' in html
    assert text_of(html) == letter.text


def test_only_our_addresses_are_links_and_nothing_is_loaded() -> None:
    _, letter = confirmation('<img src="https://evil.example/x"> https://tickets.example.org/phish')
    html = write_html(letter)
    assert set(re.findall(r'href="([^"]*)"', html)) == {"https://tickets.example.org"}
    assert re.findall(r"<(?:img|link|script|style|iframe|form|object)|<[^>]*src=|url\(|@import", html) == []
    assert "&lt;img src=" in html


def test_transfer_link_is_one_link() -> None:
    order = offered(paid_order("html", 1))
    mail = replace(mails_of(order, NOW)[0], kind=MailKind.TRANSFER, unit=order.units[0], secret="the-token")
    html = write_html(write_letter(mail, order, concert_of_orders(), SITE, has_documents=False, now=NOW))
    assert re.findall(r'<a href="([^"]*)">([^<]*)</a>', html) == [
        ("https://tickets.example.org/tickets/accept#the-token",) * 2,
        ("https://tickets.example.org",) * 2,
    ]


def test_message_has_both_texts_and_the_files() -> None:
    mail, letter = confirmation()
    file = Attachment("tickets.pdf", "application/pdf", b"%PDF")
    message = build_message(mail, letter, [file], sender=SENDER, recipient=SENDER, now=NOW)
    read = message_from_bytes(message.as_bytes(), policy=policy.default)
    kinds = [part.get_content_type() for part in read.walk()]
    assert kinds == ["multipart/mixed", "multipart/alternative", "text/plain", "text/html", "application/pdf"]
    html = read.get_body(("html",))
    assert html is not None
    assert text_of(html.get_content().replace("\r\n", "\n")) == letter.text
