"""A WebSocket protocol for uvicorn that closes sockets with codes that clients handle.

A message that is too large closes the socket with 4400. A restart closes sockets with 1012 at
staggered times. A client that does not read cannot keep its socket open. Pass the name of the
protocol to `uvicorn --ws`.
"""

import asyncio
import random
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import CloseCode as StandardCode
from websockets.server import ServerProtocol

from subscriptions.sockets.close_codes import CloseCode
from subscriptions.sockets.limits import Limits

RESTART_SPREAD_S = 1.0
"""The time over which a restart closes sockets, so that clients do not all reconnect together."""
CLOSE_WAIT_S = 5.0
QUIET_S = 0.2
"""The duration of silence after which we assume that a client has read our close frame."""


class _Frames(ServerProtocol):
    def fail(self, code: int, reason: str = "") -> None:
        """Close with 4400 instead of 1009, which the protocol does not define."""
        if code == StandardCode.MESSAGE_TOO_BIG:
            code, reason = CloseCode.BAD_REQUEST, f"The message has more than {self.max_message_size} bytes"
        super().fail(code, reason)


class SocketProtocol(WebSocketsSansIOProtocol):
    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._cut_off_at = 0.0
        # Extensions are off, because compression doubles the cost of a connection and our messages
        # are small.
        self.conn = _Frames(max_size=min(config.ws_max_size, Limits().message_bytes), logger=self.logger)

    def start_keepalive(self) -> None:
        """Disable uvicorn's own pings.

        Our pings are messages in the protocol. uvicorn's pings would close sockets with 1011, after
        which clients do not reconnect.
        """

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
            self.loop.call_later(random.uniform(0, RESTART_SPREAD_S), self._restart)  # noqa: S311

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


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
