"""Amounts in Stripe's unit: each rule of its page on currencies, in both directions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money import CurrencyCode, Money
from payments.amounts import amount_limits, minor_amount, read_currency, stripe_amount
from payments.provider import AmountLimits, ProviderRefused

TAKEN = [code for code in CurrencyCode if amount_limits(code) is not None]


@pytest.mark.parametrize(
    ("currency", "minor", "amount"),
    [
        (CurrencyCode.USD, 1_000, 1_000),
        (CurrencyCode.JPY, 500, 500),
        (CurrencyCode.KRW, 50, 50),
        (CurrencyCode.HUF, 17_545, 17_545),
        (CurrencyCode.TWD, 80_045, 80_045),
        (CurrencyCode.ISK, 5, 500),
        (CurrencyCode.UGX, 5, 500),
        (CurrencyCode.MGA, 500, 5),
        (CurrencyCode.KWD, 5_120, 5_120),
        (CurrencyCode.EUR, 0, 0),
    ],
)
def test_amount_is_converted_to_stripe_and_back(currency: CurrencyCode, minor: int, amount: int) -> None:
    assert stripe_amount(Money(minor, currency)) == amount
    assert minor_amount(amount, currency) == minor


@given(st.sampled_from(TAKEN), st.data())
def test_every_allowed_amount_returns_unchanged(currency: CurrencyCode, data: st.DataObject) -> None:
    limits = amount_limits(currency)
    assert limits is not None
    count = data.draw(st.integers(-(-limits.lowest // limits.step), limits.highest // limits.step))
    money = Money(count * limits.step, currency)
    assert minor_amount(stripe_amount(money), currency) == money.minor


@pytest.mark.parametrize(
    ("money", "code", "message"),
    [
        (Money(5_124, CurrencyCode.KWD), "amount_not_payable", "5.124 KWD is not a multiple of 0.010 KWD"),
        (Money(550, CurrencyCode.MGA), "amount_not_payable", "5.50 MGA is not a multiple of 1.00 MGA"),
        (Money(500, CurrencyCode.IRR), "currency_not_taken", "Stripe does not accept payments in IRR"),
    ],
)
def test_amount_without_an_exact_equivalent_is_refused(money: Money, code: str, message: str) -> None:
    with pytest.raises(ProviderRefused) as refusal:
        stripe_amount(money)
    assert (refusal.value.code, str(refusal.value)) == (code, f"{code}: {message}")


def test_reported_amount_never_appears_larger_than_it_is() -> None:
    assert minor_amount(599, CurrencyCode.ISK) == 5
    assert minor_amount(99, CurrencyCode.UGX) == 0


def test_amount_in_an_unknown_currency_is_kept_as_reported() -> None:
    assert read_currency("ang") is None
    assert minor_amount(1_234, read_currency("ang")) == 1_234


def test_currency_is_read_from_its_lower_case_code() -> None:
    assert read_currency("eur") is CurrencyCode.EUR


@pytest.mark.parametrize(
    ("currency", "limits"),
    [
        (CurrencyCode.EUR, AmountLimits(50, 999_999_999)),
        (CurrencyCode.HUF, AmountLimits(17_500, 999_999_999)),
        (CurrencyCode.JPY, AmountLimits(50, 99_999_999)),
        (CurrencyCode.IDR, AmountLimits(50, 999_999_999_999)),
        (CurrencyCode.KES, AmountLimits(1, 999_999_999)),
        (CurrencyCode.ISK, AmountLimits(1, 9_999_999)),
        (CurrencyCode.KWD, AmountLimits(10, 999_999_990, 10)),
        (CurrencyCode.MGA, AmountLimits(100, 99_999_999_900, 100)),
    ],
)
def test_limits_are_in_minor_units(currency: CurrencyCode, limits: AmountLimits) -> None:
    assert amount_limits(currency) == limits


@pytest.mark.parametrize("currency", [CurrencyCode.CLF, CurrencyCode.IRR, CurrencyCode.KPW, CurrencyCode.XAD])
def test_currency_that_stripe_does_not_take_has_no_limits(currency: CurrencyCode) -> None:
    assert amount_limits(currency) is None


def test_lowest_and_highest_amounts_are_payable() -> None:
    for currency in TAKEN:
        limits = amount_limits(currency)
        assert limits is not None
        assert 0 < stripe_amount(Money(limits.lowest, currency)) < stripe_amount(Money(limits.highest, currency))
