"""One subscription on one WebSocket, over graphql-transport-ws.

Close codes have the same meaning as in the npm package graphql-ws: after some of them, the client
retries; the others mean that the client made an error.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from bench.clients.http_client import Denied, JsonObject

SUBPROTOCOL = Subprotocol("graphql-transport-ws")
RETRYABLE = frozenset({1000, 1001, 1005, 1006, 1012, 1013, 4403, 4408, 4499, 4504})
OPEN_TIMEOUT_S = 10.0
SILENCE_S = 60.0
"""The server pings after 20 s without a message, so a connection silent for this long is lost."""
ID = "1"


class SocketLost(Exception):
    """Raised if the subscription should be retried on a new socket; the message says why."""


class SocketRefused(Exception):
    """Raised if the server reports an error that a retry would not fix."""


class Subscription:
    """Yields the values of a subscription's root field until the subscription completes.

    Raises SocketLost and SocketRefused.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    def drop(self) -> None:
        """Drop the connection without a close handshake, as in a network failure."""
        self._socket.transport.abort()

    def __aiter__(self) -> "Subscription":
        return self

    async def __anext__(self) -> JsonObject:
        while True:
            message = await self._receive()
            match message["type"]:
                case "next":
                    return read_payload(message["payload"])
                case "complete":
                    raise StopAsyncIteration
                case "error":
                    raise _refusal(message["payload"])
                case "ping":
                    await self._socket.send('{"type":"pong"}')
                case other:
                    raise SocketRefused(f"a message has the unexpected type {other!r}")

    async def start(self, token: str | None, document: str, variables: Mapping[str, object]) -> None:
        payload = {} if token is None else {"Authorization": f"Bearer {token}"}
        await self._send({"type": "connection_init", "payload": payload})
        while (await self._receive())["type"] != "connection_ack":
            pass
        await self._send({"id": ID, "type": "subscribe", "payload": {"query": document, "variables": dict(variables)}})

    async def _send(self, message: JsonObject) -> None:
        await self._socket.send(orjson.dumps(message).decode())

    async def _receive(self) -> JsonObject:
        async with asyncio.timeout(SILENCE_S):
            message: JsonObject = orjson.loads(await self._socket.recv(decode=False))
        return message


@asynccontextmanager
async def subscribed(
    url: str, token: str | None, document: str, variables: Mapping[str, object]
) -> AsyncIterator[Subscription]:
    """Open a subscription on the server at `url`, which has the form `http://host:port`.

    Raises SocketLost and SocketRefused, including inside the block.
    """
    try:
        async with connect(
            f"ws{url.removeprefix('http')}/graphql",
            subprotocols=[SUBPROTOCOL],
            compression=None,
            proxy=None,
            ping_interval=None,
            open_timeout=OPEN_TIMEOUT_S,
            close_timeout=1.0,
        ) as socket:
            subscription = Subscription(socket)
            await subscription.start(token, document, variables)
            yield subscription
    except ConnectionClosed as closed:
        code = closed.rcvd.code if closed.rcvd else 1006
        if code in RETRYABLE:
            raise SocketLost(f"socket closed with {code}") from None
        raise SocketRefused(f"the socket was closed with {code} {closed.rcvd and closed.rcvd.reason}") from None
    except InvalidHandshake as error:
        raise SocketLost(f"handshake failed: {type(error).__name__}") from None
    except TimeoutError:
        raise SocketLost("socket was silent") from None
    except OSError:
        raise SocketLost("no connection") from None


def read_payload(payload: JsonObject) -> JsonObject:
    """Return the value of the root field.

    Errors about nested fields are ignored: a later payload contains the fields that are null while
    a store is unavailable.
    """
    data = payload.get("data") or {}
    value: JsonObject | None = next(iter(data.values()), None)
    if value is None:
        raise _refusal(payload.get("errors") or [])
    return value


def _refusal(errors: list[JsonObject]) -> SocketLost | SocketRefused:
    codes = [error.get("extensions", {}).get("code", "NO_CODE") for error in errors]
    if codes and all(code in ("UNAVAILABLE", "RATE_LIMITED") for code in codes):
        return SocketLost(codes[0])
    return SocketRefused(str([Denied(code, error["message"]) for code, error in zip(codes, errors, strict=True)]))
