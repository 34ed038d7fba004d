"""docs/catalog.md shows operations that the schema accepts, and the defaults of the filter."""

import re
from pathlib import Path

import pytest
from graphql import parse, validate

import schema
from schema.catalog.concert_lists import ConcertFilter

PAGE = (Path(__file__).parents[2] / "docs" / "catalog.md").read_text()
OPERATIONS = re.findall(r"```graphql\n(.*?)```", PAGE, re.DOTALL)
ROWS = re.findall(r"^\| (none, or `upcoming: true`|`(?:upcoming|status|mine): .*?`) \| (.*) \|$", PAGE, re.MULTILINE)


def test_page_has_two_operations_and_six_rows() -> None:
    assert (len(OPERATIONS), len(ROWS)) == (2, 6)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_operation_on_the_page_is_valid(operation: str) -> None:
    assert validate(schema.CORE_SCHEMA, parse(operation)) == []


@pytest.mark.parametrize(("written", "shows"), ROWS, ids=[written for written, _ in ROWS])
def test_row_says_whether_past_concerts_are_shown(written: str, shows: str) -> None:
    given = dict(re.findall(r"(\w+): (\w+|\[\w+\])", written))
    filter_ = ConcertFilter(
        status=["CLOSED"] if "status" in given else None,  # type: ignore[list-item]
        upcoming={"true": True, "false": False}.get(given.get("upcoming", "")),
        mine="mine" in given or None,
    )
    assert filter_.read().upcoming is ("upcoming" in shows)


def test_list_without_a_filter_shows_upcoming_concerts() -> None:
    assert ConcertFilter().read().upcoming
    assert ConcertFilter(status=[]).read().upcoming
    assert ConcertFilter(mine=False).read().upcoming
