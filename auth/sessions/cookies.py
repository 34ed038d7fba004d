"""The login cookies: one for the session, and one for each login in progress.

On https, their names begin with `__Host-`, so they cannot be set by a neighboring domain or over
plain http.
They are HttpOnly, so no script can read them.
"""

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response

from auth.public_site import Site

_SESSION = "onsale-session"
LOGIN_LASTS_S = 600
"""How long a person has to sign in."""


def read_cookies(headers: Headers) -> Mapping[str, str]:
    """Return the cookies by name.

    A cookie is dropped if it is surrounded by white space other than spaces and tabs. Starlette
    would strip such white space, but to browsers it is part of the name, so a neighboring domain
    could set a cookie whose name is a no-break space followed by `__Host-…`.
    """
    given = ";".join(headers.getlist("cookie")).split(";")
    return cookie_parser(";".join(cookie for cookie in given if cookie.strip(" \t") == cookie.strip()))


class LoginCookies:
    def __init__(self, site: Site) -> None:
        self._prefix = "__Host-" if site.uses_tls else ""
        self._secure = site.uses_tls
        self._session_name = f"{self._prefix}{_SESSION}"
        self._login_prefix = f"{self._prefix}onsale-login-"

    def session(self, headers: Headers) -> str | None:
        return read_cookies(headers).get(self._session_name) or None

    def logins(self, headers: Headers) -> dict[str, str]:
        """Return the cookies, by name, of the logins in progress."""
        return {name: value for name, value in read_cookies(headers).items() if name.startswith(self._login_prefix)}

    def login_name(self, tag: str) -> str:
        return f"{self._login_prefix}{tag}"

    def set_session(self, response: Response, value: str) -> None:
        # Without Max-Age, the cookie lasts until the browser closes; the session in Redis has
        # its own expiry.
        self._set(response, self._session_name, value, max_age=None)

    def clear_session(self, response: Response) -> None:
        self._set(response, self._session_name, "", max_age=0)

    def cleared_session(self) -> str:
        """Return the Set-Cookie header that deletes the session cookie."""
        response = Response()
        self.clear_session(response)
        return response.headers["set-cookie"]

    def set_login(self, response: Response, name: str, value: str) -> None:
        self._set(response, name, value, max_age=LOGIN_LASTS_S)

    def clear_login(self, response: Response, name: str) -> None:
        self._set(response, name, "", max_age=0)

    def _set(self, response: Response, name: str, value: str, *, max_age: int | None) -> None:
        response.set_cookie(name, value, max_age=max_age, httponly=True, samesite="lax", secure=self._secure)
