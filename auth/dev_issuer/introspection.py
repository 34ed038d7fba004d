"""Token introspection (RFC 7662) and revocation (RFC 7009), with the same answers as Keycloak."""

from authlib.oauth2.rfc6749 import InvalidRequestError

from auth.dev_issuer.client import AUTH_METHODS
from auth.dev_issuer.issuer_request import IssuerRequest
from auth.dev_issuer.logins import Logins
from auth.dev_issuer.server import IssuerServer

INACTIVE: dict[str, object] = {"active": False}


async def introspect(server: IssuerServer, logins: Logins, request: IssuerRequest) -> dict[str, object]:
    """Return an active access token's claims, or `INACTIVE` for any other token.

    Raises Authlib's errors, because only a confidential client may ask, or TemporarilyUnavailable.
    """
    client = server.authenticate_client(request, AUTH_METHODS, "introspection")
    if client.secret is None:
        raise InvalidRequestError("Only a confidential client may introspect tokens.", status_code=403)
    claims = server.mint.read_access_token(_token_of(request))
    if claims is None or await logins.covers(claims):
        return INACTIVE
    return {
        **claims,
        "client_id": claims["azp"],
        "username": claims["preferred_username"],
        "token_type": "Bearer",
        "active": True,
    }


async def revoke(server: IssuerServer, logins: Logins, request: IssuerRequest) -> None:
    """End the session that a refresh token belongs to, or revoke one access token.

    A token that is not ours needs no revocation (RFC 7009, section 2.2). Raises Authlib's errors or
    TemporarilyUnavailable.
    """
    client = server.authenticate_client(request, AUTH_METHODS, "revocation")
    token = _token_of(request)
    refresh, access = server.mint.read_refresh_token(token), server.mint.read_access_token(token)
    claims = refresh or access
    if claims is None:
        return
    if claims["azp"] != client.client_id:
        raise InvalidRequestError("The token was issued to another client.")
    await logins.end(str(claims["sid"] if refresh else claims["jti"]))


def _token_of(request: IssuerRequest) -> str:
    if "token" not in request.form:
        raise InvalidRequestError("Parameter token is missing.")
    return request.form["token"]
