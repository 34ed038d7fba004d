"""Organizers list, search and export the orders of their own concerts."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import httpx2
import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import Receive, Scope, Send

from auth.callers import Callers
from auth.public_site import Site
from auth.viewer import Role
from domain.ids import ConcertId, OrderId
from domain.limits.rates import Rate
from domain.orders import Order
from domain.organizers.order_search import OrderFilter
from domain.page import Page, PageRequest
from resolvers.context import Resources
from schema.ids import concert_argument
from storage.embedded.process import ServerProcess
from tests.support.browser_sessions import BrowserOf
from tests.support.databases import DatabasePool
from tests.support.image_shop import SITE
from tests.support.sale import PASSES
from tests.support.serving import serving
from tests.support.shop import Answer, OnSale, Shop, lines, person_id
from tests.support.store_servers import open_shop
from tests.support.waiting import wait_until
from web.middleware import RequestMiddleware
from web.organizers import order_exports

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDERS = """
query ($id: ID!, $first: Int, $after: String, $filter: ConcertOrderFilter) {
  concertOrders(concertId: $id, first: $first, after: $after, filter: $filter) {
    nodes { id number status customerName customerEmail total { minor } }
    pageInfo { hasNextPage endCursor }
  }
}
"""
EXPORTS = """
query ($id: ID!) {
  concert(id: $id) { orderExports { nodes { personId personName rows isComplete } } sales { orders ticketsSold } }
}
"""
BUYERS = {
    "alice": ("Alice Øster", "alice.oster@onsale.example"),
    "bob": ("Bob Müller-Lee", "bob@elsewhere.example"),
    "carol": ("Carol Ann Lee", "carol@onsale.example"),
}


@dataclass
class BoxOffice:
    """A concert with one order from each buyer, and its exports."""

    shop: Shop
    concert: OnSale
    page_size: int = 2
    rate: Rate | None = None
    stalled_after_s: float = 60

    def app(self) -> Starlette:
        exports = order_exports.OrderExports(
            Resources(self.shop.stores, PASSES),
            Callers(self.shop.verifier, site=Site(SITE), sessions=BrowserOf("olivia", Role.ORGANIZER)),
            rate=self.rate,
            page_size=self.page_size,
            stalled_after_s=self.stalled_after_s,
        )
        inner = Starlette(routes=order_exports.routes, middleware=[Middleware(RequestMiddleware)])

        async def with_exports(scope: Scope, receive: Receive, send: Send) -> None:
            await inner({**scope, "state": {"order_exports": exports}}, receive, send)

        return with_exports  # type: ignore[return-value]

    async def download(
        self, *, by: str | None = "olivia", concert: str | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        transport = httpx2.ASGITransport(self.app())
        async with httpx2.AsyncClient(transport=transport, base_url=SITE) as client:
            path = f"/concerts/{concert or self.concert.id}/orders.csv"
            return await client.get(path, headers={**self.shop.headers(by), **(headers or {})})

    async def ask(self, *, by: str | None = "olivia", **variables: object) -> Answer:
        return await self.shop.ask(ORDERS, by=by, id=self.concert.id, **variables)

    async def names(self, **filter_: object) -> list[str]:
        answer = await self.ask(filter=filter_)
        assert "errors" not in answer, answer
        return [node["customerName"] for node in answer["data"]["concertOrders"]["nodes"]]

    async def exports(self, by: str = "olivia") -> Answer:
        concert = (await self.shop.fields(EXPORTS, by=by, id=self.concert.id))["concert"]
        return concert["orderExports"]["nodes"]

    async def count_records(self) -> int:
        return int(await self.shop.stores.mongo["order_exports"].count_documents({}))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(shared_valkey: ServerProcess, databases: DatabasePool) -> AsyncIterator[BoxOffice]:
    async with open_shop(shared_valkey, databases) as shop:
        concert = await shop.on_sale()
        for buyer, (name, email) in BUYERS.items():
            input_: dict[str, object] = {
                "concertId": concert.id,
                "lines": lines(concert, 1),
                "customerName": name,
                "customerEmail": email,
            }
            await shop.buy(input_, by=buyer)
        yield BoxOffice(shop, concert)


def code(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["extensions"]["code"]


async def test_orders_are_listed_in_pages_newest_first(office: BoxOffice) -> None:
    first = (await office.ask(first=2))["data"]["concertOrders"]
    rest = (await office.ask(first=2, after=first["pageInfo"]["endCursor"]))["data"]["concertOrders"]
    names = [node["customerName"] for node in (*first["nodes"], *rest["nodes"])]
    assert names == [BUYERS[buyer][0] for buyer in ("carol", "bob", "alice")]
    assert (first["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (True, False)


@pytest.mark.parametrize(
    ("search", "buyers"),
    [
        ("lee", ["carol", "bob"]),
        ("LEE muller", ["bob"]),
        ("müll", ["bob"]),
        ("oster", ["alice"]),
        ("alice.o", ["alice"]),
        ("carol@ons", ["carol"]),
        ("ons", ["carol", "alice"]),
        ("unknown-name", []),
        (".*", []),
        ("", ["carol", "bob", "alice"]),
    ],
)
async def test_search_finds_names_and_beginnings_of_addresses(
    office: BoxOffice, search: str, buyers: list[str]
) -> None:
    assert await office.names(search=search) == [BUYERS[buyer][0] for buyer in buyers]


async def test_search_finds_a_number_as_people_type_it(office: BoxOffice) -> None:
    node = (await office.ask())["data"]["concertOrders"]["nodes"][1]
    typed = f"{node['number'][:4]} {node['number'][4:8].lower()}-{node['number'][8:]}"
    assert await office.names(search=typed) == [node["customerName"]]


async def test_status_and_search_must_both_match(office: BoxOffice) -> None:
    statuses = {node["status"] for node in (await office.ask())["data"]["concertOrders"]["nodes"]}
    assert statuses <= {"PAID", "FULFILLED"}
    assert await office.names(search="lee", status=sorted(statuses)) == [BUYERS["carol"][0], BUYERS["bob"][0]]
    assert await office.names(search="lee", status=["REFUNDED"]) == []


async def test_orders_without_search_words_are_found_after_an_upgrade(office: BoxOffice) -> None:
    await office.shop.stores.orders.collection.update_many({}, {"$unset": {"search": ""}})
    assert await office.names(search="muller") == [BUYERS["bob"][0]]
    concert_id = concert_argument(office.concert.id)
    assert await office.shop.stores.order_search.prepare(concert_id, limit=10) == 0


async def test_orders_without_words_are_read_by_no_later_search(office: BoxOffice) -> None:
    stores, concert_id = office.shop.stores, concert_argument(office.concert.id)
    fences = [OrderId(f"{n:032x}") for n in range(3)]
    for fence in fences:
        await stores.orders.find_or_void(fence, concert_id, now=datetime.now(UTC))
    assert await stores.order_search.prepare(concert_id, limit=10) == len(fences)
    plan = await stores.orders.collection.find({"concertId": concert_id, "search": None}).explain()
    assert plan["executionStats"]["totalDocsExamined"] == 0
    await stores.orders.collection.delete_many({"_id": {"$in": fences}})


async def test_search_that_is_too_long_is_refused(office: BoxOffice) -> None:
    (error,) = (await office.ask(filter={"search": "a" * 201}))["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_search_reads_only_the_index_of_words(office: BoxOffice) -> None:
    query = {"concertId": concert_argument(office.concert.id), "search": {"$elemMatch": {"$gte": "lee", "$lt": "lef"}}}
    plan = await office.shop.stores.orders.collection.find(query).explain()
    assert plan["executionStats"]["totalDocsExamined"] == 2


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (None, (401, "UNAUTHENTICATED")),
        ("alice", (403, "FORBIDDEN")),
        ("otto", (403, "FORBIDDEN")),
        ("gus", (403, "FORBIDDEN")),
    ],
)
async def test_only_the_organizer_lists_and_exports_orders(
    office: BoxOffice, by: str | None, expected: tuple[int, str]
) -> None:
    before = await office.count_records()
    listed = await office.ask(by=by)
    assert listed["errors"][0]["extensions"]["code"] == expected[1]
    assert code(await office.download(by=by)) == expected
    assert await office.count_records() == before


async def test_draft_of_another_organizer_does_not_exist_for_exports(office: BoxOffice) -> None:
    draft = await office.shop.draft()
    assert code(await office.download(by="otto", concert=draft.id)) == (404, "NOT_FOUND")
    assert code(await office.download(concert="nope")) == (400, "BAD_USER_INPUT")


@pytest.mark.parametrize(("site", "status"), [("same-origin", 200), ("cross-site", 403), ("none", 403)])
async def test_cookie_exports_only_from_our_own_pages(office: BoxOffice, site: str, status: int) -> None:
    headers = {"Cookie": "onsale-session=anything", "Sec-Fetch-Site": site}
    assert (await office.download(by=None, headers=headers)).status_code == status


async def test_export_has_each_order_once_and_is_recorded(office: BoxOffice) -> None:
    before = await office.exports()
    answer = await office.download(by="ada")

    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["content-disposition"].startswith('attachment; filename="orders-')
    assert answer.headers["cache-control"] == "private, no-store"
    _, *found = csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))
    assert [row[3] for row in found] == [BUYERS[buyer][0] for buyer in ("carol", "bob", "alice")]
    newest, *rest = await office.exports()
    assert newest == {"personId": person_id("ada"), "personName": "ada", "rows": 3, "isComplete": True}
    assert rest == before


async def test_head_request_is_no_export(office: BoxOffice) -> None:
    before = await office.count_records()
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(office.app()), base_url=SITE) as client:
        path = f"/concerts/{office.concert.id}/orders.csv"
        answer = await client.head(path, headers=office.shop.headers("olivia"))
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert await office.count_records() == before


async def test_exports_are_limited_per_person(office: BoxOffice) -> None:
    limited = BoxOffice(office.shop, office.concert, rate=Rate(1, 60))
    answers = [await limited.download(by="olivia") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert int(answers[1].headers["retry-after"]) > 0


async def test_sales_and_exports_are_fields_of_the_concert(office: BoxOffice) -> None:
    answer = await office.shop.ask(EXPORTS, by="otto", id=office.concert.id)
    assert answer["data"]["concert"] == {"orderExports": None, "sales": None}
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"FORBIDDEN"}
    own = await office.shop.fields(EXPORTS, by="olivia", id=office.concert.id)
    assert set(own["concert"]["sales"]) == {"orders", "ticketsSold"}


@asynccontextmanager
async def endless_export(office: BoxOffice, **changes: object) -> AsyncIterator[tuple[str, "CountingPages"]]:
    """Serve an export whose pages never end, and count the pages that were read."""
    endless = BoxOffice(office.shop, office.concert, **changes)  # type: ignore[arg-type]
    pages = CountingPages(office)
    async with serving(lambda _: endless.app()) as base:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(type(office.shop.stores.order_search), "page", pages.page)
            yield base, pages


class CountingPages:
    def __init__(self, office: BoxOffice) -> None:
        self._page = office.shop.stores.order_search.page
        self.read = 0

    async def page(self, concert_id: ConcertId, filter_: OrderFilter, request: PageRequest) -> Page[Order]:
        self.read += 1
        page = await self._page(concert_id, filter_, replace(request, size=100, cursor=None))
        return replace(page, items=page.items * 50, has_next_page=True)


async def newest_record(office: BoxOffice) -> Answer:
    return await office.shop.stores.mongo["order_exports"].find_one({}, sort=[("at", -1)])


async def test_slow_reader_stops_the_reading_of_orders(office: BoxOffice) -> None:
    async with endless_export(office, stalled_after_s=0.5) as (base, pages):
        reader, writer = await ask_for_file(base, office)
        await reader.read(10)

        async def is_cut_off() -> bool:
            return (await newest_record(office))["rows"] is not None

        await wait_until(is_cut_off)
        read = pages.read
        record = await newest_record(office)
        assert not record["isComplete"]
        # The buffers of both sockets hold a few megabytes at most; a page has about 15 KB.
        assert 0 < read < 2_000
        assert record["rows"] == read * 150
        writer.close()


async def test_disconnecting_client_ends_the_export(office: BoxOffice) -> None:
    async with endless_export(office) as (base, pages):
        reader, writer = await ask_for_file(base, office)
        await reader.read(10)
        writer.transport.abort()

        async def is_ended() -> bool:
            return (await newest_record(office))["rows"] is not None

        await wait_until(is_ended)
        read = pages.read
        assert not (await newest_record(office))["isComplete"]
    assert pages.read == read


async def test_person_exports_a_bounded_number_of_files_at_once(office: BoxOffice) -> None:
    before = await office.count_records()
    async with endless_export(office) as (base, _), httpx2.AsyncClient(base_url=base) as client:
        connections = [await ask_for_file(base, office) for _ in range(order_exports.MAX_CONCURRENT_PER_PERSON)]
        for reader, _ in connections:
            await reader.read(10)
        headers = office.shop.headers("olivia")
        refused = await client.get(f"/concerts/{office.concert.id}/orders.csv", headers=headers)
        for _, writer in connections:
            writer.transport.abort()

        async def all_ended() -> bool:
            return await office.shop.stores.mongo["order_exports"].count_documents({"rows": None}) == 0

        await wait_until(all_ended)
    assert code(refused) == (429, "RATE_LIMITED")
    assert await office.count_records() == before + order_exports.MAX_CONCURRENT_PER_PERSON


async def ask_for_file(base: str, office: BoxOffice) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = base.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1_000)
    token = office.shop.headers("olivia")["Authorization"]
    request = f"GET /concerts/{office.concert.id}/orders.csv HTTP/1.1\r\nHost: {host}\r\nAuthorization: {token}\r\n\r\n"
    writer.write(request.encode())
    return reader, writer
