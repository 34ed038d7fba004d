"""Amounts of money in whole minor units of a currency. Decimal amounts are for display only."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class CurrencyCode(StrEnum):
    """ISO 4217 codes of the currencies in which concerts can be sold."""

    AUD = "AUD"
    CAD = "CAD"
    CHF = "CHF"
    CZK = "CZK"
    DKK = "DKK"
    EUR = "EUR"
    GBP = "GBP"
    JPY = "JPY"
    NOK = "NOK"
    PLN = "PLN"
    SEK = "SEK"
    USD = "USD"


_NO_MINOR_UNIT = frozenset({CurrencyCode.JPY})


@dataclass(frozen=True, slots=True)
class Money:
    minor: int
    currency: CurrencyCode

    @property
    def amount(self) -> Decimal:
        digits = 0 if self.currency in _NO_MINOR_UNIT else 2
        return Decimal(self.minor).scaleb(-digits)
