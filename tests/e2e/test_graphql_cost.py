"""Answers to queries and mutations state their cost on every transport; pushes do not."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from domain.limits.operations import OperationLimits
from schema import DocumentRules, build_engine
from storage.embedded.process import ServerProcess
from tests.support.databases import DatabasePool
from tests.support.events import events
from tests.support.shop import Shop
from tests.support.shop_socket import open_client
from tests.support.store_servers import open_shop
from tests.support.transports import TRANSPORTS, error_of, send_over

pytestmark = pytest.mark.asyncio(loop_scope="module")

COST = {"cost": {"requested": 11, "limit": 30_000}}
QUERY = "query ($id: ID!) { concert(id: $id) { name } }"
STOCK = "subscription ($id: ID!) { stockChanged(concertId: $id) { soldOut } }"
SSE = {"Accept": "text/event-stream"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strict_shop(shared_valkey: ServerProcess, databases: DatabasePool) -> AsyncIterator[Shop]:
    engine = build_engine(DocumentRules(limits=OperationLimits(cost=10, depth=1)))
    async with open_shop(shared_valkey, databases, engine=engine) as made:
        yield made


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


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_configured_limits_apply_on_every_transport(strict_shop: Shop, transport: str) -> None:
    allowed = await send_over(transport, strict_shop, {"query": "{ __typename }"})
    assert allowed == {"data": {"__typename": "Query"}, "extensions": {"cost": {"requested": 1, "limit": 10}}}
    for query, words in (
        ("{ " + " ".join(f"a{number}: __typename" for number in range(11)) + " }", "costs 11, and the limit is 10"),
        (QUERY, "has more than 1 levels of nesting (2)"),
    ):
        message, code = error_of(await send_over(transport, strict_shop, {"query": query, "variables": {"id": "a"}}))
        assert (code, words in message) == ("QUERY_TOO_COMPLEX", True)
