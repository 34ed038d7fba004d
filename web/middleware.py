"""Middleware for every HTTP request.

It adds an id, an access log line, security headers, and a plain 500 for unexpected errors. A socket
also gets an id, separate from the ids of its operations.
"""

import logging
import re
import secrets
import time
from collections.abc import Iterable
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.logs import request_id

access = logging.getLogger("web.access")
errors = logging.getLogger("web.errors")

REQUEST_ID = "x-request-id"
_VALID_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)
_PROBES = frozenset({"/livez", "/readyz"})
# For responses that load nothing. A page that needs more sends its own policy instead.
_SECURITY_HEADERS = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
# Browsers obey this header only over https, and then use https for a year.
_STRICT_TRANSPORT_SECURITY = (b"strict-transport-security", b"max-age=31536000")


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
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, send)
        scope.setdefault("state", {})["request_id"] = exchange.id
        token = request_id.set(exchange.id)
        try:
            await self._app(scope, receive, exchange.send)
        except Exception:
            errors.exception("%s %s failed", scope["method"], scope["path"])
            if exchange.status is not None:
                raise  # part of the response was sent; only closing the connection informs the client
            await _internal_error(exchange.id)(scope, receive, exchange.send)
        finally:
            exchange.log()
            request_id.reset(token)

    async def _open_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        id_ = _make_id(scope)

        async def send_with_id(message: Message) -> None:
            if message["type"] in ("websocket.accept", "websocket.http.response.start"):
                message["headers"] = [*message.get("headers", ()), (REQUEST_ID.encode(), id_.encode())]
            await send(message)

        token = request_id.set(id_)
        try:
            await self._app(scope, receive, send_with_id)
        finally:
            request_id.reset(token)


class _Exchange:
    """One request and its response."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.id = _make_id(scope)
        self.status: int | None = None
        self._scope = scope
        self._send = send
        self._began = time.perf_counter()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = _with_default_headers(
                message.get("headers", ()), self.id, is_secure=self._scope["scheme"] == "https"
            )
        await self._send(message)

    def log(self) -> None:
        # Quoted, because a decoded path may contain line breaks.
        method, path = self._scope["method"], quote(self._scope["path"], safe="/@")
        # Load balancers probe every few seconds; their lines would hide all others.
        level = logging.DEBUG if path in _PROBES else logging.INFO
        if not access.isEnabledFor(level):
            return
        elapsed_ms = round((time.perf_counter() - self._began) * 1000, 1)
        fields = {"method": method, "path": path, "status": self.status, "ms": elapsed_ms}
        access.log(
            level, "%s %s %s %s ms", method, path, self.status or "no answer", elapsed_ms, extra={"fields": fields}
        )


def _make_id(scope: Scope) -> str:
    """Return the id that the client sent, or a new one."""
    given = Headers(scope=scope).get(REQUEST_ID, "")
    return given if _VALID_ID.fullmatch(given) else secrets.token_hex(8)


def _with_default_headers(
    headers: Iterable[tuple[bytes, bytes]], id_: str, *, is_secure: bool
) -> list[tuple[bytes, bytes]]:
    sent = list(headers)
    names = {name.lower() for name, _ in sent}
    defaults = (*_SECURITY_HEADERS, _STRICT_TRANSPORT_SECURITY) if is_secure else _SECURITY_HEADERS
    sent += [header for header in defaults if header[0] not in names]
    sent.append((REQUEST_ID.encode(), id_.encode()))
    return sent


def _internal_error(id_: str) -> JSONResponse:
    message = "An internal error occurred; report it with the request id."
    return JSONResponse({"error": message, "requestId": id_}, status_code=500)
