"""The mailbox page shows sent mails, in development only."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from starlette.applications import Starlette

from domain.mails.mail import MailState
from mail.documents import Attachment
from settings import Settings
from storage.connect import Stores
from tests.support.mail_shop import confirmation_id, open_mail_shop
from tests.support.payment_saga import Till
from web.development import mailbox_page
from workers.commands import mails


class Documents:
    async def documents_for(self, order: object, concert: object, holder_id: object) -> list[Attachment]:
        return [Attachment('ti"ck\u00e9ts.pdf', "application/pdf", b"%PDF-1.7")]


@asynccontextmanager
async def browser(stores: Stores, settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    app = Starlette(routes=mailbox_page.routes(settings))

    async def with_stores(scope: dict[str, object], receive: object, send: object) -> None:
        await app({**scope, "state": {"stores": stores}}, receive, send)  # type: ignore[arg-type]

    transport = httpx2.ASGITransport(with_stores)  # type: ignore[arg-type]
    async with httpx2.AsyncClient(transport=transport, base_url="http://onsale.example") as client:
        yield client


async def test_the_page_lists_mails_and_shows_their_text_and_files(stores: Stores) -> None:
    async with open_mail_shop(Till(stores)) as shop, browser(stores, Settings()) as client:
        assert "No mail has been sent yet" in (await client.get("/dev/mailbox")).text
        await shop.buy(name="Ada <script>alert(1)</script>")
        await shop.send(shop.make_worker(server=None, keeps_copies=True, documents=Documents()))
        listed = await client.get("/dev/mailbox")
        [path] = re.findall(r'href="(/dev/mailbox/[0-9a-f]+)"', listed.text)
        page = await client.get(path)
        file = await client.get(f"{path}/0")
        missing = [(await client.get(f"/dev/mailbox/{rest}")).status_code for rest in ("x", "0" * 24, f"{path[13:]}/1")]
    assert "to ada@example.org" in listed.text
    assert "Order number: " in page.text
    assert "<script>" not in page.text
    assert 'sandbox="" srcdoc="&lt;!doctype html&gt;' in page.text
    assert '<a href="https://tickets.example.org">https://tickets.example.org</a>' in page.text
    assert (file.content, file.headers["content-type"]) == (b"%PDF-1.7", "application/pdf")
    assert file.headers["content-disposition"] == 'attachment; filename="ti_ck_ts.pdf"'
    assert missing == [404, 404, 404]


async def test_production_has_no_mailbox_page(stores: Stores) -> None:
    async with browser(stores, Settings(env="production")) as client:
        assert (await client.get("/dev/mailbox")).status_code == 404


async def run_command(stores: Stores, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    code = await mails.run(stores, mails.parse_arguments(arguments))
    return code, capsys.readouterr().out.splitlines()


async def test_dead_letters_are_listed_and_sent_again_by_command(
    stores: Stores, capsys: pytest.CaptureFixture[str]
) -> None:
    async with open_mail_shop(Till(stores)) as shop:
        assert await run_command(stores, capsys) == (0, ["no mails have failed"])
        order = await shop.buy()
        shop.server.recipient_answers = ["550 5.1.1 <ada@example.org>: no such user"]
        await shop.send()
        id_ = confirmation_id(order)
        code, [head, row] = await run_command(stores, capsys, "list")
        assert (code, head.split()) == (0, ["ID", "KIND", "QUEUED", "AT", "ATTEMPTS", "PROBLEM"])
        assert row.startswith(f"{id_}  CONFIRMATION  ")
        assert row.endswith("  0         550 5.1.1 <a***@example.org>: no such user")
        code, lines = await run_command(stores, capsys, "retry", "--id", id_, "confirm:unknown")
        assert (code, lines) == (
            1,
            ["1 of 1 mails will be sent again by a worker", "confirm:unknown: no mail with this id has failed"],
        )
        assert await shop.send() == 1
        assert (await shop.stored(id_)).state is MailState.SENT
        assert await run_command(stores, capsys, "retry") == (0, ["no mails to send again"])
