"""Signing in on the issuer's own page, and signing out: authorization code with PKCE.

`/login` sends the browser to the issuer, `/login/callback` redeems the code and creates a session,
and `/logout` ends it here and at the issuer. Tokens stay on the server. During a login, its state,
nonce and verifier are kept in a separate cookie, so any process can finish it and several tabs
can sign in at the same time. The cookie is not signed: an attacker who could plant a cookie in a
browser could also plant one that we signed for the attacker. On https, its name prevents this.
"""

import base64
import binascii
import hashlib
import json
import logging
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from auth.login_limit import LoginLimit, TooManyLogins
from auth.plain_pages import failure_page
from auth.public_site import SETTING, Site
from auth.sessions.cookies import LOGIN_LASTS_S, LoginCookies
from auth.sessions.oidc_client import IssuerUnavailable, LoginRefused, OidcClient
from auth.sessions.session import Session
from auth.sessions.sessions import Sessions
from domain.errors import Forbidden, SessionLost, TemporarilyUnavailable, Unauthenticated

log = logging.getLogger(__name__)

HOME = "/"
MAX_LOGINS = 8
"""The maximum number of logins in progress in one browser. Beyond it, the oldest is forgotten."""
MAX_RETURN_CHARACTERS = 1_000
# A path on this site: it starts with one slash, because `//host` is another site, and contains no
# backslashes, which browsers read as slashes, and no spaces or control characters, which they
# remove.
_OWN_PATH = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@%?-][A-Za-z0-9._~!$&'()*+,;=:@%?/-]*)?")
_NO_STORE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
_NOT_STARTED = "This sign-in was not started in this browser, or it has expired; sign in again."


def login_routes(login_of: Callable[[Request], "Login"]) -> list[BaseRoute]:
    """Return the routes. `login_of` returns the login of the application that serves a request."""

    async def start(request: Request) -> Response:
        return await login_of(request).start(request)

    async def finish(request: Request) -> Response:
        return await login_of(request).finish(request)

    async def end(request: Request) -> Response:
        return await login_of(request).end(request)

    return [
        Route("/login", start, methods=["GET"]),
        Route("/login/callback", finish, methods=["GET"]),
        Route("/logout", end, methods=["POST"]),
    ]


@dataclass(frozen=True, slots=True)
class LoginInProgress:
    """The value of a login cookie."""

    state: str
    nonce: str
    code_verifier: str
    return_to: str
    started_ms: int
    """The time at which the login started, in Unix milliseconds."""

    def encode(self) -> str:
        return base64.urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode()


class Login:
    def __init__(self, client: OidcClient, sessions: Sessions, site: Site, limit: LoginLimit) -> None:
        self._client = client
        self._sessions = sessions
        self._site = site
        self._limit = limit
        self._cookies = LoginCookies(site)
        self._callback = site.url("/login/callback")

    async def start(self, request: Request) -> Response:
        return_to = own_path(request.query_params.get("return"))
        if self._site.alias == f"http://{request.headers.get('host')}":
            # The issuer returns to the other name of this machine, where this cookie would be lost.
            return _redirect(self._site.url(f"/login?return={quote(return_to)}"))
        try:
            await self._limit.count(request.client.host if request.client else None)
            begun = await self._client.begin_login(self._callback)
        except TooManyLogins as error:
            page = failure_page(str(error), status=429)
            page.headers["Retry-After"] = str(error.retry_after_s)
            return page
        except (IssuerUnavailable, TemporarilyUnavailable) as error:
            return self._unavailable(error)
        login = LoginInProgress(begun.state, begun.nonce, begun.code_verifier, return_to, _now_ms())
        response = _redirect(begun.url)
        self._cookies.set_login(response, self._cookie_name(begun.state), login.encode())
        for name in self._surplus_logins(request):
            self._cookies.clear_login(response, name)
        return response

    async def finish(self, request: Request) -> Response:
        """Finish the login with this state; other logins in the browser are left alone."""
        name = self._cookie_name(request.query_params.get("state", ""))
        login = decode_login(self._cookies.logins(request.headers).get(name))
        if login is None or login.state != request.query_params.get("state"):
            return await self._explain_unknown_login(request)
        try:
            response = await self._redeem(request, login)
        except (IssuerUnavailable, TemporarilyUnavailable) as error:
            return self._unavailable(error)
        except (LoginRefused, Unauthenticated, SessionLost) as error:
            response = failure_page(str(error), status=400)
        self._cookies.clear_login(response, name)
        return response

    async def end(self, request: Request) -> Response:
        """Sign out. A script that asks for JSON gets the address to open; a form is redirected."""
        try:
            self._site.require_own_page(request.headers)
        except Forbidden:
            return failure_page(
                f"Another site asked to sign you out. Sign out at {self._site.origin}, the server's {SETTING}.",
                status=403,
                is_logout=True,
            )
        cookie = self._cookies.session(request.headers)
        try:
            session = await self._sessions.end(cookie) if cookie is not None else None
        except TemporarilyUnavailable as error:
            return self._unavailable(error)
        target = await self._after_logout(session)
        is_script = "application/json" in request.headers.get("accept", "")
        response = JSONResponse({"location": target}, headers=_NO_STORE) if is_script else _redirect(target, status=303)
        self._cookies.clear_session(response)
        return response

    async def _redeem(self, request: Request, login: LoginInProgress) -> Response:
        query = request.query_params
        # RFC 9207: a response from another issuer must be rejected.
        if query.get("iss", self._client.issuer) != self._client.issuer:
            raise LoginRefused("The response came from another issuer; sign in again.")
        if "code" not in query:
            raise LoginRefused(query.get("error_description") or query.get("error") or _NOT_STARTED)
        tokens = await self._client.redeem(
            query["code"], redirect_uri=self._callback, nonce=login.nonce, code_verifier=login.code_verifier
        )
        cookie = await self._sessions.create(tokens)
        earlier = self._cookies.session(request.headers)
        if earlier is not None:
            await self._sessions.end(earlier)
        response = _redirect(self._site.url(login.return_to), status=303)
        self._cookies.set_session(response, cookie)
        return response

    async def _explain_unknown_login(self, request: Request) -> Response:
        """Answer a callback that was repeated, for example with the browser's Back button.

        A person who is already signed in simply continues. The page shows no text from the request,
        since any page can link to this address.
        """
        cookie = self._cookies.session(request.headers)
        try:
            if cookie is not None:
                await self._sessions.viewer_of(cookie)
                return _redirect(self._site.url(HOME), status=303)
        except (SessionLost, TemporarilyUnavailable):
            pass
        return failure_page(_NOT_STARTED, status=400)

    async def _after_logout(self, session: Session | None) -> str:
        """Return where the browser goes: to the issuer, which ends its own session too."""
        home = self._site.url(HOME)
        if session is None:
            return home
        try:
            return await self._client.logout_url(session.id_token, back_to=home) or home
        except IssuerUnavailable as error:
            log.warning("the session at %s was not ended: %s", self._client.issuer, error)
            return home

    def _unavailable(self, error: Exception) -> Response:
        log.warning("login at %s failed: %s", self._client.issuer, error)
        return failure_page("The issuer did not answer correctly; try again in a moment.", status=503)

    def _cookie_name(self, state: str) -> str:
        return self._cookies.login_name(hashlib.sha256(state.encode(errors="replace")).hexdigest()[:16])

    def _surplus_logins(self, request: Request) -> list[str]:
        """Return the oldest logins in progress, and those that cannot be read."""
        earliest_ms = _now_ms() - LOGIN_LASTS_S * 1000
        started = [
            (login.started_ms if (login := decode_login(value)) and login.started_ms > earliest_ms else 0, name)
            for name, value in self._cookies.logins(request.headers).items()
        ]
        newest = sorted(started, reverse=True)[: MAX_LOGINS - 1]
        return [name for at_ms, name in started if at_ms == 0 or (at_ms, name) not in newest]


def own_path(given: str | None) -> str:
    """Return the path if it is on this site, or else the page that a login leads to by default."""
    is_own = given is not None and len(given) <= MAX_RETURN_CHARACTERS and _OWN_PATH.fullmatch(given)
    return given if given and is_own else HOME


def decode_login(value: str | None) -> LoginInProgress | None:
    """Return the login in a cookie, or None if the cookie is not one of ours."""
    try:
        login = LoginInProgress(**json.loads(base64.urlsafe_b64decode(value or "")))
    except (binascii.Error, ValueError, TypeError, RecursionError):
        return None
    texts = (login.state, login.nonce, login.code_verifier, login.return_to)
    if not all(isinstance(text, str) for text in texts) or not isinstance(login.started_ms, int):
        return None
    return login if login.return_to == own_path(login.return_to) else None


def _now_ms() -> int:
    return int(time.time() * 1000)


def _redirect(url: str, *, status: int = 302) -> Response:
    return RedirectResponse(url, status, headers=_NO_STORE)
