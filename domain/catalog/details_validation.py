"""Checks of the details of a concert, and of the location and the country of its venue."""

import math
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from domain.catalog.details import ConcertDetails, ConcertLink, Coordinates
from domain.inputs.problems import FieldProblem, InputRule, count_problem
from domain.text.characters import line_problems
from domain.venues.countries import is_country

MAX_ARTIST = 200
MAX_ADDRESS = 300
MAX_LINKS = 10
MAX_LINK_LABEL = 100
MAX_URL = 2_000
"""Longer addresses are cut off by some browsers and mail programs."""
MAX_MINIMUM_AGE = 99
MAX_DOORS_AHEAD = timedelta(days=1)
"""Doors that open earlier are most likely a wrong date."""
_MOST_SHOWN = 1_000_000
"""Degrees, in problems with coordinates."""

_URL_CHARACTERS = re.compile(r"[!#-;=?-\[\]_a-z~]+")
"""The printable ASCII characters that may occur in an address (RFC 3986)."""
_HOST = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)


def details_problems(details: ConcertDetails) -> Iterator[FieldProblem]:
    if details.artist is not None:
        yield from line_problems("artist", details.artist, longest=MAX_ARTIST)
    age = details.minimum_age
    if age is not None and not 1 <= age <= MAX_MINIMUM_AGE:
        yield FieldProblem(
            "minimumAge",
            f"is {age}; it must be between 1 and {MAX_MINIMUM_AGE}, or null to admit people of any age",
            InputRule.OUT_OF_RANGE,
            minimum=1,
            maximum=MAX_MINIMUM_AGE,
            given=age,
        )
    if len(details.links) > MAX_LINKS:
        message = f"has {len(details.links)} links; at most {MAX_LINKS} are allowed"
        yield count_problem("links", len(details.links), message, highest=MAX_LINKS)
    for index, link in enumerate(details.links[:MAX_LINKS]):
        yield from _link_problems(f"links.{index}", link)


def doors_problems(doors_at: datetime | None, starts_at: datetime | None) -> Iterator[FieldProblem]:
    """Yield the conflict between two times, if both are known."""
    if doors_at is None or starts_at is None:
        return
    if doors_at > starts_at:
        message = "must not be after startsAt; change one of them"
        yield FieldProblem("doorsAt", message, InputRule.TOO_LATE, other="startsAt")
    elif doors_at < starts_at - MAX_DOORS_AHEAD:
        message, day_s = "must be at most one day before startsAt; change one of them", 86_400
        yield FieldProblem("doorsAt", message, InputRule.TOO_EARLY, other="startsAt", maximum=day_s)


def country_problems(path: str, code: str) -> Iterator[FieldProblem]:
    if not is_country(code):
        yield FieldProblem(
            path,
            f"is {code[:16]!r}, which is not a country code; send two capital letters of ISO 3166-1, such as NL, US or"
            " GB",
            InputRule.INVALID_FORMAT,
        )


def place_problems(address: str | None, coordinates: Coordinates | None) -> Iterator[FieldProblem]:
    """Yield the problems with the address and the coordinates of a venue."""
    if address is not None:
        yield from line_problems("venue.address", address, longest=MAX_ADDRESS)
    if coordinates is None:
        return
    for name, value, highest in (("latitude", coordinates.latitude, 90), ("longitude", coordinates.longitude, 180)):
        if not -highest <= value <= highest:
            message = f"is {value}; it must be between -{highest} and {highest} degrees"
            yield FieldProblem(
                f"venue.coordinates.{name}",
                message,
                InputRule.OUT_OF_RANGE,
                minimum=-highest,
                maximum=highest,
                given=_whole_degrees(value),
            )


def _whole_degrees(value: float) -> int:
    """Return a whole number at least as far from 0, because a problem shows no fractions. An
    enormous or infinite value, which a Float may be, is shown as the limit.
    """
    return int(math.copysign(math.ceil(min(abs(value), _MOST_SHOWN)), value))


def _link_problems(path: str, link: ConcertLink) -> Iterator[FieldProblem]:
    yield from line_problems(f"{path}.label", link.label, longest=MAX_LINK_LABEL)
    if len(link.url) > MAX_URL:
        message = f"has {len(link.url)} characters; at most {MAX_URL} are allowed"
        yield FieldProblem(f"{path}.url", message, InputRule.TOO_LONG, maximum=MAX_URL, given=len(link.url))
    elif not _is_https_address(link.url):
        yield FieldProblem(
            f"{path}.url",
            f"is {link.url[:64]!r}, which is not an https address of a public site; send one such as"
            " https://www.example.com/tour, with non-ASCII characters percent-encoded",
            InputRule.INVALID_FORMAT,
        )


def _is_https_address(url: str) -> bool:
    """Return whether the text is an https address that names a host and contains no user name,
    which could make one site look like another.
    """
    if not _URL_CHARACTERS.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    has_user = "@" in parts.netloc
    return parts.scheme == "https" and not has_user and port != 0 and _HOST.fullmatch(parts.hostname or "") is not None
