"""Past concerts are shown without errors, with stock counted from orders, and are listed last."""

import pytest

from domain.ids import ConcertId
from storage.mongo.orders import OrderStore
from tests.support.past_concerts import move_into_past
from tests.support.shop import OnSale, Shop, new_key, venue_input

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAST = """
query ($id: ID!) {
  concert(id: $id) {
    tiers { capacity available held sold }
    stock { soldOut epoch tiers { capacity available held sold } }
    waitingRoom { status waitingCount slotsTaken epoch lottery { isRevealed } }
  }
  waitingRoom(concertId: $id) { status }
  queueEntry(concertId: $id) { state }
}
"""
ORGANIZER_FIELDS = """
query ($id: ID!) {
  concert(id: $id) {
    tiers { available sold } waitingRoom { status flow { joined } audit(first: 5) { nodes { action } } }
  }
}
"""
PAGE = """
query ($filter: ConcertFilter, $first: Int, $after: String) {
  concerts(first: $first, after: $after, filter: $filter) {
    nodes { slug tiers { sold } stock { soldOut } waitingRoom { status } }
    pageInfo { hasNextPage endCursor }
  }
}
"""
CLOSE = """
mutation ($input: CloseConcertInput!) { closeConcert(input: $input) { __typename } }
"""
ROOM = {"status": "CLOSED", "waitingCount": 0, "slotsTaken": 0, "lottery": None}


async def sell_three_tickets(shop: Shop) -> OnSale:
    concert = await shop.on_sale(tiers=[{"name": "Only", "priceMinor": 0, "capacity": 10}])
    held = await shop.hold(concert, 3)
    await shop.buy({"holdId": held["hold"]["id"]})
    return concert


@pytest.mark.parametrize("by", [None, "alice"], ids=["anonymous", "customer"])
@pytest.mark.parametrize("is_closed", [False, True], ids=["published", "closed"])
async def test_stock_of_a_past_concert_is_counted_from_its_orders(shop: Shop, is_closed: bool, by: str | None) -> None:
    concert = await sell_three_tickets(shop)
    if is_closed:
        await shop.fields(CLOSE, by="olivia", input={"concertId": concert.id})
    await move_into_past(shop, concert, days=31)
    shown = await shop.fields(PAST, by=by, id=concert.id)
    tier = {"capacity": 10, "available": 0, "held": 0, "sold": 3}
    # A client that saw epoch 1 accepts this payload even though its version is lower.
    assert shown["concert"]["stock"] == {"soldOut": True, "epoch": 2, "tiers": [tier]}
    assert shown["concert"]["tiers"] == [tier]
    assert shown["concert"]["waitingRoom"] == ROOM | {"epoch": 2}
    assert shown["waitingRoom"] == {"status": "CLOSED"}
    assert shown["queueEntry"] is None


async def test_organizers_see_the_unsold_tickets_of_a_past_concert(shop: Shop) -> None:
    concert = await sell_three_tickets(shop)
    await move_into_past(shop, concert, days=31)
    shown = (await shop.fields(ORGANIZER_FIELDS, by="olivia", id=concert.id))["concert"]
    assert shown["tiers"] == [{"available": 7, "sold": 3}]
    assert shown["waitingRoom"] == {"status": "CLOSED", "flow": None, "audit": {"nodes": []}}


async def test_tickets_of_a_past_concert_cannot_be_held(shop: Shop) -> None:
    concert = await sell_three_tickets(shop)
    await move_into_past(shop, concert, days=31)
    refused = await shop.hold(concert, 1)
    assert refused["__typename"] == "NotOnSaleError"


async def test_past_concerts_on_a_page_cost_one_aggregation(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    city = f"City {new_key()}"
    for _ in range(12):
        concert = await shop.on_sale(venue=venue_input(city=city))
        await move_into_past(shop, concert, days=40)
    counted: list[int] = []
    count_sold = OrderStore.count_sold

    async def spied(store: OrderStore, concert_ids: list[ConcertId]) -> object:
        counted.append(len(concert_ids))
        return await count_sold(store, concert_ids)

    monkeypatch.setattr(OrderStore, "count_sold", spied)
    for _ in range(2):
        page = (await shop.fields(PAGE, filter={"city": city, "upcoming": False}))["concerts"]
        assert [node["tiers"] for node in page["nodes"]] == [[{"sold": 0}, {"sold": 0}]] * 12
    assert counted == [12]


async def test_past_concerts_are_listed_last_with_the_latest_first(shop: Shop) -> None:
    city = f"City {new_key()}"
    for name, days in (("old", 400), ("recent", 40), ("yesterday", 2), ("today", 0)):
        concert = await shop.on_sale(slug=f"{name}-{city[5:]}", venue=venue_input(city=city))
        await move_into_past(shop, concert, days=days)
    for name, year in (("later", 2051), ("soon", 2050)):
        venue = venue_input(city=city)
        await shop.on_sale(slug=f"{name}-{city[5:]}", venue=venue, startsAt=f"{year}-01-01T20:00:00Z")
    listed = await read_pages(shop, city)
    assert [slug.partition("-")[0] for slug in listed] == ["today", "soon", "later", "yesterday", "recent", "old"]


async def read_pages(shop: Shop, city: str) -> list[str]:
    """Read all pages, each with one concert, and return the slugs."""
    slugs, after = list[str](), None
    while True:
        page = (await shop.fields(PAGE, filter={"city": city, "upcoming": False}, first=1, after=after))["concerts"]
        slugs += [node["slug"] for node in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            return slugs
        after = page["pageInfo"]["endCursor"]
