"""The orders and the bounds of a list of concerts."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from domain.money import CurrencyCode

PAST_AFTER = timedelta(days=1)
"""A concert counts as past a day after its start. One that takes place tonight or in another time
zone is still upcoming.
"""
MAX_COUNT = 10_000
"""Concerts beyond this number are not counted: no person reads a list of that length."""


class ConcertSort(StrEnum):
    STARTS_AT = "STARTS_AT"
    SALES_START_AT = "SALES_START_AT"


@dataclass(frozen=True, slots=True)
class PriceFilter:
    """Matches concerts in this currency that have a ticket in this price range, both ends included.

    A bound that is None does not restrict the price. Hidden tiers never match.
    """

    currency: CurrencyCode
    lowest_minor: int | None = None
    highest_minor: int | None = None


@dataclass(frozen=True, slots=True)
class MatchCount:
    """The number of concerts that match, at most MAX_COUNT."""

    count: int
    is_exact: bool
    """False if more concerts match."""
