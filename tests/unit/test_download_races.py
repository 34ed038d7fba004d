"""A document is not served if its ticket becomes invalid while the document is being made."""

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import Receive, Scope, Send

from auth.callers import Callers
from domain.orders import Order
from domain.payments.payment import RefundReason
from domain.payments.transitions import add_refund
from storage.connect import Stores
from tests.support.payment_orders import NOW
from tests.support.ticket_orders import ALICE, accepted, offered, paid_order
from tickets.documents.library import DocumentLibrary
from tickets.documents.links import LASTS, DownloadLink, DownloadLinks
from tickets.documents.selection import tickets_digest
from tickets.keys import TicketKeys
from web.middleware import RequestMiddleware
from web.tickets import downloads

LINKS = DownloadLinks(TicketKeys([bytes(range(32))]))
Change = Callable[[Order], Order]


def refunded(order: Order) -> Order:
    return add_refund(order, order.units[:1], reason=RefundReason.REQUESTED, now=NOW)


class Orders:
    def __init__(self, order: Order) -> None:
        self.order = order

    async def get(self, order_id: str) -> Order:
        assert order_id == self.order.id
        return self.order


class SlowLibrary:
    """Makes documents while an order changes."""

    def __init__(self, orders: Orders, change: Change) -> None:
        self._orders = orders
        self._change = change

    async def pdf(self, *_: object) -> bytes:
        self._orders.order = self._change(self._orders.order)
        return b"%PDF"


class Concerts:
    async def get(self, _: str) -> object:
        return object()


async def download(change: Change) -> httpx2.Response:
    """Download the tickets of an order that changes while the document is being made."""
    order = paid_order("one", 1, 2)
    orders, now = Orders(order), datetime.now(UTC).replace(microsecond=0)
    link = DownloadLink(order.id, None, ALICE, tickets_digest(order, order.tickets), now + LASTS)
    stores = cast(Stores, SimpleNamespace(orders=orders, concert_cache=Concerts()))
    library = cast(DocumentLibrary, SlowLibrary(orders, change))
    answers = downloads.TicketDownloads(
        stores, cast(Callers, cast(Any, SimpleNamespace(cleared_cookie=dict))), library, LINKS
    )
    app = Starlette(routes=downloads.routes, middleware=[Middleware(RequestMiddleware)])

    async def with_downloads(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {"ticket_downloads": answers}}, receive, send)

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(with_downloads), base_url="http://onsale") as client:
        return await client.get(f"/orders/{order.id}/tickets.pdf", params={"link": LINKS.sign(link)})


@pytest.mark.parametrize("change", [refunded, lambda order: accepted(offered(order))], ids=["refunded", "passed on"])
async def test_ticket_voided_while_its_document_is_being_made_is_gone(change: Change) -> None:
    answer = await download(change)
    assert answer.status_code == 410
    assert "changed while their document was being made" in answer.text


@pytest.mark.parametrize("change", [lambda order: order, offered], ids=["nothing", "offered"])
async def test_document_of_valid_tickets_is_served(change: Change) -> None:
    answer = await download(change)
    assert (answer.status_code, answer.content) == (200, b"%PDF")
