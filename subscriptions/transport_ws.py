"""GraphQL over WebSocket: decides who may open a socket. connection.py handles its messages.

Speaks graphql-transport-ws and nothing older: the older protocol let operations run before a client
was authenticated.
"""

from collections.abc import Sequence
from typing import Generic

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from subscriptions.interfaces import C, OperationRunner, Verifier
from subscriptions.sockets.close_codes import CloseCode, shortened
from subscriptions.sockets.connection import Connection
from subscriptions.sockets.connection_limits import ConnectionCounter, TooManyConnections
from subscriptions.sockets.limits import Limits
from subscriptions.sockets.origins import is_allowed

SUBPROTOCOL = "graphql-transport-ws"


class GraphQLSocket(Generic[C]):
    """ASGI application for scopes of type websocket.

    `connection_counter` may be shared with the event streams.
    """

    def __init__(
        self,
        operations: OperationRunner[C],
        verifier: Verifier[C],
        *,
        limits: Limits,
        connection_counter: ConnectionCounter,
        allowed_origins: Sequence[str] = (),
    ) -> None:
        self._runner = operations
        self._verifier = verifier
        self._limits = limits
        self._connection_counter = connection_counter
        self._allowed_origins = tuple(origin.lower() for origin in allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (await receive())["type"] != "websocket.connect":
            return
        if not is_allowed(Headers(scope=scope), self._allowed_origins):
            # Before the acceptance this is an answer with status 403.
            await send({"type": "websocket.close"})
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
        connection = self._connection(address)
        try:
            with self._connection_counter.count_connection(address, connection):
                await connection.run(receive, send)
        except TooManyConnections as error:
            await _close(send, CloseCode.TRY_AGAIN_LATER, f"{error}; try again in a moment")

    def _connection(self, address: str | None) -> Connection[C]:
        return Connection(
            self._runner, self._verifier, self._limits, connection_counter=self._connection_counter, address=address
        )


async def _close(send: Send, code: CloseCode, reason: str) -> None:
    await send({"type": "websocket.close", "code": int(code), "reason": shortened(reason)})
