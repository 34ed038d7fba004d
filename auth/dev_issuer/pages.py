"""The issuer's three pages: to sign in, after signing out, and for errors.

They are plain HTML with no scripts, and load nothing from other servers.
"""

import base64
import hashlib
from collections.abc import Mapping
from html import escape
from urllib.parse import urlsplit

from starlette.responses import HTMLResponse

from auth.dev_issuer.demo_users import DEMO_USERS
from auth.dev_issuer.parameters import CREDENTIALS

_STYLE = """
:root { color-scheme: light dark; --accent: #7c3aed; --line: #8884; --field: #767676; --bad: #b91c1c; }
@media (prefers-color-scheme: dark) { :root { --accent: #a78bfa; --bad: #f87171; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; }
body { font: 1rem/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 24rem; border: 1px solid var(--line); border-radius: .75rem; padding: 1.5rem; }
h1 { margin: 0 0 .25rem; font-size: 1.5rem; }
h2 { margin: 1.5rem 0 .25rem; font-size: 1rem; }
label { display: block; margin-top: 1rem; font-weight: 600; }
input { width: 100%; margin-top: .25rem; padding: .6rem; font: inherit; border: 1px solid var(--field); }
input, button { border-radius: .4rem; }
button { width: 100%; margin-top: 1.5rem; padding: .7rem; font: inherit; font-weight: 600; border: 0; }
button { background: var(--accent); color: Canvas; cursor: pointer; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
table { width: 100%; border-collapse: collapse; }
td, th { text-align: left; padding: .25rem 0; border-top: 1px solid var(--line); font-weight: 400; }
.error { margin: 1rem 0 0; color: var(--bad); font-weight: 600; }
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
<h1>{title}</h1>
{content}
</main>
</body>
</html>
"""

_SIGN_IN = """<p>For demo users only. The password is the user name.</p>
{error}
<form method="post" action="auth">
{hidden}
<label for="username">Name</label>
<input id="username" name="username" value="{username}" required autofocus autocomplete="username"
 autocapitalize="none" spellcheck="false" maxlength="64"{invalid}>
<label for="password">Password</label>
<input id="password" name="password" type="password" required autocomplete="current-password" maxlength="64"{invalid}>
<button type="submit">Sign in</button>
</form>
<h2 id="people">Demo users</h2>
<table aria-labelledby="people">
{people}
</table>"""


def sign_in_page(parameters: Mapping[str, str], *, is_refused: bool) -> HTMLResponse:
    """Return the sign-in page.

    `parameters` come from a valid authorization request. The form sends them again.
    """
    content = _SIGN_IN.format(
        error='<p class="error" id="error" role="alert">Wrong name or password.</p>' if is_refused else "",
        invalid=' aria-invalid="true" aria-describedby="error"' if is_refused else "",
        username=escape(parameters.get("username", parameters.get("login_hint", ""))),
        hidden="\n".join(_hidden(name, value) for name, value in parameters.items() if name not in CREDENTIALS),
        people="\n".join(
            _person(name, ", ".join(roles))
            for name, roles in [*DEMO_USERS.items(), ("buyer1, buyer2, …", ("customer",))]
        ),
    )
    target = urlsplit(parameters["redirect_uri"])
    # Browsers also apply form-action to the address to which the response redirects.
    return _page("Sign in", content, status=403 if is_refused else 200, form_action=f"'self' http://{target.netloc}")


def signed_out_page() -> HTMLResponse:
    return _page("Signed out", "<p>You are signed out. You can close this page.</p>", status=200)


def error_page(code: str, description: str, *, status: int) -> HTMLResponse:
    content = f'<p class="error" role="alert">{escape(description)}</p>\n<p>Error code: <code>{escape(code)}</code></p>'
    return _page("Request failed", content, status=status)


def _page(title: str, content: str, *, status: int, form_action: str = "'none'") -> HTMLResponse:
    policy = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action {form_action}"
    headers = {
        "Content-Security-Policy": f"{policy}; base-uri 'none'; frame-ancestors 'none'",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return HTMLResponse(_PAGE.format(title=title, style=_STYLE, content=content), status, headers)


def _hidden(name: str, value: str) -> str:
    return f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'


def _person(names: str, roles: str) -> str:
    return f'<tr><th scope="row">{escape(names)}</th><td>{escape(roles)}</td></tr>'
