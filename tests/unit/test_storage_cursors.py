"""Cursors contain the time that separates past from upcoming concerts; forgeries are refused."""

from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import pytest

from domain.errors import BadUserInput
from storage.mongo.cursors import list_place_of, make_cursor, start_of_list

NOW = datetime(2030, 5, 1, 20, 0, 0, 123_456, tzinfo=UTC)


@pytest.mark.parametrize("days", [-3, 0, 3])
def test_cursor_keeps_its_position_and_the_dividing_time(days: int) -> None:
    place = start_of_list(NOW).move_to(NOW.replace(microsecond=0) + timedelta(days=days), "abc")
    assert list_place_of(place.cursor) == place
    assert list_place_of(place.cursor).past_before == NOW.replace(microsecond=123_000)


def test_list_starts_with_upcoming_concerts() -> None:
    assert not start_of_list(NOW).is_past


def test_cursor_from_an_earlier_version_points_to_upcoming_concerts() -> None:
    place = list_place_of(make_cursor(NOW, "abc"))
    assert (place.id, place.is_past) == ("abc", False)


@pytest.mark.parametrize("text", ["", "1", "x:abc:1", "1:abc:x", "1:abc:1:1", f"1:abc:{10**30}", f"{10**30}:abc:1"])
def test_malformed_list_cursor_is_refused(text: str) -> None:
    with pytest.raises(BadUserInput, match="is not a cursor of this list"):
        list_place_of(urlsafe_b64encode(text.encode()).decode())
