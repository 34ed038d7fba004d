"""The connections to the store drop in the middle of a pipeline while sockets are served.

No hold is lost or made twice, and every socket gets the newest stock.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
import redis.asyncio

from storage.embedded.process import ServerProcess
from tests.support.databases import DatabasePool
from tests.support.shop import OnSale, Shop, shop_on
from tests.support.shop_socket import open_client
from tests.support.sockets import Client
from tests.support.store_proxy import Cut, StoreProxy
from tests.support.store_servers import borrowed_stores
from tests.support.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")

STOCK = "subscription ($id: ID!) { stockChanged(concertId: $id) { version epoch tiers { available held } } }"
HOLDS_PER_CUT = 4


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def proxy(shared_valkey: ServerProcess) -> AsyncIterator[StoreProxy]:
    async with StoreProxy(shared_valkey.url).running() as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(proxy: StoreProxy, databases: DatabasePool) -> AsyncIterator[Shop]:
    """A server that connects to the store only through the proxy."""
    async with redis.asyncio.Redis.from_url(proxy.url) as client:
        await client.flushall()
    async with borrowed_stores(proxy.url, databases) as stores, shop_on(stores, proxy.url) as made:
        yield made


@pytest.mark.parametrize("cut", [StoreProxy.cut_replies, StoreProxy.cut_requests])
async def test_cut_pipelines_lose_no_hold_and_no_push(shop: Shop, proxy: StoreProxy, cut: Callable[..., None]) -> None:
    concert = await shop.on_sale()
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(open_client(shop)) for _ in range(3)]
        for client in clients:
            await client.subscribe("s", STOCK, id=concert.id)
            await held_by(client, 0)
        versions: list[list[int]] = [[] for _ in clients]
        for number, after in enumerate((0, 1, 30, 200, 1_500), start=1):
            cuts_before = proxy.cuts
            cut(proxy, after, Cut.RESET_ALL)
            held = [is_held(shop, concert, f"buyer {number}-{one}") for one in range(HOLDS_PER_CUT)]
            await asyncio.gather(*held)
            for client, seen in zip(clients, versions, strict=True):
                seen += await held_by(client, number * HOLDS_PER_CUT)
            await wait_until(lambda: proxy.cuts > cuts_before, what="a cut connection")  # noqa: B023
        for client, seen in zip(clients, versions, strict=True):
            assert seen == sorted(set(seen))
            await client.send({"type": "ping"})
            assert await client.receive() == {"type": "pong"}
    assert await shop.stock(concert) == [(80, 20, 0), (2, 0, 0)]


async def is_held(shop: Shop, concert: OnSale, buyer: str) -> None:
    """Hold one ticket, and repeat the request with its key while the store is unavailable."""

    async def is_answered() -> bool:
        result = await shop.hold(concert, 1, by=buyer, key="once")
        assert result["__typename"] in ("HoldTicketsSuccess", "TemporarilyUnavailableError"), result
        return "hold" in result

    await wait_until(is_answered, what="the hold")


async def held_by(client: Client, expected: int) -> list[int]:
    """Return the versions received until the stock shows this many held tickets."""
    versions = []
    while True:
        message = await client.receive()
        assert message["type"] == "next", message
        stock = message["payload"]["data"]["stockChanged"]
        versions.append(stock["version"])
        standing, balcony = stock["tiers"]
        assert standing["available"] + standing["held"] == 100
        assert (balcony["available"], balcony["held"]) == (2, 0)
        if standing["held"] == expected:
            return versions
