"""A WebSocket protocol for uvicorn, whose accepted sockets can be served without ASGI.

The handshake runs through the ASGI application. GraphQLSocket then takes over the transport with
`take_over`, and this object and the request are forgotten. Otherwise the socket is served through
ASGI. In both cases, a message that is too large closes the socket with 4400, a restart closes
sockets with 1012 at staggered times, and a client that does not read cannot keep its socket open.
Pass the name of the protocol to `uvicorn --ws`.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import CloseCode as StandardCode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from subscriptions.sockets.close_codes import CloseCode
from subscriptions.sockets.limits import Limits
from subscriptions.sockets.wires.frame_protocol import CLOSE_WAIT_S, EXTENSION, QUIET_S, FrameProtocol
from subscriptions.sockets.wires.frame_protocol import ServerState as FrameServerState

RESTART_SPREAD_S = 1.0
"""The time over which a restart closes sockets, so that clients do not all reconnect together."""


class _Frames(ServerProtocol):
    def fail(self, code: int, reason: str = "") -> None:
        """Close with 4400 instead of 1009, which the protocol does not define."""
        if code == StandardCode.MESSAGE_TOO_BIG:
            code, reason = CloseCode.BAD_REQUEST, f"The message has more than {self.max_message_size} bytes"
        super().fail(code, reason)


class _UvicornFrameProtocol(FrameProtocol):
    __slots__ = ()

    def shutdown(self) -> None:
        """Close the socket because uvicorn is stopping."""
        if self.is_open:
            _call_staggered(self.restart)
        else:
            self.disconnect()


class _HandedOver(asyncio.Transport):
    """Replaces a transport that was handed over, which uvicorn would close after the ASGI call."""

    def close(self) -> None:
        pass


class SocketProtocol(WebSocketsSansIOProtocol):
    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._server_state = server_state
        self._cut_off_at = 0.0
        self._early = bytearray()
        """The bytes that the client sent before its upgrade was answered."""
        self.conn.parser.close()  # it refers to itself
        # Extensions are off, because compression doubles the cost of a connection and our messages
        # are small.
        self.conn = _Frames(max_size=min(config.ws_max_size, Limits().message_bytes), logger=self.logger)

    def start_keepalive(self) -> None:
        """Disable uvicorn's own pings.

        Our pings are messages in the protocol. uvicorn's pings would close sockets with 1011, after
        which clients do not reconnect.
        """

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["extensions"][EXTENSION] = {"take_over": self._take_over}

    def data_received(self, data: bytes) -> None:
        """Keep early bytes for the protocol that serves the socket."""
        if self.handshake_initiated and not self.handshake_complete:
            self._early += data
            self.transport.pause_reading()
        else:
            super().data_received(data)

    def _read_early(self) -> None:
        """Read the early bytes here if the application did not take the transport over."""
        if self._early and not self.disconnected:
            early = bytes(self._early)
            self._early.clear()
            self.transport.resume_reading()
            self.data_received(early)

    def _take_over(self, max_bytes: int) -> FrameProtocol | None:
        """Implement `TakeOver`."""
        if not self.handshake_complete or self.close_sent or self.transport.is_closing():
            return None
        server_state, early = cast(FrameServerState, self._server_state), bytes(self._early)
        protocol = _UvicornFrameProtocol(self.transport, server_state, max_bytes=max_bytes, early=early)
        self.transport.set_protocol(protocol)
        self._forget()
        return protocol

    def _forget(self) -> None:
        """Break all reference cycles, because full garbage collections are rare."""
        self.connections.discard(self)
        self.disconnected = True
        self._early.clear()
        self.transport = _HandedOver()
        self.conn.parser.close()
        del self.scope["extensions"][EXTENSION]

    def send_receive_event_to_app(self) -> None:
        """Close the socket with 1007 on invalid text, as uvicorn does, but log no traceback.

        Any client can send such bytes.
        """
        if self.curr_msg_data_type == "text" and not self.close_sent and not _is_utf8(b"".join(self.frames)):
            self.frames = []
            self.conn.send_close(StandardCode.INVALID_DATA)
            self.handle_parser_exception()
            return
        super().send_receive_event_to_app()

    async def send(self, message: Any) -> None:
        if self.close_sent and self.handshake_complete:
            # The socket is closed, and the sender will be notified shortly.
            raise ClientDisconnected
        is_close = message["type"] == "websocket.close"
        if is_close:
            # The close frame must not wait until the client has read all earlier data.
            self.writable.set()
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and self.close_sent:
            # uvicorn does not count a refusal with a body as an answer, and would log an error.
            self.handshake_complete = True
        if is_close and self.close_timer is not None:
            self._abort_later()
        if self._early and self.handshake_complete:
            self.loop.call_soon(self._read_early)

    def handle_parser_exception(self) -> None:
        """Discard all further data from the client, including its close frame.

        A client that is disconnected while it is sending might never read the reason.
        """
        if not self.close_sent:
            assert self.conn.close_sent is not None
            code, reason = self.conn.close_sent.code, self.conn.close_sent.reason
            self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
            self._write_close()
            self._cut_off_at = self.loop.time() + CLOSE_WAIT_S
        if self.close_timer is not None:
            self.close_timer.cancel()
            self.close_timer = self.loop.call_at(
                min(self.loop.time() + QUIET_S, self._cut_off_at), self.transport.close
            )

    def shutdown(self) -> None:
        if not self.handshake_complete or self.close_sent:
            super().shutdown()
        else:
            _call_staggered(self._restart)

    def _restart(self) -> None:
        if self.close_sent or self.disconnected:
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": int(CloseCode.SERVICE_RESTART)})
        self.conn.send_close(CloseCode.SERVICE_RESTART, "This server is restarting; reconnect")
        self._write_close()

    def _write_close(self) -> None:
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self._abort_later()

    def _abort_later(self) -> None:
        if self.close_timer is not None:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(CLOSE_WAIT_S, self.transport.abort)


def _call_staggered(restart: Callable[[], None]) -> None:
    delay_s = random.uniform(0, RESTART_SPREAD_S)  # noqa: S311
    asyncio.get_running_loop().call_later(delay_s, restart)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
