"""The frame of the pages that need neither a build nor a script, and the page that explains why a
login or a logout failed.

They share the stylesheet plain.css, which web/pages/files.py serves, and load nothing else.
"""

from html import escape
from pathlib import Path

from starlette.responses import HTMLResponse

STYLESHEET = Path(__file__).with_name("plain.css")
STYLESHEET_PATH = "/pages/plain.css"

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} - Onsale</title>
<link rel="stylesheet" href="{stylesheet}">
</head>
<body>
<main{width}>
<p class="wordmark"><a href="/">Onsale</a></p>
<h1>{heading}</h1>
{content}
</main>
</body>
</html>
"""
_SIGN_IN = '<p><a href="/login">Sign in again</a> or <a href="/">continue without signing in</a>.</p>'
_GO_BACK = '<p><a href="/">Go to Onsale</a>.</p>'


def plain_page(
    title: str,
    content: str,
    *,
    heading: str | None = None,
    status: int = 200,
    form_action: str = "'none'",
    styles: str = "'self'",
    is_wide: bool = False,
) -> HTMLResponse:
    """Return a page. `content` is HTML; `title` and `heading` are text.

    `form_action` and `styles` are the sources that the content security policy allows.
    """
    page = _PAGE.format(
        title=escape(title),
        heading=escape(heading or title),
        stylesheet=STYLESHEET_PATH,
        width=' class="wide"' if is_wide else "",
        content=content,
    )
    policy = f"default-src 'none'; style-src {styles}; form-action {form_action}"
    headers = {
        "Content-Security-Policy": f"{policy}; base-uri 'none'; frame-ancestors 'none'",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return HTMLResponse(page, status, headers)


def failure_page(reason: str, *, status: int, is_logout: bool = False) -> HTMLResponse:
    return plain_page(
        "Not signed out" if is_logout else "Not signed in",
        f'<p role="alert">{escape(reason)}</p>\n{_GO_BACK if is_logout else _SIGN_IN}',
        heading="You were not signed out" if is_logout else "You are not signed in",
        status=status,
    )
