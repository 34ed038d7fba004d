"""The files of the pages: the assets that `npm run build` writes to frontend/dist, the settings
that a page needs, and the schema.

The build also compresses the assets, so the server compresses none of them for each request.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from auth.dev_issuer.demo_users import DEMO_USERS
from auth.plain_pages import STYLESHEET, STYLESHEET_PATH
from payments.checkout import Checkout
from settings import Settings
from web.content_negotiation import accepts_encoding
from web.development import mailbox_page

FRONTEND = Path(__file__).parents[2] / "frontend"
DIST = FRONTEND / "dist"
"""The folder into which Vite builds the pages."""
SDL_FILE = Path(__file__).parents[2] / "schema" / "schema.graphql"
_IMMUTABLE = "public, max-age=31536000, immutable"
_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
"""The encodings that the build writes, the smallest first, and the endings of their files."""


def file_routes(settings: Settings, checkout: Checkout, dist: Path = DIST) -> list[BaseRoute]:
    async def schema(request: Request) -> Response:
        """Return the SDL to tools such as code generators, unless introspection is turned off."""
        if not settings.allows_introspection:
            return PlainTextResponse("The schema is not public here; ONSALE_INTROSPECTION=yes publishes it.\n", 404)
        headers = {"Cache-Control": "no-cache", "Access-Control-Allow-Origin": "*"}
        return FileResponse(SDL_FILE, media_type="text/plain", headers=headers)

    async def page_settings(request: Request) -> Response:
        return JSONResponse(list_page_settings(settings, checkout), headers={"Cache-Control": "no-cache"})

    async def stylesheet(request: Request) -> Response:
        return FileResponse(STYLESHEET, headers={"Cache-Control": "no-cache"})

    return [
        Route("/pages/settings.json", page_settings),
        Route("/schema.graphql", schema),
        Route(STYLESHEET_PATH, stylesheet),
        Mount("/assets", Assets(dist / "assets")),
    ]


def find_shop_documents(dist: Path = DIST) -> Path | None:
    """Return the file with the documents of the shop, or None if the pages are not built."""
    file = dist / "trusted-documents.json"
    return file if file.is_file() else None


def list_page_settings(settings: Settings, checkout: Checkout) -> dict[str, object]:
    """Return the settings that a page needs. None of them is secret."""
    people = DEMO_USERS.items() if settings.has_own_issuer else ()
    developer = {
        "graphiql": "/graphql" if settings.allows_graphiql else None,
        "mailbox": mailbox_page.PATH,
        "sandbox": checkout.sandbox_url,
    }
    return {
        "issuer": settings.issuer,
        "clientId": settings.oidc.client_id,
        "demoPeople": [{"name": name, "role": ", ".join(roles)} for name, roles in people],
        "developer": None if settings.is_production else developer,
    }


class Assets(StaticFiles):
    """Serves the assets. Their names contain a hash of the content, so browsers keep them for ever.

    A file beside an asset whose name ends in `.br` or `.gz` is the asset in that encoding. A range
    is a range of the encoded bytes, as RFC 9110 (section 14) demands.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(directory=folder, check_dir=False)

    async def check_config(self) -> None:
        """Accept a missing folder, because the first build creates it."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await self._find_encoded(path, scope) or await super().get_response(path, scope)
        # A web worker obeys the policy of its own script.
        response.headers["Content-Security-Policy"] = "default-src 'none'; script-src 'self'"
        response.headers["Cache-Control"] = _IMMUTABLE
        if "content-encoding" in response.headers:
            response.headers["Vary"] = "Accept-Encoding"
        return response

    async def _find_encoded(self, path: str, scope: Scope) -> Response | None:
        """Return the smallest encoded form of the asset that the client accepts, or None."""
        if scope["method"] not in ("GET", "HEAD"):
            return None
        for encoding, ending in _accepted_encodings(Headers(scope=scope).get("accept-encoding", "")):
            found, status = await run_in_threadpool(self._look_up, path + ending)
            if status is not None and stat.S_ISREG(status.st_mode):
                response = self.file_response(found, status, scope)
                response.headers["Content-Encoding"] = encoding
                return response
        return None

    def _look_up(self, path: str) -> tuple[str, os.stat_result | None]:
        try:
            return self.lookup_path(path)
        except (OSError, ValueError):
            return "", None  # the file without an ending has the same problem, and is answered


def _accepted_encodings(header: str) -> Iterator[tuple[str, str]]:
    return ((encoding, ending) for encoding, ending in _ENCODINGS if accepts_encoding(header, encoding))
