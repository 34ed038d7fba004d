"""Scalars for times and amounts.

A DateTime is in UTC, with `Z`; an OffsetDateTime has the offset of a place. A Decimal is a string,
so no client rounds it. A SafeInt is a number, because every client reads an integer of 53 bits
exactly.
"""

import math
import re
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import NewType

import strawberry
from graphql import GraphQLError

import domain.money
from schema.enums import CurrencyCode

_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_OFFSET = re.compile(r"Z|[+-]([01]\d|2[0-3]):[0-5]\d", re.ASCII)
_EXAMPLE = "2026-12-31T20:00:00Z"
# No sale is outside these years, and every time inside them can be converted to any time zone and
# stored in both stores.
_FIRST_YEAR, _LAST_YEAR = 1970, 2200

OffsetDateTime = NewType("OffsetDateTime", datetime)
SafeInt = NewType("SafeInt", int)
MAX_SAFE_INT = 2**53 - 1
"""JavaScript's Number.MAX_SAFE_INTEGER: a double represents every integer up to this one exactly.
"""
MAX_AMOUNTS = 4_096
"""The maximum number of amounts of money that are cached, with their decimal form."""


def write_date_time(value: datetime) -> str:
    # `2026-12-31T20:00:00+00:00`, with six digits of the second after a point if they are not 0.
    text = (value if value.tzinfo is UTC else value.astimezone(UTC)).isoformat()
    return f"{text[:23] if value.microsecond else text[:19]}Z"


def write_offset_date_time(value: datetime) -> str:
    return value.isoformat(timespec="milliseconds" if value.microsecond else "seconds")


def read_date_time(value: object) -> datetime:
    """Return the time in UTC and in whole milliseconds, the precision of both stores.

    Raises GraphQLError.
    """
    if not isinstance(value, str) or not (written := _DATE_TIME.fullmatch(value)):
        raise GraphQLError(f"A DateTime must be ISO 8601 with a time zone, such as {_EXAMPLE}.")
    if not _OFFSET.fullmatch(written[3]):
        raise GraphQLError(f"{value} is not a valid DateTime: its offset must be between -23:59 and +23:59.")
    if not _FIRST_YEAR <= int(value[:4]) <= _LAST_YEAR:
        raise GraphQLError(f"A DateTime must be in the years {_FIRST_YEAR} to {_LAST_YEAR}, such as {_EXAMPLE}.")
    try:
        moment = datetime.fromisoformat(value).astimezone(UTC)
    except ValueError as error:
        raise GraphQLError(f"{value} is not a valid DateTime: {error}.") from error
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def seconds_until(moment: datetime) -> int:
    """Return the number of whole seconds until `moment`, for clients whose clocks may be wrong.

    Returns 0 if the moment has passed.
    """
    return max(0, math.floor((moment - datetime.now(UTC)).total_seconds()))


def write_decimal(value: Decimal) -> str:
    return f"{value:f}"


def read_safe_int(value: object) -> int:
    """Return the integer. Like GraphQL's Int, accepts 5.0, which some encoders write for 5.

    Raises GraphQLError.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise GraphQLError("A SafeInt must be a whole number, such as 4950.")
    if abs(value) > MAX_SAFE_INT:
        raise GraphQLError(f"A SafeInt must be between -{MAX_SAFE_INT} and {MAX_SAFE_INT}.")
    return value


SCALARS: dict[object, strawberry.types.scalar.ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description=f"A time in UTC as ISO 8601 with `Z`, like `{_EXAMPLE}`. Input may have any offset.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=write_date_time,
        parse_value=read_date_time,
    ),
    OffsetDateTime: strawberry.scalar(
        name="OffsetDateTime",
        description=("A local time with its offset from UTC, in ISO 8601, like `2026-12-31T20:00:00+01:00`."),
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=write_offset_date_time,
    ),
    SafeInt: strawberry.scalar(
        name="SafeInt",
        description=(
            "A whole number between -(2^53 - 1) and 2^53 - 1, written as a JSON number. JavaScript reads it exactly."
        ),
        # The section on integers that all implementations of JSON agree on.
        specified_by_url="https://www.rfc-editor.org/rfc/rfc8259#section-6",
        serialize=read_safe_int,
        parse_value=read_safe_int,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description='An exact decimal number as a string, such as `"49.50"`.',
        specified_by_url="https://www.w3.org/TR/xmlschema11-2/#decimal",
        serialize=write_decimal,
    ),
}
"""The scalar for each Python type."""


@strawberry.type(description="An amount of money. Use `minor` for calculations and `amount` for display.")
class Money:
    amount: Decimal = strawberry.field(
        description="The amount in currency units, with as many decimal places as the currency has."
    )
    minor: SafeInt = strawberry.field(description="The amount in the smallest unit of the currency, such as cents.")
    currency: CurrencyCode = strawberry.field(description="The currency of the amount.")

    @staticmethod
    @lru_cache(maxsize=MAX_AMOUNTS)
    def of(minor: int, currency: CurrencyCode) -> "Money":
        """Return the amount. It is cached, because most amounts are the prices of a few tiers."""
        return Money(amount=domain.money.Money(minor, currency).amount, minor=SafeInt(minor), currency=currency)
