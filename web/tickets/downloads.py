"""`GET /orders/<order>/tickets.pdf` and `/orders/<order>/tickets/<ticket>.pdf`, or the same with
`.ics`: the tickets that a person holds.

A request is made with an access token, with the session cookie on our own pages, or with a signed
link from GraphQL, which is then the only credential. In each case the order is read again, and the
document contains only codes of tickets that are valid and held by that person at that moment.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from auth.callers import Callers, cache_headers
from domain.concerts import Concert
from domain.errors import Forbidden, SessionLost, TemporarilyUnavailable, Unauthenticated
from domain.ids import OrderId, PersonId, TicketId, ticket_id
from domain.orders import Order
from domain.text.locales import Locale, choose_locale
from domain.tickets.ticket import Ticket
from schema import SystemCode
from storage.connect import Stores
from telemetry import counters
from tickets.documents.calendar_file import CALENDAR_TYPE, make_calendar
from tickets.documents.library import PDF_TYPE, DocumentLibrary
from tickets.documents.links import BadLink, DownloadLink, DownloadLinks, LinkProblem
from tickets.documents.render_pool import RenderFailed
from tickets.documents.selection import held_tickets, tickets_digest, valid_tickets
from web.http_errors import HttpError, caller_error, unavailable_error

LINK = "link"
"""The query parameter with a signed link."""
_PROBLEMS = {
    LinkProblem.ALTERED: "This download link is not valid: it was altered, or was not made by this server.",
    LinkProblem.EXPIRED: "This download link has expired.",
}
_NEXT = "Get a new link from `Order.document` or `Ticket.document`."


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The document that a request names."""

    order_id: OrderId
    ticket_id: TicketId | None

    def selects(self, order: Order, ticket: Ticket) -> bool:
        return self.ticket_id in (None, ticket_id(order.id, ticket.unit))


@dataclass(frozen=True, slots=True)
class _Selected:
    order: Order
    person_id: PersonId
    ticket_id: TicketId | None
    tickets: tuple[Ticket, ...]


class TicketDownloads:
    def __init__(
        self,
        stores: Stores,
        callers: Callers,
        library: DocumentLibrary,
        links: DownloadLinks,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._stores = stores
        self._callers = callers
        self._library = library
        self._links = links
        self._now = now

    async def pdf(self, request: Request) -> Response:
        selected = await self._select(request)
        order, tickets = selected.order, selected.tickets
        concert = await self._concert(order)
        try:
            content = await self._library.pdf(order, concert, tickets, _locale(request, order))
        except RenderFailed as error:
            raise TemporarilyUnavailable("The document cannot be made at the moment") from error
        await self._check_again(selected)
        return _file(content, PDF_TYPE, f"tickets-{order.number}.pdf")

    async def calendar(self, request: Request) -> Response:
        order = (await self._select(request)).order
        content = make_calendar(order, await self._concert(order), _locale(request, order))
        return _file(content, CALENDAR_TYPE, f"tickets-{order.number}.ics")

    def refusal(self, error: Exception) -> HttpError:
        """Return the answer for an error that a download raises."""
        match error:
            case HttpError():
                return error
            case TemporarilyUnavailable():
                return unavailable_error(error)
            case Unauthenticated() | SessionLost() | Forbidden():
                return caller_error(error, cleared_cookie=self._callers.cleared_cookie())
            case _:
                raise error

    async def _select(self, request: Request) -> _Selected:
        """Return the order and the tickets that the caller may download now."""
        wanted = _wanted(request)
        link = self._link(request, wanted)
        person_id = await self._person(request) if link is None else link.person_id
        order = await self._stores.orders.get(wanted.order_id)
        if order is None:
            raise _not_found()
        if link is None and not any(wanted.selects(order, ticket) for ticket in held_tickets(order, person_id)):
            raise _not_found()
        tickets = valid_tickets(order, person_id, wanted.ticket_id)
        if not tickets:
            raise _gone("These tickets are no longer valid, so there is no document for them.")
        if link is not None and link.tickets_digest != tickets_digest(order, tickets):
            raise _gone(f"The tickets of this order have changed since the download link was made. {_NEXT}")
        return _Selected(order, person_id, wanted.ticket_id, tickets)

    async def _check_again(self, selected: _Selected) -> None:
        """Refuse a document whose tickets changed while it was being made, which may take
        seconds.
        """
        order = await self._stores.orders.get(selected.order.id)
        tickets = valid_tickets(order, selected.person_id, selected.ticket_id) if order else ()
        if order is None or tickets_digest(order, tickets) != tickets_digest(selected.order, selected.tickets):
            raise _gone("These tickets changed while their document was being made. Download it again.")

    def _link(self, request: Request, wanted: _Wanted) -> DownloadLink | None:
        text = request.query_params.get(LINK)
        if text is None:
            return None
        try:
            link = self._links.read(text, self._now())
        except BadLink as bad:
            raise HttpError(403, f"{_PROBLEMS[bad.problem]} {_NEXT}", code=SystemCode.FORBIDDEN) from None
        if (link.order_id, link.ticket_id) != (wanted.order_id, wanted.ticket_id):
            raise HttpError(403, f"This download link is for another document. {_NEXT}", code=SystemCode.FORBIDDEN)
        return link

    async def _person(self, request: Request) -> PersonId:
        # Another page can make a browser download a document, but it cannot read it.
        otherwise = "You are not signed in. Sign in, or use a download link from `Order.document`."
        return (await self._callers.require_caller(request.headers, otherwise=otherwise)).person_id

    async def _concert(self, order: Order) -> Concert:
        concert = await self._stores.concert_cache.get(order.concert_id)
        if concert is None:
            raise TemporarilyUnavailable("The concert of these tickets cannot be read")
        return concert


def _file(content: bytes, media_type: str, name: str) -> Response:
    headers = {
        **cache_headers(has_credentials=True),
        "Content-Type": media_type,
        "Content-Disposition": f'attachment; filename="{name}"',
    }
    return Response(content, headers=headers)


def _wanted(request: Request) -> _Wanted:
    only = request.path_params.get("ticket_id")
    return _Wanted(OrderId(request.path_params["order_id"]), None if only is None else TicketId(only))


def _locale(request: Request, order: Order) -> Locale:
    tag = request.query_params.get("locale")
    return order.customer.locale if tag is None else choose_locale(tag)


def _not_found() -> HttpError:
    # The answer is the same if the order does not exist, so that ids cannot be probed.
    return HttpError(
        404,
        "You hold no tickets of this order. Use a URL from `Order.document` or `Ticket.document`.",
        code=SystemCode.NOT_FOUND,
    )


def _gone(message: str) -> HttpError:
    return HttpError(410, message, code=SystemCode.GONE)


def _answering(
    answer: Callable[[TicketDownloads, Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    async def respond(request: Request) -> Response:
        downloads: TicketDownloads = request.state.ticket_downloads
        try:
            return await answer(downloads, request)
        except Exception as error:
            refused = downloads.refusal(error)
        counters.refused.labels(refused.code).inc()
        headers = {**cache_headers(has_credentials=True), **refused.headers}
        return JSONResponse(refused.payload(request.state.request_id), refused.status, headers)

    return respond


# As at /graphql: for other origins, cookies never count, so they may send access tokens.
_ANY_ORIGIN = Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET"], allow_headers=["*"])
routes = [
    Route(
        f"/orders/{{order_id}}/{name}.{suffix}",
        _answering(answer),
        methods=["GET", "OPTIONS"],
        middleware=[_ANY_ORIGIN],
    )
    for name in ("tickets", "tickets/{ticket_id}")
    for suffix, answer in (("pdf", TicketDownloads.pdf), ("ics", TicketDownloads.calendar))
]
