"""A mail that is slow or refused in one lane of the mail worker does not stop the other lanes."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from domain.mails.mail import MAX_UNANSWERED, MailState
from storage.connect import Stores
from tests.support.mail_shop import MailShop, confirmation_id, message_id, open_mail_shop
from tests.support.payment_saga import Till
from tests.support.waiting import wait_until
from workers.mail import sending


@pytest_asyncio.fixture
async def shop(stores: Stores) -> AsyncIterator[MailShop]:
    async with open_mail_shop(Till(stores)) as made:
        yield made


async def test_workers_that_lease_at_once_share_the_mails(shop: MailShop) -> None:
    for _ in range(8):
        await shop.buy()
    mails, now = shop.till.stores.mails, shop.till.now()
    leases = await asyncio.gather(*[mails.lease_due(now, limit=2) for _ in range(4)])
    assert all(lease.mails for lease in leases)
    ids = [mail.id for lease in leases for mail in lease.mails]
    assert len(ids) == len(set(ids))


async def test_a_slow_recipient_does_not_delay_mails_that_come_later(shop: MailShop) -> None:
    await shop.buy(email="slow@example.org")
    shop.server.hangs_at = "slow@example.org"
    task = asyncio.create_task(shop.send())
    try:
        await wait_until(lambda: shop.server.is_hanging, what="the slow recipient")
        order = await shop.buy("bob")
        await wait_until(lambda: message_id(order) in shop.server.ids, what="the other mail")
    finally:
        shop.server.hangs_at = ""
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_server_that_accepts_only_one_connection_is_not_an_outage(
    shop: MailShop, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "MAILS_PER_LEASE", 1)
    shop.server.most_connections = 1
    with caplog.at_level(logging.ERROR):
        for _ in range(11):
            orders = [await shop.buy() for _ in range(4)]
            await shop.send()
            assert {message_id(order) for order in orders} <= set(shop.server.ids)
            shop.pass_time(timedelta(minutes=1))
    assert "ALARM" not in caplog.text


async def test_a_refused_option_for_one_address_stops_no_other_mail(shop: MailShop) -> None:
    bad = await shop.buy(email="frühling@example.org")
    good = await shop.buy("bob")
    shop.server.refuses_utf8 = True
    assert await shop.send() == 1
    assert shop.server.ids == [message_id(good)]
    assert (await shop.stored(confirmation_id(bad))).attempts == 1


async def test_a_mail_that_is_never_answered_is_sent_only_a_few_times(shop: MailShop) -> None:
    order = await shop.buy()
    shop.server.drops_before_answering = 1_000
    while (await shop.stored(confirmation_id(order))).state is MailState.DUE:
        await shop.send()
        shop.pass_time(timedelta(hours=1))
    assert shop.server.ids == [message_id(order)] * MAX_UNANSWERED
    assert (await shop.stored(confirmation_id(order))).state is MailState.DEAD
