"""Sends a token over HTTP and over a WebSocket, and compares the outcomes."""

from dataclasses import dataclass

from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from subscriptions.sockets.close_codes import shortened
from tests.support.shop import Shop
from tests.support.sockets import INIT, PROTOCOL, Client

NAME = "{ me { name } }"


@dataclass(frozen=True, slots=True)
class Refusal:
    status: int
    message: str
    close_code: int
    close_reason: str


async def send_over_both(shop: Shop, token: str) -> Refusal:
    """Send a token that both transports must refuse without returning any data."""
    answer = await shop.client.post("/graphql", json={"query": NAME}, headers={"Authorization": f"Bearer {token}"})
    assert "data" not in answer.json()
    (error,) = answer.json()["errors"]
    async with _connect(shop) as connection:
        client = Client(connection)
        await client.send(INIT | {"payload": {"Authorization": f"Bearer {token}"}})
        code, reason = await client.closed()
    return Refusal(answer.status_code, str(error["message"]), code, reason)


async def refusal_of(shop: Shop, token: str) -> str:
    """Return the message with which both transports refuse the token as invalid."""
    refusal = await send_over_both(shop, token)
    assert refusal == Refusal(401, refusal.message, 4403, shortened(refusal.message))
    return refusal.message


async def names_over_both(shop: Shop, token: str) -> tuple[str, str]:
    """Return the viewer's name as both transports show it for the token."""
    answer = await shop.client.post("/graphql", json={"query": NAME}, headers={"Authorization": f"Bearer {token}"})
    async with _connect(shop) as connection:
        client = Client(connection)
        await client.sign_in(token)
        await client.subscribe("1", NAME)
        received = await client.receive()
    return answer.json()["data"]["me"]["name"], received["payload"]["data"]["me"]["name"]


def _connect(shop: Shop) -> connect:
    url = str(shop.client.base_url.join("/graphql")).replace("http", "ws", 1)
    return connect(url, subprotocols=[Subprotocol(PROTOCOL)], compression=None, ping_interval=None)
