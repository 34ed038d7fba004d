"""A mail to a holder goes to the address at which the ticket was accepted, never to the address of
an offer, because the holder's valid tickets may be attached.
"""

from domain.mails.mail import Mail, MailKind, notices_of
from domain.orders import Order
from domain.tickets.transfers import cancel_transfer, request_transfer
from mail.letters import Letter, Site, write_letter
from storage.mongo.order_documents import order_document, order_from_document
from tests.support.payment_orders import NOW, concert_of_orders
from tests.support.ticket_orders import BOB, BOBS_ADDRESS, accepted, id_of, offered, paid_order

CAROLS_ADDRESS = "carol@example.net"


def held_by_bob() -> Order:
    return accepted(offered(paid_order("one", 1)))


def offered_to_carol(order: Order) -> Order:
    return request_transfer(order, id_of(order), holder=BOB, email=CAROLS_ADDRESS, secret_digest="c" * 64, now=NOW)


def notice_to_bob(order: Order) -> Mail:
    (notice,) = [mail for mail in notices_of(order, MailKind.MOVED, 3, NOW) if mail.person_id == BOB]
    return notice


def letter(mail: Mail, order: Order) -> Letter:
    site = Site("https://tickets.example.org", "https://tickets.example.org/tickets/accept")
    return write_letter(mail, order, concert_of_orders(), site, has_documents=True, now=NOW)


def test_offer_of_a_holder_does_not_redirect_the_holders_mail() -> None:
    order = offered_to_carol(held_by_bob())
    written = letter(notice_to_bob(order), order)
    assert (written.recipient, written.name) == (BOBS_ADDRESS, "Bob")


def test_offer_made_after_a_notice_was_queued_does_not_redirect_it() -> None:
    notice = notice_to_bob(held_by_bob())
    assert letter(notice, offered_to_carol(held_by_bob())).recipient == BOBS_ADDRESS


def test_holder_who_withdrew_an_offer_is_still_told() -> None:
    order = cancel_transfer(offered_to_carol(held_by_bob()), id_of(held_by_bob()), holder=BOB, now=NOW)
    assert order.tickets[0].transfer is None
    assert letter(notice_to_bob(order), order).recipient == BOBS_ADDRESS


def test_buyers_own_offer_adds_no_second_notice() -> None:
    assert len(notices_of(offered(paid_order("one", 1)), MailKind.MOVED, 3, NOW)) == 1


def test_address_of_a_holder_is_stored_and_never_shown_in_logs() -> None:
    order = held_by_bob()
    assert order_from_document(order_document(order)).tickets[0].holder_email == BOBS_ADDRESS
    assert BOBS_ADDRESS not in repr(order.tickets)
