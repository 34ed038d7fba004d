"""Connects a signed-in client to the socket of a shop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.support.shop import Shop
from tests.support.sockets import PROTOCOL, Client


@asynccontextmanager
async def open_client(shop: Shop, token: str | None = None) -> AsyncIterator[Client]:
    url = str(shop.client.base_url.join("/graphql")).replace("http", "ws", 1)
    async with connect(url, subprotocols=[Subprotocol(PROTOCOL)], compression=None, ping_interval=None) as connection:
        client = Client(connection)
        await client.sign_in(token)
        yield client
