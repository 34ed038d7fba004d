"""Amounts in Stripe's unit, which is the minor unit of ISO 4217 for the currencies of today."""

from domain.money import CurrencyCode, Money
from payments.provider import AmountLimits


def amount_limits(currency: CurrencyCode) -> AmountLimits | None:
    return AmountLimits(1, 999_999_999)


def stripe_amount(money: Money) -> int:
    return money.minor


def minor_amount(amount: int, currency: CurrencyCode | None) -> int:
    return amount


def read_currency(code: str) -> CurrencyCode | None:
    """Return the currency of Stripe's lower-case code, or None if ISO 4217 does not have it."""
    try:
        return CurrencyCode(code.upper())
    except ValueError:
        return None
