"""Decides which pages may open a socket.

Browsers let every page try, and send its origin; other clients send no origin.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers


def is_allowed(headers: Headers, allowed: Sequence[str]) -> bool:
    """Return whether the client may open a socket.

    Allowed are clients that send no origin because they are not browsers, pages of this very host,
    and pages of one of `allowed`, such as https://shop.example.
    """
    given = headers.getlist("origin")
    if not given:
        return True
    if len(given) > 1:
        return False
    origin = given[0].lower()
    return origin in allowed or _host(origin) == headers.get("host", "").lower()


def _host(origin: str) -> str | None:
    """Return the host of an origin; None for `null`, the origin of any sandboxed frame."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None
