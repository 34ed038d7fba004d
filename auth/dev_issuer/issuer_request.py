"""A request in Authlib's form, with what Redis knows about its code or its session."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

from authlib.oauth2.rfc6749 import OAuth2Request
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload

from auth.dev_issuer.claims import TokenMint
from auth.dev_issuer.logins import Code, Logins, TakenCode


@dataclass(frozen=True, slots=True)
class NewCode:
    value: str
    code: Code


class IssuerRequest(OAuth2Request):  # type: ignore[misc]
    """A request whose parameters auth/dev_issuer/parameters.py has parsed and checked."""

    taken_code: TakenCode | None = None
    """The code that the request redeems, or None if it is unknown or expired."""
    has_ended: bool = False
    """Whether the session of the refresh token has ended."""
    new_code: NewCode | None = None
    """The code with which the request is answered, if it is a successful sign-in."""

    def __init__(self, method: str, uri: str, *, headers: Mapping[str, str], parameters: dict[str, str]) -> None:
        super().__init__(method, uri, headers=headers)
        self.payload = BasicOAuth2Payload(parameters)

    @property
    def args(self) -> Mapping[str, str]:
        return self.form

    @property
    def form(self) -> Mapping[str, str]:
        parameters: Mapping[str, str] = self.payload.data
        return parameters

    @property
    def client_name(self) -> str:
        """Return the client id that the request names, in its body or its header."""
        return self.form.get("client_id") or _basic_user(self.headers.get("authorization", ""))

    async def look_up(self, logins: Logins, mint: TokenMint) -> None:
        """Take the code of a token request, or look whether its session has ended.

        Raises TemporarilyUnavailable.
        """
        match self.form.get("grant_type"):
            case "authorization_code" if "code" in self.form:
                self.taken_code = await logins.take_code(self.form["code"])
            case "refresh_token":
                claims = mint.read_refresh_token(self.form.get("refresh_token", ""))
                self.has_ended = claims is not None and await logins.has_ended(str(claims["sid"]))


def _basic_user(authorization: str) -> str:
    scheme, _, credentials = authorization.partition(" ")
    try:
        user = base64.b64decode(credentials).decode().partition(":")[0]
    except (binascii.Error, ValueError):
        return ""
    return user if scheme.lower() == "basic" else ""
