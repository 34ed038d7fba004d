"""Amounts in Stripe's unit, as its page on currencies defines it (docs.stripe.com/currencies).

Stripe's unit is not always the minor unit of ISO 4217: the page defines it for each currency. A
conversion from our unit is exact or refused, so that what was displayed is what is charged.
Forints and New Taiwan dollars need no rule: they are whole for payouts only, not for charges.
"""

from domain.money import CurrencyCode, Money
from payments.provider import AmountLimits, ProviderRefused


def _codes(text: str) -> frozenset[CurrencyCode]:
    return frozenset(map(CurrencyCode, text.split()))


_TAKEN = _codes(
    """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CLP CNY COP
    CRC CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR ISK JMD
    JOD JPY KES KGS KHR KMF KRW KWD KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN
    NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SEK SGD SHP SLE SOS SRD
    SZL THB TJS TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VND VUV WST XAF XCD XOF XPF YER ZAR ZMW
    """
)
"""The currencies that Stripe accepts in at least one country. If an account may not use one of
them, Stripe refuses the payment.
"""
_ZERO_DECIMAL = _codes("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF")
"""Without UGX: the page lists it here too, but its more specific rule asks for two decimals, both
zero, as for ISK.
"""
_THREE_DECIMAL = _codes("BHD JOD KWD OMR TND")
"""The card networks need the last of the three decimals to be 0."""

_LOWEST_MINOR = {
    CurrencyCode.AED: 200,
    CurrencyCode.ARS: 50,
    CurrencyCode.AUD: 50,
    CurrencyCode.BRL: 50,
    CurrencyCode.CAD: 50,
    CurrencyCode.CHF: 50,
    CurrencyCode.COP: 50,
    CurrencyCode.CZK: 1_500,
    CurrencyCode.DKK: 250,
    CurrencyCode.EUR: 50,
    CurrencyCode.GBP: 30,
    CurrencyCode.HKD: 400,
    CurrencyCode.HUF: 17_500,
    CurrencyCode.IDR: 50,
    CurrencyCode.ILS: 50,
    CurrencyCode.INR: 50,
    CurrencyCode.JPY: 50,
    CurrencyCode.KRW: 50,
    CurrencyCode.MXN: 1_000,
    CurrencyCode.MYR: 200,
    CurrencyCode.NOK: 300,
    CurrencyCode.NZD: 50,
    CurrencyCode.PHP: 50,
    CurrencyCode.PLN: 200,
    CurrencyCode.RON: 200,
    CurrencyCode.RUB: 50,
    CurrencyCode.SEK: 300,
    CurrencyCode.SGD: 50,
    CurrencyCode.THB: 1_000,
    CurrencyCode.USD: 50,
    CurrencyCode.ZAR: 50,
}
"""The page's minimum charges. In any other currency, the minimum is the equivalent of the one in
the account's currency, so it depends on the exchange rate, and only Stripe knows it.
"""
_HIGHEST = 999_999_999
"""In Stripe's unit: nine digits, which can be charged to every card, including American Express."""
_OTHER_HIGHEST = {
    # Japanese accounts can charge at most eight digits to JCB, Diners Club and Discover cards.
    CurrencyCode.JPY: 99_999_999,
    # Nine digits are worth little, so the twelve digits of most cards apply.
    CurrencyCode.COP: 999_999_999_999,
    CurrencyCode.IDR: 999_999_999_999,
    CurrencyCode.LBP: 999_999_999_999,
}


def amount_limits(currency: CurrencyCode) -> AmountLimits | None:
    """Return the limits of one payment, or None if Stripe does not accept the currency."""
    if currency not in _TAKEN:
        return None
    step = _step(currency)
    highest = minor_amount(_OTHER_HIGHEST.get(currency, _HIGHEST), currency)
    return AmountLimits(_LOWEST_MINOR.get(currency, step), highest // step * step, step)


def stripe_amount(money: Money) -> int:
    """Return the amount in Stripe's unit.

    Raises ProviderRefused if Stripe does not accept the currency, or cannot express the amount. The
    prices of a concert are checked when it is saved, so neither happens to an order.
    """
    if money.currency not in _TAKEN:
        raise ProviderRefused("currency_not_taken", f"Stripe does not accept payments in {money.currency}")
    step = _step(money.currency)
    if money.minor % step:
        raise ProviderRefused("amount_not_payable", f"{money} is not a multiple of {Money(step, money.currency)}")
    factor, divisor = _ratio(money.currency)
    return money.minor * factor // divisor


def minor_amount(amount: int, currency: CurrencyCode | None) -> int:
    """Convert an amount reported by Stripe to minor units. Return it unchanged if ISO 4217 does not
    have its currency.

    A fraction of the minor unit is dropped, so that an amount never appears larger than it is.
    """
    if currency is None:
        return amount
    factor, divisor = _ratio(currency)
    return amount * divisor // factor


def read_currency(code: str) -> CurrencyCode | None:
    """Return the currency of Stripe's lower-case code, or None if ISO 4217 does not have it."""
    try:
        return CurrencyCode(code.upper())
    except ValueError:
        return None


def _ratio(currency: CurrencyCode) -> tuple[int, int]:
    """Return (factor, divisor): an amount in Stripe's unit is minor units * factor / divisor."""
    stripe_digits = 0 if currency in _ZERO_DECIMAL else 3 if currency in _THREE_DECIMAL else 2
    extra = stripe_digits - currency.digits
    return int(10 ** max(0, extra)), int(10 ** max(0, -extra))


def _step(currency: CurrencyCode) -> int:
    """Return the number of minor units that every amount must be a multiple of."""
    return 10 if currency in _THREE_DECIMAL else _ratio(currency)[1]
