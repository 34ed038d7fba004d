"""The details of a concert that a shop shows besides its tiers and its sale: the artist, the genre,
when the doors open, who may enter, and where to read more.

Every detail may be missing. Concerts that an earlier version of Onsale created have none.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias, TypeVar


class Genre(StrEnum):
    ALTERNATIVE = "ALTERNATIVE"
    BLUES = "BLUES"
    CLASSICAL = "CLASSICAL"
    COUNTRY = "COUNTRY"
    ELECTRONIC = "ELECTRONIC"
    FOLK = "FOLK"
    HIP_HOP = "HIP_HOP"
    JAZZ = "JAZZ"
    LATIN = "LATIN"
    METAL = "METAL"
    OPERA = "OPERA"
    POP = "POP"
    PUNK = "PUNK"
    REGGAE = "REGGAE"
    ROCK = "ROCK"
    SOUL = "SOUL"
    WORLD = "WORLD"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True)
class ConcertLink:
    label: str
    url: str
    """An https address."""


@dataclass(frozen=True, slots=True)
class Coordinates:
    """A point on the map, in degrees of WGS 84, the system of GPS."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class ConcertDetails:
    artist: str | None = None
    genre: Genre | None = None
    doors_at: datetime | None = None
    minimum_age: int | None = None
    """In years. None admits people of any age."""
    links: tuple[ConcertLink, ...] = ()


NO_DETAILS = ConcertDetails()

Detail: TypeAlias = str | int | datetime | Genre | tuple[ConcertLink, ...] | Coordinates | None
Described = TypeVar("Described")


@dataclass(frozen=True, slots=True)
class DetailsPatch:
    """A partial change to a dataclass. `given` contains the fields to change and their new values;
    None removes the value of a field.
    """

    given: tuple[tuple[str, Detail], ...] = ()

    def apply_to(self, before: Described) -> Described:
        changes: dict[str, Any] = dict(self.given)
        # mypy cannot require a dataclass; another type would fail at the first call.
        return replace(before, **changes) if changes else before  # type: ignore[type-var]


NO_DETAILS_PATCH = DetailsPatch()
