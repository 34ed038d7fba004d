"""The issuer's only client: `onsale-web`, a public client on this machine.

It has the interface that Authlib expects.
"""

import re
from dataclasses import dataclass

from auth.dev_issuer.claims import granted_scope

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


def is_loopback_uri(uri: str) -> bool:
    """Return whether the URI is http://localhost:<port>/* or http://127.0.0.1:<port>/*.

    URIs that only resemble these are refused.
    """
    if len(uri) > MAX_URI_CHARACTERS:
        return False
    match = _LOOPBACK_URI.fullmatch(uri)
    return match is not None and int(match["port"]) <= 65_535


@dataclass(frozen=True, slots=True)
class PublicClient:
    """A public client with the methods that Authlib calls.

    It has no secret; PKCE takes its place.
    """

    client_id: str

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        """Return None, because the client always sends its redirect URI."""

    def get_allowed_scope(self, scope: str | None) -> str:
        return granted_scope(scope)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return is_loopback_uri(redirect_uri)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "none"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in GRANT_TYPES
