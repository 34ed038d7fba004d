"""The issuer's three pages: to sign in, after signing out, and for errors.

They are plain HTML with no scripts, and load nothing but their stylesheet.
"""

from collections.abc import Mapping
from html import escape
from urllib.parse import urlsplit

from starlette.responses import HTMLResponse

from auth.dev_issuer.demo_users import DEMO_USERS
from auth.dev_issuer.parameters import CREDENTIALS
from auth.plain_pages import plain_page

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
    return plain_page(
        "Sign in", content, status=403 if is_refused else 200, form_action=f"'self' http://{target.netloc}"
    )


def signed_out_page() -> HTMLResponse:
    return plain_page("Signed out", "<p>You are signed out. You can close this page.</p>")


def error_page(code: str, description: str, *, status: int) -> HTMLResponse:
    content = f'<p class="error" role="alert">{escape(description)}</p>\n<p>Error code: <code>{escape(code)}</code></p>'
    return plain_page("Request failed", content, status=status)


def _hidden(name: str, value: str) -> str:
    return f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'


def _person(names: str, roles: str) -> str:
    return f'<tr><th scope="row">{escape(names)}</th><td>{escape(roles)}</td></tr>'
