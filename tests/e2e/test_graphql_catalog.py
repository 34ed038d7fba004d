"""The catalog over GraphQL: pages, filters, one stock read per concert, and updates."""

import asyncio
from collections.abc import Sequence

import pytest

from domain.concerts import Concert
from domain.ids import ConcertId
from domain.stock import Stock
from storage.hot.holds import HoldStore
from tests.support.shop import PRICED, PUBLISH, Answer, Shop, new_key, venue_input

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = """
query ($first: Int, $after: String, $filter: ConcertFilter) {
  concerts(first: $first, after: $after, filter: $filter) {
    edges { cursor node { slug } }
    nodes { slug }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""
NODES = "query ($filter: ConcertFilter) { concerts(first: 100, filter: $filter) { nodes { slug } } }"
UPDATE = """
mutation ($input: UpdateConcertInput!) {
  updateConcert(input: $input) {
    __typename
    ... on UpdateConcertSuccess { concert { name version limitPerOrder tiers { id name capacity price { minor } } } }
    ... on DomainError { code message }
    ... on VersionConflictError { version }
    ... on CapacityInUseError { tierId lowest }
    ... on InvalidInputError { problems { path } }
    ... on IllegalTransitionError { status }
  }
}
"""
CLOSE_CONCERT = """
mutation ($input: CloseConcertInput!) {
  closeConcert(input: $input) {
    ... on CloseConcertSuccess { concert { status version isOnSale } }
    ... on IllegalTransitionError { code status }
  }
}
"""
EVERYTHING = """
query ($id: ID!) {
  concert(id: $id) {
    __typename id slug name venue { name city country timeZone } description isOnSale currency
    limitPerOrder limitPerPerson holdDurationSeconds status version
    tiers { __typename name price { amount minor currency } capacity available held sold }
    stock { version epoch soldOut tiers { capacity available held sold } }
  }
}
"""


def slugs(nodes: Sequence[dict[str, str]]) -> list[str]:
    return [node["slug"] for node in nodes]


async def open_three_concerts(shop: Shop) -> tuple[str, list[str]]:
    """Return a city with three concerts on sale, and their slugs in catalog order."""
    city = f"City {new_key()}"
    named = [f"{word}-{new_key()}" for word in ("first", "second", "third")]
    for day, slug in enumerate(named, start=1):
        venue = venue_input(city=city)
        await shop.on_sale(slug=slug, venue=venue, startsAt=f"2050-01-0{day}T20:00:00Z")
    return city, named


async def test_next_page_starts_after_the_cursor(shop: Shop) -> None:
    city, named = await open_three_concerts(shop)
    first = (await shop.fields(PAGE, first=2, filter={"city": city}))["concerts"]
    assert slugs(first["nodes"]) == slugs([edge["node"] for edge in first["edges"]]) == named[:2]
    cursors = [edge["cursor"] for edge in first["edges"]]
    assert first["pageInfo"] == {
        "hasNextPage": True,
        "hasPreviousPage": False,
        "startCursor": cursors[0],
        "endCursor": cursors[1],
    }
    rest = (await shop.fields(PAGE, first=2, after=cursors[1], filter={"city": city}))["concerts"]
    assert slugs(rest["nodes"]) == named[2:]
    assert (rest["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasPreviousPage"]) == (False, True)


async def test_empty_page_has_no_cursors(shop: Shop) -> None:
    empty = (await shop.fields(PAGE, filter={"city": "Nowhere"}))["concerts"]
    nothing = {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None}
    assert empty == {"edges": [], "nodes": [], "pageInfo": nothing}


async def test_nodes_can_be_selected_without_edges(shop: Shop) -> None:
    city, named = await open_three_concerts(shop)
    assert slugs((await shop.fields(NODES, filter={"city": city}))["concerts"]["nodes"]) == named


async def test_only_organizers_see_drafts(shop: Shop) -> None:
    slug = f"draft-{new_key()}"
    draft = await shop.draft(slug=slug)
    wanted = {"status": ["DRAFT"]}
    assert slug in slugs((await shop.fields(NODES, by="olivia", filter=wanted))["concerts"]["nodes"])
    for by in (None, "alice"):
        assert slug not in slugs((await shop.fields(NODES, by=by, filter=wanted))["concerts"]["nodes"])
        assert await shop.fields(EVERYTHING, by=by, id=draft.id) == {"concert": None}
    assert (await shop.fields(EVERYTHING, by="olivia", id=draft.id))["concert"]["status"] == "DRAFT"


async def test_public_fields_of_a_concert_need_no_login(shop: Shop) -> None:
    concert = await shop.on_sale(slug=(slug := f"all-{new_key()}"), description="Loud", tiers=PRICED)
    await shop.hold(concert, 2, 1)
    shown = (await shop.fields(EVERYTHING, id=concert.id))["concert"]
    stock = shown.pop("stock")
    assert shown == {
        "__typename": "Concert",
        "id": concert.id,
        "slug": slug,
        "name": "Night of the Proms",
        "venue": {"name": "Olympiahalle", "city": "Munich", "country": "DE", "timeZone": "Europe/Berlin"},
        "description": "Loud",
        "isOnSale": True,
        "currency": "EUR",
        "limitPerOrder": 4,
        "limitPerPerson": 6,
        "holdDurationSeconds": 600,
        "status": "PUBLISHED",
        "version": 2,
        "tiers": [
            _tier("Standing", 100, "49.50", 4950, (98, 2, 0)),
            _tier("Balcony", 2, "80.00", 8000, (1, 1, 0)),
        ],
    }
    assert (stock["soldOut"], stock["epoch"], stock["version"] > 0) == (False, 1, True)
    assert stock["tiers"] == [
        {"capacity": 100, "available": 98, "held": 2, "sold": 0},
        {"capacity": 2, "available": 1, "held": 1, "sold": 0},
    ]


def _tier(name: str, capacity: int, amount: str, minor: int, counts: tuple[int, int, int]) -> Answer:
    price = {"amount": amount, "minor": minor, "currency": "EUR"}
    stock = dict(zip(("available", "held", "sold"), counts, strict=True))
    return {"__typename": "Tier", "name": name, "price": price, "capacity": capacity, **stock}


async def test_stock_of_listed_concerts_is_read_concurrently_and_once_each(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = f"City {new_key()}"
    for _ in range(25):
        await shop.on_sale(venue=venue_input(city=city))
    read: list[ConcertId] = []
    all_are_reading = asyncio.Event()
    stock = HoldStore.read_stock

    async def counted(store: HoldStore, concert: Concert) -> Stock:
        read.append(concert.id)
        if len(read) == 25:
            all_are_reading.set()
        # This fails if the list reads the concerts one after another.
        await asyncio.wait_for(all_are_reading.wait(), timeout=60)
        return await stock(store, concert)

    monkeypatch.setattr(HoldStore, "read_stock", counted)
    document = """query ($filter: ConcertFilter) {
      concerts(first: 25, filter: $filter) {
        nodes { stock { soldOut } tiers { available held sold } again: stock { version } }
      }
    }"""
    nodes = (await shop.fields(document, filter={"city": city}))["concerts"]["nodes"]
    assert [node["tiers"][0]["available"] for node in nodes] == [100] * 25
    assert len(read) == len(set(read)) == 25


async def test_organizer_updates_a_concert(shop: Shop) -> None:
    concert = await shop.on_sale(tiers=PRICED)
    change = {
        "concertId": concert.id,
        "expectedVersion": 2,
        "name": "New name",
        "limitPerOrder": 5,
        "tiers": [{"tierId": concert.tiers[1], "capacity": 10, "priceMinor": 9000}],
        "newTiers": [{"name": "Box", "priceMinor": 20000, "capacity": 4}],
    }
    changed = (await shop.fields(UPDATE, by="olivia", input=change))["updateConcert"]["concert"]
    assert (changed["name"], changed["version"], changed["limitPerOrder"]) == ("New name", 3, 5)
    assert [(tier["name"], tier["capacity"], tier["price"]["minor"]) for tier in changed["tiers"]] == [
        ("Standing", 100, 4950),
        ("Balcony", 10, 9000),
        ("Box", 4, 20000),
    ]
    late = (await shop.fields(UPDATE, by="olivia", input=change))["updateConcert"]
    assert (late["__typename"], late["version"]) == ("VersionConflictError", 3)


async def test_capacity_cannot_fall_below_the_number_of_held_tickets(shop: Shop) -> None:
    concert = await shop.on_sale()
    await shop.hold(concert, 4)
    lower = {"concertId": concert.id, "tiers": [{"tierId": concert.tiers[0], "capacity": 3}]}
    refused = (await shop.fields(UPDATE, by="olivia", input=lower))["updateConcert"]
    assert (refused["code"], refused["tierId"], refused["lowest"]) == ("CAPACITY_IN_USE", concert.tiers[0], 4)
    assert await shop.stock(concert) == [(96, 4, 0), (2, 0, 0)]


async def test_update_names_every_malformed_id(shop: Shop) -> None:
    wrong = {"concertId": "x", "tiers": [{"tierId": "y"}, {"tierId": "z"}]}
    refused = (await shop.fields(UPDATE, by="olivia", input=wrong))["updateConcert"]
    assert [problem["path"] for problem in refused["problems"]] == ["concertId", "tiers.0.tierId", "tiers.1.tierId"]


async def test_closed_concert_stays_closed(shop: Shop) -> None:
    concert = await shop.on_sale()
    for _ in range(2):
        closed = (await shop.fields(CLOSE_CONCERT, by="olivia", input={"concertId": concert.id}))["closeConcert"]
        assert closed == {"concert": {"status": "CLOSED", "version": 3, "isOnSale": False}}
    change = {"concertId": concert.id, "name": "Again"}
    refused = (await shop.fields(UPDATE, by="olivia", input=change))["updateConcert"]
    assert (refused["__typename"], refused["status"]) == ("IllegalTransitionError", "CLOSED")
    reopened = (await shop.fields(PUBLISH, by="olivia", input={"concertId": concert.id}))["publishConcert"]
    assert reopened["code"] == "ILLEGAL_TRANSITION"


async def test_draft_cannot_be_closed(shop: Shop) -> None:
    draft = await shop.draft()
    refused = (await shop.fields(CLOSE_CONCERT, by="olivia", input={"concertId": draft.id}))["closeConcert"]
    assert refused == {"code": "ILLEGAL_TRANSITION", "status": "DRAFT"}
