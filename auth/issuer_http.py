"""How this server reaches the issuer: at which address, with which certificates and proxies.

Browsers know the issuer by its public name. This server may need an internal address for the same
endpoints; tokens and discovery always contain the public name.
"""

import ssl
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
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
    """Certificates (PEM) to trust in addition to those of the system."""

    def internal(self, url: str) -> str:
        """Return the address at which this server reaches an endpoint of the issuer."""
        if self.internal_url is None or not url.startswith(f"{self.issuer}/"):
            return url
        return self.internal_url + url.removeprefix(self.issuer)

    @property
    def discovery_url(self) -> str:
        return self.internal(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """Reading the certificates takes 50 ms, so it happens once and not for the first token."""
        context = ssl.create_default_context()
        if self.ca_file is not None:
            context.load_verify_locations(self.ca_file)
        return context

    @property
    def uses_proxy(self) -> bool:
        """Return whether proxies of the environment apply: none can reach this machine's loopback,
        where the development issuer listens.
        """
        return urlsplit(self.internal_url or self.issuer).hostname not in _LOOPBACK

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(timeout=TIMEOUT_S, trust_env=self.uses_proxy, verify=self.tls)
