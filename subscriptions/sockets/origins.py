"""Decides which pages may open a socket.

Browsers let any page open a socket, but they send its origin; other clients send no origin.
"""

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers

SETTING = "ONSALE_ALLOWED_ORIGINS"
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_SCHEMES = ("http", "https", "ws", "wss")
_MAX_SHOWN = 200


class OriginRules:
    """The origins whose pages may open sockets, in addition to those of the server's own host.

    `allows_loopback` adds every page on this machine. Development needs it, because a page from a
    development server has a different port.
    """

    def __init__(self, allowed: Sequence[str], *, allows_loopback: bool) -> None:
        self._allowed = frozenset(_plain(origin) for origin in allowed)
        self._allows_loopback = allows_loopback

    def refusal_for(self, headers: Headers) -> str | None:
        """Return the reason why the client may not open a socket, or None if it may."""
        given = headers.getlist("origin")
        if not given:
            return None
        if len(given) > 1:
            return f"The request has {len(given)} Origin headers; send one."
        origin = _plain(given[0])
        if origin in self._allowed or self._is_of_host(origin, headers.get("host", "")):
            return None
        if self._allows_loopback and _is_loopback(origin):
            return None
        return (
            f"Pages from the origin {given[0][:_MAX_SHOWN]!r} may not open sockets here;"
            f" the server's setting {SETTING} names the origins that may."
        )

    def _is_of_host(self, origin: str, host: str) -> bool:
        """Return whether the origin has the same host as the request, whatever its scheme.

        React Native makes up an origin from the host of the socket, and a proxy may terminate TLS.
        This is safe because the socket uses no cookie: only a token identifies its caller.
        """
        scheme, separator, own = origin.partition("://")
        return bool(separator) and scheme in _SCHEMES and _without_port(own) == _without_port(host.lower()) != ""


def _without_port(host: str) -> str:
    """Return the host without the default port of any scheme."""
    return host.removesuffix(":80").removesuffix(":443")


def _plain(origin: str) -> str:
    """Return the origin in lower case, without the default port of its scheme."""
    lowered = origin.lower()
    return lowered.removesuffix(_DEFAULT_PORTS.get(lowered.partition("://")[0], ":"))


def _is_loopback(origin: str) -> bool:
    try:
        parts = urlsplit(origin)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.scheme not in _DEFAULT_PORTS or f"{parts.scheme}://{parts.netloc}" != origin or parts.username is not None:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
