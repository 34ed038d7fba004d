"""Cursors name their list and contain the time that divides it; others are refused."""

from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import pytest

from domain.errors import BadUserInput
from storage.mongo.catalog.list_places import ListPlace, edge_of_list, list_place_of
from storage.mongo.cursors import key_of, make_cursor, name_list

NOW = datetime(2030, 5, 1, 20, 0, 0, 123_456, tzinfo=UTC)
LIST, OTHER = name_list("concerts", "jazz"), name_list("concerts", "folk")


def place(**document: object) -> ListPlace:
    return edge_of_list(LIST, "startsAt", NOW, is_backward=False).move_to(document)


def read(cursor: str) -> ListPlace:
    return list_place_of(cursor, LIST, "startsAt")


@pytest.mark.parametrize("days", [-3, 0, 3])
def test_cursor_keeps_its_position_and_the_dividing_time(days: int) -> None:
    made = place(startsAt=NOW.replace(microsecond=0) + timedelta(days=days), _id="abc")
    assert read(made.cursor) == made
    assert read(made.cursor).divider == NOW.replace(microsecond=123_000)


def test_list_starts_with_upcoming_concerts() -> None:
    assert not edge_of_list(LIST, "startsAt", NOW, is_backward=False).is_over


def test_cursor_of_another_list_is_refused() -> None:
    cursor = place(startsAt=NOW, _id="abc").cursor
    with pytest.raises(BadUserInput, match=r"is a cursor of another list\..* or read this list from its start"):
        list_place_of(cursor, OTHER, "startsAt")
    with pytest.raises(BadUserInput, match="another list"):
        key_of(cursor, name_list("orders", {"personId": "alice"}))
    with pytest.raises(BadUserInput, match="another list"):
        read(make_cursor(name_list("orders", {"personId": "alice"}), NOW, "abc"))


def test_lists_with_different_conditions_have_different_names() -> None:
    assert len({name_list("orders", {"personId": person}) for person in ("alice", "bob", "alice")}) == 2


@pytest.mark.parametrize("text", ["", "1", "1:abc", "x:abc:1", "1900000000000:abc:1900000000000"])
def test_cursor_that_names_no_list_is_refused(text: str) -> None:
    with pytest.raises(BadUserInput, match=r"is (not a cursor of this|a cursor of another) list"):
        read(urlsafe_b64encode(text.encode()).decode())


@pytest.mark.parametrize("rest", ["x:abc:1", "1:abc:x", "1:abc:", "1:abc:1:1", f"1:abc:{10**30}", f"{10**30}:abc:1"])
def test_malformed_list_cursor_is_refused(rest: str) -> None:
    with pytest.raises(BadUserInput, match="is not a cursor of this list; use a cursor from its edges"):
        read(urlsafe_b64encode(f"{LIST}:{rest}".encode()).decode())


@pytest.mark.parametrize("cursor", ["é", "%%%", "a", "\ud800", "x" * 100_000])
def test_text_that_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(BadUserInput, match="is not a cursor of this list"):
        read(cursor)
