"""GraphQL over WebSocket: decides who may open a socket. connection.py handles the messages.

Only graphql-transport-ws is supported, because the older protocol let operations run before the
client was authenticated.
"""

import logging
from collections.abc import Sequence
from typing import Generic

from starlette.datastructures import Headers, QueryParams
from starlette.types import Receive, Scope, Send

from subscriptions.interfaces import Authenticator, C, OperationRunner
from subscriptions.sockets.close_codes import CloseCode, shortened
from subscriptions.sockets.connection import Connection
from subscriptions.sockets.connection_limits import ConnectionCounter, TooManyConnections
from subscriptions.sockets.limits import Limits
from subscriptions.sockets.origins import OriginRules
from subscriptions.sockets.token_names import is_token_name

log = logging.getLogger(__name__)

SUBPROTOCOL = "graphql-transport-ws"


class GraphQLSocket(Generic[C]):
    """An ASGI application for WebSocket scopes.

    `connection_counter` may be shared with the event streams.
    """

    def __init__(
        self,
        operations: OperationRunner[C],
        authenticator: Authenticator[C],
        *,
        limits: Limits,
        connection_counter: ConnectionCounter,
        allowed_origins: Sequence[str] = (),
        allows_loopback_origins: bool = False,
    ) -> None:
        self._runner = operations
        self._authenticator = authenticator
        self._limits = limits
        self._connection_counter = connection_counter
        self._origin_rules = OriginRules(allowed_origins, allows_loopback=allows_loopback_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (await receive())["type"] != "websocket.connect":
            return
        headers = Headers(scope=scope)
        refusal = self._authenticator.refusal_for_upgrade(headers) or self._origin_rules.refusal_for(headers)
        if refusal is not None:
            log.warning("a socket was refused: %s", refusal)
            await _forbid(scope, send, refusal)
            return
        if SUBPROTOCOL not in scope["subprotocols"]:
            await send({"type": "websocket.accept"})
            await _close(
                send, CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE, f"The subprotocol is not supported; use {SUBPROTOCOL}"
            )
            return
        address = scope["client"][0] if scope.get("client") else None
        await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
        await self._connection_counter.make_room_for_connection(address)
        connection = self._connection(address, headers, has_unread_token=_has_token(headers, scope))
        try:
            with self._connection_counter.count_connection(address, connection):
                await connection.run(receive, send)
        except TooManyConnections as error:
            await _close(send, CloseCode.TRY_AGAIN_LATER, f"{error}; try again in a moment")

    def _connection(self, address: str | None, headers: Headers, *, has_unread_token: bool) -> Connection[C]:
        return Connection(
            self._runner,
            self._authenticator,
            self._limits,
            headers=headers,
            connection_counter=self._connection_counter,
            address=address,
            has_unread_token=has_unread_token,
        )


def _has_token(headers: Headers, scope: Scope) -> bool:
    """Return whether the upgrade request has a token in a header or a common query parameter.

    Such a token is not used, because browsers cannot send the header and URLs are written to logs.
    """
    names = [name for name, _ in QueryParams(scope.get("query_string", b"")).multi_items()]
    return "authorization" in headers or any(is_token_name(name) for name in names)


async def _forbid(scope: Scope, send: Send, reason: str) -> None:
    """Answer the upgrade request with 403 and the reason, if the server can send a body."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        # Sent before the socket is accepted, this message makes the server answer with status 403.
        await send({"type": "websocket.close"})
        return
    body = reason.encode(errors="replace")
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "websocket.http.response.start", "status": 403, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


async def _close(send: Send, code: CloseCode, reason: str) -> None:
    await send({"type": "websocket.close", "code": int(code), "reason": shortened(reason)})
