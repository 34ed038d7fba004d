"""Middleware for every HTTP request.

It adds an id, an access log line, security headers, and a plain 500 for unexpected errors. A socket
also gets an id, separate from the ids of its operations.
"""

import logging
import os
import random
import re
import time
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote

from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from telemetry import traces
from telemetry.operation_spans import begin_request, end_request, find_traceparent
from web.logs import Access, log_access, request_id, write_pending

errors = logging.getLogger("web.errors")

REQUEST_ID = b"x-request-id"
_VALID_ID = re.compile(rb"[\w.-]{1,64}")
# Ids are not secret, and the operating system's random numbers cost a system call each.
_random = random.Random()  # noqa: S311
# A server may import the application before it forks; each process then needs ids of its own.
os.register_at_fork(after_in_child=_random.seed)
_PLAIN_PATH = re.compile(r"[\w./~-]*", re.ASCII)
"""A path that `quote` returns unchanged."""
MAX_QUOTED_PATHS = 64
"""The number of paths that are kept as access lines show them. Most requests are for `/graphql`."""
_PROBES = frozenset({"/livez", "/readyz"})
_TRACED = frozenset({"/graphql", "/webhooks/payments"})
"""The paths of requests that have a trace. Other paths may contain secrets, or are asked for often.
"""
# For responses that load nothing. A page that needs more sends its own policy instead.
_SECURITY_HEADERS = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
# Browsers obey this header only over https, and then use https for a year.
_SECURE_HEADERS = (*_SECURITY_HEADERS, (b"strict-transport-security", b"max-age=31536000"))


COMPRESSED_FROM_BYTES = 1_024
COMPRESSION_LEVEL = 5
"""For our JSON, level 9 needs 2.7 times the CPU time of level 5 and saves 2 to 7 %."""
_UNCOMPRESSED = (*DEFAULT_EXCLUDED_CONTENT_TYPES, "application/pdf")


def compress(app: ASGIApp) -> ASGIApp:
    """Return the application with compressed responses, unless they are small or excluded."""
    return GZipMiddleware(
        app,
        minimum_size=COMPRESSED_FROM_BYTES,
        compresslevel=COMPRESSION_LEVEL,
        exclude_content_types=_UNCOMPRESSED,
    )


class DirectRoute:
    """Passes the HTTP requests for one path to its endpoint, past the layers below.

    The endpoint answers every error itself and compresses its own responses. The direct route
    saves a tenth of the time of a hold.
    """

    def __init__(self, app: ASGIApp, path: str, endpoint: ASGIApp) -> None:
        self._app = app
        self._path = path
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_direct = scope["type"] == "http" and scope["path"] == self._path and not scope.get("root_path")
        await (self._endpoint if is_direct else self._app)(scope, receive, send)


class RequestMiddleware:
    """Adds an id, an access log line and security headers.

    Pure ASGI: Starlette's BaseHTTPMiddleware would cost a task and two streams per request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._open_socket(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, _after_pending_lines(send))
            return
        exchange = Exchange(
            scope["method"],
            scope["path"],
            given_id=_given_id(scope),
            is_secure=scope["scheme"] == "https",
        )
        if traces.active is not None:
            exchange.begin_span(traces.active, find_traceparent(scope["headers"]))

        async def send_completed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = exchange.complete_headers(message["status"], message.get("headers", ()))
            await send(message)

        scope.setdefault("state", {})["request_id"] = exchange.id
        token = request_id.set(exchange.id)
        try:
            await self._app(scope, receive, send_completed)
        except Exception:
            errors.exception("%s %s failed", scope["method"], scope["path"])
            if exchange.status is not None:
                raise  # part of the response was sent; only closing the connection informs the client
            await internal_error(exchange.id)(scope, receive, send_completed)
        finally:
            exchange.log()
            request_id.reset(token)

    async def _open_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        id_ = make_request_id(_given_id(scope))

        async def send_with_id(message: Message) -> None:
            if message["type"] in ("websocket.accept", "websocket.http.response.start"):
                message["headers"] = [*message.get("headers", ()), (REQUEST_ID, id_.encode())]
            await send(message)

        token = request_id.set(id_)
        try:
            await self._app(scope, receive, send_with_id)
        finally:
            request_id.reset(token)


class Exchange:
    """One request and its response: its id, the headers that every response has, its line in the
    access log, and its span.
    """

    __slots__ = ("_began", "_is_secure", "_method", "_path", "_span", "id", "status")

    def __init__(self, method: str, path: str, *, given_id: bytes, is_secure: bool) -> None:
        """Begin the exchange. `given_id` is the id that the client sent, or empty."""
        self.id = make_request_id(given_id)
        self.status: int | None = None
        """The status of the response, once it has one."""
        self._method = method
        self._path = path
        self._is_secure = is_secure
        self._began = time.perf_counter()
        self._span: traces.Span | None = None

    def begin_span(self, tracing: traces.Tracing, traceparent: str | None) -> None:
        """Trace the request, in the trace of the client if it sent a valid one. The task that calls
        this must also call `log`, which ends the span.
        """
        if self._path in _TRACED:
            self._span = begin_request(tracing, self._method, self._path, traceparent)

    def complete_headers(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Return all headers of the response, and record its status."""
        self.status = status
        sent = add_default_headers(headers, is_secure=self._is_secure)
        sent.append((REQUEST_ID, self.id.encode()))
        return sent

    def log(self) -> None:
        path = _quote(self._path)
        # Load balancers probe every few seconds; their lines would hide all others.
        level = logging.DEBUG if path in _PROBES else logging.INFO
        elapsed_ms = round((time.perf_counter() - self._began) * 1000, 1)
        log_access(Access(self._method, path, self.status, elapsed_ms), level=level)
        if self._span is not None:
            end_request(self._span, self.status)


def add_default_headers(headers: Iterable[tuple[bytes, bytes]], *, is_secure: bool) -> list[tuple[bytes, bytes]]:
    """Return the headers and the security headers that are not among them."""
    sent = list(headers)
    names = {name.lower() for name, _ in sent}
    sent += [header for header in (_SECURE_HEADERS if is_secure else _SECURITY_HEADERS) if header[0] not in names]
    return sent


@lru_cache(maxsize=MAX_QUOTED_PATHS)
def _quote(path: str) -> str:
    """Return the path without line breaks, which a decoded path may contain."""
    return path if _PLAIN_PATH.fullmatch(path) else quote(path, safe="/@")


def _after_pending_lines(send: Send) -> Send:
    """Write the access lines before the server learns that the application has stopped."""

    async def send_later(message: Message) -> None:
        write_pending()
        await send(message)

    return send_later


def _given_id(scope: Scope) -> bytes:
    return next((value for name, value in scope["headers"] if name == REQUEST_ID), b"")


def make_request_id(given: bytes) -> str:
    """Return the id that the client sent, or a new one if it sent none or an invalid one."""
    return given.decode("ascii") if given and _VALID_ID.fullmatch(given) else f"{_random.getrandbits(64):016x}"


def internal_error(id_: str) -> JSONResponse:
    message = "An internal error occurred; report it with the request id."
    return JSONResponse({"error": message, "requestId": id_}, status_code=500)
