"""GraphiQL, which browsers get at /graphql unless a setting turns it off.

If the pages are not built, the API still works, and /graphql explains how to build them. A new
build does not require a restart.
"""

import html
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

from settings import Settings
from web.pages.files import DIST
from web.pages.policies import graphiql_policy

# Revalidated on every visit, because the page names the assets of the newest build.
_REVALIDATED = {"Cache-Control": "no-cache", "Vary": "Accept"}

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


class GraphiqlPage:
    """Answers browsers at /graphql. `dist` is the folder into which Vite builds the pages."""

    def __init__(self, settings: Settings, dist: Path = DIST) -> None:
        self._is_allowed = settings.allows_graphiql
        self._policy = graphiql_policy(settings)
        self._file = dist / "graphiql.html"

    def answer(self, request: Request) -> Response:
        if not self._is_allowed:
            return HTMLResponse(_TURNED_OFF, 406, headers=_REVALIDATED)
        if not self._file.is_file():
            return build_missing_page(request)
        return FileResponse(self._file, headers={**_REVALIDATED, "Content-Security-Policy": self._policy})


def build_missing_page(request: Request) -> HTMLResponse:
    url = html.escape(str(request.url.replace(query="")))
    return HTMLResponse(_NOT_BUILT.format(url=url), headers=_REVALIDATED)
