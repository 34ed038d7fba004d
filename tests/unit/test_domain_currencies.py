"""The committed table of currencies agrees with ISO 4217, and amounts are exact."""

from decimal import Decimal

import iso4217
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money import CurrencyCode, Money


def test_table_has_the_active_codes_and_digits_of_iso_4217() -> None:
    published = {code.value: code.exponent for code in iso4217.Currency if code.exponent is not None}
    assert {code.value: code.digits for code in CurrencyCode} == published


def test_codes_without_a_minor_unit_are_not_currencies_here() -> None:
    without = {code.value for code in iso4217.Currency if code.exponent is None}
    assert {"XAU", "XTS", "XXX"} <= without
    assert without.isdisjoint(CurrencyCode)


def test_each_currency_has_a_unique_english_name() -> None:
    # ISO 4217 has two codes for the bolivar, but tells them apart only in its remarks.
    assert len({code.label for code in CurrencyCode}) == len(CurrencyCode)


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (Money(17_500, CurrencyCode.HUF), "175.00 HUF"),
        (Money(500, CurrencyCode.ISK), "500 ISK"),
        (Money(5_120, CurrencyCode.KWD), "5.120 KWD"),
        (Money(10_000, CurrencyCode.CLF), "1.0000 CLF"),
        (Money(0, CurrencyCode.BHD), "0.000 BHD"),
        (Money(2**53 - 1, CurrencyCode.IDR), "90071992547409.91 IDR"),
    ],
)
def test_amount_has_the_digits_of_iso_4217(money: Money, text: str) -> None:
    assert str(money) == text


@given(st.integers(0, 2**53 - 1), st.sampled_from(list(CurrencyCode)))
def test_amount_is_exact(minor: int, currency: CurrencyCode) -> None:
    assert Money(minor, currency).amount * 10**currency.digits == Decimal(minor)
