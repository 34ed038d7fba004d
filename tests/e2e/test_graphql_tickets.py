"""Tickets in GraphQL, and the files that gates load: no path reveals a valid code of a void
ticket.
"""

import base64
import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import httpx2
import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from domain.ids import ConcertId, OrderId, Unit
from domain.orders import Order
from domain.payments.conclusion import conclude
from domain.payments.payment import RefundReason
from domain.payments.transitions import add_refund
from payments.saga.crash_points import ignore
from payments.saga.order_changes import OrderChanges
from schema.ids import concert_argument, decode
from storage.embedded.process import ServerProcess
from tests.support.databases import DatabasePool
from tests.support.shop import TICKET_KEYS, Answer, OnSale, Shop, lines, new_key, person_id
from tests.support.store_servers import open_shop
from tickets.codes import read_code
from tickets.concert_keys import KeyRings
from tickets.keys import TicketKeys
from web.tickets import gate_files

pytestmark = pytest.mark.asyncio(loop_scope="module")

TICKETS = """
query ($id: ID!) {
  order(id: $id) {
    number
    tickets { id state generation holderName orderNumber checkIn { scannedAt } code qrSvg tier { name } concert { id } }
  }
}
"""
MINE = """
query ($first: Int, $after: String) {
  me { tickets(first: $first, after: $after) { nodes { id state code } pageInfo { hasNextPage endCursor } } }
}
"""
NODE = "query ($id: ID!) { node(id: $id) { ... on Ticket { id state generation holderName code qrSvg } } }"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(module_valkey: ServerProcess, databases: DatabasePool) -> AsyncIterator[Shop]:
    async with open_shop(module_valkey, databases) as opened:
        yield opened


async def buy(shop: Shop, concert: OnSale, *quantities: int, by: str = "alice") -> str:
    bought = await shop.buy({"concertId": concert.id, "lines": lines(concert, *quantities)}, by=by)
    return str(bought["order"]["id"])


async def tickets_of(shop: Shop, order_id: str, *, by: str = "alice") -> list[Answer]:
    found: list[Answer] = (await shop.fields(TICKETS, by=by, id=order_id))["order"]["tickets"]
    return found


async def stored(shop: Shop, order_id: str) -> Order:
    order = await shop.stores.orders.get(OrderId(decode(order_id).parts[0]))
    assert order is not None
    return order


async def refund(shop: Shop, order_id: str, count: int) -> Order:
    def decide(order: Order) -> Order:
        return add_refund(order, order.units[:count], reason=RefundReason.REQUESTED, now=datetime.now(UTC))

    return await OrderChanges(shop.stores, ignore).change(await stored(shop, order_id), decide)


async def pass_on(shop: Shop, order_id: str, unit: Unit, name: str) -> Order:
    """Give a ticket to another person, with a new code."""

    def decide(order: Order) -> Order:
        tickets = tuple(
            replace(one, generation=one.generation + 1, holder_id=person_id(name), holder_name=name.title())
            if one.unit == unit
            else one
            for one in order.tickets
        )
        return conclude(order, replace(order, tickets=tickets), datetime.now(UTC), kind="TICKET_PASSED_ON")

    return await OrderChanges(shop.stores, ignore).change(await stored(shop, order_id), decide)


def id_of(concert: OnSale) -> ConcertId:
    return concert_argument(concert.id)


async def test_buyer_reads_the_tickets_and_their_codes(shop: Shop) -> None:
    concert = await shop.on_sale()
    order_id = await buy(shop, concert, 1, 1)
    order, tickets = await stored(shop, order_id), await tickets_of(shop, order_id)
    ring = {key.id: key.public for key in TICKET_KEYS.keys_of(id_of(concert))}
    assert [ticket["tier"]["name"] for ticket in tickets] == ["Standing", "Balcony"]
    for ticket in tickets:
        usual = {"state": "VALID", "generation": 1, "holderName": "Alice", "checkIn": None}
        assert ticket | usual | {"orderNumber": order.number, "concert": {"id": concert.id}} == ticket
        content = read_code(ticket["code"], id_of(concert), ring, now=datetime.now(UTC))
        assert ticket["id"] == base64.urlsafe_b64encode(
            f"Ticket:{id_of(concert)}:{content.ticket_id}".encode()
        ).decode().rstrip("=")
        assert ticket["qrSvg"].startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert await tickets_of(shop, order_id) == tickets


async def test_refunded_ticket_has_no_code_on_any_path(shop: Shop) -> None:
    order_id = await buy(shop, await shop.on_sale(), 2)
    first, second = await tickets_of(shop, order_id)
    await refund(shop, order_id, 1)
    dead, living = await tickets_of(shop, order_id)
    assert (dead["state"], dead["code"], dead["qrSvg"]) == ("VOID", None, None)
    assert living == second
    node = (await shop.fields(NODE, by="alice", id=first["id"]))["node"]
    assert (node["state"], node["code"], node["qrSvg"]) == ("VOID", None, None)
    mine = (await shop.fields(MINE, by="alice", first=10))["me"]["tickets"]["nodes"]
    assert {one["id"]: one["code"] for one in mine}[first["id"]] is None


async def test_code_belongs_to_the_holder_after_a_ticket_is_passed_on(shop: Shop) -> None:
    order_id = await buy(shop, await shop.on_sale(), 2)
    before, kept = await tickets_of(shop, order_id)
    order = await stored(shop, order_id)
    await pass_on(shop, order_id, order.units[0], "nora")
    passed, still = await tickets_of(shop, order_id)
    assert (passed["state"], passed["generation"], passed["holderName"]) == ("VALID", 2, "Nora")
    assert (passed["code"], passed["qrSvg"], still) == (None, None, kept)
    (held,) = (await shop.fields(MINE, by="nora", first=10))["me"]["tickets"]["nodes"]
    assert held["id"] == before["id"]
    assert held["code"] not in (None, before["code"])
    node = (await shop.fields(NODE, by="nora", id=before["id"]))["node"]
    assert (node["code"], node["holderName"]) == (held["code"], "Nora")


async def test_staff_see_tickets_without_codes_and_others_see_nothing(shop: Shop) -> None:
    concert = await shop.on_sale()
    order_id = await buy(shop, concert, 1)
    (ticket,) = await tickets_of(shop, order_id)
    change = "mutation ($input: UpdateConcertInput!) { updateConcert(input: $input) { __typename } }"
    await shop.fields(change, by="olivia", input={"concertId": concert.id, "gatePeople": [person_id("gus")]})
    for name in ("olivia", "ada", "gus"):
        node = (await shop.fields(NODE, by=name, id=ticket["id"]))["node"]
        assert (node["holderName"], node["code"], node["qrSvg"]) == ("Alice", None, None), name
    for name in ("bob", "otto", "robot"):
        assert (await shop.fields(NODE, by=name, id=ticket["id"]))["node"] is None, name


async def test_pages_of_a_viewers_tickets_contain_each_ticket_once(shop: Shop) -> None:
    concerts = [await shop.on_sale() for _ in range(3)]
    orders = [await buy(shop, concert, 3, by="paula") for concert in concerts]
    expected = [ticket["id"] for order in reversed(orders) for ticket in await tickets_of(shop, order, by="paula")]
    for size in (1, 2, 4, 9):
        seen: list[str] = []
        after, has_next = None, True
        while has_next:
            page = (await shop.fields(MINE, by="paula", first=size, after=after))["me"]["tickets"]
            assert len(page["nodes"]) <= size
            seen += [node["id"] for node in page["nodes"]]
            after, has_next = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        assert seen == expected, size


@pytest.mark.parametrize("after", ["x", "MTp4", base64.urlsafe_b64encode(b"1:a:-1").decode()])
async def test_invalid_cursor_of_a_viewers_tickets_is_refused(shop: Shop, after: str) -> None:
    answer = await shop.ask(MINE, by="alice", first=1, after=after)
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_id_of_an_unknown_ticket_is_null(shop: Shop) -> None:
    concert = await shop.on_sale()
    unknown = base64.urlsafe_b64encode(f"Ticket:{id_of(concert)}:{'0' * 32}".encode()).decode().rstrip("=")
    assert (await shop.fields(NODE, by="alice", id=unknown))["node"] is None


def gate_client(shop: Shop, keys: TicketKeys = TICKET_KEYS) -> httpx2.AsyncClient:
    """Return a client for the gate files of a server with these master keys."""
    files = gate_files.make_gate_files(shop.stores, keys, KeyRings())
    app = Starlette(routes=gate_files.routes)

    async def with_files(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {"gate_files": files}}, receive, send)

    return httpx2.AsyncClient(transport=httpx2.ASGITransport(with_files), base_url="http://onsale")


async def read_list(client: httpx2.AsyncClient, concert: OnSale) -> tuple[str, dict[str, object]]:
    """Return the first line of the list, and its content."""
    answer = await client.get("/.well-known/ticket-revocations", params={"concert": concert.id})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/gzip")
    head, _, body = gzip.decompress(answer.content).decode().partition("\n")
    return head, json.loads(body)


async def test_keys_of_an_earlier_master_stay_published(shop: Shop) -> None:
    concert = await shop.on_sale()
    newer = TicketKeys([bytes(range(1, 33))])
    published = []
    for keys in (TICKET_KEYS, newer, TICKET_KEYS):
        async with gate_client(shop, keys) as client:
            answer = await client.get("/.well-known/ticket-keys", params={"concert": concert.id})
            assert answer.headers["access-control-allow-origin"] == "*"
            published.append({key["kid"] for key in answer.json()["keys"]})
    first, second = (keys.signing_key(id_of(concert)).id for keys in (TICKET_KEYS, newer))
    assert published == [{first}, {first, second}, {first, second}]


async def test_list_has_every_revoked_code_and_an_increasing_sequence(shop: Shop) -> None:
    concert = await shop.on_sale()
    order_id = await buy(shop, concert, 3)
    async with gate_client(shop) as client:
        assert (await read_list(client, concert))[1]["sequence"] == 0
    order = await refund(shop, order_id, 1)
    order = await pass_on(shop, order_id, order.units[0], "nina")
    async with gate_client(shop) as client:
        head, content = await read_list(client, concert)
    assert content["revoked"] == sorted(f"{one.ticket_id}:{one.generation}" for one in order.revocations)
    assert (content["sequence"], head.split()[0]) == (2, "onsale-revocations-1")


async def test_draft_or_unknown_concert_has_no_gate_files(shop: Shop) -> None:
    draft = await shop.draft(slug=f"secret-{new_key()}")
    unknown = base64.urlsafe_b64encode(b"Concert:abcdefghjkmn").decode().rstrip("=")
    async with gate_client(shop) as client:
        for path in ("/.well-known/ticket-keys", "/.well-known/ticket-revocations"):
            for id_ in (draft.id, unknown):
                answer = await client.get(path, params={"concert": id_})
                assert (answer.status_code, answer.json()["error"].startswith("There is no concert")) == (404, True)
            for query in ({}, {"concert": "x"}, {"concert": draft.tiers[0]}):
                answer = await client.get(path, params=query)
                assert answer.status_code == 400
                assert answer.json() == {"error": "Name the concert by its `id` from GraphQL: ?concert=<id>"}
