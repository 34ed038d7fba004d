"""Subscriptions on real stores over WebSocket: a snapshot first, then each change."""

import time
from types import SimpleNamespace

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from subscriptions.sockets import connection as socket_connection
from tests.support.shop import HOLD, Shop
from tests.support.shop_mutations import hold_input
from tests.support.shop_socket import open_client
from tests.support.sockets import INIT, PROTOCOL, Client, Message, completed

pytestmark = pytest.mark.asyncio(loop_scope="module")

STOCK = "subscription ($id: ID!) { stockChanged(concertId: $id) { version tiers { available held sold } } }"


def tiers(message: Message) -> list[tuple[int, int, int]]:
    assert message["type"] == "next", message
    stock = message["payload"]["data"]["stockChanged"]
    return [(tier["available"], tier["held"], tier["sold"]) for tier in stock["tiers"]]


async def versions_until(client: Client, expected: list[tuple[int, int, int]]) -> list[int]:
    """Return the versions received until the stock is as expected."""
    versions = []
    while True:
        message = await client.receive()
        versions.append(message["payload"]["data"]["stockChanged"]["version"])
        if tiers(message) == expected:
            return versions


async def test_socket_receives_the_stock_and_each_change(shop: Shop) -> None:
    concert = await shop.on_sale()
    async with open_client(shop) as client:
        await client.subscribe("s", STOCK, id=concert.id)
        assert tiers(await client.receive()) == [(100, 0, 0), (2, 0, 0)]
        await shop.hold(concert, 3, 1)
        versions = await versions_until(client, [(97, 3, 0), (1, 1, 0)])
        await shop.hold(concert, 1, by="bob")
        versions += await versions_until(client, [(96, 4, 0), (1, 1, 0)])
    assert versions == sorted(set(versions))


async def test_hold_made_over_a_socket_pushes_the_stock_change_to_it(shop: Shop) -> None:
    concert = await shop.on_sale()
    async with open_client(shop, shop.token("alice")) as client:
        await client.subscribe("s", STOCK, id=concert.id)
        assert tiers(await client.receive()) == [(100, 0, 0), (2, 0, 0)]
        await client.subscribe("h", HOLD, input=hold_input(concert, 2))
        received = [await client.receive() for _ in range(3)]
        [held] = [m for m in received if m["id"] == "h" and m["type"] == "next"]
        assert held["payload"]["data"]["holdTickets"]["__typename"] == "HoldTicketsSuccess"
        assert completed("h") in received
        [shown] = [m for m in received if m["id"] == "s"]
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
async def test_refused_operation_gets_an_error_and_leaves_the_socket_open(shop: Shop, document: str, code: str) -> None:
    async with open_client(shop) as client:
        await client.subscribe("bad", document)
        error = await client.receive()
        assert (error["id"], error["type"]) == ("bad", "error")
        assert [e["extensions"]["code"] for e in error["payload"]] == [code]
        assert all(e["extensions"]["requestId"] for e in error["payload"])
        await client.subscribe("bad", "{ serverTime }")
        assert list((await client.receive())["payload"]["data"]) == ["serverTime"]


async def test_expired_token_closes_the_socket(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    expires_at = int(time.time()) + 900
    monkeypatch.setattr(socket_connection, "time", SimpleNamespace(time=lambda: expires_at))
    async with open_client(shop, shop.token("alice", exp=expires_at)) as client:
        assert await client.closed() == (4403, "The access token has expired; reconnect with a new one")


async def test_token_for_another_audience_closes_the_socket(shop: Shop) -> None:
    url = str(shop.client.base_url.join("/graphql")).replace("http", "ws", 1)
    async with connect(url, subprotocols=[Subprotocol(PROTOCOL)], compression=None) as connection:
        client = Client(connection)
        await client.send(INIT | {"payload": {"Authorization": f"Bearer {shop.token('alice', aud='shop')}"}})
        code, reason = await client.closed()
    assert code == 4403
    assert reason.startswith("The access token is meant for shop, not for onsale-api")
