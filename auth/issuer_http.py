"""How this server reaches the issuer: the address, the trusted certificates and the proxies.

Browsers know the issuer by its public name. This server may need an internal address for the same
endpoints; tokens and discovery always contain the public name. Every client that this module
configures sends requests for the public address to the internal one.
"""

import ssl
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

TIMEOUT_S = 5.0
"""Timeout of each step of a request. The caller limits the total."""
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class IssuerHttp:
    issuer: str
    """The public address of the issuer, as its tokens name it."""
    internal_url: str | None = None
    """The address of the same realm inside the data center."""
    ca_file: Path | None = None
    """Certificates (PEM) to trust in addition to the system's."""

    def internal(self, url: str) -> str:
        """Return the address at which this server reaches an endpoint of the issuer.

        Raises httpx2.InvalidURL.
        """
        public, wanted = str(httpx2.URL(f"{self.issuer}/")), str(httpx2.URL(url))
        if self.internal_url is None or not wanted.startswith(public):
            return url
        return f"{self.internal_url}/{wanted.removeprefix(public)}"

    def is_secure(self, url: str) -> bool:
        """Return whether the endpoint may be used: over https if the issuer uses it, or at the
        internal address.
        """
        target = self.internal(url)
        if self.internal_url is not None and _origin(target) == _origin(self.internal_url):
            return True
        return target.startswith("https://") or not self.issuer.startswith("https://")

    @property
    def discovery_url(self) -> str:
        return self.internal(f"{self.issuer}/.well-known/openid-configuration")

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """The system's certificates, or the ones in SSL_CERT_FILE and SSL_CERT_DIR, and `ca_file`.

        Reading them takes 50 ms, so it happens only once.
        """
        context = ssl.create_default_context()
        if self.ca_file is not None:
            context.load_verify_locations(self.ca_file)
        return context

    @property
    def uses_proxy(self) -> bool:
        """Return whether to use the proxies from environment variables: no proxy can reach this
        machine's loopback, where the development issuer listens.
        """
        return urlsplit(self.internal_url or self.issuer).hostname not in _LOOPBACK

    @property
    def client_kwargs(self) -> dict[str, Any]:
        """Return the arguments for every client that calls the issuer, including Authlib's."""
        return {
            "verify": self.tls,
            "trust_env": self.uses_proxy,
            "timeout": TIMEOUT_S,
            "event_hooks": {"request": [self._send_to_internal]},
        }

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(**self.client_kwargs)

    async def _send_to_internal(self, request: httpx2.Request) -> None:
        public, internal = str(request.url), self.internal(str(request.url))
        if internal != public:
            request.url = httpx2.URL(internal)
            request.headers["host"] = request.url.netloc.decode("ascii")


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()
