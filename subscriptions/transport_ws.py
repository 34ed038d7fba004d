"""GraphQL over WebSocket: decides who may open a socket. connection.py handles the messages.

Only graphql-transport-ws is supported, because the older protocol let operations run before the
client was authenticated.
"""

import logging
import sys
from collections.abc import Sequence
from contextvars import copy_context
from typing import Generic

from starlette.datastructures import Headers, QueryParams
from starlette.types import Receive, Scope, Send

from subscriptions.interfaces import Authenticator, C, OperationRunner
from subscriptions.sockets.authentication import Upgrade
from subscriptions.sockets.close_codes import CloseCode, shortened
from subscriptions.sockets.connection import Connection, Services
from subscriptions.sockets.connection_limits import ConnectionCounter
from subscriptions.sockets.limits import Limits
from subscriptions.sockets.origins import OriginRules
from subscriptions.sockets.sweep import sweep_for
from subscriptions.sockets.token_names import is_token_name
from subscriptions.sockets.wires.asgi_wire import AsgiWire
from subscriptions.sockets.wires.frame_protocol import EXTENSION, FrameProtocol, TakeOver

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
        self._services = Services(operations, authenticator, limits, connection_counter, sweep_for(limits))
        self._origin_rules = OriginRules(allowed_origins, allows_loopback=allows_loopback_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (await receive())["type"] != "websocket.connect":
            return
        headers = Headers(scope=scope)
        refusal = self._services.authenticator.refusal_for_upgrade(headers) or self._origin_rules.refusal_for(headers)
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
        await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
        upgrade = Upgrade(headers, has_unread_token=_has_token(headers, scope), context=copy_context())
        address = sys.intern(scope["client"][0]) if scope.get("client") else None
        await self._serve(self._take_over(scope) or AsgiWire(receive, send), upgrade, address)

    def _take_over(self, scope: Scope) -> FrameProtocol | None:
        """Return a wire on the transport itself, if the server offers it."""
        offered = scope.get("extensions", {}).get(EXTENSION)
        if offered is None:
            return None
        take_over: TakeOver = offered["take_over"]
        return take_over(self._services.limits.message_bytes)

    async def _serve(self, wire: FrameProtocol | AsgiWire, upgrade: Upgrade, address: str | None) -> None:
        """Serve the socket. A wire on the transport goes on after this call."""
        connection = Connection(self._services, wire, upgrade, address=address)
        wire.connect(connection)
        try:
            await connection.admit()
        except BaseException:
            # The server no longer closes a transport that was taken over.
            wire.abort()
            raise
        if isinstance(wire, AsgiWire):
            await wire.serve()


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
