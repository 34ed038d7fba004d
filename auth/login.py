"""Login on the issuer's own page: authorization code with PKCE, state and nonce.

It uses Authlib's Starlette client. `/login` sends the browser to the issuer. `/login/callback`
redeems the code and returns the tokens in the body of its response, so no address, log or history
ever contains a token. In between, the state, nonce and verifier are kept in a cookie, so processes
are stateless. The cookie is not signed: an attacker who could plant a cookie in a victim's browser
could also plant one that we signed for the attacker. On https, the cookie's name prevents this.
"""

import base64
import binascii
import json
import logging
from urllib.parse import urlsplit

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.starlette_client import OAuth
from joserfc.errors import JoseError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from auth.login_pages import failure_page, tokens_page

log = logging.getLogger(__name__)

SCOPE = "openid profile email"
LOGIN_LASTS_S = 600
"""The time that a person has to type a password."""
_COOKIE = "onsale-login"
_TOKENS_FOR_PAGE = ("access_token", "expires_in", "refresh_token", "id_token")


def login_routes(issuer: str, *, client_id: str) -> list[BaseRoute]:
    """Return the login routes.

    `client_id` is a public client of `issuer` that may redirect to `/login/callback` at each of our
    addresses.
    """
    login = _Login(issuer, client_id)
    return [Route("/login", login.start), Route("/login/callback", login.finish, name="login_callback")]


class _Login:
    def __init__(self, issuer: str, client_id: str) -> None:
        self._issuer = issuer
        self._client = OAuth().register(
            "issuer",
            client_id=client_id,
            server_metadata_url=f"{issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={
                "scope": SCOPE,
                "code_challenge_method": "S256",
                "token_endpoint_auth_method": "none",
                # A proxy set in the environment cannot reach the development issuer on this
                # machine's loopback.
                "trust_env": urlsplit(issuer).hostname not in ("localhost", "127.0.0.1", "::1"),
            },
        )

    async def start(self, request: Request) -> Response:
        request.scope["session"] = session = dict[str, object]()
        try:
            response: Response = await self._client.authorize_redirect(request, request.url_for("login_callback"))
        except (AuthlibBaseError, httpx2.HTTPError, ValueError) as error:
            return self._unavailable(error)
        response.set_cookie(
            _cookie_name(request),
            base64.urlsafe_b64encode(json.dumps(session).encode()).decode(),
            max_age=LOGIN_LASTS_S,
            httponly=True,
            samesite="lax",
            secure=_is_secure(request),
        )
        response.headers["Cache-Control"] = "no-store"
        return response

    async def finish(self, request: Request) -> Response:
        response = await self._answer(request)
        response.delete_cookie(_cookie_name(request), httponly=True, samesite="lax", secure=_is_secure(request))
        return response

    async def _answer(self, request: Request) -> Response:
        request.scope["session"] = _read_session(request)
        # RFC 9207: a response from another issuer must be rejected.
        if request.query_params.get("iss", self._issuer) != self._issuer:
            return failure_page("The response came from another issuer; sign in again.", status=400)
        try:
            tokens = await self._client.authorize_access_token(
                request, claims_options={"iss": {"essential": True, "value": self._issuer}}
            )
        except (AuthlibBaseError, JoseError) as error:
            return failure_page(_reason_for(error), status=400)
        except (httpx2.HTTPError, ValueError) as error:
            return self._unavailable(error)
        # Only an ID token proves that the response belongs to this login.
        if "userinfo" not in tokens:
            return failure_page("The issuer sent no ID token; sign in again.", status=400)
        return tokens_page({name: tokens[name] for name in _TOKENS_FOR_PAGE if name in tokens})

    def _unavailable(self, error: Exception) -> Response:
        log.warning("login at %s failed: %s: %s", self._issuer, type(error).__name__, error)
        return failure_page("The issuer did not answer correctly; try again in a moment.", status=503)


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https"


def _cookie_name(request: Request) -> str:
    return f"__Host-{_COOKIE}" if _is_secure(request) else _COOKIE


def _read_session(request: Request) -> dict[str, object]:
    """Return the session in the cookie.

    Returns an empty session, which matches no state, if the cookie is not one of ours.
    """
    try:
        session = json.loads(base64.urlsafe_b64decode(request.cookies.get(_cookie_name(request), "")))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return session if isinstance(session, dict) and all(map(_is_begun_login, session.values())) else {}


def _is_begun_login(value: object) -> bool:
    """Return whether the value has the form in which Authlib stores a login.

    Authlib does not check the stored value.
    """
    login = value.get("data") if isinstance(value, dict) else None
    return isinstance(login, dict) and all(isinstance(value, str) for value in login.values())


def _reason_for(error: Exception) -> str:
    if getattr(error, "error", None) == "mismatching_state":
        return "This sign-in was not started in this browser, or it has expired; sign in again."
    return getattr(error, "description", None) or getattr(error, "error", None) or type(error).__name__
