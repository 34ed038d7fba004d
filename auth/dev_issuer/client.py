"""The issuer's clients, all on this machine: a public one for pages and a confidential one for the
server.

They have the interface that Authlib expects.
"""

import hmac
import re
from dataclasses import dataclass

from auth.dev_issuer.claims import SERVER_CLIENT_ID, granted_scope

# The whole address must match. It must not have a user part ("http://localhost:1@evil"), a
# look-alike host or a fragment, and may contain only the characters of RFC 3986. A browser might
# interpret others, such as backslashes, tabs and line breaks, differently than we do.
_LOOPBACK_URI = re.compile(
    r"http://(?:localhost|127\.0\.0\.1):(?P<port>[1-9][0-9]{0,4})"
    r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*"
    r"(?:\?(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?"
)
LOOPBACK_ORIGIN = r"http://(?:localhost|127\.0\.0\.1)(?::[0-9]{1,5})?"
MAX_URI_CHARACTERS = 2_000
GRANT_TYPES = ("authorization_code", "refresh_token", "password")
AUTH_METHODS = ("none", "client_secret_basic", "client_secret_post")
WEB_CLIENT_ID = "onsale-web"
DEVELOPMENT_SECRET = "onsale-server-development-secret"
"""The confidential client's default secret, the same as in the realm in deploy/keycloak."""


def is_loopback_uri(uri: str) -> bool:
    """Return whether the URI is http://localhost:<port>/* or http://127.0.0.1:<port>/*.

    URIs that only resemble these are refused.
    """
    if len(uri) > MAX_URI_CHARACTERS:
        return False
    match = _LOOPBACK_URI.fullmatch(uri)
    return match is not None and int(match["port"]) <= 65_535


def known_clients(client_id: str, client_secret: str | None) -> dict[str, "Client"]:
    """Return the clients by id, including `client_id`, with which this process signs people in."""
    public = {id_: Client(id_) for id_ in (WEB_CLIENT_ID, client_id)}
    return public | {SERVER_CLIENT_ID: Client(SERVER_CLIENT_ID, client_secret or DEVELOPMENT_SECRET)}


@dataclass(frozen=True, slots=True)
class Client:
    """A client with the methods that Authlib calls.

    A public client has no secret. Every client must use PKCE.
    """

    client_id: str
    secret: str | None = None

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        """Return None, because the client always sends its redirect URI."""

    def get_allowed_scope(self, scope: str | None) -> str:
        return granted_scope(scope)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return is_loopback_uri(redirect_uri)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return (method == "none") == (self.secret is None)

    def check_client_secret(self, client_secret: str) -> bool:
        return self.secret is not None and hmac.compare_digest(self.secret.encode(), client_secret.encode())

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in GRANT_TYPES and (grant_type != "password" or self.secret is None)
