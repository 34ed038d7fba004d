"""Prices in any currency, and the terms of payment, over GraphQL and through both stores."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.ids import ConcertId
from schema.ids import Kind, argument
from tests.support.shop import CREATE, Answer, OnSale, Shop, concert_input, moment

pytestmark = pytest.mark.asyncio(loop_scope="module")

UPDATE = """
mutation ($input: UpdateConcertInput!) {
  updateConcert(input: $input) {
    __typename
    ... on UpdateConcertSuccess { concert { version } }
    ... on InvalidInputError { problems { path message } }
  }
}
"""
TERMS = """
query ($id: ID!) {
  concert(id: $id) {
    version paymentDurationSeconds refundsUntil limitPerOrder tiers { price { amount minor currency } }
  }
}
"""
CATALOG = "{ concerts(first: 100) { nodes { id } } }"
HIGHEST = 999_999_999_999


def tiers(*prices: object) -> list[dict[str, object]]:
    return [{"name": f"Tier {n}", "priceMinor": price, "capacity": 10} for n, price in enumerate(prices)]


async def update(shop: Shop, concert: OnSale, **changes: object) -> Answer:
    input_ = {"concertId": concert.id, **changes}
    return (await shop.fields(UPDATE, by="olivia", input=input_))["updateConcert"]


async def terms(shop: Shop, concert: OnSale) -> Answer:
    return (await shop.fields(TERMS, id=concert.id))["concert"]


def domain_id(concert: OnSale) -> ConcertId:
    return ConcertId(argument("id", concert.id, Kind.CONCERT).parts[0])


async def test_largest_amounts_pass_through_both_stores_unchanged(shop: Shop) -> None:
    concert = await shop.on_sale(currency="IDR", limitPerOrder=1, tiers=tiers(HIGHEST))
    hold = (await shop.hold(concert, 1))["hold"]
    assert hold["total"] == {"amount": "9999999999.99", "minor": HIGHEST, "currency": "IDR"}
    assert [line["unitPrice"]["minor"] for line in hold["lines"]] == [HIGHEST]
    assert (await terms(shop, concert))["tiers"] == [
        {"price": {"amount": "9999999999.99", "minor": HIGHEST, "currency": "IDR"}}
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"currency": "EUR", "tiers": tiers(0, 49)}, ["tiers.1.priceMinor"]),
        ({"currency": "KWD", "tiers": tiers(5_124)}, ["tiers.0.priceMinor"]),
        ({"currency": "IRR", "tiers": tiers(5_000)}, ["tiers.0.priceMinor"]),
        ({"currency": "EUR", "tiers": tiers(HIGHEST + 1)}, ["tiers.0.priceMinor"]),
        ({"currency": "EUR", "limitPerOrder": 20, "tiers": tiers(50_000_000)}, ["tiers.0.priceMinor"]),
        ({"paymentDurationSeconds": 59}, ["paymentDurationSeconds"]),
        ({"paymentDurationSeconds": 1_801}, ["paymentDurationSeconds"]),
        ({"refundsUntil": moment(datetime.now(UTC) + timedelta(days=31))}, ["refundsUntil"]),
        ({"refundsUntil": "1999-01-01T00:00:00Z"}, ["refundsUntil"]),
    ],
)
async def test_concert_whose_prices_cannot_be_paid_is_not_created(
    shop: Shop, changes: dict[str, object], expected: list[str]
) -> None:
    before = await shop.fields(CATALOG, by="olivia")
    refused = (await shop.fields(CREATE, by="olivia", input=concert_input(**changes)))["createConcert"]
    assert [problem["path"] for problem in refused["problems"]] == expected
    assert await shop.fields(CATALOG, by="olivia") == before


@pytest.mark.parametrize("price", [2**53, 49.5, "4950"])
async def test_price_that_is_not_a_safe_int_is_refused(shop: Shop, price: object) -> None:
    answer = await shop.ask(CREATE, by="olivia", input=concert_input(tiers=tiers(price)))
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert "A SafeInt must be" in answer["errors"][0]["message"]


async def test_update_to_a_price_that_cannot_be_paid_changes_nothing(shop: Shop) -> None:
    concert = await shop.on_sale(tiers=tiers(100, 8_000))
    before = await terms(shop, concert)
    changes: list[tuple[dict[str, object], str]] = [
        ({"tiers": [{"tierId": concert.tiers[0], "priceMinor": 1}]}, "tiers.0.priceMinor"),
        ({"newTiers": [{"name": "New", "priceMinor": 300_000_000, "capacity": 1}]}, "newTiers.0.priceMinor"),
        ({"paymentDurationSeconds": 0}, "paymentDurationSeconds"),
        ({"refundsUntil": moment(datetime.now(UTC) + timedelta(days=31))}, "refundsUntil"),
    ]
    for change, path in changes:
        refused = await update(shop, concert, name="Other", **change)
        assert [problem["path"] for problem in refused["problems"]] == [path]
    assert await terms(shop, concert) == before


async def test_terms_of_payment_are_shown_and_changed(shop: Shop) -> None:
    concert = await shop.on_sale(tiers=tiers(100, 8_000))
    shown = await terms(shop, concert)
    assert (shown["paymentDurationSeconds"], shown["refundsUntil"]) == (600, None)
    until = moment(datetime.now(UTC).replace(microsecond=0) + timedelta(days=20)).replace(".000Z", "Z")
    await update(shop, concert, paymentDurationSeconds=1_800, refundsUntil=until)
    await update(shop, concert, name="Other")
    changed = await terms(shop, concert)
    assert (changed["paymentDurationSeconds"], changed["refundsUntil"]) == (1_800, until)


async def test_concert_cannot_be_moved_before_its_refund_deadline(shop: Shop) -> None:
    until = moment(datetime.now(UTC) + timedelta(days=29, hours=12))
    concert = await shop.on_sale(refundsUntil=until)
    refused = await update(shop, concert, startsAt=moment(datetime.now(UTC) + timedelta(days=29)))
    assert [problem["path"] for problem in refused["problems"]] == ["refundsUntil"]


async def test_concert_of_an_earlier_version_keeps_its_prices(shop: Shop) -> None:
    concert = await shop.on_sale(tiers=tiers(100, 8_000))
    id_ = domain_id(concert)
    # Earlier versions had no terms of payment, and allowed any price.
    await shop.stores.mongo["concerts"].update_one(
        {"_id": id_},
        {"$unset": {"paymentDurationMs": "", "refundsUntil": ""}, "$set": {"tiers.0.priceMinor": 1}},
    )
    shown = await terms(shop, concert)
    assert (shown["paymentDurationSeconds"], shown["refundsUntil"]) == (600, None)
    assert (await update(shop, concert, name="Other"))["__typename"] == "UpdateConcertSuccess"
    stored = await shop.stores.concerts.get(id_)
    assert stored is not None
    assert [tier.price_minor for tier in stored.tiers] == [1, 8_000]
