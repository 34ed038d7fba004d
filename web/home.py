"""The page at `/` of a server without built pages, and the banner in the terminal."""

import html

from starlette.requests import Request
from starlette.responses import HTMLResponse

from auth.plain_pages import plain_page
from settings import Settings

_HOW_TO_BUILD = """<p>The API is running. The pages of the shop have not been built yet: install Node.js 20.19 or
later with npm, then</p>
<pre>make frontend</pre>
<p>and reload. Or copy the folder <code>frontend/dist</code> from a machine on which they are built.</p>"""
_TRY_IT = """<p>Try it at <a href="/graphql">/graphql</a>, or from a shell:</p>
<pre>curl {url}graphql -H 'content-type: application/json' \\
  -d '{{"query": "{{ concerts(first: 5) {{ nodes {{ id name startsAt }} }} }}"}}'</pre>"""
_INTRODUCTION = "<p>Concert tickets for thousands of buyers.</p>"
_READINESS = '<p>Readiness: <a href="/readyz">/readyz</a></p>'
_ADDRESS = "<p>The GraphQL API is at /graphql.</p>"


def build_page(settings: Settings, request: Request) -> HTMLResponse:
    """Return the page.

    It says how to build the shop in development only, and shows an example query only if GraphiQL
    is on.
    """
    shop = "" if settings.is_production else _HOW_TO_BUILD
    api = _TRY_IT if settings.allows_graphiql else _ADDRESS
    example = api.format(url=html.escape(str(request.base_url)))
    return plain_page(
        "Onsale", f"{_INTRODUCTION}\n{shop}\n{example}\n{_READINESS}", heading="Onsale is running", is_wide=True
    )


def starting(settings: Settings) -> str:
    """Return the line that the terminal shows until the banner appears."""
    return f"Onsale is starting its stores in {settings.data_dir.resolve()}; the first start takes longer …\n"


def banner(settings: Settings) -> str:
    address = f"http://localhost:{settings.port}"
    graphiql = "  (GraphiQL in a browser)" if settings.allows_graphiql else ""
    lines = [f"Onsale is running at {address}", f"  GraphQL  {address}/graphql{graphiql}"]
    if settings.has_own_issuer:
        lines.append(
            "  Users    alice, bob, … buy tickets; olivia is an organizer; gus checks tickets; "
            "admin runs every concert. The password is the user name"
        )
    if not settings.is_production:
        lines.append(f"  Mail     {address}/dev/mailbox")
    lines += [
        f"  Stores   {_without_password(settings.redis_url)}  {_without_password(settings.mongo_url)}",
        f"  Data     {settings.data_dir.resolve()}",
        "  Stop     Ctrl-C",
    ]
    return "\n".join(lines) + "\n"


def _without_password(url: str | None) -> str:
    scheme, _, rest = (url or "").partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
