"""Downloads of tickets: only valid tickets, only for their holder, with codes that gates accept."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import Receive, Scope, Send

from auth.callers import Callers
from auth.public_site import Site
from domain.ids import OrderId
from schema.ids import concert_argument, decode
from storage.embedded.process import ServerProcess
from tests.support.browser_sessions import BrowserOf
from tests.support.databases import DatabasePool
from tests.support.shop import TICKET_KEYS, Answer, OnSale, Shop, lines, person_id
from tests.support.store_servers import open_shop
from tests.support.ticket_changes import pass_on_ticket, refund_units
from tests.support.ticket_documents import read_pages, scan_codes
from tickets.codes import read_code
from tickets.concert_keys import ConcertKeys
from tickets.documents.library import DocumentLibrary
from tickets.documents.links import DownloadLinks
from tickets.documents.render_pool import RenderPool
from tickets.keys import TicketKeys
from web.middleware import RequestMiddleware
from web.tickets import downloads

pytestmark = pytest.mark.asyncio(loop_scope="module")

SITE = "http://onsale.example"
DOCUMENT = """
query ($id: ID!) {
  order(id: $id) {
    document { pdfUrl calendarUrl expiresAt ticketCount }
    tickets { document { pdfUrl calendarUrl ticketCount } }
  }
}
"""


@dataclass
class Counter:
    """The downloads of a shop, with a clock that tests move."""

    shop: Shop
    pool: RenderPool
    ahead: timedelta = timedelta()
    keys: TicketKeys = TICKET_KEYS

    def client(self) -> httpx2.AsyncClient:
        stores, concert_keys = self.shop.stores, ConcertKeys(TICKET_KEYS, self.shop.stores.ticket_keys)
        answers = downloads.TicketDownloads(
            stores,
            Callers(self.shop.verifier, site=Site(SITE), sessions=BrowserOf("alice")),
            DocumentLibrary(concert_keys, stores.ticket_documents, self.pool),
            DownloadLinks(self.keys),
            now=lambda: datetime.now(UTC) + self.ahead,
        )
        app = Starlette(routes=downloads.routes, middleware=[Middleware(RequestMiddleware)])

        async def with_downloads(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "state": {"ticket_downloads": answers}}, receive, send)

        return httpx2.AsyncClient(transport=httpx2.ASGITransport(with_downloads), base_url=SITE)

    async def get(self, url: str, headers: dict[str, str] | None = None) -> httpx2.Response:
        async with self.client() as client:
            return await client.get(url, headers=headers)

    async def buy(self, *quantities: int) -> tuple[OnSale, str]:
        concert = await self.shop.on_sale()
        bought = await self.shop.buy({"concertId": concert.id, "lines": lines(concert, *quantities)})
        return concert, str(bought["order"]["id"])

    async def order(self, id_: str, *, by: str = "alice") -> Answer:
        found: Answer = (await self.shop.fields(DOCUMENT, by=by, id=id_))["order"]
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def counter(shared_valkey: ServerProcess, databases: DatabasePool) -> AsyncIterator[Counter]:
    async with open_shop(shared_valkey, databases) as shop, aclosing(RenderPool([], processes=1)) as pool:
        yield Counter(shop, pool)


def order_of(id_: str) -> OrderId:
    return OrderId(decode(id_).parts[0])


def without_link(url: str) -> str:
    return url.partition("?")[0]


def refusal(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["extensions"]["code"]


def generations(concert: OnSale, pdf: bytes) -> list[tuple[str, int]]:
    """Return the id and generation in each code on the pages, verified with the public key only."""
    ring = {key.id: key.public for key in TICKET_KEYS.keys_of(concert_argument(concert.id))}
    codes = [code for page in scan_codes(pdf) for code in page]
    contents = [read_code(code, concert_argument(concert.id), ring, now=datetime.now(UTC)) for code in codes]
    return [(content.ticket_id, content.generation) for content in contents]


async def test_link_downloads_a_page_with_a_valid_code_for_each_ticket(counter: Counter) -> None:
    concert, id_ = await counter.buy(2, 1)
    document = (await counter.order(id_))["document"]
    answer = await counter.get(document["pdfUrl"])

    assert (answer.status_code, answer.headers["content-type"], document["ticketCount"]) == (200, "application/pdf", 3)
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["content-disposition"].startswith('attachment; filename="tickets-')
    pages = read_pages(answer.content)
    assert [page.split("\n")[0].partition(" Order")[0] for page in pages] == [f"Ticket {n} of 3" for n in (1, 2, 3)]
    assert ["Standing" in page for page in pages] == [True, True, False]
    assert len({id_ for id_, generation in generations(concert, answer.content) if generation == 1}) == 3


async def test_link_to_one_ticket_downloads_only_that_ticket(counter: Counter) -> None:
    concert, id_ = await counter.buy(2)
    whole = await counter.get((await counter.order(id_))["document"]["pdfUrl"])
    singles = [await counter.get(ticket["document"]["pdfUrl"]) for ticket in (await counter.order(id_))["tickets"]]

    assert [generations(concert, answer.content) for answer in singles] == [
        [code] for code in generations(concert, whole.content)
    ]


async def test_document_is_stored_once_and_downloads_are_identical(counter: Counter) -> None:
    _, id_ = await counter.buy(1)
    url = (await counter.order(id_))["document"]["pdfUrl"]
    first, again = await counter.get(url), await counter.get(url)
    other = await counter.get(f"{url}&locale=de-AT")

    assert first.content == again.content
    assert "Ticket 1 von 1" in read_pages(other.content)[0]
    stored = await counter.shop.stores.ticket_documents.list_after(None, limit=1_000)
    assert sum(entry.owner.order_id == order_of(id_) for entry in stored) == 2


async def test_calendar_file_contains_the_concert(counter: Counter) -> None:
    _, id_ = await counter.buy(1)
    answer = await counter.get((await counter.order(id_))["document"]["calendarUrl"])

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/calendar; charset=utf-8")
    assert f"UID:{order_of(id_)}@onsale\r\n" in answer.text
    assert "SUMMARY:Night of the Proms\r\n" in answer.text


async def test_holder_downloads_with_a_token_or_the_cookie_of_our_pages(counter: Counter) -> None:
    _, id_ = await counter.buy(1)
    url = without_link((await counter.order(id_))["document"]["pdfUrl"])
    cookie = {"Cookie": "onsale-session=any"}

    assert (await counter.get(url, counter.shop.headers("alice"))).status_code == 200
    assert (await counter.get(url, cookie | {"Sec-Fetch-Site": "same-origin"})).status_code == 200
    assert refusal(await counter.get(url, cookie | {"Sec-Fetch-Site": "cross-site"})) == (403, "FORBIDDEN")
    assert refusal(await counter.get(url)) == (401, "UNAUTHENTICATED")
    assert refusal(await counter.get(url, {"Authorization": "Bearer nonsense"})) == (401, "UNAUTHENTICATED")


async def test_order_of_another_person_looks_like_one_that_does_not_exist(counter: Counter) -> None:
    _, id_ = await counter.buy(1)
    order = await counter.order(id_)
    ticket_url = without_link(order["tickets"][0]["document"]["pdfUrl"])
    urls = [without_link(order["document"]["pdfUrl"]), ticket_url, f"/orders/{'0' * 32}/tickets.pdf"]
    answers = [await counter.get(url, counter.shop.headers(name)) for url in urls for name in ("bob", "olivia")]
    answers.append(await counter.get(f"{ticket_url[:-8]}0000.pdf", counter.shop.headers("alice")))

    assert {refusal(answer) for answer in answers} == {(404, "NOT_FOUND")}
    assert len({answer.json()["errors"][0]["message"] for answer in answers}) == 1


async def test_organizer_sees_the_order_without_a_document(counter: Counter) -> None:
    _, id_ = await counter.buy(1)
    order = await counter.order(id_, by="olivia")
    assert (order["document"], [ticket["document"] for ticket in order["tickets"]]) == (None, [None])


async def test_refunded_ticket_is_gone_on_every_path(counter: Counter) -> None:
    concert, id_ = await counter.buy(2)
    before = await counter.order(id_)
    alone, whole = before["tickets"][0]["document"]["pdfUrl"], before["document"]["pdfUrl"]
    dead = generations(concert, (await counter.get(alone)).content)
    await counter.get(whole)
    await refund_units(counter.shop.stores, order_of(id_), 1)
    token = counter.shop.headers("alice")

    for url in (alone, whole, alone.replace(".pdf", ".ics")):
        assert refusal(await counter.get(url)) == (410, "GONE")
    assert refusal(await counter.get(without_link(alone), token)) == (410, "GONE")
    left = await counter.get(without_link(whole), token)
    assert (left.status_code, len(generations(concert, left.content))) == (200, 1)
    assert not {*dead} & {*generations(concert, left.content)}
    after = await counter.order(id_)
    assert (after["tickets"][0]["document"], after["document"]["ticketCount"]) == (None, 1)


async def test_only_the_new_holder_can_download_a_passed_on_ticket(counter: Counter) -> None:
    concert, id_ = await counter.buy(2)
    before = await counter.order(id_)
    old = [before["tickets"][0]["document"]["pdfUrl"], before["document"]["pdfUrl"]]
    await pass_on_ticket(counter.shop.stores, order_of(id_), 0, to=person_id("nora"), name="Nora")

    assert [refusal(await counter.get(url)) for url in old] == [(410, "GONE")] * 2
    assert refusal(await counter.get(without_link(old[0]), counter.shop.headers("alice"))) == (404, "NOT_FOUND")
    kept = await counter.get(without_link(old[1]), counter.shop.headers("alice"))
    passed = await counter.get(without_link(old[0]), counter.shop.headers("nora"))
    assert [generation for _, generation in generations(concert, kept.content)] == [1]
    assert [generation for _, generation in generations(concert, passed.content)] == [2]
    assert "\nNora\n" in read_pages(passed.content)[0]
    whole = await counter.get(without_link(old[1]), counter.shop.headers("nora"))
    assert generations(concert, whole.content) == generations(concert, passed.content)


async def test_link_that_is_expired_altered_or_for_another_document_is_refused(counter: Counter) -> None:
    _, id_ = await counter.buy(2)
    _, other_id = await counter.buy(1)
    order, other = await counter.order(id_), await counter.order(other_id)
    url, other_url = order["document"]["pdfUrl"], other["document"]["pdfUrl"]
    path, _, query = url.partition("?")
    late = Counter(counter.shop, counter.pool, ahead=timedelta(minutes=5))
    foreign = Counter(counter.shop, counter.pool, keys=TicketKeys([bytes(range(1, 33))]))

    answers = [
        await late.get(url),
        await foreign.get(url),
        await counter.get(f"{url[:-1]}{'A' if url[-1] != 'A' else 'B'}"),
        await counter.get(f"{path}?link=", counter.shop.headers("alice")),
        await counter.get(f"{path}?{other_url.partition('?')[2]}"),
        await counter.get(f"{without_link(order['tickets'][0]['document']['pdfUrl'])}?{query}"),
    ]
    assert [refusal(answer) for answer in answers] == [(403, "FORBIDDEN")] * 6
    messages = [answer.json()["errors"][0]["message"] for answer in answers]
    assert messages[0] == "This download link has expired. Get a new link from `Order.document` or `Ticket.document`."
    assert all(message.startswith("This download link is not valid") for message in messages[1:4])
    assert all(message.startswith("This download link is for another document") for message in messages[4:])
    assert (await counter.get(url)).status_code == 200


async def test_link_expires_five_minutes_after_it_was_queried(counter: Counter) -> None:
    _, id_ = await counter.buy(1)
    before = datetime.now(UTC).replace(microsecond=0)
    expires_at = datetime.fromisoformat((await counter.order(id_))["document"]["expiresAt"])
    assert before <= expires_at - timedelta(minutes=5) <= datetime.now(UTC)


async def test_pages_of_other_origins_may_download_with_a_token(counter: Counter) -> None:
    _, id_ = await counter.buy(1)
    url = without_link((await counter.order(id_))["document"]["pdfUrl"])
    origin = {"Origin": "https://shop.example"}
    async with counter.client() as client:
        asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
        preflight = await client.options(url, headers=origin | asked)
    answer = await counter.get(url, counter.shop.headers("alice") | origin)

    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, "*")
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
    assert "access-control-allow-credentials" not in answer.headers


async def test_download_is_refused_while_too_many_are_waiting(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, id_ = await counter.buy(1)
    url = (await counter.order(id_))["document"]["pdfUrl"]
    monkeypatch.setattr("tickets.documents.render_pool.MAX_WAITING", 0)
    answer = await counter.get(url)

    assert refusal(answer) == (503, "UNAVAILABLE")
    assert int(answer.headers["retry-after"]) > 0
