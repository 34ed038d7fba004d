"""Demo concerts start in the evening of their venue and their times are in order, whenever they are
loaded. Their sales start on the hour.
"""

import json
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from domain.demo import demo_drafts
from domain.validation import draft_problems
from domain.venues.time_zones import local_time
from resolvers.demo import CATALOG

LOADED = datetime(2026, 11, 20, 0, 59, 59, 987_654, tzinfo=UTC)


@pytest.mark.parametrize("hour", range(24))
def test_demo_times_are_in_order_whenever_they_are_loaded(hour: int) -> None:
    now = LOADED.replace(hour=hour)
    for draft in demo_drafts(CATALOG.read_bytes(), now):
        terms = draft.terms
        sale_starts = terms.sales_start_at
        assert (sale_starts.minute, sale_starts.second, sale_starts.microsecond) == (0, 0, 0)
        assert terms.sales_start_at < terms.sales_end_at < terms.starts_at
        assert terms.starts_at - now > timedelta(days=13)
        assert list(draft_problems(draft)) == []


@pytest.mark.parametrize("month", range(1, 13))
def test_demo_concerts_start_in_the_evening_of_their_venue_all_year(month: int) -> None:
    records = {record["slug"]: record for record in json.loads(CATALOG.read_bytes())}
    for draft in demo_drafts(CATALOG.read_bytes(), LOADED.replace(month=month, day=1)):
        starts = local_time(draft.terms.starts_at, draft.terms.venue.time_zone)
        assert starts is not None
        assert time(17, 30) <= starts.time() <= time(21, 0)
        assert f"{starts:%H:%M}" == records[draft.slug or ""]["startTime"]


def test_demo_start_is_counted_from_the_day_at_the_venue() -> None:
    def start_in_sydney(now: datetime) -> datetime:
        drafts = demo_drafts(CATALOG.read_bytes(), now)
        return next(draft.terms.starts_at for draft in drafts if draft.terms.venue.city == "Sydney")

    starts_at = datetime(2027, 2, 16, 18, 30, tzinfo=ZoneInfo("Australia/Sydney"))
    assert start_in_sydney(LOADED) == starts_at
    # It is still 20 November in UTC, but already the 21st in Sydney.
    assert start_in_sydney(LOADED.replace(hour=23)) == starts_at + timedelta(days=1)


@pytest.mark.parametrize("hour", [0, 23])
def test_same_demo_sales_are_open_at_any_hour(hour: int) -> None:
    now = LOADED.replace(hour=hour)
    later = [draft for draft in demo_drafts(CATALOG.read_bytes(), now) if draft.terms.sales_start_at > now]
    assert len(later) == 4
