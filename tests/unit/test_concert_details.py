"""Validation of the details of a concert: both sides of each bound, with the path of the field."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain.catalog.details import ConcertDetails, ConcertLink, Coordinates, DetailsPatch, Genre
from domain.catalog.details_validation import place_problems
from domain.concerts import ConcertChange, Venue, VenueChange
from domain.text.cleaning import clean_change, clean_draft
from domain.validation import change_problems, draft_problems, given_problems
from tests.support.sale import draft

START = draft(1).terms.starts_at
FULL = ConcertDetails(
    artist="Glenn Gould",
    genre=Genre.CLASSICAL,
    doors_at=START - timedelta(hours=1),
    minimum_age=6,
    links=(ConcertLink("Biography", "https://gould.example/life?lang=en#early"),),
)


def paths(problems: Any) -> list[str]:
    return [problem.path for problem in problems]


def draft_paths(**changes: Any) -> list[str]:
    return paths(draft_problems(draft(1, starts_at=START, details=replace(FULL, **changes))))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"artist": None, "genre": None, "doors_at": None, "minimum_age": None, "links": ()}, []),
        ({"artist": "x" * 200}, []),
        ({"artist": "x" * 201}, ["artist"]),
        ({"artist": " "}, ["artist"]),
        ({"artist": "a\u202eb"}, ["artist"]),
        ({"minimum_age": 1}, []),
        ({"minimum_age": 99}, []),
        ({"minimum_age": 0}, ["minimumAge"]),
        ({"minimum_age": -2_147_483_648}, ["minimumAge"]),
        ({"minimum_age": 100}, ["minimumAge"]),
        ({"doors_at": START}, []),
        ({"doors_at": START - timedelta(days=1)}, []),
        ({"doors_at": START + timedelta(milliseconds=1)}, ["doorsAt"]),
        ({"doors_at": START - timedelta(days=1, milliseconds=1)}, ["doorsAt"]),
        ({"links": FULL.links * 10}, []),
        ({"links": FULL.links * 11}, ["links"]),
    ],
)
def test_details_of_a_draft_are_checked(changes: dict[str, Any], expected: list[str]) -> None:
    assert draft_paths(**changes) == expected


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example",
        "https://www.a-b.example:8443/p%20q/(r)?s=t&u=~v#w",
        "https://xn--bcher-kva.example/",
        "https://a.example/" + "x" * 1_982,
    ],
)
def test_https_addresses_are_accepted_as_links(url: str) -> None:
    assert draft_paths(links=(ConcertLink("Site", url),)) == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.example",
        "//a.example/",
        "http://a.example/",
        "HTTPS ://a.example/",
        "javascript:alert(1)",
        "data:text/html,x",
        "https:a.example",
        "https:///path",
        "https://localhost/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://a.example:0/",
        "https://a.example:99999/",
        "https://a.example:x/",
        "https://shop.example@evil.example/",
        "https://@a.example/",
        "https://a..example/",
        "https://-a.example/",
        "https://bücher.example/",
        "https://a.example/a b",
        "https://a.example/\n",
        "https://a.example\\@b.example/",
        'https://a.example/"onload=',
        "https://a.example/<script>",
        "https://a.example/" + "x" * 1_983,
    ],
)
def test_other_addresses_are_refused_as_links(url: str) -> None:
    assert draft_paths(links=(*FULL.links, ConcertLink("Site", url))) == ["links.1.url"]


@pytest.mark.parametrize("label", ["", "x" * 101, "two\nlines"])
def test_link_needs_a_short_label(label: str) -> None:
    assert draft_paths(links=(ConcertLink(label, "https://a.example/"),)) == ["links.0.label"]


@pytest.mark.parametrize(
    ("address", "coordinates", "expected"),
    [
        ("Concertgebouwplein 10, 1071 LN Amsterdam", Coordinates(52.35629, 4.87906), []),
        ("x" * 300, Coordinates(90, -180), []),
        ("x" * 301, None, ["venue.address"]),
        ("", None, ["venue.address"]),
        ("Two\nlines", None, ["venue.address"]),
        (None, Coordinates(-90.000001, 180.000001), ["venue.coordinates.latitude", "venue.coordinates.longitude"]),
        (None, Coordinates(1e308, -1e308), ["venue.coordinates.latitude", "venue.coordinates.longitude"]),
    ],
)
def test_location_of_a_venue_is_checked(
    address: str | None, coordinates: Coordinates | None, expected: list[str]
) -> None:
    venue = Venue("Hall", "Amsterdam", "NL", "Europe/Amsterdam", address, coordinates)
    assert paths(draft_problems(draft(1, venue=venue))) == expected
    moved = VenueChange(place=DetailsPatch((("address", address), ("coordinates", coordinates))))
    assert paths(change_problems(ConcertChange(venue=moved))) == expected


def test_only_given_details_change_and_none_removes_a_value() -> None:
    patch = DetailsPatch((("artist", None), ("minimum_age", 12)))
    assert patch.apply_to(FULL) == replace(FULL, artist=None, minimum_age=12)
    assert DetailsPatch().apply_to(FULL) is FULL


def test_changed_details_are_checked() -> None:
    late = DetailsPatch((("doors_at", START + timedelta(hours=1)), ("minimum_age", 0)))
    change = ConcertChange(starts_at=START, details=late)
    assert paths([*change_problems(change), *given_problems(change)]) == ["minimumAge", "doorsAt"]
    assert paths(given_problems(ConcertChange(details=late))) == []


def test_texts_in_details_are_stored_trimmed_and_composed() -> None:
    raw = ConcertDetails(artist=" Bjo\u0308rk ", links=(ConcertLink(" Site ", "https://a.example/"),))
    stored = ConcertDetails(artist="Björk", links=(ConcertLink("Site", "https://a.example/"),))
    assert clean_draft(draft(1, details=raw)).terms.details == stored
    patch = DetailsPatch((("artist", raw.artist), ("links", raw.links), ("genre", Genre.POP), ("doors_at", START)))
    changed = clean_change(ConcertChange(details=patch)).details.apply_to(ConcertDetails())
    assert changed == replace(stored, genre=Genre.POP, doors_at=START)
    assert isinstance(changed.genre, Genre)


@pytest.mark.parametrize(
    ("latitude", "given"), [(90.4, 91), (-90.000001, -91), (1e300, 1_000_000), (float("-inf"), -1_000_000)]
)
def test_latitude_out_of_range_is_reported_as_a_safe_integer(latitude: float, given: int) -> None:
    (problem,) = place_problems(None, Coordinates(latitude, 0))
    assert (problem.path, problem.given) == ("venue.coordinates.latitude", given)
