"""The buyers of a moved or canceled concert are told once, whatever interrupts the job."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from domain.concerts import Concert, ConcertChange, VenueChange
from domain.errors import TemporarilyUnavailable
from domain.ids import OrderId, PersonId, fingerprint, ticket_id
from domain.mails.mail import MailState
from domain.mails.notices import LEASE
from domain.orders import Order
from domain.payments.payment import RefundReason
from domain.tickets.transfers import accept_transfer, cancel_transfer
from resolvers import concerts
from resolvers.tickets.transfer_mails import QueuedTransferMails
from storage.connect import Stores
from tests.support.mail_shop import MailShop, offer_ticket, open_mail_shop
from tests.support.payment_saga import Till
from tests.support.sale import organizer
from workers.cancellation import CancellationWorker
from workers.mail import notices
from workers.mail.effect import queue_mails
from workers.mail.notices import NoticeWorker
from workers.mail.sending import BEHIND_CANCELLATION
from workers.orders import OrderWorker


@pytest_asyncio.fixture
async def shop(stores: Stores) -> AsyncIterator[MailShop]:
    async with open_mail_shop(Till(stores)) as made:
        yield made


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "PAGE_SIZE", 2)


async def sold(shop: MailShop, count: int) -> list[Order]:
    """Return paid orders whose confirmations were sent."""
    orders = [await shop.buy(f"person{number}") for number in range(count)]
    await shop.send()
    shop.server.accepted.clear()
    return orders


async def move(shop: MailShop, *, hours: int = 0, venue: str | None = None) -> Concert:
    now = await shop.till.stores.concerts.get(shop.concert.id)
    assert now is not None
    change = ConcertChange(
        starts_at=now.terms.starts_at + timedelta(hours=hours) if hours else None,
        venue=VenueChange(name=venue) if venue else None,
    )
    return await concerts.update_concert(organizer(shop.till.stores), shop.concert.id, change, expected_version=None)


async def queue_notices(shop: MailShop) -> int:
    return await NoticeWorker(clock=shop.till.now).run_once(shop.till.stores)


async def test_every_buyer_of_a_moved_concert_is_told_once(shop: MailShop, small_pages: None) -> None:
    orders = await sold(shop, 5)
    await shop.till.order(shop.concert, 1, who="unpaid")
    moved = await move(shop, hours=24)
    assert await queue_notices(shop) == 5
    assert await queue_notices(shop) == 0
    assert await shop.send() == 5
    assert shop.server.ids == sorted(
        f"<moved.{moved.id}.{moved.version}.{order.id}@onsale.example>" for order in orders
    )
    assert {mail.message["Subject"] for mail in shop.server.accepted} == {"New date or venue: Goldberg Variations"}


async def test_an_interrupted_job_continues_where_it_stopped(
    shop: MailShop, small_pages: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sold(shop, 5)
    await move(shop, venue="Olympiahalle")
    stores, put_back = shop.till.stores, shop.till.stores.notices.put_back

    async def fail_once(*arguments: object, after: OrderId, due_at: object) -> None:
        monkeypatch.setattr(stores.notices, "put_back", put_back)
        raise TemporarilyUnavailable("the store does not answer")

    monkeypatch.setattr(stores.notices, "put_back", fail_once)
    with pytest.raises(TemporarilyUnavailable):
        await queue_notices(shop)
    assert await queue_notices(shop) == 0
    shop.pass_time(LEASE)
    # The first page had been queued.
    assert await queue_notices(shop) == 3
    assert await shop.send() == 5
    assert len(set(shop.server.ids)) == 5


@pytest.mark.parametrize("change", ["name", "sale"])
async def test_other_changes_cause_no_notice(shop: MailShop, change: str) -> None:
    await sold(shop, 1)
    ends_at = shop.concert.terms.sales_end_at - timedelta(hours=1)
    changes = {"name": ConcertChange(name="Aria"), "sale": ConcertChange(sales_end_at=ends_at)}
    await concerts.update_concert(organizer(shop.till.stores), shop.concert.id, changes[change], expected_version=None)
    assert await queue_notices(shop) == 0


async def test_moving_a_concert_twice_sends_one_notice(shop: MailShop) -> None:
    [order] = await sold(shop, 1)
    first = await move(shop, hours=1)
    assert await queue_notices(shop) == 1
    second = await move(shop, hours=1)
    assert await queue_notices(shop) == 1
    assert await shop.send() == 2
    assert shop.server.ids == [f"<moved.{second.id}.{second.version}.{order.id}@onsale.example>"]
    assert (await shop.stored(f"moved:{first.id}:{first.version}:{order.id}")).state is MailState.DROPPED


async def test_buyers_of_a_canceled_concert_are_told_about_it_and_their_money(shop: MailShop) -> None:
    [order] = await sold(shop, 1)
    till = shop.till
    await move(shop, hours=1)
    assert await queue_notices(shop) == 1
    await concerts.cancel_concert(organizer(till.stores), shop.concert.id)
    for _ in range(2):
        await CancellationWorker(till.payments, clock=till.now).run_once(till.stores)
        await OrderWorker(till.payments, clock=till.now).run_once(till.stores)
        till.ahead += timedelta(minutes=2)
    refunded = await till.read(order)
    assert refunded.payment is not None
    assert [refund.reason for refund in refunded.payment.refunds] == [RefundReason.CONCERT_CANCELLED]
    await queue_mails(till.stores, [await till.read(order)])
    # The refund has already queued the mail about the cancellation, so that it does not come first.
    assert await queue_notices(shop) == 0
    decided = await shop.send()
    shop.pass_time(BEHIND_CANCELLATION)
    assert decided + await shop.send() == 3
    assert [mail.id for mail in shop.server.accepted] == (
        [f"<canceled.{shop.concert.id}.{order.id}@onsale.example>", f"<refund.{order.id}.1@onsale.example>"]
    )


async def test_the_link_of_a_transfer_is_sent_and_then_forgotten(shop: MailShop) -> None:
    order, token, mail = await offer_ticket(shop, (await sold(shop, 1))[0])
    queued = QueuedTransferMails(shop.till.stores.mails)
    await queued.add(mail)
    await queued.add(mail)
    assert await queued.exists(mail.id)
    assert await shop.send() == 1
    [sent] = shop.server.accepted
    assert sent.recipients == ("bob@example.org",)
    assert f"https://tickets.example.org/tickets/accept#{token}" in sent.text
    assert (await shop.stored(mail.id)).secret is None
    assert order.customer.email not in sent.text


async def test_the_link_of_a_withdrawn_transfer_is_not_sent(shop: MailShop) -> None:
    order, _, mail = await offer_ticket(shop, (await sold(shop, 1))[0])
    await QueuedTransferMails(shop.till.stores.mails).add(mail)
    withdrawn = cancel_transfer(
        order, mail.token.ticket_id, holder=order.person_id, now=shop.till.now() + timedelta(seconds=1)
    )
    await shop.till.stores.order_updates.update(withdrawn)
    assert await shop.send() == 1
    assert shop.server.accepted == []
    stored = await shop.stored(mail.id)
    assert (stored.state, stored.secret) == (MailState.DROPPED, None)


async def test_the_holder_of_a_ticket_that_was_passed_on_is_told_too(shop: MailShop) -> None:
    offered, token, _ = await offer_ticket(shop, (await sold(shop, 1))[0])
    accepted = accept_transfer(
        offered,
        ticket_id(offered.id, offered.tickets[0].unit),
        secret_digest=fingerprint("transfer", token.rpartition(".")[2]),
        person_id=PersonId("bob"),
        email="bob@example.org",
        is_email_verified=True,
        name="Bob",
        now=shop.till.now() + timedelta(seconds=1),
    )
    await shop.till.stores.order_updates.update(accepted)
    await move(shop, hours=1)
    assert await queue_notices(shop) == 2
    assert await shop.send() == 2
    mails = {mail.recipients[0]: mail for mail in shop.server.accepted}
    assert mails.keys() == {"ada@example.org", "bob@example.org"}
    assert mails["bob@example.org"].text.startswith("Hello Bob,")
    assert accepted.number in mails["ada@example.org"].text
    assert accepted.number not in mails["bob@example.org"].text
