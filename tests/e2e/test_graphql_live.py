"""Subscriptions on real stores, over WebSocket: a snapshot first, then what changes, and refusals for an id alone."""

import time

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.support.shop import HOLD, OnSale, Shop, lines, new_key
from tests.support.shop_socket import open_client
from tests.support.sockets import INIT, PROTOCOL, Client, Heard, completed

pytestmark = pytest.mark.asyncio(loop_scope="module")

STOCK = "subscription ($id: ID!) { stockChanged(concertId: $id) { version tiers { available held sold } } }"


def tiers(heard: Heard) -> list[tuple[int, int, int]]:
    assert heard["type"] == "next", heard
    stock = heard["payload"]["data"]["stockChanged"]
    return [(tier["available"], tier["held"], tier["sold"]) for tier in stock["tiers"]]


async def until(client: Client, expected: list[tuple[int, int, int]]) -> list[int]:
    """Versions heard until stock is as expected."""
    versions = []
    while True:
        heard = await client.hear()
        versions.append(heard["payload"]["data"]["stockChanged"]["version"])
        if tiers(heard) == expected:
            return versions


async def test_stock_is_shown_at_once_and_whenever_it_changes(shop: Shop) -> None:
    concert = await shop.on_sale()
    async with open_client(shop) as client:
        await client.subscribe("s", STOCK, id=concert.id)
        assert tiers(await client.hear()) == [(100, 0, 0), (2, 0, 0)]
        await shop.hold(concert, 3, 1)
        versions = await until(client, [(97, 3, 0), (1, 1, 0)])
        await shop.hold(concert, 1, by="bob")
        versions += await until(client, [(96, 4, 0), (1, 1, 0)])
    assert versions == sorted(set(versions))


async def test_a_hold_over_the_socket_shows_on_the_socket(shop: Shop) -> None:
    concert = await shop.on_sale()
    async with open_client(shop, shop.token("alice")) as client:
        await client.subscribe("s", STOCK, id=concert.id)
        assert tiers(await client.hear()) == [(100, 0, 0), (2, 0, 0)]
        await client.subscribe("h", HOLD, input=_wish(concert))
        heard = [await client.hear() for _ in range(3)]
        [held] = [m for m in heard if m["id"] == "h" and m["type"] == "next"]
        assert held["payload"]["data"]["holdTickets"]["__typename"] == "HoldTicketsSuccess"
        assert completed("h") in heard
        [shown] = [m for m in heard if m["id"] == "s"]
        assert tiers(shown) == [(98, 2, 0), (2, 0, 0)]


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("{", "BAD_USER_INPUT"),
        ("subscription { nothing }", "BAD_USER_INPUT"),
        ("subscription { stockChanged { version } }", "BAD_USER_INPUT"),
        ('subscription { stockChanged(concertId: "x") { version } }', "BAD_USER_INPUT"),
        ('subscription { queuePosition(concertId: "x") { position } }', "UNAUTHENTICATED"),
    ],
)
async def test_a_refused_operation_is_an_error_and_the_socket_lives(shop: Shop, document: str, code: str) -> None:
    async with open_client(shop) as client:
        await client.subscribe("bad", document)
        error = await client.hear()
        assert (error["id"], error["type"]) == ("bad", "error")
        assert [e["extensions"]["code"] for e in error["payload"]] == [code]
        assert all(e["extensions"]["requestId"] for e in error["payload"])
        await client.subscribe("bad", "{ serverTime }")
        assert list((await client.hear())["payload"]["data"]) == ["serverTime"]


async def test_a_token_that_expires_ends_the_socket(shop: Shop) -> None:
    concert = await shop.on_sale()
    expires = int(time.time()) + 2
    async with open_client(shop, shop.token("alice", exp=expires)) as client:
        await client.subscribe("s", STOCK, id=concert.id)
        assert (await client.hear())["type"] == "next"
        assert (await client.closed())[0] == 4403
        assert time.time() >= expires


async def test_a_token_of_another_audience_closes(shop: Shop) -> None:
    url = str(shop.client.base_url.join("/graphql")).replace("http", "ws", 1)
    async with connect(url, subprotocols=[Subprotocol(PROTOCOL)], compression=None) as connection:
        client = Client(connection)
        await client.say(INIT | {"payload": {"Authorization": f"Bearer {shop.token('alice', aud='shop')}"}})
        code, reason = await client.closed()
    assert code == 4403
    assert reason.startswith("The access token is not meant for onsale-api")


def _wish(concert: OnSale) -> dict[str, object]:
    return {"concertId": concert.id, "lines": lines(concert, 2), "idempotencyKey": new_key()}
