"""The three grants of the token endpoint, built on Authlib's.

They add checks where Authlib is too lax. Authlib passes the return value of `authenticate_user` to
the token generator, so its "user" is a Login here. Authlib is synchronous, so `look_up` reads from
Redis before Authlib runs, and the endpoint stores the new code afterward. Authlib ships no types,
and mypy forbids subclassing untyped classes, so the subclasses need `type: ignore`.
"""

from dataclasses import dataclass

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError, grants
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core.errors import LoginRequiredError

from auth.dev_issuer.client import AUTH_METHODS, Client
from auth.dev_issuer.demo_users import authenticate, find_demo_user
from auth.dev_issuer.issuer_request import IssuerRequest, NewCode
from auth.dev_issuer.logins import Code, Login, new_code_value, new_login, new_page_login

MAX_NONCE_CHARACTERS = 1_000
"""The maximum length of a nonce, which is stored with the code."""


class S256Required(CodeChallenge):  # type: ignore[misc]
    """Requires PKCE, and only S256.

    Authlib also accepts "plain", and requests without a challenge.
    """

    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

    def validate_code_challenge(self, grant: grants.AuthorizationCodeGrant, redirect_uri: str) -> None:
        parameters = grant.request.payload.data
        if "code_challenge" not in parameters:
            raise InvalidRequestError("Parameter code_challenge is missing; PKCE is required.")
        if parameters.get("code_challenge_method") != "S256":
            raise InvalidRequestError("Parameter code_challenge_method must be S256.")
        super().validate_code_challenge(grant, redirect_uri)


class CodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS

    def validate_authorization_request(self) -> str:
        redirect_uri: str = super().validate_authorization_request()
        if "none" in self.request.payload.data.get("prompt", "").split():
            # This issuer sets no session cookie, so a user is never already signed in.
            raise LoginRequiredError(redirect_uri=redirect_uri)
        if len(self.request.payload.data.get("nonce", "")) > MAX_NONCE_CHARACTERS:
            raise InvalidRequestError(
                f"Parameter nonce has more than {MAX_NONCE_CHARACTERS} characters.", redirect_uri=redirect_uri
            )
        return redirect_uri

    def generate_authorization_code(self) -> str:
        return new_code_value()

    def save_authorization_code(self, code: str, request: IssuerRequest) -> None:
        """Keep the code with the request. The endpoint stores it before it answers."""
        parameters = request.payload.data
        request.new_code = NewCode(
            code,
            Code(
                redirect_uri=parameters["redirect_uri"],
                scope=request.scope,
                code_challenge=parameters["code_challenge"],
                code_challenge_method=parameters["code_challenge_method"],
                login=new_page_login(request.user, request.client.client_id, nonce=parameters.get("nonce")),
            ),
        )

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        """Return the code that this request took, or None if it is unknown or expired.

        It was taken before anything else was checked, so a thief has only one guess, and the
        owner's retry ends the session. Raises InvalidGrantError if the code was used before.
        """
        taken = self.request.taken_code
        if taken is None:
            return None
        if taken.is_replay:
            raise InvalidGrantError("The code was used before, so its session has ended; sign in again.")
        return taken.code if taken.code.login.client_id == client.client_id else None

    def delete_authorization_code(self, authorization_code: Code) -> None:
        """Do nothing, because the code was already taken."""

    def authenticate_user(self, authorization_code: Code) -> Login:
        return authorization_code.login


class PasswordGrant(grants.ResourceOwnerPasswordCredentialsGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS

    def authenticate_user(self, username: str, password: str) -> Login:
        person = authenticate(username, password)
        if person is None:
            # Authlib would answer invalid_request; RFC 6749 and Keycloak answer invalid_grant.
            raise InvalidGrantError("Invalid user credentials; the password of a demo user is the user name.")
        return new_login(person, self.request.client.client_id)


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A refresh token with the methods that Authlib calls."""

    client_id: str
    scope: str
    login: Login

    def check_client(self, client: Client) -> bool:
        return client.get_client_id() == self.client_id

    def get_scope(self) -> str:
        return self.scope


class RefreshGrant(grants.RefreshTokenGrant):  # type: ignore[misc]
    """The grant for refresh tokens.

    Every refresh returns a new refresh token. The old one stays valid until it expires, which is
    Keycloak's default.
    """

    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> RefreshToken:
        claims = self.server.mint.read_refresh_token(refresh_token)
        if claims is None:
            raise InvalidGrantError("The refresh token is malformed, expired or from another issuer; sign in again.")
        if claims["azp"] != self.request.client.client_id:
            raise InvalidGrantError("The refresh token was issued to another client; sign in again.")
        if self.request.has_ended:
            raise InvalidGrantError("The session has ended; sign in again.")
        person = find_demo_user(claims["preferred_username"])
        if person is None:
            raise InvalidGrantError("The user of this refresh token no longer exists; sign in again.")
        login = Login(person, claims["azp"], claims["sid"], claims.get("auth_time"))
        return RefreshToken(claims["azp"], claims["scope"], login)

    def authenticate_user(self, refresh_token: RefreshToken) -> Login:
        return refresh_token.login

    def revoke_old_credential(self, refresh_token: RefreshToken) -> None:
        """Do nothing, because several browser tabs may refresh with the same token."""
