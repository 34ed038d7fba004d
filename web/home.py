"""Links to the parts of Onsale: the page at `/`, and the banner in the terminal."""

import html

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from settings import Settings

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Onsale</title>
<h1>Onsale</h1>
<p>Concert tickets for thousands of buyers. Try it at <a href="/graphql">/graphql</a>, or from a shell:</p>
<pre>curl {url}graphql -H 'content-type: application/json' \\
  -d '{{"query": "{{ concerts(first: 5) {{ nodes {{ id name startsAt }} }} }}"}}'</pre>
<p>Readiness: <a href="/readyz">/readyz</a></p>
</html>
"""


async def home(request: Request) -> HTMLResponse:
    return HTMLResponse(PAGE.format(url=html.escape(str(request.base_url))))


def starting(settings: Settings) -> str:
    """Return the line that the terminal shows until the banner appears."""
    return f"Onsale is starting its stores in {settings.data_dir.resolve()}; the first start takes longer …\n"


def banner(settings: Settings) -> str:
    address = f"http://localhost:{settings.port}"
    lines = [f"Onsale is running at {address}", f"  GraphQL  {address}/graphql  (GraphiQL in a browser)"]
    if settings.has_own_issuer:
        lines.append(
            "  Users    alice, bob, … buy tickets; olivia is an organizer; gus checks tickets; "
            "admin runs every concert. The password is the user name"
        )
    lines += [
        f"  Stores   {_without_password(settings.redis_url)}  {_without_password(settings.mongo_url)}",
        f"  Data     {settings.data_dir.resolve()}",
        "  Stop     Ctrl-C",
    ]
    return "\n".join(lines) + "\n"


def _without_password(url: str | None) -> str:
    scheme, _, rest = (url or "").partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


routes = [Route("/", home)]
