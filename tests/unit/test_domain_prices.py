"""A price is 0 or payable, both for one ticket and for the largest order."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

import payments.amounts
from domain.concerts import Concert, ConcertChange, ConcertDraft, ConcertStatus, Tier, TierChange, TierDraft
from domain.ids import ConcertId, PersonId, tier_id
from domain.inputs.problems import FieldProblem
from domain.money import CurrencyCode
from domain.payments.prices import changed_price_problems, draft_price_problems
from domain.validation import MAX_LIMIT, MAX_PRICE_MINOR
from schema.scalars import MAX_SAFE_INT
from tests.support.sale import draft

CONCERT = ConcertId("abcdefghjkmn")
FIRST, SECOND = tier_id(CONCERT, 1), tier_id(CONCERT, 2)


def priced(*prices: int, currency: CurrencyCode = CurrencyCode.EUR, limit_per_order: int = 10) -> ConcertDraft:
    tiers = tuple(TierDraft(f"Tier {number}", price, 5) for number, price in enumerate(prices, 1))
    return draft(tiers=tiers, currency=currency, limit_per_order=limit_per_order)


def problems_of(made: ConcertDraft) -> list[tuple[str, str]]:
    return shown(list(draft_price_problems(made, payments.amounts)))


def shown(problems: list[FieldProblem]) -> list[tuple[str, str]]:
    return [(problem.path, problem.message) for problem in problems]


@pytest.mark.parametrize(
    ("currency", "limit_per_order", "prices"),
    [
        (CurrencyCode.EUR, 10, (0, 50, 99_999_999)),
        (CurrencyCode.EUR, 1, (999_999_999,)),
        (CurrencyCode.HUF, 10, (17_500,)),
        (CurrencyCode.JPY, 8, (50, 12_499_999)),
        (CurrencyCode.ISK, 10, (1, 999_999)),
        (CurrencyCode.KWD, 10, (10, 5_120)),
        (CurrencyCode.IDR, 1, (50, 999_999_999_999)),
        (CurrencyCode.IRR, 10, (0, 0)),
    ],
)
def test_payable_and_free_prices_are_accepted(
    currency: CurrencyCode, limit_per_order: int, prices: tuple[int, ...]
) -> None:
    assert problems_of(priced(*prices, currency=currency, limit_per_order=limit_per_order)) == []


@pytest.mark.parametrize(
    ("currency", "price", "message"),
    [
        (CurrencyCode.EUR, 49, "is 49 (0.49 EUR); it must be 0 or at least 50 (0.50 EUR)"),
        (CurrencyCode.HUF, 200, "is 200 (2.00 HUF); it must be 0 or at least 17500 (175.00 HUF)"),
        (CurrencyCode.KWD, 5_124, "is 5124 (5.124 KWD); it must be a multiple of 10 (0.010 KWD)"),
        (CurrencyCode.MGA, 50_050, "is 50050 (500.50 MGA); it must be a multiple of 100 (1.00 MGA)"),
        (
            CurrencyCode.EUR,
            100_000_000,
            "is 100000000 (1000000.00 EUR); with a limitPerOrder of 10, it must be at most 99999999, because one"
            " payment is at most 9999999.99 EUR",
        ),
        (CurrencyCode.IRR, 500, "is 500; it must be 0, because no payments in IRR are possible"),
    ],
)
def test_price_that_cannot_be_paid_is_refused(currency: CurrencyCode, price: int, message: str) -> None:
    assert problems_of(priced(0, price, currency=currency)) == [("tiers.1.priceMinor", message)]


@pytest.mark.parametrize("price", [-1, MAX_PRICE_MINOR + 1])
def test_price_invalid_in_every_currency_is_left_to_the_general_checks(price: int) -> None:
    assert problems_of(priced(price)) == []


def test_total_of_the_largest_order_fits_into_a_safe_int() -> None:
    assert MAX_PRICE_MINOR * MAX_LIMIT <= MAX_SAFE_INT


def concert(*prices: int, currency: CurrencyCode = CurrencyCode.EUR) -> Concert:
    tiers = tuple(
        Tier(tier_id(CONCERT, number), f"Tier {number}", price, 5, 5) for number, price in enumerate(prices, 1)
    )
    return Concert(
        id=CONCERT,
        slug="slug",
        terms=draft(1).terms,
        currency=currency,
        tiers=tiers,
        status=ConcertStatus.DRAFT,
        version=1,
        epoch=0,
        created_by=PersonId("olivia"),
        created_at=datetime(2030, 1, 1, tzinfo=UTC),
        organizer_id=PersonId("olivia"),
    )


def problems_after(before: Concert, change: ConcertChange) -> list[tuple[str, str]]:
    changes = {tier.id: tier for tier in change.tiers}
    after = replace(
        before,
        terms=change.apply_to(before.terms),
        tiers=tuple(changes[tier.id].apply_to(tier) if tier.id in changes else tier for tier in before.tiers),
    )
    return shown(list(changed_price_problems(before, after, change, payments.amounts)))


def test_changed_and_new_prices_are_checked() -> None:
    change = ConcertChange(
        tiers=(TierChange(FIRST, name="Front"), TierChange(SECOND, price_minor=1)), new_tiers=(TierDraft("New", 2, 5),)
    )
    assert problems_after(concert(100, 100), change) == [
        ("tiers.1.priceMinor", "is 1 (0.01 EUR); it must be 0 or at least 50 (0.50 EUR)"),
        ("newTiers.0.priceMinor", "is 2 (0.02 EUR); it must be 0 or at least 50 (0.50 EUR)"),
    ]


def test_price_from_before_the_limits_may_stay() -> None:
    before = concert(1, 5_000_000_000)
    assert problems_after(before, ConcertChange(name="New name")) == []
    assert problems_after(before, ConcertChange(limit_per_order=5)) == []
    assert problems_after(before, ConcertChange(tiers=(TierChange(FIRST, price_minor=1),))) == []


def test_limit_per_order_is_raised_only_as_far_as_one_payment_allows() -> None:
    before = concert(100, 90_000_000)
    assert problems_after(before, ConcertChange(limit_per_order=11)) == []
    assert problems_after(before, ConcertChange(limit_per_order=12)) == [
        (
            "limitPerOrder",
            "is 12; it must be at most 11, because a ticket costs 900000.00 EUR and one payment is at most"
            " 9999999.99 EUR",
        )
    ]


def test_price_and_limit_that_are_changed_together_are_checked_together() -> None:
    change = ConcertChange(limit_per_order=100, tiers=(TierChange(SECOND, price_minor=9_999_999),))
    assert problems_after(concert(100, 90_000_000), change) == []
    worse = replace(change, tiers=(TierChange(SECOND, price_minor=10_000_000),))
    assert [path for path, _ in problems_after(concert(100, 90_000_000), worse)] == ["tiers.0.priceMinor"]


def test_unknown_tier_is_left_to_the_general_checks() -> None:
    assert problems_after(concert(100), ConcertChange(tiers=(TierChange(SECOND, price_minor=1),))) == []
