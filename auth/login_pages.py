"""The two pages that end a login.

One stores the tokens for our other pages; the other explains why the login failed.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from html import escape

from starlette.responses import HTMLResponse

# sessionStorage belongs to this tab alone and ends with it. `replace` removes the callback address,
# with its code and state, from the history.
_SCRIPT = """
sessionStorage.setItem("onsale.signed-in", document.body.dataset.tokens);
location.replace("/graphql");
"""
_SCRIPT_HASH = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} - Onsale</title>
</head>
{body}
</html>
"""

_TOKENS = """<body data-tokens="{tokens}">
<p>You are signed in. Returning …</p>
<noscript>This page needs JavaScript; enable it and reload.</noscript>
<script>{script}</script>
</body>"""

_NOT_SIGNED_IN = """<body>
<h1>You are not signed in</h1>
<p role="alert">{reason}</p>
<p><a href="/login">Sign in again</a> or <a href="/graphql">continue without signing in</a>.</p>
</body>"""


def tokens_page(tokens: Mapping[str, object]) -> HTMLResponse:
    body = _TOKENS.format(tokens=escape(json.dumps(tokens)), script=_SCRIPT)
    return _page("Signed in", body, status=200)


def failure_page(reason: str, *, status: int) -> HTMLResponse:
    return _page("Not signed in", _NOT_SIGNED_IN.format(reason=escape(reason)), status=status)


def _page(title: str, body: str, *, status: int) -> HTMLResponse:
    policy = f"default-src 'none'; script-src 'sha256-{_SCRIPT_HASH}'; base-uri 'none'; frame-ancestors 'none'"
    headers = {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return HTMLResponse(_PAGE.format(title=title, body=body), status, headers)
