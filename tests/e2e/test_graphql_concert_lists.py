"""Lists of concerts over GraphQL: their filters, order, total and cursors, good and bad."""

from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest

from storage.mongo.concerts import ConcertStore
from tests.support.past_concerts import move_into_past
from tests.support.shop import Shop, moment, new_key, venue_input
from tests.support.shop_mutations import CLOSE

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIST = """query ($first: Int, $after: String, $last: Int, $before: String, $filter: ConcertFilter, $sort: ConcertSort) {
  concerts(first: $first, after: $after, last: $last, before: $before, filter: $filter, sort: $sort) {
    edges { cursor node { name } } pageInfo { hasNextPage }
  }
}"""
COUNT = "query ($filter: ConcertFilter) { concerts(first: 1, filter: $filter) { totalCount isTotalCountExact } }"
CANCEL = "mutation ($input: CancelConcertInput!) { cancelConcert(input: $input) { __typename } }"
ORDERS = "{ me { orders { edges { cursor } } } }"
START = datetime(2060, 1, 1, 20, 0, tzinfo=UTC)
NOW = datetime.now(UTC)


async def names(
    shop: Shop, city: str, *, by: str | None = None, sort: str = "STARTS_AT", **filter_: object
) -> list[str]:
    """Return the names of the concerts in a city that match a filter."""
    fields = await shop.fields(LIST, by=by, filter={"city": city, **filter_}, sort=sort)
    return [edge["node"]["name"] for edge in fields["concerts"]["edges"]]


async def refusal(shop: Shop, **variables: Any) -> str:
    """Return the message of the only error of a list that is refused."""
    answer = await shop.ask(LIST, **variables)
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert answer.get("data") is None
    return str(error["message"])


async def open_evenings(shop: Shop, **terms: Any) -> str:
    """Return a city with a concert for each name, on sale; each value changes its input."""
    city = f"City {new_key()}"
    for number, (name, changes) in enumerate(terms.items()):
        venue = venue_input(city=city, **changes.pop("venue", {}))
        starts_at = moment(START + timedelta(days=number))
        await shop.on_sale(**{"name": name, "venue": venue, "startsAt": starts_at, **changes})
    return city


async def test_past_closed_and_canceled_concerts_are_left_out_by_default(shop: Shop) -> None:
    city = f"City {new_key()}"
    venue = venue_input(city=city)
    made = {name: await shop.on_sale(name=name, venue=venue) for name in ("next", "old", "closed", "off")}
    await move_into_past(shop, made["old"], days=3)
    await shop.fields(CLOSE, by="olivia", input={"concertId": made["closed"].id})
    await shop.fields(CANCEL, by="olivia", input={"concertId": made["off"].id})
    await shop.draft(name="draft", venue=venue)
    everything = {"next", "old", "closed", "off"}
    for by in (None, "alice", "otto"):
        assert await names(shop, city, by=by) == ["next"]
        assert set(await names(shop, city, by=by, upcoming=False)) == everything
    assert set(await names(shop, city, by="olivia")) == {"next", "draft"}
    assert set(await names(shop, city, by="olivia", mine=True)) == everything | {"draft"}
    assert set(await names(shop, city, by="olivia", mine=True, upcoming=True)) == {"next", "draft"}
    # A requested status is found, as in earlier versions.
    assert set(await names(shop, city, status=["CLOSED", "PUBLISHED"])) == {"next", "old", "closed"}
    assert await names(shop, city, status=["CLOSED"], upcoming=True) == ["closed"]
    assert await names(shop, city, status=[]) == ["next"]


async def test_mine_matches_only_the_concerts_of_the_viewer(shop: Shop) -> None:
    city = await open_evenings(shop, one={})
    assert await names(shop, city, by="olivia", mine=True) == ["one"]
    for by in (None, "alice", "otto", "ada"):
        assert await names(shop, city, by=by, mine=True) == []


async def test_concerts_are_found_by_country_genre_and_start(shop: Shop) -> None:
    city = await open_evenings(
        shop,
        a={"genre": "JAZZ"},
        b={"genre": "FOLK"},
        c={},
        d={"venue": {"country": "AT", "timeZone": "Europe/Vienna"}},
    )
    assert await names(shop, city, country="AT") == ["d"]
    assert await names(shop, city, genre="JAZZ") == ["a"]
    assert await names(shop, city, genre=["FOLK", "JAZZ"]) == ["a", "b"]
    assert await names(shop, city, genre=[]) == ["a", "b", "c", "d"]
    second = moment(START + timedelta(days=1))
    assert await names(shop, city, startsAfter=second) == ["b", "c", "d"]
    assert await names(shop, city, startsBefore=second) == ["a"]
    third = moment(START + timedelta(days=2))
    assert await names(shop, city, startsAfter=second, startsBefore=third, country="DE") == ["b"]


async def test_concerts_are_found_by_price_in_their_currency(shop: Shop) -> None:
    def tiers(*prices: int) -> list[dict[str, object]]:
        return [{"name": f"T{price}", "priceMinor": price, "capacity": 1} for price in prices]

    city = await open_evenings(
        shop,
        cheap={"tiers": tiers(1_000, 9_000)},
        dear={"tiers": tiers(5_000)},
        yen={"tiers": tiers(5_000), "currency": "JPY"},
    )
    found = {
        (None, None): ["cheap", "dear"],
        (5_000, None): ["cheap", "dear"],
        (None, 1_000): ["cheap"],
        (5_000, 5_000): ["dear"],
        (2_000, 4_000): [],
        (0, 2**53 - 1): ["cheap", "dear"],
    }
    for (lowest, highest), expected in found.items():
        price = {"currency": "EUR", "lowestMinor": lowest, "highestMinor": highest}
        assert await names(shop, city, price=price) == expected


async def test_list_is_sorted_by_the_start_of_the_sale(shop: Shop) -> None:
    city = await open_evenings(
        shop,
        **{
            name: {"salesStartAt": moment(NOW + timedelta(hours=hours)), "salesEndAt": moment(NOW + timedelta(days=9))}
            for name, hours in {"long ago": -50, "later": 50, "just now": -5, "soon": 5}.items()
        },
    )
    assert await names(shop, city, sort="SALES_START_AT") == ["soon", "later", "just now", "long ago"]
    assert await names(shop, city, sort="STARTS_AT") == ["long ago", "later", "just now", "soon"]
    seen, cursor = list[str](), None
    for _ in range(4):
        page = await shop.fields(LIST, first=1, after=cursor, filter={"city": city}, sort="SALES_START_AT")
        (edge,) = page["concerts"]["edges"]
        cursor = edge["cursor"]
        seen.append(edge["node"]["name"])
    assert seen == ["soon", "later", "just now", "long ago"]
    assert not page["concerts"]["pageInfo"]["hasNextPage"]


async def test_total_is_counted_only_if_it_is_selected(shop: Shop) -> None:
    city = await open_evenings(shop, a={}, b={}, c={})
    counted: list[object] = []
    count = ConcertStore.count

    async def spied(store: ConcertStore, filter_: Any) -> object:
        counted.append(filter_)
        return await count(store, filter_)

    with mock.patch.object(ConcertStore, "count", spied):
        await names(shop, city)
        assert counted == []
        total = (await shop.fields(COUNT, filter={"city": city}))["concerts"]
    assert total == {"totalCount": 3, "isTotalCountExact": True}
    assert len(counted) == 1


async def test_cursor_works_only_with_its_filter_and_its_order(shop: Shop) -> None:
    city = await open_evenings(shop, a={}, b={}, c={})
    filter_ = {"city": city, "onSaleAt": moment(NOW)}
    first = (await shop.fields(LIST, first=1, filter=filter_))["concerts"]["edges"][0]["cursor"]
    others: list[dict[str, object]] = [
        {"filter": {"city": city}},
        {"filter": {**filter_, "country": "DE"}},
        {"filter": {**filter_, "upcoming": False}},
        {"filter": None},
        {"filter": filter_, "sort": "SALES_START_AT"},
    ]
    for other in others:
        for direction in ("after", "before"):
            assert "is a cursor of another list" in await refusal(shop, **{direction: first}, **other)
    for same in ({**filter_, "upcoming": None}, {**filter_, "onSaleAt": moment(NOW + timedelta(seconds=5))}):
        rest = (await shop.fields(LIST, after=first, filter=same, sort="STARTS_AT"))["concerts"]["edges"]
        assert [edge["node"]["name"] for edge in rest] == ["b", "c"]


async def test_cursors_of_concerts_and_orders_are_not_interchangeable(shop: Shop) -> None:
    concert = await shop.on_sale()
    held = await shop.hold(concert, 1)
    await shop.buy({"holdId": held["hold"]["id"]})
    order = (await shop.fields(ORDERS, by="alice"))["me"]["orders"]["edges"][0]["cursor"]
    assert "another list" in await refusal(shop, after=order)
    mine = (await shop.fields(LIST, first=1))["concerts"]["edges"][0]["cursor"]
    answer = await shop.ask(
        "query ($after: String) { me { orders(after: $after) { nodes { id } } } }", by="alice", after=mine
    )
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert "another list" in answer["errors"][0]["message"]


@pytest.mark.parametrize("cursor", ["", "x", "MTkwMDAwMDAwMDAwMDphYmM6MTkwMDAwMDAwMDAwMA", "é"])
async def test_text_that_is_no_cursor_is_refused(shop: Shop, cursor: str) -> None:
    assert "is not a cursor of this list" in await refusal(shop, after=cursor)


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        ({"country": ""}, "filter.country: is '', which is not a country code"),
        ({"country": "de"}, "filter.country: is 'de'"),
        ({"country": "ZZ"}, "filter.country: is 'ZZ'"),
        ({"country": "DE\u0000"}, "filter.country: is 'DE"),
        (
            {"startsAfter": "2030-01-02T00:00:00Z", "startsBefore": "2030-01-01T00:00:00Z"},
            "filter.startsBefore: must be later than startsAfter",
        ),
        (
            {"startsAfter": "2030-01-01T00:00:00Z", "startsBefore": "2030-01-01T00:00:00Z"},
            "filter.startsBefore: must be later than startsAfter",
        ),
        (
            {"price": {"currency": "EUR", "lowestMinor": 2, "highestMinor": 1}},
            "filter.price.highestMinor: is 1, less than lowestMinor (2)",
        ),
        (
            {"price": {"currency": "EUR", "lowestMinor": -1, "highestMinor": -2}},
            "filter.price.lowestMinor: is -1; it must be 0 or more; filter.price.highestMinor: is -2",
        ),
        ({"price": {"lowestMinor": 1}}, "to include required field 'currency'"),
        ({"price": {"currency": None}}, "Expected value of non-null type 'CurrencyCode!' not to be null"),
        ({"price": {"currency": "XXX"}}, "Value 'XXX' does not exist in 'CurrencyCode' enum"),
        ({"genre": ["SHANTY"]}, "Value 'SHANTY' does not exist in 'Genre' enum"),
        ({"genre": [""]}, "Value '' does not exist in 'Genre' enum"),
        ({"upcoming": "yes"}, "Boolean cannot represent a non boolean value"),
        ({"startsAfter": ""}, "A DateTime must be ISO 8601"),
        ({"postcode": "1"}, "not to include unknown field 'postcode'"),
    ],
)
async def test_filter_that_makes_no_sense_is_refused(shop: Shop, filter_: dict[str, object], expected: str) -> None:
    assert expected in await refusal(shop, filter=filter_)
    if "filter." in expected:
        total = await shop.ask(COUNT, filter=filter_)
        assert [error["path"] for error in total["errors"]] == [["concerts"]]


async def test_unknown_order_is_refused(shop: Shop) -> None:
    assert "Value 'PRICE' does not exist in 'ConcertSort' enum" in await refusal(shop, sort="PRICE")
