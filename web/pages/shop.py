"""The pages of the shop: one document, which the shop's script fills for each address.

If the pages are not built, `/` says how to build them, and the API still works.
"""

from pathlib import Path

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from payments.checkout import Checkout
from settings import Settings
from web import home
from web.content_negotiation import HTML, preferred_media_type
from web.pages.documents import BuiltDocument, Document, respond_with
from web.pages.files import DIST
from web.pages.first_answers import FirstAnswers
from web.pages.policies import checkout_policy, shop_policy
from web.tickets import transfer_page

HOME_PATH, CONCERT_PATH = "/", "/concerts/{slug}"
"""Pages with a first answer, if the build names a query for them."""
PATHS = (
    "/concerts/{slug}/queue",
    "/concerts/{slug}/tickets",
    "/orders/{id}",
    "/tickets",
)
"""The other pages that need nothing special. `frontend/src/shop/routes.tsx` has all pages."""
CHECKOUT_PATH = "/orders/{id}/pay"
_PLAIN = "text/plain"
_REVALIDATED = "no-cache"
_NOT_KEPT = "no-store"


class ShopPages:
    """Serves the shop. `dist` is the folder into which Vite builds the pages."""

    def __init__(self, settings: Settings, checkout: Checkout, dist: Path = DIST) -> None:
        self._settings = settings
        self._built = BuiltDocument(dist / "index.html")
        self._policy = shop_policy(settings)
        self._checkout_policy = checkout_policy(settings, checkout)

    def routes(self) -> list[BaseRoute]:
        pages = [Route(path, self._page) for path in PATHS]
        return [
            Route(HOME_PATH, self._home),
            Route(CONCERT_PATH, self._concert),
            Route(CHECKOUT_PATH, self._checkout),
            Route(transfer_page.PATH, self._accept_ticket),
            *pages,
        ]

    async def respond_to_error(self, request: Request, error: Exception) -> Response:
        """Answer an address without a page: with the shop's "not found" page for a browser that
        opens it, and with plain text for every other client.
        """
        assert isinstance(error, HTTPException)
        document = self._built.read()
        accept = ",".join(request.headers.getlist("accept"))
        is_visit = request.method in ("GET", "HEAD") and preferred_media_type(accept, (_PLAIN, HTML)) == HTML
        if document is None or not is_visit:
            headers = {**(error.headers or {}), "Vary": "Accept"}
            return PlainTextResponse(error.detail, error.status_code, headers=headers)
        headers = {**self._headers(_NOT_KEPT), "Vary": "Accept, Accept-Encoding"}
        return respond_with(document, request.headers, headers, status=error.status_code)

    async def _home(self, request: Request) -> Response:
        document = self._built.read()
        if document is None:
            return home.build_page(self._settings, request)
        return await self._respond_with_answer(document, request, HOME_PATH)

    async def _concert(self, request: Request) -> Response:
        return await self._respond_with_answer(self._require_document(), request, CONCERT_PATH)

    async def _respond_with_answer(self, document: Document, request: Request, route: str) -> Response:
        """A query string chooses other concerts, so the page then asks for them itself."""
        if not request.url.query:
            first_answers: FirstAnswers = request.state.first_answers
            document = await first_answers.add_to(document, route, request.path_params)
        return self._respond(document, request.headers)

    async def _page(self, request: Request) -> Response:
        return self._respond(self._require_document(), request.headers)

    async def _checkout(self, request: Request) -> Response:
        headers = {**self._headers(_REVALIDATED), "Content-Security-Policy": self._checkout_policy}
        return respond_with(self._require_document(), request.headers, headers)

    async def _accept_ticket(self, request: Request) -> Response:
        """Mails contain this address, so there is a page even if the shop is not built."""
        document = self._built.read()
        if document is None:
            return transfer_page.build_page()
        return respond_with(document, request.headers, self._headers(_NOT_KEPT))

    def _require_document(self) -> Document:
        """Raises HTTPException if the pages are not built."""
        document = self._built.read()
        if document is None:
            raise HTTPException(404)
        return document

    def _respond(self, document: Document, request: Headers) -> Response:
        return respond_with(document, request, self._headers(_REVALIDATED))

    def _headers(self, caching: str) -> dict[str, str]:
        return {"Cache-Control": caching, "Content-Security-Policy": self._policy}
