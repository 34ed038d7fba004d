"""Local times of venues are right when clocks change and on both sides of the date line. Names that
are not in the IANA database are refused.
"""

# The clock at a venue shows no zone.
# ruff: noqa: DTZ001

import zoneinfo
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pytest

from domain.concerts import ConcertChange, Venue, VenueChange
from domain.validation import change_problems
from domain.venues.time_zones import is_time_zone, local_time, moment_of, only_time_zone_of


def shown(moment: datetime, zone: str) -> str:
    local = local_time(moment, zone)
    assert local is not None
    return local.isoformat(timespec="minutes")


@pytest.mark.parametrize(
    ("zone", "around", "before", "after"),
    [
        ("Europe/Berlin", datetime(2027, 3, 28, 1), "2027-03-28T01:59+01:00", "2027-03-28T03:00+02:00"),
        ("Europe/Berlin", datetime(2027, 10, 31, 1), "2027-10-31T02:59+02:00", "2027-10-31T02:00+01:00"),
        ("America/New_York", datetime(2027, 3, 14, 7), "2027-03-14T01:59-05:00", "2027-03-14T03:00-04:00"),
        ("America/New_York", datetime(2027, 11, 7, 6), "2027-11-07T01:59-04:00", "2027-11-07T01:00-05:00"),
        ("Australia/Lord_Howe", datetime(2027, 4, 3, 15), "2027-04-04T01:59+11:00", "2027-04-04T01:30+10:30"),
        ("Asia/Tokyo", datetime(2027, 3, 28, 1), "2027-03-28T09:59+09:00", "2027-03-28T10:00+09:00"),
    ],
)
def test_local_time_is_right_on_both_sides_of_a_change(zone: str, around: datetime, before: str, after: str) -> None:
    changes_at = around.replace(tzinfo=UTC)
    assert shown(changes_at - timedelta(minutes=1), zone) == before
    assert shown(changes_at, zone) == after


def test_two_concerts_at_the_same_local_time_differ_by_their_offset() -> None:
    first, second = (datetime(2027, 10, day, 20) for day in (30, 31))
    moments = [moment_of(local, "Europe/Berlin") for local in (first, second)]
    assert moments == [datetime(2027, 10, 30, 18, tzinfo=UTC), datetime(2027, 10, 31, 19, tzinfo=UTC)]
    assert [shown(moment, "Europe/Berlin") for moment in moments] == [
        "2027-10-30T20:00+02:00",
        "2027-10-31T20:00+01:00",
    ]


def test_time_shown_twice_means_the_first_moment() -> None:
    assert moment_of(datetime(2027, 10, 31, 2, 30), "Europe/Berlin") == datetime(2027, 10, 31, 0, 30, tzinfo=UTC)


def test_skipped_time_means_the_moment_before_the_clocks_changed() -> None:
    moment = moment_of(datetime(2027, 3, 28, 2, 30), "Europe/Berlin")
    assert moment == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)
    assert shown(moment, "Europe/Berlin") == "2027-03-28T03:30+02:00"


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("Pacific/Kiritimati", "2027-01-01T14:00+14:00"),
        ("Pacific/Pago_Pago", "2026-12-31T13:00-11:00"),
        ("Asia/Kathmandu", "2027-01-01T05:45+05:45"),
        ("Europe/London", "2027-01-01T00:00+00:00"),
    ],
)
def test_date_is_the_date_at_the_venue(zone: str, expected: str) -> None:
    assert shown(datetime(2027, 1, 1, tzinfo=UTC), zone) == expected


def test_adding_to_a_local_time_is_exact_across_a_change() -> None:
    moment = datetime(2027, 3, 28, 0, 30, tzinfo=UTC)
    local = local_time(moment, "Europe/Berlin")
    assert local is not None
    assert local + timedelta(hours=1) == moment + timedelta(hours=1)


@pytest.mark.parametrize("zone", [None, "Mars/Olympus_Mons"])
def test_without_a_known_zone_there_is_no_local_time(zone: str | None) -> None:
    assert local_time(datetime(2027, 1, 1, tzinfo=UTC), zone) is None


def test_zones_do_not_depend_on_the_operating_system(tmp_path: Path) -> None:
    before, wrong = zoneinfo.TZPATH, files("tzdata").joinpath("zoneinfo", "Asia", "Tokyo").read_bytes()
    (tmp_path / "Antarctica").mkdir()
    (tmp_path / "Antarctica" / "Palmer").write_bytes(wrong)
    zoneinfo.reset_tzpath(to=[tmp_path])
    try:
        assert shown(datetime(2027, 7, 1, tzinfo=UTC), "Antarctica/Palmer") == "2027-06-30T21:00-03:00"
    finally:
        zoneinfo.reset_tzpath(to=before)


@pytest.mark.parametrize("name", ["Europe/Berlin", "America/Argentina/Buenos_Aires", "Asia/Calcutta", "UTC"])
def test_iana_name_is_a_time_zone(name: str) -> None:
    assert is_time_zone(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "Europe/Amsterdm", "europe/berlin", " Europe/Berlin", "Europe", "Europe/", "/Europe/Berlin"),
        *(
            "../zones",
            "Europe/../UTC",
            "zone.tab",
            "+01:00",
            "CEST",
            "Berlin",
            "Factory",
            "Europe/Berlin\0",
            "U\u0422C",
        ),
    ],
)
def test_anything_else_is_not_a_time_zone(name: str) -> None:
    assert not is_time_zone(name)
    problems = list(change_problems(ConcertChange(venue=VenueChange(time_zone=name))))
    expected = f"is {name!r}, which is not a time zone; send an IANA name, such as Europe/Amsterdam"
    assert [(problem.path, problem.message) for problem in problems] == [("venue.timeZone", expected)]


def test_long_name_is_quoted_only_in_part() -> None:
    (problem,) = change_problems(ConcertChange(venue=VenueChange(time_zone="Z" * 4_000)))
    assert len(problem.message) < 200


@pytest.mark.parametrize(
    ("country", "zone"),
    [("NL", "Europe/Amsterdam"), ("GB", "Europe/London"), ("DE", "Europe/Berlin"), ("JP", "Asia/Tokyo")],
)
def test_country_whose_clocks_agree_has_one_zone(country: str, zone: str) -> None:
    assert only_time_zone_of(country, 2026) == zone


@pytest.mark.parametrize("country", ["US", "CA", "AU", "BR", "PT", "ES", "UA", "CN", "ZZ", ""])
def test_country_whose_clocks_differ_has_no_single_zone(country: str) -> None:
    assert only_time_zone_of(country, 2026) is None


def test_change_to_a_venue_keeps_the_fields_it_does_not_name() -> None:
    venue = Venue("Halle", "Berlin", "DE", "Europe/Berlin")
    assert VenueChange().apply_to(venue) == venue
    assert VenueChange(city="Potsdam").apply_to(venue) == Venue("Halle", "Potsdam", "DE", "Europe/Berlin")
    moved = VenueChange("Hall", "London", "GB", "Europe/London").apply_to(venue)
    assert moved == Venue("Hall", "London", "GB", "Europe/London")
