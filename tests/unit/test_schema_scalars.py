"""Times and amounts are written in one format, and ambiguous ones are refused."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from graphql import GraphQLError
from hypothesis import given
from hypothesis import strategies as st

from domain.money import CurrencyCode
from schema.scalars import Money, read_date_time, read_safe_int, write_date_time, write_decimal


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC), "2030-01-02T03:04:05Z"),
        (datetime(2030, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC), "2030-01-02T03:04:05.678Z"),
        (datetime(2030, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2))), "2030-01-02T01:04:05Z"),
    ],
)
def test_time_is_written_in_utc(moment: datetime, text: str) -> None:
    assert write_date_time(moment) == text


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2030-01-02T03:04:05Z", datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2030-01-02T03:04Z", datetime(2030, 1, 2, 3, 4, tzinfo=UTC)),
        ("2030-01-02T03:04:05.6789Z", datetime(2030, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)),
        ("2030-01-02T03:04:05+02:00", datetime(2030, 1, 2, 1, 4, 5, tzinfo=UTC)),
        ("2030-01-01T23:30:00-05:30", datetime(2030, 1, 2, 5, 0, 0, tzinfo=UTC)),
    ],
)
def test_time_is_read_with_any_offset(text: str, moment: datetime) -> None:
    read = read_date_time(text)
    assert (read, read.tzinfo) == (moment, UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2030-01-02T03:04:05",
        "2030-01-02",
        "2030-01-02 03:04:05Z",
        "20300102T030405Z",
        "2030-W01-1T00:00:00Z",
        "2030-13-02T03:04:05Z",
        "2030-02-30T03:04:05Z",
        "2030-01-02T25:04:05Z",
        "2030-01-02T03:04:05+25:00",
        "2030-01-02T03:04:05z",
        "٢٠٣٠-01-02T03:04:05Z",
        "0001-01-01T00:00:00+23:00",
        "9999-12-31T23:59:59-23:00",
        "1969-12-31T23:59:59Z",
        "2201-01-01T00:00:00Z",
        "now",
        "",
        1_900_000_000,
        None,
        True,
    ],
)
def test_ambiguous_or_invalid_time_is_refused(value: object) -> None:
    with pytest.raises(GraphQLError):
        read_date_time(value)


@given(st.datetimes(datetime(1971, 1, 1), datetime(2199, 1, 1), timezones=st.timezones()))  # noqa: DTZ001
def test_time_survives_a_round_trip_with_millisecond_precision(moment: datetime) -> None:
    utc = moment.astimezone(UTC)
    assert read_date_time(write_date_time(moment)) == utc.replace(microsecond=utc.microsecond // 1000 * 1000)


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (4950, CurrencyCode.EUR, "49.50"),
        (0, CurrencyCode.EUR, "0.00"),
        (5, CurrencyCode.USD, "0.05"),
        (2**53 - 1, CurrencyCode.USD, "90071992547409.91"),
        (5000, CurrencyCode.JPY, "5000"),
    ],
)
def test_money_amount_has_the_decimal_places_of_its_currency(minor: int, currency: CurrencyCode, text: str) -> None:
    money = Money.of(minor, currency)
    assert (write_decimal(money.amount), money.minor, money.currency) == (text, minor, currency)


def test_decimal_is_written_without_an_exponent() -> None:
    assert write_decimal(Decimal("1E+3")) == "1000"


@pytest.mark.parametrize(
    ("value", "number"),
    [(0, 0), (-1, -1), (4950, 4950), (4950.0, 4950), (2**53 - 1, 2**53 - 1), (1 - 2**53, 1 - 2**53)],
)
def test_safe_int_is_read_exactly(value: object, number: int) -> None:
    read = read_safe_int(value)
    assert (read, type(read)) == (number, int)


@pytest.mark.parametrize(
    "value", [2**53, -(2**53), 1e16, 1.5, float("inf"), float("nan"), "4950", True, None, [1], Decimal(5)]
)
def test_number_that_a_client_could_read_as_another_is_refused(value: object) -> None:
    with pytest.raises(GraphQLError):
        read_safe_int(value)
