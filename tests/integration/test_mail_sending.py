"""Mails reach a real mail server at least once, and the failure of one does not stop the others."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from domain.errors import TemporarilyUnavailable
from domain.limits.rates import Rate
from domain.mails.mail import MailState
from domain.orders import OrderStatus
from mail.documents import Attachment
from storage.connect import Stores
from storage.mongo.mails.outbox import LEASE
from tests.support.mail_shop import MailShop, confirmation_id, message_id, open_mail_shop
from tests.support.payment_saga import Till
from workers.mail.effect import queue_mails


@pytest_asyncio.fixture
async def shop(stores: Stores) -> AsyncIterator[MailShop]:
    async with open_mail_shop(Till(stores)) as made:
        yield made


async def test_a_paid_order_is_confirmed_to_its_buyer(shop: MailShop) -> None:
    order = await shop.buy()
    assert await shop.send() == 1
    [mail] = shop.server.accepted
    assert mail.recipients == ("ada@example.org",)
    assert mail.id == message_id(order)
    assert mail.message["From"] == "Onsale <tickets@onsale.example>"
    assert mail.message["To"] == "Ada Lovelace <ada@example.org>"
    assert mail.message["Subject"] == "Your tickets for Goldberg Variations"
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert f"Order number: {order.number}" in mail.text
    assert "1 \u00d7 Tier 1: €49.50\nTotal: €49.50" in mail.text
    assert (await shop.stored(confirmation_id(order))).state is MailState.SENT


async def test_a_cause_that_is_processed_again_sends_no_second_mail(shop: MailShop) -> None:
    order = await shop.buy()
    await shop.send()
    await asyncio.gather(*[queue_mails(shop.till.stores, [order, order]) for _ in range(5)])
    assert await shop.send() == 0
    assert shop.server.ids == [message_id(order)]


async def test_two_workers_send_each_mail_once(shop: MailShop) -> None:
    orders = [await shop.buy() for _ in range(12)]
    counts = await asyncio.gather(*[shop.send(shop.make_worker()) for _ in range(2)])
    assert sum(counts) == 12
    assert shop.server.ids == sorted(message_id(order) for order in orders)


async def test_mails_wait_while_the_server_is_down(shop: MailShop, caplog: pytest.LogCaptureFixture) -> None:
    order = await shop.buy()
    await shop.server.stop()
    before = await shop.stored(confirmation_id(order))
    with caplog.at_level(logging.ERROR):
        for _ in range(12):
            assert await shop.send() == 0
            shop.pass_time(timedelta(minutes=1))
    assert [line for line in caplog.messages if line.startswith("ALARM mails_wait: no mail could be sent since")]
    after = await shop.stored(confirmation_id(order))
    assert (after.state, after.attempts, after.problem) == (before.state, 0, "")
    await shop.server.start()
    assert await shop.send() == 1
    assert shop.server.ids == [message_id(order)]


async def test_no_mail_is_lost_if_the_password_is_wrong(shop: MailShop) -> None:
    order = await shop.buy()
    assert await shop.send(shop.make_worker(server=shop.server.address(password="wrong"))) == 0
    assert (await shop.stored(confirmation_id(order))).attempts == 0
    assert await shop.send(shop.make_worker(server=shop.server.address(password="correct horse"))) == 1
    assert shop.server.ids == [message_id(order)]


async def test_an_unencrypted_server_gets_nothing_if_encryption_is_required(shop: MailShop) -> None:
    order = await shop.buy()
    address = shop.server.address()
    strict = type(address)(address.host, address.port, "starttls", address.timeout_s)
    assert await shop.send(shop.make_worker(server=strict)) == 0
    assert shop.server.accepted == []
    assert (await shop.stored(confirmation_id(order))).state is MailState.DUE


async def test_a_slow_server_delays_the_mail_but_loses_nothing(shop: MailShop) -> None:
    order = await shop.buy()
    shop.server.is_slow = True
    assert await shop.send(shop.make_worker(server=shop.server.address(timeout_s=2))) == 0
    assert (await shop.stored(confirmation_id(order))).attempts == 1
    shop.server.is_slow = False
    shop.pass_time(timedelta(minutes=1))
    assert await shop.send() == 1
    # The server had taken the first copy, too; both have the same id.
    assert shop.server.ids == [message_id(order)] * 2


async def test_a_refused_recipient_stops_no_other_mail(shop: MailShop, caplog: pytest.LogCaptureFixture) -> None:
    first, second = await shop.buy(email="nemo@example.org"), await shop.buy("bob")
    shop.server.recipient_answers = ["550 5.1.1 <nemo@example.org>: no such user"]
    with caplog.at_level(logging.WARNING):
        assert await shop.send() == 2
    refused, sent = [await shop.stored(confirmation_id(order)) for order in (first, second)]
    if refused.state is MailState.SENT:  # The lanes may process the two mails in either order.
        refused, sent = sent, refused
    assert (refused.state, refused.problem) == (MailState.DEAD, "550 5.1.1 <n***@example.org>: no such user")
    assert sent.state is MailState.SENT
    assert len(shop.server.accepted) == 1
    assert "nemo@example.org" not in caplog.text
    assert "ALARM" not in caplog.text


async def test_a_temporarily_refused_recipient_is_tried_again(shop: MailShop) -> None:
    order = await shop.buy()
    shop.server.recipient_answers = ["450 4.2.0 Greylisted, try again"]
    assert await shop.send() == 0
    assert await shop.send() == 0
    shop.pass_time(timedelta(minutes=1))
    assert await shop.send() == 1
    assert shop.server.ids == [message_id(order)]


async def test_no_mail_is_lost_if_a_policy_refuses_all_mail(shop: MailShop) -> None:
    order = await shop.buy()
    shop.server.recipient_answers = ["554 5.7.1 Relay access denied"]
    await shop.send()
    assert (await shop.stored(confirmation_id(order))).state is MailState.DUE
    shop.pass_time(timedelta(minutes=1))
    assert await shop.send() == 1


async def test_a_server_that_hangs_up_after_each_mail_gets_each_once(shop: MailShop) -> None:
    orders = [await shop.buy() for _ in range(15)]
    shop.server.drops_after_accepting = True
    assert await shop.send() == 15
    assert shop.server.ids == sorted(message_id(order) for order in orders)


async def test_a_mail_that_makes_the_server_hang_up_stops_no_other_mail(shop: MailShop) -> None:
    bad, *others = [await shop.buy(email=address) for address in ("bad@example.org", "b@example.org", "c@example.org")]
    shop.server.hangs_up_on = "bad@example.org"
    assert await shop.send() == 2
    assert shop.server.ids == sorted(message_id(order) for order in others)
    assert (await shop.stored(confirmation_id(bad))).attempts == 1


async def test_a_mail_without_an_answer_is_sent_again_with_the_same_id(shop: MailShop) -> None:
    order = await shop.buy()
    shop.server.drops_before_answering = 1
    assert await shop.send() == 0
    shop.pass_time(timedelta(minutes=1))
    assert await shop.send() == 1
    assert shop.server.ids == [message_id(order)] * 2


async def test_a_mail_that_was_not_marked_as_sent_is_sent_again_under_its_id(
    shop: MailShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await shop.buy()

    async def fail(*arguments: object) -> None:
        raise TemporarilyUnavailable("the store does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(shop.till.stores.mails, "finish", fail)
        patch.setattr(shop.till.stores.mails, "release", fail)
        with pytest.raises(TemporarilyUnavailable):
            await shop.send()
    assert await shop.send() == 0
    shop.pass_time(LEASE)
    assert await shop.send() == 1
    assert shop.server.ids == [message_id(order)] * 2


async def test_a_mail_that_fails_for_three_days_becomes_a_dead_letter(
    shop: MailShop, caplog: pytest.LogCaptureFixture
) -> None:
    order = await shop.buy()
    shop.server.data_answers = ["451 4.3.0 Try later"] * 200
    with caplog.at_level(logging.ERROR):
        while (await shop.stored(confirmation_id(order))).state is MailState.DUE:
            assert "ALARM" not in caplog.text
            await shop.send()
            shop.pass_time(timedelta(hours=1))
    assert caplog.messages == [f"ALARM mail_given_up: mail confirm:{order.id} was not sent: 451 4.3.0 Try later"]
    shop.server.data_answers = []
    assert await shop.till.stores.mails.retry([confirmation_id(order)], shop.till.now()) == 1
    assert await shop.send() == 1
    assert shop.server.ids == [message_id(order)]


async def test_mails_to_one_address_wait_for_their_turn(shop: MailShop) -> None:
    for who in ("alice", "bob", "carol"):
        await shop.buy(who, email="Victim@example.org")
    await shop.buy("dave", email="dave@example.org")
    worker = shop.make_worker(per_recipient=Rate(2, 3_600))
    assert await shop.send(worker) == 3
    assert await shop.send(worker) == 0
    recipients = sorted(mail.recipients[0] for mail in shop.server.accepted)
    assert recipients == ["Victim@example.org", "Victim@example.org", "dave@example.org"]


async def test_mails_that_one_person_causes_wait_for_their_turn(shop: MailShop) -> None:
    for number in range(3):
        await shop.buy("alice", email=f"victim{number}@example.org")
    worker = shop.make_worker(per_person=Rate(2, 3_600))
    assert await shop.send(worker) == 2
    [waiting] = [
        document async for document in shop.till.stores.mails.collection.find({"state": "DUE"}, {"attempts": 1})
    ]
    assert waiting["attempts"] == 0


async def test_a_name_cannot_add_a_header_or_a_recipient(shop: MailShop) -> None:
    await shop.buy(name="Eve\r\nBcc: victim@example.org\r\n\r\nBuy at http://evil.example/x")
    assert await shop.send() == 1
    [mail] = shop.server.accepted
    assert mail.recipients == ("ada@example.org",)
    assert mail.message["Bcc"] is None
    assert "http://evil" not in mail.text
    assert "evil.example" not in mail.text


async def test_a_non_ascii_address_needs_a_server_that_accepts_it(shop: MailShop) -> None:
    order = await shop.buy(email="frühling@bücher.example.com")
    shop.server.takes_utf8 = False
    assert await shop.send() == 1
    assert (await shop.stored(confirmation_id(order))).state is MailState.DEAD
    shop.server.takes_utf8 = True
    await shop.till.stores.mails.retry([confirmation_id(order)], shop.till.now())
    assert await shop.send() == 1
    assert shop.server.accepted[0].recipients == ("frühling@bücher.example.com",)


async def test_an_international_domain_is_sent_in_its_ascii_form(shop: MailShop) -> None:
    await shop.buy(email="info@bücher.example.com")
    shop.server.takes_utf8 = False
    assert await shop.send() == 1
    assert shop.server.accepted[0].recipients == ("info@xn--bcher-kva.example.com",)


async def test_a_refunded_order_is_no_longer_confirmed(shop: MailShop) -> None:
    order = await shop.buy()
    await shop.till.stores.orders.collection.update_one({"_id": order.id}, {"$set": {"status": OrderStatus.REFUNDED}})
    assert await shop.send() == 1
    assert shop.server.accepted == []
    assert (await shop.stored(confirmation_id(order))).state is MailState.DROPPED


async def test_documents_are_attached_and_their_failure_delays_the_mail(
    shop: MailShop, caplog: pytest.LogCaptureFixture
) -> None:
    class Documents:
        is_ready = False

        async def documents_for(self, order: object, concert: object, holder_id: object) -> list[Attachment]:
            if not self.is_ready:
                raise RuntimeError("the document of ada@example.org is not ready")
            return [
                Attachment("tickets.pdf", "application/pdf", b"%PDF-1.7"),
                Attachment("concert.ics", "text/calendar", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"),
            ]

    order = await shop.buy()
    documents = Documents()
    worker = shop.make_worker(documents=documents)
    assert await shop.send(worker) == 0
    assert (await shop.stored(confirmation_id(order))).problem == "the document of a***@example.org is not ready"
    assert "ada@example.org" not in caplog.text
    documents.is_ready = True
    shop.pass_time(timedelta(minutes=1))
    assert await shop.send(worker) == 1
    files = [
        (part.get_filename(), part.get_content_type(), part.get_payload(decode=True))
        for part in shop.server.accepted[0].message.iter_attachments()
    ]
    assert files == [
        ("tickets.pdf", "application/pdf", b"%PDF-1.7"),
        ("concert.ics", "text/calendar", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"),
    ]
    assert "Your tickets are attached." in shop.server.accepted[0].text


async def test_without_a_server_mails_go_to_the_development_mailbox(shop: MailShop) -> None:
    order = await shop.buy()
    assert await shop.send(shop.make_worker(server=None, keeps_copies=True)) == 1
    [entry] = await shop.till.stores.dev_mailbox.list_newest(10)
    assert (entry.recipient, entry.subject) == ("ada@example.org", "Your tickets for Goldberg Variations")
    found = await shop.till.stores.dev_mailbox.get(entry.id)
    assert found is not None
    assert f"Message-ID: {message_id(order)}".encode() in found.content
