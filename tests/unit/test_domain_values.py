"""Ids derived from requests, exact amounts of money, state transitions, and settings."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import concerts, holds
from domain.ids import ConcertId, PersonId, Unit, concert_of, fingerprint, hold_id, new_concert_id, tier_id, tier_of
from domain.money import CurrencyCode, Money
from domain.stock import Stock, TierStock
from settings import Settings, SettingsError

texts = st.lists(st.text(st.characters(codec="utf-8"), max_size=5), max_size=4)


@given(texts, texts)
def test_fingerprints_are_equal_only_for_equal_parts(one: list[str], other: list[str]) -> None:
    assert (fingerprint(*one) == fingerprint(*other)) is (one == other)


def test_hold_id_depends_on_every_part_of_the_request() -> None:
    asked = ("alice", "concert", "holdTickets", "key")
    ids = {hold_id(PersonId(p), ConcertId(c), o, k) for p, c, o, k in [asked, *[_changed(asked, n) for n in range(4)]]}
    assert len(ids) == 5
    assert all(len(id_) == 32 for id_ in ids)


def _changed(asked: tuple[str, str, str, str], index: int) -> tuple[str, str, str, str]:
    one, two, three, four = (word + "x" if number == index else word for number, word in enumerate(asked))
    return one, two, three, four


def test_tier_id_names_its_concert_and_unit_id_names_its_tier() -> None:
    concert = new_concert_id()
    tier = tier_id(concert, 12)
    assert (concert_of(tier), tier_of(Unit(f"{tier}:7"))) == (concert, tier)
    assert len({new_concert_id() for _ in range(1_000)}) == 1_000


@pytest.mark.parametrize(
    ("money", "amount"),
    [
        (Money(1_250, CurrencyCode.EUR), "12.50"),
        (Money(5, CurrencyCode.USD), "0.05"),
        (Money(0, CurrencyCode.GBP), "0.00"),
        (Money(12_500, CurrencyCode.JPY), "12500"),
    ],
)
def test_amount_has_the_decimal_places_of_its_currency(money: Money, amount: str) -> None:
    assert str(money.amount) == amount
    assert money.amount == Decimal(amount)


def test_stock_is_sold_out_if_no_tier_has_an_available_ticket() -> None:
    some, none = TierStock(tier_id(ConcertId("c"), 1), 5, 2, 2, 0), TierStock(tier_id(ConcertId("c"), 2), 5, 1, 4, 0)
    assert (some.available, none.available) == (1, 0)
    assert not Stock(1, 1, (some, none), CurrencyCode.EUR).is_sold_out
    assert Stock(1, 1, (none,), CurrencyCode.EUR).is_sold_out


def test_every_state_is_in_its_transition_table() -> None:
    assert set(concerts.NEXT_STATUS) == set(concerts.ConcertStatus)
    assert set(holds.NEXT_STATE) == set(holds.HoldState)


def test_settings_error_names_every_problem() -> None:
    with pytest.raises(SettingsError) as refusal:
        Settings.from_env({"ONSALE_ENV": "production", "ONSALE_PORT": "-1", "ONSALE_LOG_FORMAT": "xml"})
    message = str(refusal.value)
    for name in ("ONSALE_PORT", "ONSALE_LOG_FORMAT", "ONSALE_REDIS_URL", "ONSALE_MONGO_URL", "ONSALE_PUBLIC_URL"):
        assert name in message


def test_settings_have_defaults_for_development() -> None:
    settings = Settings.from_env({})
    assert settings == Settings()
    assert (settings.issuer, settings.has_own_issuer) == ("http://localhost:8000/realms/onsale", True)
    named = Settings.from_env({"ONSALE_OIDC_ISSUER": "https://id.example.org/realms/onsale", "ONSALE_PORT": "9000"})
    assert (named.port, named.has_own_issuer) == (9000, False)
