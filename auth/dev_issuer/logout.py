"""OpenID Connect RP-Initiated Logout: ends the session that an ID token names.

The browser is redirected only to allowed addresses.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc6749 import InvalidRequestError

from auth.dev_issuer.claims import TokenMint
from auth.dev_issuer.client import is_loopback_uri
from auth.dev_issuer.logins import Logins


@dataclass(frozen=True, slots=True)
class EndedSession:
    client_id: str
    subject: str
    session_id: str


@dataclass(frozen=True, slots=True)
class SignedOut:
    go_back_to: str | None
    session: EndedSession | None = None


async def sign_out(mint: TokenMint, logins: Logins, parameters: Mapping[str, str]) -> SignedOut:
    """End the session, and return it with the address to redirect to.

    If there is no ID token, the session is unknown, so no session ends and there is no redirect.
    Raises InvalidRequestError or TemporarilyUnavailable.
    """
    go_back_to = parameters.get("post_logout_redirect_uri")
    if "id_token_hint" not in parameters:
        if go_back_to is not None:
            raise InvalidRequestError("Parameter id_token_hint is missing; post_logout_redirect_uri requires it.")
        return SignedOut(None)
    claims = mint.read_id_token(parameters["id_token_hint"])
    if claims is None:
        raise InvalidRequestError("Parameter id_token_hint is not an ID token of this issuer.")
    if parameters.get("client_id", claims["aud"]) != claims["aud"]:
        raise InvalidRequestError("Parameters client_id and id_token_hint name different clients.")
    if go_back_to is not None and not is_loopback_uri(go_back_to):
        raise InvalidRequestError("Parameter post_logout_redirect_uri is not allowed; use http://localhost:port/.")
    session = EndedSession(str(claims["aud"]), str(claims["sub"]), str(claims["sid"]))
    await logins.end(session.session_id)
    return SignedOut(_with_state(go_back_to, parameters.get("state")), session)


def _with_state(uri: str | None, state: str | None) -> str | None:
    return add_params_to_uri(uri, {"state": state}) if uri and state else uri
