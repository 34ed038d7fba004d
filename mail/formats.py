"""Times and amounts of money as people write them. Amounts have the decimals of `domain.money`;
Babel uses different ones for some currencies, such as the forint.
"""

import copy
from datetime import datetime

import babel
from babel.dates import format_date, format_time

from domain.money import Money
from domain.text.locales import Locale


def format_money(money: Money, locale: Locale) -> str:
    # The pattern is shared by all users of Babel, so it is copied before it is changed.
    language, digits = babel.Locale.parse(locale), money.currency.digits
    pattern = copy.copy(language.currency_formats["standard"])
    pattern.frac_prec = (digits, digits)
    return str(pattern.apply(money.amount, language, currency=money.currency, currency_digits=False))


def format_moment(moment: datetime, locale: Locale) -> str:
    """Return the date and the time of day in the time zone of `moment`."""
    return f"{format_date(moment, 'full', locale=locale)}, {format_time(moment, 'short', locale=locale)}"
