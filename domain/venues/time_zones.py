"""The time zones of venues: IANA names, the local times of a zone, and the zones of a country.

All data comes from the package tzdata and not from the operating system, so every process shows the
same local time.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from functools import cache, lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

_TZDATA = files("tzdata")
_NOT_SET = "Factory"
"""A name in the IANA database that means that no zone is known."""
_MAX_ANSWERS = 1_000
"""The number of cached answers about countries: enough for every country in several years."""


def is_time_zone(name: str) -> bool:
    """Return whether this is an IANA name, written exactly as in the database."""
    return name in _names()


def local_time(moment: datetime, time_zone: str | None) -> datetime | None:
    """Return the time that the clocks of a zone show at this moment. Its offset from UTC is fixed,
    so adding to it or subtracting from it stays exact.

    Returns None if the zone is not set, or is unknown here because it is too new.
    """
    if time_zone is None or not is_time_zone(time_zone):
        return None
    return moment.astimezone(timezone(_offset(moment, time_zone)))


def moment_of(local: datetime, time_zone: str) -> datetime:
    """Return the moment, in UTC, at which the clocks of a zone show this time.

    If they show it twice, because they are put back, returns the first moment. If they skip it,
    because they are put forward, returns the moment at which they would have shown it.
    """
    return local.replace(tzinfo=_zone(time_zone)).astimezone(UTC)


@lru_cache(maxsize=_MAX_ANSWERS)
def only_time_zone_of(country: str, year: int) -> str | None:
    """Return the time zone of a country (ISO 3166-1 alpha-2), or None if the country is unknown or
    its clocks differ on any day of the year.

    Of several zones whose clocks agree, such as Berlin and Büsingen, returns the first.
    """
    zones = _zones_by_country().get(country, ())
    new_year = datetime(year, 1, 1, 12, tzinfo=UTC)
    days = [new_year + timedelta(days=day) for day in range(366)]
    agree = all(len({_offset(day, zone) for zone in zones}) == 1 for day in days)
    return zones[0] if agree else None


def _offset(moment: datetime, time_zone: str) -> timedelta:
    offset = moment.astimezone(_zone(time_zone)).utcoffset()
    assert offset is not None
    return offset


@cache
def _names() -> frozenset[str]:
    return frozenset(_TZDATA.joinpath("zones").read_text(encoding="ascii").split()) - {_NOT_SET}


@cache
def _zone(name: str) -> ZoneInfo:
    with _TZDATA.joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


@cache
def _zones_by_country() -> Mapping[str, tuple[str, ...]]:
    """Return the zones of each country, the most populous regions first where the database orders
    them.
    """
    zones: dict[str, tuple[str, ...]] = {}
    for line in _TZDATA.joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            country, _, zone, *_ = line.split("\t")
            zones[country] = (*zones.get(country, ()), zone)
    return zones
