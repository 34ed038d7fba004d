"""`/graphql` over HTTP: POST for all operations, GET for those that change nothing.

Answers in both media types of GraphQL-over-HTTP, or as an event stream, which subscriptions need.
Pages from any origin may send requests with a bearer token; the session cookie counts only for our
own pages (auth/callers.py). Content types that a form could send are refused.
"""

import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, TypeVar

import orjson
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from auth.bearer import TokenDigest
from auth.callers import Callers, cache_headers
from domain.errors import Forbidden, OnsaleError, SessionLost, TemporarilyUnavailable, Unauthenticated
from resolvers.context import Resources
from schema import Engine, NotAQuery, Operation, OperationResult
from telemetry import counters
from web import request_body, request_parsing
from web.content_negotiation import EVENT_STREAM, GRAPHQL, HTML, JSON, preferred_media_type
from web.event_streams import EventStreams
from web.http_errors import (
    HttpError,
    caller_error,
    internal_error,
)
from web.middleware import COMPRESSED_FROM_BYTES, compress
from web.pages.graphiql import build_missing_page
from web.request_parsing import IndexedHeaders

logger = logging.getLogger(__name__)

Caller = TypeVar("Caller")

CONTENT_LENGTH = b"content-length"
_PREFLIGHT_LASTS_S = 600
_FRESH_S = 1
"""How long a shared cache may answer with a public result, in seconds."""
_EXPOSED_HEADERS = ("Retry-After", "WWW-Authenticate", "X-Request-Id")
_MEDIA_TYPES = {"POST": (JSON, GRAPHQL, EVENT_STREAM), "GET": (JSON, GRAPHQL, EVENT_STREAM, HTML)}


class GraphQLEndpoint:
    """The ASGI application. `page` answers browsers that request HTML."""

    def __init__(
        self,
        resources: Resources,
        callers: Callers,
        *,
        engine: Engine,
        streams: EventStreams,
        max_body_bytes: int,
        page: Callable[[Request], Response] = build_missing_page,
    ) -> None:
        self._resources = resources
        self._callers = callers
        self._engine = engine
        self._streams = streams
        self._page = page
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = IndexedHeaders(scope)
        if scope["method"] == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers:
            await _allow_other_origins(_never_called)(scope, receive, send)
            return
        request_id = scope.get("state", {}).get("request_id") or secrets.token_hex(8)
        response: ASGIApp
        try:
            response = await self._answer(scope, receive, headers, request_id)
        except request_body.BodyTooLarge as refused:
            refusal = self.respond_to_error(refused, self._refusal_format(headers), request_id)
            await request_body.respond_and_discard(refusal, receive, send)
            return
        except request_body.ClientDisconnected:
            return
        except Exception as error:
            response = self.respond_to_error(error, self._refusal_format(headers), request_id, method=scope["method"])
        await complete(response)(scope, receive, send)

    def find_format(self, headers: Headers) -> "JsonFormat | None":
        """Return the format of the answer to a POST request with these headers, and of a refusal,
        or None if the request is refused for its headers or answered with an event stream.
        """
        try:
            media_type = _media_type(headers, _MEDIA_TYPES["POST"])
            _check_content_type(headers)
        except HttpError:
            return None
        return None if media_type == EVENT_STREAM else self._format(headers, media_type)

    async def execute_post(
        self,
        authorization: bytes,
        token: TokenDigest | None,
        body: bytes | Awaitable[bytes],
        *,
        media_type: str,
        request_id: str,
        address: str | None,
    ) -> "JsonAnswer":
        """Execute the operation in the body of a POST request with a bearer token, and return the
        answer. `respond_to_error` gets all errors but ClientDisconnected, which `body` may raise.

        `token` is the digest of the token in `authorization`, if it is well-formed.
        """
        caller = None if token is None else self._callers.recall_bearer(token)
        if caller is None:
            caller = await self._identify(self._callers.identify_bearer(authorization.decode("latin-1")))
        operation = request_parsing.parse_body(body if isinstance(body, bytes) else await body)
        context = self._resources.context(caller, request_id, address)
        try:
            answer = await self._engine.executor.execute(operation, context)
        except (Unauthenticated, SessionLost) as error:
            raise self._caller_error(error) from error
        return JsonAnswer(_status(answer, media_type), orjson.dumps(answer.payload))

    def respond_to_error(
        self, error: Exception, format_: "JsonFormat", request_id: str, *, method: str = "POST"
    ) -> "JsonResponse":
        """Return the response to a request that has failed. Unexpected errors are logged."""
        if isinstance(error, HttpError):
            refused = error
        else:
            logger.error("%s /graphql failed", method, exc_info=error)
            refused = internal_error(request_id)
        counters.refused.labels(refused.code).inc()
        response = _json_response(refused.payload(request_id), refused.status, format_)
        response.headers.update(refused.headers)
        return response

    async def _answer(self, scope: Scope, receive: Receive, headers: Headers, request_id: str) -> ASGIApp:
        method: str = scope["method"]
        if method not in _MEDIA_TYPES:
            raise HttpError(405, f"{method} is not allowed here; use POST.", headers={"Allow": "GET, POST"})
        media_type = _media_type(headers, _MEDIA_TYPES[method])
        if media_type == HTML:
            return self._page(Request(scope, receive))
        is_get = method == "GET"
        is_stream = media_type == EVENT_STREAM
        identified = await self._identify(self._callers.identify_request(headers, needs_preflight=is_get or is_stream))
        operation = await self._operation(scope, receive, headers)
        address = scope["client"][0] if scope.get("client") else None
        context = self._resources.context(identified.caller, request_id, address)
        try:
            if is_stream:
                return await self._streams.answer(operation, context, may_mutate=not is_get, recheck=identified.recheck)
            answer = await self._engine.executor.execute(operation, context, queries_only=is_get)
        except (Unauthenticated, SessionLost) as error:
            raise self._caller_error(error) from error
        except NotAQuery:
            raise HttpError(
                405, "GET accepts only queries; send this operation with POST.", headers={"Allow": "POST"}
            ) from None
        response = _json_response(answer.payload, _status(answer, media_type), self._format(headers, media_type))
        if answer.is_public and is_get and operation.document is None and _is_anonymous(headers):
            response.headers.update(_SHARED)
        return response

    async def _identify(self, identifying: Awaitable[Caller]) -> Caller:
        try:
            return await identifying
        except (Unauthenticated, SessionLost, Forbidden, TemporarilyUnavailable) as error:
            raise self._caller_error(error) from error

    def _caller_error(self, error: OnsaleError) -> HttpError:
        return caller_error(error, cleared_cookie=self._callers.cleared_cookie())

    async def _operation(self, scope: Scope, receive: Receive, headers: Headers) -> Operation:
        if scope["method"] == "GET":
            return request_parsing.parse_query(Request(scope).query_params)
        _check_content_type(headers)
        declared = headers.get("content-length")
        return request_parsing.parse_body(
            await request_body.read_body(receive, declared=declared, limit=self._max_body_bytes)
        )

    def _refusal_format(self, headers: Headers) -> "JsonFormat":
        return self._format(headers, preferred_media_type(_accept(headers), (JSON, GRAPHQL)) or JSON)

    def _format(self, headers: Headers, media_type: str) -> "JsonFormat":
        return _make_format(
            media_type, has_credentials=self._callers.has_credentials(headers), has_origin="origin" in headers
        )


class JsonAnswer(NamedTuple):
    """The part of a response that the operation decides."""

    status: int
    body: bytes


class JsonResponse(Response):
    """A response with all its headers, including those for pages of other origins."""

    def __init__(self, body: bytes, status: int, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        self.body = body
        self.status_code = status
        self.raw_headers = [*headers, (CONTENT_LENGTH, str(len(body)).encode())]
        self.background = None


@dataclass(frozen=True, slots=True)
class JsonFormat:
    """A media type for JSON, and the headers of a response that has it."""

    media_type: str
    headers: tuple[tuple[bytes, bytes], ...]


def _json_response(payload: dict[str, object], status: int, format_: JsonFormat) -> JsonResponse:
    return JsonResponse(orjson.dumps(payload), status, format_.headers)


@lru_cache
def _make_format(media_type: str, *, has_credentials: bool, has_origin: bool) -> JsonFormat:
    headers = cache_headers(has_credentials=has_credentials)
    headers["Vary"] += ", Origin"
    headers["Content-Type"] = f"{media_type}; charset=utf-8"
    if has_origin:
        headers["Access-Control-Allow-Origin"] = "*"
        headers["Access-Control-Expose-Headers"] = ", ".join(_EXPOSED_HEADERS)
    return JsonFormat(media_type, tuple((name.lower().encode(), value.encode()) for name, value in headers.items()))


def complete(response: ASGIApp) -> ASGIApp:
    """Return the response with the headers for other origins, and compressed if it is large."""
    if not isinstance(response, JsonResponse):
        return compress(_allow_other_origins(response))
    return response if len(response.body) < COMPRESSED_FROM_BYTES else compress(response)


def _allow_other_origins(app: ASGIApp) -> ASGIApp:
    return CORSMiddleware(
        app,
        allow_origins=["*"],
        allow_methods=["GET", "POST"],
        # Cookies never count for other origins, so headers from their pages are no more dangerous
        # than those from any other client. GraphQL clients and tracing tools add their own headers.
        allow_headers=["*"],
        expose_headers=_EXPOSED_HEADERS,
        max_age=_PREFLIGHT_LASTS_S,
    )


async def _never_called(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("CORSMiddleware answers every preflight")


# A cache must not keep an answer without this header for a page of another origin.
_SHARED = {"Cache-Control": f"public, s-maxage={_FRESH_S}", "Access-Control-Allow-Origin": "*"}


def _is_anonymous(headers: Headers) -> bool:
    return "authorization" not in headers and "cookie" not in headers


def _media_type(headers: Headers, offered: tuple[str, ...]) -> str:
    chosen = preferred_media_type(_accept(headers), offered)
    if chosen is None:
        raise HttpError(406, f"Accept names no available media type; send one of {', '.join(offered)}.")
    return chosen


def _accept(headers: Headers) -> str:
    return ",".join(headers.getlist("accept"))


def _check_content_type(headers: Headers) -> None:
    given = headers.get("content-type", "")
    if given != JSON:
        _check_media_type(given)
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise HttpError(415, "The body is compressed; send it uncompressed.", headers={"Accept-Encoding": "identity"})


def _check_media_type(given: str) -> None:
    media_type, *parameters = (part.strip().lower() for part in given.split(";"))
    if media_type != JSON:
        raise HttpError(415, f"Content-Type is {media_type[:80]!r}; send the body as {JSON}.")
    charset = next((text[8:].strip('"') for text in parameters if text.startswith("charset=")), "utf-8")
    if charset not in ("utf-8", "utf8"):
        raise HttpError(415, f"The charset is {charset[:80]!r}; send the body in UTF-8.")


def _status(answer: OperationResult, media_type: str) -> int:
    """Return the HTTP status.

    It is 400 for an invalid document or invalid variables, except for clients that accept plain
    JSON, which expect 200.
    """
    return 400 if media_type == GRAPHQL and not answer.was_executed else 200
