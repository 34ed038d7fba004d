"""A price range covers the tiers that have tickets left to sell."""

from dataclasses import replace

from domain.ids import TierId
from domain.money import CurrencyCode
from domain.stock import PriceRange, Stock, TierStock

CHEAP = TierStock(TierId("c-1"), capacity=2, held=0, sold=1, price_minor=3_900)
MIDDLE = TierStock(TierId("c-2"), capacity=2, held=0, sold=0, price_minor=6_900)
DEAR = TierStock(TierId("c-3"), capacity=2, held=0, sold=0, price_minor=9_900)


def price_range(*tiers: TierStock) -> PriceRange | None:
    return Stock(1, 1, tiers, CurrencyCode.EUR).price_range


def test_price_range_covers_the_cheapest_and_the_most_expensive_tier() -> None:
    assert price_range(MIDDLE, DEAR, CHEAP) == PriceRange(3_900, 9_900)
    assert price_range(MIDDLE) == PriceRange(6_900, 6_900)


def test_price_range_excludes_a_tier_that_is_sold_out() -> None:
    assert price_range(replace(CHEAP, sold=2), MIDDLE, DEAR) == PriceRange(6_900, 9_900)


def test_price_range_includes_a_tier_whose_last_tickets_are_held() -> None:
    assert price_range(replace(CHEAP, held=1), MIDDLE) == PriceRange(3_900, 6_900)


def test_nothing_left_to_sell_has_no_price_range() -> None:
    assert price_range() is None
    assert price_range(replace(CHEAP, sold=2), MIDDLE.off_sale()) is None
