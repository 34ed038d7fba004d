"""Answers to queries and mutations state their cost on every transport; pushes do not."""

import pytest

from tests.support.events import events
from tests.support.shop import Shop
from tests.support.shop_socket import open_client

pytestmark = pytest.mark.asyncio(loop_scope="module")

COST = {"cost": {"requested": 11, "limit": 30_000}}
QUERY = "query ($id: ID!) { concert(id: $id) { name } }"
STOCK = "subscription ($id: ID!) { stockChanged(concertId: $id) { soldOut } }"
SSE = {"Accept": "text/event-stream"}


async def test_query_states_its_cost_on_every_transport(shop: Shop) -> None:
    concert = await shop.on_sale()
    request = {"query": QUERY, "variables": {"id": concert.id}}
    expected = {"data": {"concert": {"name": "Night of the Proms"}}, "extensions": COST}
    assert (await shop.client.post("/graphql", json=request)).json() == expected
    async with open_client(shop) as client:
        await client.send({"type": "subscribe", "id": "1", "payload": request})
        assert (await client.receive())["payload"] == expected
    async with events(shop.client, "POST", "/graphql", json=request, headers=SSE) as stream:
        assert await stream.receive() == ("next", expected)


async def test_payloads_of_a_subscription_do_not_state_a_cost(shop: Shop) -> None:
    concert = await shop.on_sale()
    request = {"query": STOCK, "variables": {"id": concert.id}}
    expected = {"data": {"stockChanged": {"soldOut": False}}}
    async with open_client(shop) as client:
        await client.send({"type": "subscribe", "id": "1", "payload": request})
        assert (await client.receive())["payload"] == expected
        await shop.hold(concert, 1)
        assert (await client.receive())["payload"] == expected
    async with events(shop.client, "POST", "/graphql", json=request, headers=SSE) as stream:
        assert await stream.receive() == ("next", expected)
