"""The response of /userinfo: the user to whom an access token belongs, while the session lasts."""

from auth.dev_issuer.claims import TokenMint, profile_claims
from auth.dev_issuer.demo_users import find_demo_user
from auth.dev_issuer.logins import Logins


class BearerError(Exception):
    """An error as defined in RFC 6750, section 3.1.

    It has no code if the request had no token, because the client did not try to authenticate.
    """

    def __init__(self, status: int, code: str | None, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.code = code
        self.description = description

    @property
    def challenge(self) -> str:
        if self.code is None:
            return 'Bearer realm="onsale"'
        return f'Bearer realm="onsale", error="{self.code}", error_description="{self.description}"'


async def userinfo(mint: TokenMint, logins: Logins, authorization: str) -> dict[str, object]:
    """Return the person's claims.

    `authorization` is the value of the header. Raises BearerError or TemporarilyUnavailable.
    """
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise BearerError(401, None, "Send an access token in the Authorization header.")
    claims = mint.read_access_token(token.strip())
    if claims is None or await logins.covers(claims):
        raise BearerError(
            401, "invalid_token", "The access token is malformed or expired, or its session has ended; sign in again."
        )
    if "openid" not in str(claims["scope"]).split():
        raise BearerError(403, "insufficient_scope", "The access token lacks scope openid; sign in with that scope.")
    person = find_demo_user(str(claims["preferred_username"]))
    if person is None:
        raise BearerError(401, "invalid_token", "The user of this access token no longer exists; sign in again.")
    return {"sub": person.subject, **profile_claims(person)}
