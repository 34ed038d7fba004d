"""Serves the schema, and the pages and assets that `make frontend` builds in frontend/dist.

Browsers that open /graphql get GraphiQL, unless a setting turns it off. If the pages are not built,
the API still works, and /graphql explains how to build them. A new build does not require a
restart.
"""

import html
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from auth.dev_issuer.demo_users import DEMO_USERS
from settings import Settings

DIST = Path(__file__).parents[1] / "frontend" / "dist"
SDL_FILE = Path(__file__).parents[1] / "schema" / "schema.graphql"
# Revalidated on every visit, because the page names the assets of the newest build.
_REVALIDATED = {"Cache-Control": "no-cache", "Vary": "Accept"}
_IMMUTABLE = "public, max-age=31536000, immutable"

_NOT_BUILT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Onsale: GraphQL</title>
<h1>GraphQL endpoint</h1>
<p>The API is running. Its page, GraphiQL, has not been built yet: install Node.js 20.19 or later with npm, then</p>
<pre>make frontend</pre>
<p>and reload. Or send a POST request:</p>
<pre>
curl {url} -H 'Content-Type: application/json' \\
  -d '{{"query": "{{ concerts(first: 3) {{ nodes {{ name startsAt stock {{ soldOut }} }} }} }}"}}'
</pre>
<p>To hold and buy tickets, sign in and add <code>-H 'Authorization: Bearer &lt;access token&gt;'</code>.</p>
</html>
"""


_TURNED_OFF = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>GraphQL</title>
<h1>GraphQL endpoint</h1>
<p>This address is for programs; GraphiQL, its page for browsers, is turned off.</p>
<p>Programs send operations as JSON in POST requests, and open sockets and event streams here.</p>
</html>
"""


class Pages:
    """Serves the pages. `dist` is the folder into which Vite builds them."""

    def __init__(self, settings: Settings, dist: Path = DIST) -> None:
        self._settings = settings
        self._dist = dist
        self._policy = _policy(settings.issuer if settings.has_own_issuer else None)

    def graphiql(self, request: Request) -> Response:
        if not self._settings.allows_graphiql:
            return HTMLResponse(_TURNED_OFF, 406, headers=_REVALIDATED)
        built = self._dist / "graphiql.html"
        headers = {**_REVALIDATED, "Content-Security-Policy": self._policy}
        if built.is_file():
            return FileResponse(built, headers=headers)
        return build_missing_page(request)

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/pages/settings.json", self._settings_json),
            Route("/schema.graphql", self._schema),
            Mount("/assets", _Assets(directory=self._dist / "assets", check_dir=False)),
        ]

    async def _schema(self, request: Request) -> Response:
        """Return the SDL to tools such as code generators, unless introspection is turned off."""
        if not self._settings.allows_introspection:
            return PlainTextResponse("The schema is not public here; ONSALE_INTROSPECTION=yes publishes it.\n", 404)
        headers = {"Cache-Control": "no-cache", "Access-Control-Allow-Origin": "*"}
        return FileResponse(SDL_FILE, media_type="text/plain", headers=headers)

    async def _settings_json(self, request: Request) -> Response:
        """Return the settings that a page needs. None of them is secret."""
        people = DEMO_USERS.items() if self._settings.has_own_issuer else ()
        return JSONResponse(
            {
                "issuer": self._settings.issuer,
                "clientId": self._settings.oidc.client_id,
                "demoPeople": [{"name": name, "role": ", ".join(roles)} for name, roles in people],
            },
            headers={"Cache-Control": "no-cache"},
        )


class _Assets(StaticFiles):
    """Serves the assets.

    Their names contain a hash of the content, so browsers can cache them forever.
    """

    async def check_config(self) -> None:
        """Accept a missing folder, because the first build creates it."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        # A web worker obeys the policy of its own script.
        response.headers["Content-Security-Policy"] = "default-src 'none'; script-src 'self'"
        response.headers["Cache-Control"] = _IMMUTABLE
        return response


def build_missing_page(request: Request) -> HTMLResponse:
    url = html.escape(str(request.url.replace(query="")))
    return HTMLResponse(_NOT_BUILT.format(url=url), headers=_REVALIDATED)


def _policy(own_issuer: str | None) -> str:
    """Return the content security policy, which allows only our own files.

    In development, the page also signs demo users in at our own issuer, under its own host name.
    GraphiQL adds styles to the page, and loads fonts and icons from `data:` URLs.
    """
    address = urlsplit(own_issuer or "")
    issuer = f" {address.scheme}://{address.netloc}" if own_issuer else ""
    rules = {
        "default-src": "'none'",
        "script-src": "'self'",
        "worker-src": "'self'",
        "style-src": "'self' 'unsafe-inline'",
        "font-src": "'self' data:",
        "img-src": "'self' data:",
        # 'self' covers our WebSocket too (Content Security Policy Level 3).
        "connect-src": f"'self'{issuer}",
        "form-action": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())
