"""Onsale's public address, and the check that a request comes from one of Onsale's pages."""

from dataclasses import dataclass

from starlette.datastructures import Headers

from domain.errors import Forbidden
from settings import Settings

SETTING = "ONSALE_PUBLIC_URL"
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_MAX_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Site:
    origin: str
    """As browsers send it. Redirects use only this address, never the Host header of a request."""
    alias: str | None = None
    """Another name of the same site, for this machine in development."""

    @property
    def uses_tls(self) -> bool:
        return self.origin.startswith("https://")

    def url(self, path: str) -> str:
        return f"{self.origin}{path}"

    def is_own(self, origin: str) -> bool:
        return origin in (self.origin, self.alias)

    def require_own_page(self, headers: Headers) -> None:
        """Raise Forbidden unless a page of this site sent the request.

        Browsers add the session cookie to requests from other pages too. They send `Origin` with
        each request that could change something, and `Sec-Fetch-Site` with every request.
        """
        origins = headers.getlist("origin")
        if len(origins) == 1 and self.is_own(origins[0]):
            return
        if not origins and headers.get("sec-fetch-site") == "same-origin":
            return
        raise Forbidden(self._explain(", ".join(origins)))

    def refusal_for_socket(self, headers: Headers) -> str | None:
        """Return why a socket with a session cookie is refused, or None if it is not."""
        origins = headers.getlist("origin")
        if len(origins) == 1 and self.is_own(origins[0]):
            return None
        return self._explain(", ".join(origins))

    def _explain(self, origin: str) -> str:
        sender = f"a page of {origin[:_MAX_SHOWN]!r}" if origin else "an unknown page"
        return (
            f"The request has a session cookie, but comes from {sender}. Only pages of {self.origin!r}, the server's"
            f" setting {SETTING}, may use the cookie; send an access token instead, without cookies."
        )


def site_of(settings: Settings) -> Site:
    """Return the public address or, in development, the address of this machine."""
    if settings.public_url is not None:
        scheme = settings.public_url.partition(":")[0]
        return Site(settings.public_url.removesuffix(_DEFAULT_PORTS[scheme]))
    return Site(f"http://localhost:{settings.port}", alias=f"http://127.0.0.1:{settings.port}")
