"""The page that explains why a login or a logout failed."""

import base64
import hashlib
from html import escape

from starlette.responses import HTMLResponse

_STYLE = """
:root { color-scheme: light dark; --line: #8884; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 32rem; margin: 1rem; border: 1px solid var(--line); border-radius: .75rem; padding: 1.5rem; }
h1 { margin: 0; font-size: 1.5rem; }
p { overflow-wrap: anywhere; }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} - Onsale</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{heading}</h1>
<p role="alert">{reason}</p>
{links}
</main>
</body>
</html>
"""
_SIGN_IN = '<p><a href="/login">Sign in again</a> or <a href="/graphql">continue without signing in</a>.</p>'
_GO_BACK = '<p><a href="/graphql">Go to Onsale</a>.</p>'
_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def failure_page(reason: str, *, status: int, is_logout: bool = False) -> HTMLResponse:
    page = _PAGE.format(
        title="Not signed out" if is_logout else "Not signed in",
        heading="You were not signed out" if is_logout else "You are not signed in",
        style=_STYLE,
        reason=escape(reason),
        links=_GO_BACK if is_logout else _SIGN_IN,
    )
    return HTMLResponse(page, status, _HEADERS)
