"""Prices beyond 32 bits, which MongoDB returns as integers of a type of its own."""

from domain.money import CurrencyCode
from storage.connect import Stores
from tests.support.sale import hold, on_sale, stock

PRICE_MINOR = 90_000_000_000


async def test_tickets_with_a_price_beyond_32_bits_are_sold(stores: Stores) -> None:
    concert = await on_sale(stores, 5, price_minor=PRICE_MINOR, currency=CurrencyCode.IDR)
    made = await hold(stores, concert, 2)
    assert made.total_minor == 2 * PRICE_MINOR
    assert await stock(stores, concert) == [(3, 2, 0)]
