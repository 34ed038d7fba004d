"""Authlib's framework-free authorization server with our grants, and its requests and answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from authlib.common.urls import add_params_to_uri
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import (
    AuthorizationServer,
    OAuth2Request,
    UnsupportedGrantTypeError,
    UnsupportedResponseTypeError,
)
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload

from auth.dev_issuer.claims import SCOPES, TokenMint, granted_scope
from auth.dev_issuer.client import GRANT_TYPES, PublicClient
from auth.dev_issuer.grants import CodeGrant, PasswordGrant, RefreshGrant, S256Required
from auth.dev_issuer.logins import Codes, EndedSessions, Login


class IssuerRequest(OAuth2Request):  # type: ignore[misc]
    """A request whose parameters auth/dev_issuer/parameters.py has parsed and checked."""

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


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: object
    """Empty for a redirect, otherwise sent as JSON."""
    headers: Mapping[str, str]


class IssuerServer(AuthorizationServer):  # type: ignore[misc]
    def __init__(self, issuer: str, *, client: PublicClient, mint: TokenMint) -> None:
        super().__init__(scopes_supported=SCOPES)
        self.issuer = issuer
        self.client = client
        self.mint = mint
        self.codes = Codes()
        self.ended_sessions = EndedSessions()
        self.register_grant(CodeGrant, [S256Required(required=True)])
        self.register_grant(RefreshGrant)
        self.register_grant(PasswordGrant)
        self.register_token_generator("default", self._generate_token)

    def query_client(self, client_id: str) -> PublicClient | None:
        return self.client if client_id == self.client.client_id else None

    def create_oauth2_request(self, request: IssuerRequest) -> IssuerRequest:
        return request

    def handle_response(self, status: int, body: object, headers: Sequence[tuple[str, str]]) -> Answer:
        fields = dict(headers)
        if "Location" in fields:
            # RFC 9207: the response names its issuer, so a client with two issuers cannot be
            # tricked into confusing them.
            fields["Location"] = add_params_to_uri(fields["Location"], {"iss": self.issuer})
            # 303, because the browser must not post the form, with the password, to the target (RFC
            # 9700, section 4.12).
            status = 303
        return Answer(status, body, fields)

    def handle_error_response(self, request: IssuerRequest | None, error: OAuth2Error) -> Answer:
        # Authlib has no description for these two errors.
        if isinstance(error, UnsupportedGrantTypeError):
            error.description = f"This grant_type is not supported; use one of {', '.join(GRANT_TYPES)}."
        elif isinstance(error, UnsupportedResponseTypeError):
            error.description = "This response_type is not supported; use code."
        answer: Answer = super().handle_error_response(request, error)
        return answer

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Do nothing: Authlib requires this method, but nothing listens to its signals."""

    def save_token(self, token: Mapping[str, object], request: IssuerRequest) -> None:
        """Do nothing, because tokens are self-contained."""

    def _generate_token(self, *, user: Login, scope: str | None, **_: object) -> dict[str, object]:
        return self.mint.token_response(user, granted_scope(scope))
