"""Logins are limited per address, across all processes."""

import asyncio

import pytest

from auth.login_limit import LoginLimit, TooManyLogins
from domain.limits.rates import Rate
from storage.connect import Stores
from tests.support.sale import opened

OFFICE, HOME = "203.0.113.7", "198.51.100.1"


async def test_only_the_allowed_number_of_logins_per_address_can_begin(
    stores: Stores, valkey_url: str, mongo_url: str, mongo_database: str
) -> None:
    async with opened(valkey_url, mongo_url, mongo_database) as others:
        limits = [LoginLimit(one.call_counter, Rate(5, 600)) for one in (stores, others)]
        begun = [limits[number % 2].count(OFFICE) for number in range(100)]
        answers = await asyncio.gather(*begun, return_exceptions=True)
    assert answers.count(None) == 5
    refused = [answer for answer in answers if isinstance(answer, TooManyLogins)]
    assert len(refused) == 95
    assert all(1 <= error.retry_after_s <= 120 for error in refused)
    assert str(refused[0]).startswith("The limit for logins is 5 in 600 s per address; try again in ")
    await limits[0].count(HOME)


@pytest.mark.parametrize(("rate", "address"), [(None, OFFICE), (Rate(1, 600), None)])
async def test_login_without_a_rate_or_an_address_is_not_limited(
    stores: Stores, rate: Rate | None, address: str | None
) -> None:
    limit = LoginLimit(stores.call_counter, rate)
    for _ in range(10):
        await limit.count(address)
