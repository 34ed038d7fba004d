"""Time ranges begin and end with whole buckets, and are bounded."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.analytics.time_ranges import DEFAULT_BUCKETS, MAX_BUCKETS, TimeInterval, make_time_range
from domain.errors import BadUserInput

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 12, 34, 56, 789000, tzinfo=UTC)


def at(hour: int, minute: int = 0, *, day: int = 20) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("interval", "end", "length"),
    [
        (TimeInterval.MINUTE, at(12, 35), timedelta(minutes=1)),
        (TimeInterval.FIVE_MINUTES, at(12, 35), timedelta(minutes=5)),
        (TimeInterval.HOUR, at(13), timedelta(hours=1)),
        (TimeInterval.DAY, at(0, day=21), timedelta(days=1)),
    ],
)
def test_default_range_ends_with_the_current_bucket(interval: TimeInterval, end: datetime, length: timedelta) -> None:
    range_ = make_time_range(interval, start=None, end=None, now=NOW, time_zone=None)
    assert range_.starts == tuple(end - number * length for number in range(DEFAULT_BUCKETS, 0, -1))
    assert range_.ends == (*range_.starts[1:], end)


def test_range_contains_the_buckets_of_its_first_and_last_moment() -> None:
    range_ = make_time_range(TimeInterval.HOUR, start=at(9, 59), end=at(11, 1), now=NOW, time_zone=None)
    assert (range_.starts, range_.end) == ((at(9), at(10), at(11)), at(12))
    range_ = make_time_range(TimeInterval.HOUR, start=at(9), end=at(11), now=NOW, time_zone=None)
    assert (range_.starts, range_.end) == ((at(9), at(10)), at(11))


def test_moment_belongs_to_the_bucket_that_contains_it() -> None:
    range_ = make_time_range(TimeInterval.HOUR, start=at(9), end=at(11), now=NOW, time_zone=None)
    moments = (at(9), at(10) - timedelta(milliseconds=1), at(10), at(11) - timedelta(milliseconds=1))
    assert [range_.start_of(moment) for moment in moments] == [at(9), at(9), at(10), at(10)]


def test_days_have_23_or_25_hours_when_the_clocks_change() -> None:
    for first, hours in ((datetime(2027, 3, 27, 23, tzinfo=UTC), 23), (datetime(2027, 10, 30, 22, tzinfo=UTC), 25)):
        end = first + timedelta(hours=hours)
        range_ = make_time_range(TimeInterval.DAY, start=first, end=end, now=NOW, time_zone="Europe/Berlin")
        assert (range_.starts, range_.end) == ((first,), end)


def test_day_without_a_midnight_begins_when_the_clocks_change() -> None:
    noon = datetime(2027, 4, 30, 12, tzinfo=UTC)
    range_ = make_time_range(TimeInterval.DAY, start=noon, end=None, now=noon, time_zone="Africa/Cairo")
    assert range_.starts == (datetime(2027, 4, 29, 22, tzinfo=UTC),)
    assert range_.end == datetime(2027, 4, 30, 21, tzinfo=UTC)


def test_day_skipped_at_the_date_line_has_no_bucket() -> None:
    start, end = (datetime(2011, 12, day, 12, tzinfo=UTC) for day in (29, 31))
    range_ = make_time_range(TimeInterval.DAY, start=start, end=end, now=NOW, time_zone="Pacific/Apia")
    first, second = datetime(2011, 12, 29, 10, tzinfo=UTC), datetime(2011, 12, 30, 10, tzinfo=UTC)
    assert (range_.starts, range_.end) == ((first, second, second + timedelta(days=1)), second + timedelta(days=2))


def test_hours_begin_by_the_clocks_of_the_venue() -> None:
    range_ = make_time_range(TimeInterval.HOUR, start=at(9, 15), end=at(10), now=NOW, time_zone="Asia/Kolkata")
    assert range_.starts == (at(8, 30), at(9, 30))


@given(
    zone=st.sampled_from(["Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns", "Nowhere/Far"]),
    interval=st.sampled_from(TimeInterval),
    start=st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 - the zone follows
    length=st.timedeltas(timedelta(milliseconds=1), timedelta(hours=8)),
)
def test_buckets_follow_each_other_and_contain_the_range(
    zone: str, interval: TimeInterval, start: datetime, length: timedelta
) -> None:
    begin = start.replace(tzinfo=UTC)
    range_ = make_time_range(interval, start=begin, end=begin + length, now=NOW, time_zone=zone)
    assert range_.start <= begin < range_.ends[0]
    assert range_.starts[-1] < begin + length <= range_.end + timedelta(milliseconds=1)
    assert list(range_.starts) == sorted(set(range_.starts))
    assert all((moment - EPOCH) % range_.step == timedelta() for moment in (*range_.starts, range_.end))


def test_range_may_begin_before_1970() -> None:
    start = datetime(1969, 12, 31, 23, 30, tzinfo=UTC)
    range_ = make_time_range(TimeInterval.HOUR, start=start, end=start + timedelta(hours=1), now=NOW, time_zone=None)
    assert range_.starts == (start - timedelta(minutes=30), start + timedelta(minutes=30))


@pytest.mark.parametrize("start", [at(13), at(14, day=30)])
def test_range_that_begins_after_its_end_is_refused(start: datetime) -> None:
    with pytest.raises(BadUserInput, match=r"^`from` \(2026-11-\d\dT1[34]:00:00Z\) is not before the end"):
        make_time_range(TimeInterval.HOUR, start=start, end=None, now=NOW, time_zone=None)


def test_longest_range_is_allowed_and_a_longer_one_refused() -> None:
    start = at(12) - timedelta(hours=MAX_BUCKETS - 1)
    assert len(make_time_range(TimeInterval.HOUR, start=start, end=None, now=NOW, time_zone=None).starts) == MAX_BUCKETS
    with pytest.raises(BadUserInput, match="The range has 501 buckets of HOUR; request at most 500"):
        make_time_range(TimeInterval.HOUR, start=start - timedelta(milliseconds=1), end=None, now=NOW, time_zone=None)
