"""Mails whose sending is canceled or takes too long, and the separate limit of ticket offers."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from email.message import EmailMessage

import aiosmtplib
import pytest
import pytest_asyncio
from aiosmtplib import SMTPResponse

from domain.limits.rates import Rate
from domain.mails.mail import MailState
from domain.orders import Order
from mail.smtp import ANSWER_TIMEOUT_S, SmtpConnection
from resolvers import concerts
from resolvers.tickets.transfer_mails import QueuedTransferMails
from storage.connect import Stores
from storage.mongo.mails.outbox import LEASE
from tests.support.mail_shop import MailShop, confirmation_id, message_id, offer_ticket, open_mail_shop
from tests.support.payment_saga import Till
from tests.support.sale import organizer
from tests.support.waiting import wait_until
from workers.cancellation import CancellationWorker
from workers.mail import sending
from workers.mail.effect import queue_mails
from workers.mail.sending import BEHIND_CANCELLATION
from workers.orders import OrderWorker


@pytest_asyncio.fixture
async def shop(stores: Stores) -> AsyncIterator[MailShop]:
    async with open_mail_shop(Till(stores)) as made:
        yield made


async def test_offers_of_tickets_do_not_delay_a_confirmation(shop: MailShop) -> None:
    worker = shop.make_worker(per_recipient=Rate(1, 3_600), transfers_per_recipient=Rate(2, 3_600))
    for number in range(4):
        bought = await shop.buy(f"person{number}", email=f"p{number}@example.org")
        _, _, mail = await offer_ticket(shop, bought, to="bob@example.org")
        await QueuedTransferMails(shop.till.stores.mails).add(mail)
    await shop.send(worker)
    order = await shop.buy("bob", email="bob@example.org")
    assert await shop.send(worker) == 1
    to_bob = [mail.id for mail in shop.server.accepted if mail.recipients == ("bob@example.org",)]
    assert len(to_bob) == 3
    assert to_bob[-1] == message_id(order)


async def test_answer_to_a_text_may_take_longer_than_a_command(shop: MailShop, monkeypatch: pytest.MonkeyPatch) -> None:
    await shop.buy()
    given: list[object] = []

    async def data(self: aiosmtplib.SMTP, content: bytes, **options: object) -> SMTPResponse:
        given.append(options)
        return SMTPResponse(250, "OK")

    monkeypatch.setattr(aiosmtplib.SMTP, "data", data)
    address = shop.server.address(timeout_s=30)
    slow = type(address)(address.host, address.port, address.security, 30)
    assert await shop.send(shop.make_worker(server=slow)) == 1
    assert given == [{"timeout": ANSWER_TIMEOUT_S}]


async def test_mail_that_takes_too_long_after_its_text_counts_as_unanswered(
    shop: MailShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await shop.buy()
    shop.server.is_slow = True
    usual = asyncio.timeout

    def timeout(seconds: float | None) -> asyncio.Timeout:
        """Return a timeout that, for a mail, ends when the server has received the text."""
        made = usual(seconds)
        if seconds == sending.SEND_WITHIN_S:

            async def expire() -> None:
                await wait_until(lambda: bool(shop.server.accepted), what="the text at the server")
                made.reschedule(asyncio.get_running_loop().time())

            tasks.append(asyncio.create_task(expire()))
        return made

    tasks: list[asyncio.Task[None]] = []
    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "timeout", timeout)
        assert await shop.send() == 0
    await asyncio.gather(*tasks)
    stored = await shop.stored(confirmation_id(order))
    assert (stored.state, stored.unanswered) == (MailState.DUE, 1)
    assert shop.server.ids == [message_id(order)]


async def test_cancellation_that_arrives_with_an_answer_is_not_lost(
    shop: MailShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """asyncio.wait_for of Python 3.11 swallows such a cancellation."""
    orders = [await shop.buy(f"person{number}") for number in range(3)]
    answer = asyncio.get_running_loop().create_future()
    sent: list[str] = []

    async def send(self: SmtpConnection, message: EmailMessage, *, sender: str, recipient: str) -> None:
        sent.append(str(message["Message-ID"]))
        await asyncio.wait_for(answer, 60)

    monkeypatch.setattr(SmtpConnection, "send", send)
    monkeypatch.setattr(sending, "LANES", 1)
    task = asyncio.create_task(shop.send())
    await wait_until(lambda: bool(sent), what="the first mail")
    answer.set_result(None)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(sent) == 1
    assert await states(shop, orders) == [MailState.DUE, MailState.DUE, MailState.SENT]


async def test_refund_waits_for_the_mail_about_the_cancellation(shop: MailShop) -> None:
    order = await shop.buy()
    await shop.send()
    stores = shop.till.stores
    await concerts.cancel_concert(organizer(stores), shop.concert.id)
    for _ in range(2):
        await CancellationWorker(shop.till.payments, clock=shop.till.now).run_once(stores)
        await OrderWorker(shop.till.payments, clock=shop.till.now).run_once(stores)
        shop.pass_time(timedelta(minutes=2))
    await queue_mails(stores, [await shop.till.read(order)])
    canceled, refund = f"canceled:{shop.concert.id}:{order.id}", f"refund:{order.id}:1"
    await stores.mails.collection.update_one({"_id": canceled}, {"$set": {"dueAt": shop.till.now() + LEASE}})
    assert await shop.send() == 0
    assert (await shop.stored(refund)).attempts == 0
    shop.pass_time(LEASE)
    decided = await shop.send()
    shop.pass_time(BEHIND_CANCELLATION)
    assert decided + await shop.send() == 2
    sent = [mail.id.partition("@")[0].replace(".", ":") for mail in shop.server.accepted]
    assert sent[1:] == [f"<{canceled}", f"<{refund}"]


async def states(shop: MailShop, orders: list[Order]) -> list[MailState]:
    return sorted([(await shop.stored(confirmation_id(order))).state for order in orders])
