"""Authlib's framework-free authorization server with our grants, and its answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from authlib.common.urls import add_params_to_uri
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import (
    AuthorizationServer,
    InvalidClientError,
    UnauthorizedClientError,
    UnsupportedGrantTypeError,
    UnsupportedResponseTypeError,
)

from auth.dev_issuer.claims import SCOPES, TokenMint, granted_scope
from auth.dev_issuer.client import GRANT_TYPES, Client
from auth.dev_issuer.grants import CodeGrant, PasswordGrant, RefreshGrant, S256Required
from auth.dev_issuer.issuer_request import IssuerRequest
from auth.dev_issuer.logins import Login


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: object
    """Empty for a redirect, otherwise sent as JSON."""
    headers: Mapping[str, str]


class IssuerServer(AuthorizationServer):  # type: ignore[misc]
    def __init__(self, issuer: str, *, clients: Mapping[str, Client], mint: TokenMint) -> None:
        super().__init__(scopes_supported=SCOPES)
        self.issuer = issuer
        self.clients = clients
        self.mint = mint
        self.register_grant(CodeGrant, [S256Required(required=True)])
        self.register_grant(RefreshGrant)
        self.register_grant(PasswordGrant)
        self.register_token_generator("default", self._generate_token)

    def query_client(self, client_id: str) -> Client | None:
        return self.clients.get(client_id)

    def authenticate_client(self, request: IssuerRequest, methods: Sequence[str], endpoint: str = "token") -> Client:
        """Return the client. An unknown client and a wrong secret are refused as in Keycloak."""
        try:
            client: Client = super().authenticate_client(request, methods, endpoint)
        except InvalidClientError as error:
            description = "The client is unknown, or its secret is wrong; set the client id and the secret."
            if endpoint == "token" and self.query_client(request.client_name):
                raise UnauthorizedClientError(description, status_code=401) from error
            raise InvalidClientError(description, status_code=401) from error
        # Authlib sets this later, but the password grant needs it to create the login.
        request.client = client
        return client

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
