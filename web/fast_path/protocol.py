"""An HTTP protocol for uvicorn with a fast path: a `POST /graphql` request with a bearer token and
no cookie is answered without ASGI. All other bytes go to uvicorn's own protocol, unchanged.

A request takes the fast path if its head arrives in one piece while the connection is idle. Its
body may follow in any number of pieces. Bytes that arrive during the answer wait until it is sent.
Pass the name of the protocol to `uvicorn --http`.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from web.fast_path.answers import FastPath
from web.fast_path.request_heads import END, MAX_HEAD_BYTES, PATH, START, Peer, RequestHead
from web.logs import request_id
from web.middleware import Exchange, internal_error
from web.request_body import ClientDisconnected

errors = logging.getLogger("web.errors")


class HttpProtocol(HttpToolsProtocol):
    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # The fast path applies neither of these options.
        self._is_supported = not config.root_path and config.limit_concurrency is None
        self._peer = Peer(None, "http")
        self._is_parsing = False
        """Whether uvicorn's parser is inside of a request."""
        self._refusal: str | None = None
        """Why the bytes after the current requests are refused."""
        self._is_answering = False
        """Whether a request on the fast path is being answered."""
        self._is_stopping = False
        """Whether the connection is closed after the current or the next response."""
        self._missing_bytes = 0
        """The size of the rest of a body on the fast path. It is discarded after an answer."""
        self._body = bytearray()
        self._whole_body: asyncio.Future[bytes] | None = None
        self._later = bytearray()
        """The bytes that arrived during an answer."""
        self._idle_since_s = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        assert self.scheme is not None
        self._peer = Peer(self.client, self.scheme)

    def connection_lost(self, exc: Exception | None) -> None:
        self._later.clear()
        if self._whole_body is not None and not self._whole_body.done():
            self._whole_body.set_exception(ClientDisconnected())
            # Without this, an error is logged if the request was refused without its body.
            self._whole_body.exception()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._missing_bytes:
            data = self._receive_body(data)
            if not data:
                return
        if self._is_answering:
            self._later += data
            self.flow.pause_reading()
        elif not self._begin(data):
            super().data_received(data)

    def on_message_begin(self) -> None:
        self._is_parsing = True
        super().on_message_begin()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        # The parser does not accept another request after an upgrade.
        self._is_parsing = self.parser.should_upgrade()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._idle_since_s = self.loop.time()
        if self._refusal is not None and self.cycle.response_complete:
            super().send_400_response(self._refusal)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not a request, after the responses to the requests before it."""
        if self.cycle is None or self.cycle.response_complete or self.cycle.more_body:
            super().send_400_response(msg)
        else:
            self._refusal = msg

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection if it has been idle for long enough.

        A request on the fast path does not cancel the timer.
        """
        self.timeout_keep_alive_task = None
        left_s = self._idle_since_s + self.timeout_keep_alive - self.loop.time()
        if self._is_answering:
            return
        if left_s > 0:
            self._set_timer(left_s)
        else:
            super().timeout_keep_alive_handler()

    def close_after_response(self) -> None:
        """Close the connection after its current or next response. Until then, it may be idle."""
        self._is_stopping = True
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self._is_stopping and self.cycle is not None:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        if self._is_answering:
            self._is_stopping = True
        else:
            super().shutdown()

    def _begin(self, data: bytes) -> bool:
        """Begin to answer a request. Returns False if the data is not for the fast path."""
        fast_path: FastPath | None = self.app_state.get("fast_path")
        if fast_path is None or not data.startswith(START) or not self._is_idle():
            return False
        size = data.find(END, 0, MAX_HEAD_BYTES) + len(END)
        if size < len(END):
            return False
        sent = data[:size]
        head = fast_path.heads.read(sent, self._peer)
        # A request that is sent together with the next one is left to the parser.
        if head is None or len(data) > size + head.content_length:
            return False
        authorization = sent[head.authorization].decode("latin-1")
        body = self._expect_body(data[size:], head.content_length)
        self._is_answering = True
        task = self.loop.create_task(self._answer(fast_path, head, authorization, body))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)
        return True

    def _expect_body(self, begun: bytes, size: int) -> bytes | asyncio.Future[bytes]:
        """Return the body if it is whole, or a future for it."""
        self._missing_bytes = size - len(begun)
        if not self._missing_bytes:
            return begun
        self._body += begun
        self._whole_body = self.loop.create_future()
        return self._whole_body

    def _is_idle(self) -> bool:
        """Return whether no request is in the parser or being answered."""
        return (
            self._is_supported
            and not self._is_parsing
            and (self.cycle is None or self.cycle.response_complete)
            and not self.transport.is_closing()
        )

    def _receive_body(self, data: bytes) -> bytes:
        """Add the data to the body, and return what follows it."""
        part = data[: self._missing_bytes]
        self._missing_bytes -= len(part)
        self._idle_since_s = self.loop.time()
        if self._whole_body is not None:
            self._body += part
            if not self._missing_bytes and not self._whole_body.done():
                self._whole_body.set_result(bytes(self._body))
        return data[len(part) :]

    async def _answer(
        self, fast_path: FastPath, head: RequestHead, authorization: str, body: bytes | asyncio.Future[bytes]
    ) -> None:
        exchange = Exchange("POST", PATH, given_id=head.request_id, is_secure=head.is_secure)
        token = request_id.set(exchange.id)
        try:
            answer = await fast_path.answer(head, authorization, body, exchange.id)
            await self._send(answer.status, exchange.complete_headers(answer.status, answer.headers), answer.body)
        except ClientDisconnected:
            pass
        except (Exception, asyncio.CancelledError) as error:
            errors.exception("POST %s failed", PATH)
            self._fail(exchange)
            if not isinstance(error, Exception):
                raise
        finally:
            exchange.log()
            request_id.reset(token)
            self._end()

    async def _send(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
        if self.flow.write_paused:
            # The flow resumes too when the connection is lost.
            await self.flow.drain()
        self._write(status, headers, body)

    def _fail(self, exchange: Exchange) -> None:
        """Report an error of the fast path itself, and close the connection."""
        self._is_stopping = True
        if exchange.status is None:
            response = internal_error(exchange.id)
            headers = exchange.complete_headers(response.status_code, response.raw_headers)
            self._write(response.status_code, headers, bytes(response.body))
        else:
            self.transport.close()

    def _write(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
        if self.transport.is_closing():
            return
        parts = [STATUS_LINE[status]]
        for name, value in (*self.server_state.default_headers, *headers):
            parts += (name, b": ", value, b"\r\n")
        if self._is_stopping:
            parts.append(b"connection: close\r\n")
        self.transport.write(b"".join((*parts, b"\r\n", body)))
        self.server_state.total_requests += 1
        if self._is_stopping:
            self.transport.close()

    def _end(self) -> None:
        """Receive the next request."""
        self._is_answering = False
        self._whole_body = None
        self._body.clear()
        if self.transport.is_closing():
            return
        self._idle_since_s = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._set_timer(self.timeout_keep_alive)
        self.flow.resume_reading()
        if self._later:
            later = bytes(self._later)
            self._later.clear()
            self.data_received(later)

    def _set_timer(self, delay_s: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(delay_s, self.timeout_keep_alive_handler)
