"""`/graphql` over HTTP: POST for all operations, GET for those that change nothing.

Answers in both media types of GraphQL-over-HTTP, or as an event stream, which subscriptions need.
Pages from any origin may send requests with a bearer token; the session cookie counts only for our
own pages (auth/callers.py). Content types that a form could send are refused.
"""

import logging
import secrets
from collections.abc import Callable

import orjson
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from auth.callers import Callers, Identified, cache_headers
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
from web.pages import build_missing_page

logger = logging.getLogger(__name__)

_PREFLIGHT_LASTS_S = 600


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
        self._app = CORSMiddleware(
            self._serve,
            allow_origins=["*"],
            allow_methods=["GET", "POST"],
            # Cookies never count for other origins, so headers from their pages are no more
            # dangerous than those from any other client. GraphQL clients and tracing tools add
            # their own headers.
            allow_headers=["*"],
            expose_headers=["Retry-After", "WWW-Authenticate", "X-Request-Id"],
            max_age=_PREFLIGHT_LASTS_S,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        request_id = scope.get("state", {}).get("request_id") or secrets.token_hex(8)
        response: ASGIApp
        try:
            response = await self._answer(request, request_id)
        except request_body.BodyTooLarge as refused:
            await request_body.respond_and_discard(self._refusal(refused, request, request_id), receive, send)
            return
        except request_body.ClientDisconnected:
            return
        except HttpError as refused:
            response = self._refusal(refused, request, request_id)
        except Exception:
            logger.exception("%s /graphql failed", request.method)
            response = self._refusal(internal_error(request_id), request, request_id)
        await response(scope, receive, send)

    async def _answer(self, request: Request, request_id: str) -> ASGIApp:
        if request.method not in ("GET", "POST"):
            raise HttpError(405, f"{request.method} is not allowed here; use POST.", headers={"Allow": "GET, POST"})
        media_type = _media_type(request)
        if media_type == HTML:
            return self._page(request)
        is_get = request.method == "GET"
        is_stream = media_type == EVENT_STREAM
        identified = await self._identify(request.headers, needs_preflight=is_get or is_stream)
        operation = await self._operation(request)
        address = None if request.client is None else request.client.host
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
        return self._json(request, answer.payload, _status(answer, media_type), media_type)

    async def _identify(self, headers: Headers, *, needs_preflight: bool) -> Identified:
        try:
            return await self._callers.identify_request(headers, needs_preflight=needs_preflight)
        except (Unauthenticated, SessionLost, Forbidden, TemporarilyUnavailable) as error:
            raise self._caller_error(error) from error

    def _caller_error(self, error: OnsaleError) -> HttpError:
        return caller_error(error, cleared_cookie=self._callers.cleared_cookie())

    async def _operation(self, request: Request) -> Operation:
        if request.method == "GET":
            return request_parsing.parse_query(request.query_params)
        _check_content_type(request.headers)
        declared = request.headers.get("content-length")
        return request_parsing.parse_body(
            await request_body.read_body(request.receive, declared=declared, limit=self._max_body_bytes)
        )

    def _refusal(self, refused: HttpError, request: Request, request_id: str) -> Response:
        accepted = preferred_media_type(_accept(request), (JSON, GRAPHQL))
        counters.refused.labels(refused.code).inc()
        response = self._json(request, refused.payload(request_id), refused.status, accepted or JSON)
        response.headers.update(refused.headers)
        return response

    def _json(self, request: Request, payload: dict[str, object], status: int, media_type: str) -> Response:
        headers = cache_headers(has_credentials=self._callers.has_credentials(request.headers))
        headers["Content-Type"] = f"{media_type}; charset=utf-8"
        return Response(orjson.dumps(payload), status, headers)


def _media_type(request: Request) -> str:
    pages = (HTML,) if request.method == "GET" else ()
    offered = (JSON, GRAPHQL, EVENT_STREAM, *pages)
    chosen = preferred_media_type(_accept(request), offered)
    if chosen is None:
        raise HttpError(406, f"Accept names no available media type; send one of {', '.join(offered)}.")
    return chosen


def _accept(request: Request) -> str:
    return ",".join(request.headers.getlist("accept"))


def _check_content_type(headers: Headers) -> None:
    media_type, *parameters = (part.strip().lower() for part in headers.get("content-type", "").split(";"))
    if media_type != JSON:
        raise HttpError(415, f"Content-Type is {media_type[:80]!r}; send the body as {JSON}.")
    charset = next((text[8:].strip('"') for text in parameters if text.startswith("charset=")), "utf-8")
    if charset not in ("utf-8", "utf8"):
        raise HttpError(415, f"The charset is {charset[:80]!r}; send the body in UTF-8.")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise HttpError(415, "The body is compressed; send it uncompressed.", headers={"Accept-Encoding": "identity"})


def _status(answer: OperationResult, media_type: str) -> int:
    """Return the HTTP status.

    It is 400 for an invalid document or invalid variables, except for clients that accept plain
    JSON, which expect 200.
    """
    return 400 if media_type == GRAPHQL and not answer.was_executed else 200
