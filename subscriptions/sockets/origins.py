"""Which pages may open a socket. Browsers let every page try, and say which one it is; other clients say nothing."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers


def is_allowed(headers: Headers, allowed: Sequence[str]) -> bool:
    """A client that is no browser, a page of this very host, or one of `allowed`, such as https://shop.example."""
    given = headers.getlist("origin")
    if not given:
        return True
    if len(given) > 1:
        return False
    origin = given[0].lower()
    return origin in allowed or _host(origin) == headers.get("host", "").lower()


def _host(origin: str) -> str | None:
    """None for `null`, which is the origin of a sandboxed frame on any page."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None
