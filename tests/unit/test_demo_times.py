"""Demo concerts start on the hour and their times are in order, whenever they are loaded."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.demo import demo_drafts
from domain.validation import draft_problems
from resolvers.demo import CATALOG

LOADED = datetime(2026, 11, 20, 0, 59, 59, 987_654, tzinfo=UTC)


@pytest.mark.parametrize("hour", range(24))
def test_demo_times_are_on_the_hour_whenever_they_are_loaded(hour: int) -> None:
    now = LOADED.replace(hour=hour)
    for draft in demo_drafts(CATALOG.read_bytes(), now):
        terms = draft.terms
        for moment in (terms.starts_at, terms.sales_start_at, terms.sales_end_at):
            assert (moment.minute, moment.second, moment.microsecond) == (0, 0, 0)
        assert terms.starts_at.hour == 19
        assert terms.sales_start_at < terms.sales_end_at < terms.starts_at
        assert terms.starts_at - now > timedelta(days=13)
        assert list(draft_problems(draft)) == []


@pytest.mark.parametrize("hour", [0, 23])
def test_same_demo_sales_are_open_at_any_hour(hour: int) -> None:
    now = LOADED.replace(hour=hour)
    later = [draft for draft in demo_drafts(CATALOG.read_bytes(), now) if draft.terms.sales_start_at > now]
    assert len(later) == 4
