"""The issuer over HTTP, at Keycloak's paths.

The endpoints only translate between HTTP and the other modules of this package.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from authlib.oauth2 import OAuth2Error
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from auth.dev_issuer.backchannel import BackchannelLogout
from auth.dev_issuer.claims import SCOPES, SERVER_CLIENT_ID, TokenMint
from auth.dev_issuer.client import AUTH_METHODS, GRANT_TYPES, LOOPBACK_ORIGIN, known_clients
from auth.dev_issuer.demo_users import authenticate
from auth.dev_issuer.introspection import introspect, revoke
from auth.dev_issuer.issuer_request import IssuerRequest
from auth.dev_issuer.logins import Logins
from auth.dev_issuer.logout import sign_out
from auth.dev_issuer.pages import error_page, sign_in_page, signed_out_page
from auth.dev_issuer.parameters import CREDENTIALS, read_parameters, require
from auth.dev_issuer.server import Answer, IssuerServer
from auth.dev_issuer.signing import IssuerKeys, load_keys
from auth.dev_issuer.userinfo import BearerError, userinfo
from auth.login_limit import TooManyLogins
from domain.errors import TemporarilyUnavailable
from settings import SettingsError

_Handler: TypeAlias = Callable[[Request], Awaitable[Response]]

_PROTOCOL = "/protocol/openid-connect"
_UNAVAILABLE = "temporarily_unavailable"

# For scripts on other pages served from this machine, such as development servers. The pages that
# people see do not get CORS headers.
_CORS = Middleware(
    CORSMiddleware,
    allow_origin_regex=LOOPBACK_ORIGIN,
    allow_methods=["GET", "POST"],
    allow_headers=["*"],
    max_age=600,
)


def issuer_routes(
    issuer_url: str,
    logins: Callable[[Request], Logins],
    *,
    audience: str,
    client_id: str,
    data_dir: Path,
    env: str,
    client_secret: str | None = None,
    backchannel_logout_url: str | None = None,
    backchannel_client_id: str = SERVER_CLIENT_ID,
) -> list[BaseRoute]:
    """Return the routes of the issuer.

    `logins` returns the codes and the ended sessions for a request. `client_secret` is the secret
    of the confidential client. Logouts of the client `backchannel_client_id` are reported to
    `backchannel_logout_url`. Raises SettingsError in production, if the issuer is not on loopback,
    or if the key in `data_dir` cannot be used.
    """
    if env == "production":
        raise SettingsError("The development issuer has public passwords; set ONSALE_OIDC_ISSUER in production")
    address = urlsplit(issuer_url)
    if address.hostname not in ("localhost", "127.0.0.1"):
        raise SettingsError(f"The development issuer serves only this machine, not {issuer_url}; use localhost")
    keys = load_keys(data_dir)
    mint = TokenMint(issuer_url, audience=audience, keys=keys)
    server = IssuerServer(issuer_url, clients=known_clients(client_id, client_secret), mint=mint)
    backchannel = BackchannelLogout(backchannel_logout_url, client_id=backchannel_client_id, mint=mint)
    endpoints = _Endpoints(server, keys, backchannel, logins)
    return [Mount(address.path, routes=endpoints.routes())]


class _Endpoints:
    def __init__(
        self,
        server: IssuerServer,
        keys: IssuerKeys,
        backchannel: BackchannelLogout,
        logins: Callable[[Request], Logins],
    ) -> None:
        self._server = server
        self._keys = keys
        self._backchannel = backchannel
        self._logins = logins

    def routes(self) -> list[BaseRoute]:
        authorize, logout = _with_refusals_as_pages(self.authorize), _with_refusals_as_pages(self.logout)
        token, revoked = _with_refusals_as_json(self.token), _with_refusals_as_json(self.revoke)
        introspected, user = _with_refusals_as_json(self.introspect), _with_refusals_as_json(self.userinfo)
        return [
            _cors_route("/.well-known/openid-configuration", self.discovery, "GET"),
            _cors_route(f"{_PROTOCOL}/certs", self.certs, "GET"),
            _cors_route(f"{_PROTOCOL}/token", token, "POST"),
            _cors_route(f"{_PROTOCOL}/revoke", revoked, "POST"),
            Route(f"{_PROTOCOL}/token/introspect", introspected, methods=["POST"]),
            _cors_route(f"{_PROTOCOL}/userinfo", user, "GET", "POST"),
            Route(f"{_PROTOCOL}/auth", authorize, methods=["GET", "POST"]),
            Route(f"{_PROTOCOL}/logout", logout, methods=["GET", "POST"]),
        ]

    async def discovery(self, request: Request) -> Response:
        return JSONResponse(_discovery_document(self._server.issuer))

    async def certs(self, request: Request) -> Response:
        return JSONResponse(self._keys.key_set)

    async def token(self, request: Request) -> Response:
        try:
            parameters = await read_parameters(request)
            require(parameters, "grant_type")
        except OAuth2Error as error:
            return _response(self._server.handle_error_response(None, error))
        issuer_request = self._issuer_request(request, parameters)
        await issuer_request.look_up(self._logins(request), self._server.mint)
        return _response(self._server.create_token_response(issuer_request))

    async def introspect(self, request: Request) -> Response:
        try:
            issuer_request = self._issuer_request(request, await read_parameters(request))
            answer = await introspect(self._server, self._logins(request), issuer_request)
        except OAuth2Error as error:
            return _response(self._server.handle_error_response(None, error))
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})

    async def revoke(self, request: Request) -> Response:
        try:
            issuer_request = self._issuer_request(request, await read_parameters(request))
            await revoke(self._server, self._logins(request), issuer_request)
        except OAuth2Error as error:
            return _response(self._server.handle_error_response(None, error))
        return Response(headers={"Cache-Control": "no-store"})

    async def authorize(self, request: Request) -> Response:
        """Show the sign-in page.

        Its form returns here with the same parameters and the credentials.
        """
        try:
            parameters = await read_parameters(request)
            issuer_request = self._issuer_request(request, parameters)
            grant = self._server.get_consent_grant(issuer_request)
        except OAuth2Error as error:
            return self._refused_in_browser(error)
        # Credentials are never read from a query, because addresses are kept in histories and logs.
        has_tried = request.method == "POST" and any(name in parameters for name in CREDENTIALS)
        person = authenticate(*(parameters.get(name, "") for name in CREDENTIALS)) if has_tried else None
        if person is None:
            return sign_in_page(parameters, is_refused=has_tried)
        answer = self._server.create_authorization_response(issuer_request, grant_user=person, grant=grant)
        if (new := issuer_request.new_code) is not None:
            address = request.client.host if request.client else None
            await self._logins(request).add_code(new.value, new.code, address=address)
        return _response(answer)

    async def logout(self, request: Request) -> Response:
        try:
            signed_out = await sign_out(self._server.mint, self._logins(request), await read_parameters(request))
        except OAuth2Error as error:
            return self._refused_in_browser(error)
        if signed_out.session is not None:
            await self._backchannel.send(signed_out.session)
        return RedirectResponse(signed_out.go_back_to, 303) if signed_out.go_back_to else signed_out_page()

    async def userinfo(self, request: Request) -> Response:
        try:
            claims = await userinfo(self._server.mint, self._logins(request), request.headers.get("authorization", ""))
        except BearerError as error:
            body = {"error": error.code or "invalid_request", "error_description": error.description}
            return JSONResponse(body, error.status, {"WWW-Authenticate": error.challenge})
        return JSONResponse(claims, headers={"Cache-Control": "no-store"})

    def _issuer_request(self, request: Request, parameters: dict[str, str]) -> IssuerRequest:
        # Authlib checks this address, so it must not come from the Host header, which clients can
        # forge.
        return IssuerRequest(request.method, self._server.issuer, headers=request.headers, parameters=parameters)

    def _refused_in_browser(self, error: OAuth2Error) -> Response:
        """Redirect to the client if Authlib trusts its address; otherwise show an error page.

        An error must not become an open redirect.
        """
        if error.redirect_uri:
            return _response(self._server.handle_error_response(None, error))
        return error_page(error.error, error.description, status=error.status_code)


def _cors_route(path: str, endpoint: _Handler, *methods: str) -> Route:
    # OPTIONS, so that preflight requests reach the CORS middleware.
    return Route(path, endpoint, methods=[*methods, "OPTIONS"], middleware=[_CORS])


def _with_refusals_as_pages(endpoint: _Handler) -> _Handler:
    """Return the endpoint, which shows a page if Redis is unavailable or a limit is reached."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except (TooManyLogins, TemporarilyUnavailable) as error:
            page = error_page(_UNAVAILABLE, str(error), status=429 if isinstance(error, TooManyLogins) else 503)
            page.headers["Retry-After"] = str(error.retry_after_s)
            return page

    return answer


def _with_refusals_as_json(endpoint: _Handler) -> _Handler:
    """Return the endpoint, which answers with an error in JSON if Redis is unavailable."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except TemporarilyUnavailable as error:
            body = {"error": _UNAVAILABLE, "error_description": str(error)}
            headers = {"Cache-Control": "no-store", "Retry-After": str(error.retry_after_s)}
            return JSONResponse(body, 503, headers)

    return answer


def _response(answer: Answer) -> Response:
    if "Location" in answer.headers:
        headers = {**answer.headers, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        return Response(status_code=answer.status, headers=headers)
    return JSONResponse(answer.body, answer.status, answer.headers)


def _discovery_document(issuer: str) -> dict[str, object]:
    protocol = f"{issuer}{_PROTOCOL}"
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{protocol}/auth",
        "token_endpoint": f"{protocol}/token",
        "jwks_uri": f"{protocol}/certs",
        "userinfo_endpoint": f"{protocol}/userinfo",
        "end_session_endpoint": f"{protocol}/logout",
        "introspection_endpoint": f"{protocol}/token/introspect",
        "revocation_endpoint": f"{protocol}/revoke",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANT_TYPES),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": list(AUTH_METHODS),
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "scopes_supported": list(SCOPES),
        "authorization_response_iss_parameter_supported": True,
    }
