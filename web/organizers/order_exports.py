"""`GET /concerts/<id>/orders.csv`: the orders of a concert as a file, for its organizer and admins.

A request is made with an access token, or with the session cookie from one of our own pages. There
are no signed links, because the file contains the names and addresses of all buyers. Each export is
recorded before its first row is sent.

The rows are read and sent in pages, so a process holds one page of each export in memory, however
slowly it is read, and no database cursor outlives a client that disconnects.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import UTC, datetime

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from auth.callers import Callers, cache_headers
from auth.viewer import Viewer
from domain.concerts import Concert
from domain.errors import (
    BadUserInput,
    Forbidden,
    NotFound,
    OnsaleError,
    SessionLost,
    TemporarilyUnavailable,
    Unauthenticated,
    describe_cause,
)
from domain.limits.rates import Rate
from domain.organizers.order_export import OrderExport, head, rows
from domain.organizers.order_search import OrderFilter
from domain.page import PageRequest
from resolvers.concert_updates import get_organized
from resolvers.context import Resources
from schema import SystemCode
from schema.ids import concert_argument
from telemetry import counters
from web.http_errors import HttpError, caller_error
from web.organizers.person_limits import PersonLimits

log = logging.getLogger(__name__)

PAGE_SIZE = 200
"""Orders. Each page takes some 10 ms of the event loop."""
MAX_CONCURRENT = 8
"""Exports in progress per process."""
MAX_CONCURRENT_PER_PERSON = 2
"""A person who reads slowly must not keep others from exporting."""
STALLED_AFTER_S = 60.0
"""A client that reads nothing for this long is disconnected."""
RETRY_AFTER_S = 10


class OrderExports:
    def __init__(
        self,
        resources: Resources,
        callers: Callers,
        *,
        rate: Rate | None,
        page_size: int = PAGE_SIZE,
        stalled_after_s: float = STALLED_AFTER_S,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._resources = resources
        self._stores = resources.stores
        self._callers = callers
        self._page_size = page_size
        self._stalled_after_s = stalled_after_s
        self._now = now
        self._limits = PersonLimits(
            "exports",
            self._stores.call_counter,
            rate=rate,
            at_once=MAX_CONCURRENT,
            per_person=MAX_CONCURRENT_PER_PERSON,
            retry_after_s=RETRY_AFTER_S,
        )

    async def respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file. Raises the errors of a refused request, before anything is sent."""
        request = Request(scope, receive)
        if request.method == "HEAD":
            # It would read all orders, and be recorded as an export that no one took.
            raise HttpError(405, "A file of orders has no HEAD; send GET to export it.", headers={"Allow": "GET"})
        viewer = await self._viewer(request)
        concert = await self._concert(request, viewer)
        await self._limits.count(viewer.person_id)
        with self._limits.slot(viewer.person_id):
            await self._send(concert, viewer, scope, receive, send)

    def refusal(self, error: OnsaleError) -> HttpError:
        """Return the answer for an error that `respond` raises."""
        match error:
            case BadUserInput():
                return HttpError(400, f"{error} The address must contain the `id` of a concert from GraphQL.")
            case NotFound():
                return HttpError(404, str(error), code=SystemCode.NOT_FOUND)
            case Unauthenticated() | SessionLost() | Forbidden() | TemporarilyUnavailable():
                return caller_error(error, cleared_cookie=self._callers.cleared_cookie())
            case _:
                raise error

    async def _viewer(self, request: Request) -> Viewer:
        # Another page can make a browser download the file but cannot read it.
        otherwise = "You are not signed in. Sign in as the organizer of this concert."
        return await self._callers.require_caller(request.headers, otherwise=otherwise)

    async def _concert(self, request: Request, viewer: Viewer) -> Concert:
        concert_id = concert_argument(request.path_params["concert_id"])
        return await get_organized(self._resources.context(viewer, request.state.request_id), concert_id)

    async def _send(self, concert: Concert, viewer: Viewer, scope: Scope, receive: Receive, send: Send) -> None:
        """Record the export, send the file, and complete the record, even if the client
        disconnects.
        """
        export = OrderExport(secrets.token_hex(16), concert.id, self._now(), viewer.person_id, viewer.name)
        await self._stores.order_exports.begin(export)
        progress = _Progress()
        headers = {
            **cache_headers(has_credentials=True),
            "Content-Type": "text/csv; charset=utf-8; header=present",
            "Content-Disposition": f'attachment; filename="orders-{concert.slug}.csv"',
        }
        try:
            async with aclosing(self._file(concert, progress)) as parts:
                await StreamingResponse(parts, headers=headers)(scope, receive, self._impatient(send))
        except (TimeoutError, TemporarilyUnavailable) as error:
            # The end of the file is not sent, so the client sees that it is not complete.
            log.warning("an export of the orders of concert %s was cut off: %s", concert.id, error or "no one reads it")
        finally:
            await self._stores.detached_tasks.run(self._finish(export, progress))

    async def _finish(self, export: OrderExport, progress: "_Progress") -> None:
        try:
            await self._stores.order_exports.finish(export.id, rows=progress.rows, is_complete=progress.is_complete)
        except TemporarilyUnavailable as error:
            log.warning("the record of export %s was not completed: %s", export.id, describe_cause(error))

    async def _file(self, concert: Concert, progress: "_Progress") -> AsyncGenerator[bytes, None]:
        yield head().encode()
        after, has_more = None, True
        while has_more:
            request = PageRequest(self._page_size, after)
            page = await self._stores.order_search.page(concert.id, OrderFilter(), request)
            if page.items:
                # They are counted first, because a client that disconnects may have received some
                # of them.
                progress.rows += len(page.items)
                after = page.cursors[-1]
                yield rows(page.items, concert).encode()
            has_more = page.has_next_page
        progress.is_complete = True

    def _impatient(self, send: Send) -> Send:
        """Return a `send` that raises TimeoutError if the client reads nothing for too long."""

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(self._stalled_after_s):
                await send(message)

        return send_in_time


class _Progress:
    """How much of a file was handed to the client."""

    def __init__(self) -> None:
        self.rows = 0
        self.is_complete = False


def make_order_exports(resources: Resources, callers: Callers, rate: tuple[int, int] | None) -> OrderExports:
    return OrderExports(resources, callers, rate=Rate(*rate) if rate else None)


class _Endpoint:
    """Finds the exports among the objects of the lifespan.

    It is a class because Starlette would treat a function as a request handler.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exports: OrderExports = scope["state"]["order_exports"]
        try:
            await exports.respond(scope, receive, send)
            return
        except OnsaleError as error:
            refused = exports.refusal(error)
        except HttpError as error:
            refused = error
        counters.refused.labels(refused.code).inc()
        headers = {**cache_headers(has_credentials=True), **refused.headers}
        payload = refused.payload(scope["state"]["request_id"])
        await JSONResponse(payload, refused.status, headers)(scope, receive, send)


# As at /graphql, cookies never count for other origins, so other origins may send access tokens.
_ANY_ORIGIN = Middleware(
    CORSMiddleware,
    allow_origins=["*"],
    allow_methods=["GET"],
    allow_headers=["*"],
    expose_headers=["Content-Disposition", "Retry-After"],
)
routes = [Route("/concerts/{concert_id}/orders.csv", _Endpoint(), methods=["GET", "OPTIONS"], middleware=[_ANY_ORIGIN])]
