"""The page that explains why a login or a logout failed."""

from html import escape

from starlette.responses import HTMLResponse

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} - Onsale</title>
</head>
<body>
<h1>{heading}</h1>
<p role="alert">{reason}</p>
{links}
</body>
</html>
"""
_SIGN_IN = '<p><a href="/login">Sign in again</a> or <a href="/graphql">continue without signing in</a>.</p>'
_GO_BACK = '<p><a href="/graphql">Go back</a>.</p>'
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def failure_page(reason: str, *, status: int, is_signed_in: bool = False) -> HTMLResponse:
    page = _PAGE.format(
        title="Not signed out" if is_signed_in else "Not signed in",
        heading="You are still signed in" if is_signed_in else "You are not signed in",
        reason=escape(reason),
        links=_GO_BACK if is_signed_in else _SIGN_IN,
    )
    return HTMLResponse(page, status, _HEADERS)
