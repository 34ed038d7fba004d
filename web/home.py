"""Links to the parts of Onsale: the page at `/`, and the banner in the terminal."""

import html

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import BaseRoute, Route

from settings import Settings

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Onsale</title>
<h1>Onsale</h1>
<p>Concert tickets for thousands of buyers.</p>
{api}
<p>Readiness: <a href="/readyz">/readyz</a></p>
</html>
"""
_TRY_IT = """<p>Try it at <a href="/graphql">/graphql</a>, or from a shell:</p>
<pre>curl {url}graphql -H 'content-type: application/json' \\
  -d '{{"query": "{{ concerts(first: 5) {{ nodes {{ id name startsAt }} }} }}"}}'</pre>"""
_ADDRESS = "<p>The GraphQL API is at /graphql.</p>"


def routes(settings: Settings) -> list[BaseRoute]:
    """Return the route of the page. It shows an example query only if GraphiQL is on."""
    api = _TRY_IT if settings.allows_graphiql else _ADDRESS

    async def home(request: Request) -> HTMLResponse:
        return HTMLResponse(PAGE.format(api=api.format(url=html.escape(str(request.base_url)))))

    return [Route("/", home)]


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
