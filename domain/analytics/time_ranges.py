"""Time ranges, divided into buckets: minutes, hours and days by the clocks of the venue.

A day has 23 or 25 hours when the clocks change. UTC is used for a venue whose time zone is not set.
"""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from domain.errors import BadUserInput
from domain.venues.time_zones import local_time, moment_of

MAX_BUCKETS = 500
DEFAULT_BUCKETS = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT = timedelta(milliseconds=1)
_QUARTER = timedelta(minutes=15)
"""Every time zone's offset from UTC is a multiple of this."""
_DAY = timedelta(days=1)


class TimeInterval(StrEnum):
    MINUTE = "MINUTE"
    FIVE_MINUTES = "FIVE_MINUTES"
    HOUR = "HOUR"
    DAY = "DAY"


_LENGTHS = {
    TimeInterval.MINUTE: timedelta(minutes=1),
    TimeInterval.FIVE_MINUTES: timedelta(minutes=5),
    TimeInterval.HOUR: timedelta(hours=1),
}


@dataclass(frozen=True, slots=True)
class TimeRange:
    starts: tuple[datetime, ...]
    """The start of each bucket, in order; at least one."""
    end: datetime
    step: timedelta
    """Every bucket begins and ends at a multiple of this time since the start of 1970 in UTC."""

    @property
    def start(self) -> datetime:
        return self.starts[0]

    @property
    def ends(self) -> tuple[datetime, ...]:
        """Return the exclusive end of each bucket."""
        return (*self.starts[1:], self.end)

    def start_of(self, moment: datetime) -> datetime:
        """Return the start of the bucket that contains a moment of the range."""
        return self.starts[bisect_right(self.starts, moment) - 1]


def make_time_range(
    interval: TimeInterval, *, start: datetime | None, end: datetime | None, now: datetime, time_zone: str | None
) -> TimeRange:
    """Return the range of whole buckets that contains the times from `start` to `end`.

    Without an end, it ends with the current bucket. Without a start, it has 100 buckets. Raises
    BadUserInput if the range is empty or too long.
    """
    last = now if end is None else end - _MOMENT
    if interval is TimeInterval.DAY:
        return _make_days(start, last, time_zone)
    length = _LENGTHS[interval]
    last_start = _bucket_start(last, length, time_zone)
    first = last_start - (DEFAULT_BUCKETS - 1) * length if start is None else _bucket_start(start, length, time_zone)
    count = (last_start - first) // length + 1
    _raise_unless_allowed(count, interval, start)
    starts = tuple(first + number * length for number in range(count))
    return TimeRange(starts, last_start + length, min(length, _QUARTER))


def _make_days(start: datetime | None, last: datetime, time_zone: str | None) -> TimeRange:
    last_day = _local(last, time_zone).date()
    first_day = last_day - (DEFAULT_BUCKETS - 1) * _DAY if start is None else _local(start, time_zone).date()
    count = (last_day - first_day).days + 1
    _raise_unless_allowed(count, TimeInterval.DAY, start)
    # A zone that crossed the date line skipped a day. That day then begins with the next one.
    *starts, end = sorted({_midnight(first_day + number * _DAY, time_zone) for number in range(count + 1)})
    return TimeRange(tuple(starts), end, _QUARTER)


def _raise_unless_allowed(count: int, interval: TimeInterval, start: datetime | None) -> None:
    if count < 1:
        raise BadUserInput(f"`from` ({start:%FT%TZ}) is not before the end of the range; send an earlier time.")
    if count > MAX_BUCKETS:
        raise BadUserInput(
            f"The range has {count:,} buckets of {interval}; request at most {MAX_BUCKETS} "
            "buckets, or a longer interval."
        )


def _bucket_start(moment: datetime, length: timedelta, time_zone: str | None) -> datetime:
    offset = _local(moment, time_zone).utcoffset()
    assert offset is not None
    return moment - (moment - _EPOCH + offset) % length


def _midnight(day: date, time_zone: str | None) -> datetime:
    local = datetime.combine(day, time())
    return local.replace(tzinfo=UTC) if _is_utc(time_zone) else moment_of(local, str(time_zone))


def _local(moment: datetime, time_zone: str | None) -> datetime:
    return local_time(moment, time_zone) or moment


def _is_utc(time_zone: str | None) -> bool:
    """Return whether the zone is not set, or is unknown to this process."""
    return local_time(_EPOCH, time_zone) is None
