"""Content negotiation (RFC 9110, sections 12.5.1 and 12.5.3).

Selects the media type that a client prefers from those we offer, and the encodings it accepts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
HTML = "text/html"
EVENT_STREAM = "text/event-stream"
MAX_CACHED = 256
"""The maximum number of Accept headers whose choice is cached."""
MAX_CACHED_CHARACTERS = 512
"""The maximum length of an Accept header whose choice is cached."""


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One part of an Accept header, with its index in the header."""

    pattern: str
    quality: float
    index: int

    @property
    def precision(self) -> int:
        return 2 - self.pattern.count("*")

    def covers(self, media_type: str) -> bool:
        kind = media_type.partition("/")[0]
        return self.pattern in (media_type, f"{kind}/*", "*/*")


def preferred_media_type(accept: str, offered: tuple[str, ...]) -> str | None:
    """Return the best of `offered`, or None if the client accepts none of them.

    Returns the first one if the client has no preference. Clients send few different headers, so
    the choice is cached.
    """
    select = _select_cached if len(accept) <= MAX_CACHED_CHARACTERS else _select
    return select(accept, offered)


def _select(accept: str, offered: tuple[str, ...]) -> str | None:
    if not accept.strip():
        return offered[0]
    ranges = list(_ranges(accept))
    rated = [(_best_range(ranges, media_type), media_type) for media_type in offered]
    acceptable = [(range_, media_type) for range_, media_type in rated if range_ and range_.quality > 0]
    # max() returns the first of several equal items, so the order of `offered` decides between
    # them.
    best = max(acceptable, key=lambda pair: (pair[0].quality, pair[0].precision, -pair[0].index), default=None)
    return best[1] if best else None


_select_cached = lru_cache(maxsize=MAX_CACHED)(_select)


def _best_range(ranges: list[MediaRange], media_type: str) -> MediaRange | None:
    covering = [range_ for range_ in ranges if range_.covers(media_type)]
    return max(covering, key=lambda range_: range_.precision, default=None)


def _ranges(accept: str) -> Iterator[MediaRange]:
    for index, part in enumerate(accept.lower().split(",")):
        pattern, *parameters = (piece.strip() for piece in part.split(";"))
        given = dict(parameter.partition("=")[::2] for parameter in parameters)
        if given.get("charset", "utf-8").strip('"') in ("utf-8", "utf8"):
            yield MediaRange(pattern, _quality(given.get("q", "1")), index)


def _quality(text: str) -> float:
    """Return the quality, or 0 (not acceptable) if the text is not a number from 0 to 1."""
    try:
        quality = float(text)
    except ValueError:
        return 0.0
    return quality if 0.0 <= quality <= 1.0 else 0.0


def accepts_encoding(header: str, encoding: str) -> bool:
    """Return whether an Accept-Encoding header allows a content coding other than `identity`."""
    given = {range_.pattern: range_.quality for range_ in _ranges(header)}
    return given.get(encoding, given.get("*", 0.0)) > 0
