"""The texts and rules of tiers over GraphQL: what organizers set, and what everyone else sees."""

import pytest

from domain.text.phrases import format_time
from tests.support.shop import HOLD, PURCHASE, Answer, OnSale, Shop, lines, new_key
from tests.support.shop_socket import open_client
from tests.support.tier_steps import minutes

pytestmark = pytest.mark.asyncio(loop_scope="module")

UPDATE = """
mutation ($input: UpdateConcertInput!) {
  updateConcert(input: $input) {
    __typename
    ... on UpdateConcertSuccess { concert { version tiers { id name } } }
    ... on InvalidInputError { problems { path message } }
  }
}
"""
TIERS = """
query ($id: ID!) {
  concert(id: $id) {
    tiers {
      id name description zone salesStartAt salesEndAt minPerOrder maxPerOrder isHidden isWithdrawn
      capacity available held sold
    }
    stock { soldOut tiers { tierId available } priceRange { lowest { minor } highest { minor } } }
  }
}
"""
TIER = "query ($id: ID!) { node(id: $id) { ... on Tier { name available } } }"
MINE = """
query ($hold: ID!) {
  node(id: $hold) { ... on Hold { lines { tierId tier { id name isHidden available held sold } } } }
}
"""
ORDERS = """{
  me { orders { nodes { lines { tier { name isHidden } } tickets { tier { name isHidden } } } } }
}"""
PUSHED = "subscription ($id: ID!) { stockChanged(concertId: $id) { soldOut tiers { tierId available } } }"
POSITION = "subscription ($id: ID!) { queuePosition(concertId: $id) { stock { tiers { tierId } } } }"
REFUSED = "... on TierRefusedError { tierId problem ticketsPerOrder opensAt } }"
TWO = [{"name": "Floor", "priceMinor": 0, "capacity": 10}, {"name": "Guests", "priceMinor": 0, "capacity": 4}]


async def update(shop: Shop, concert: OnSale, **changes: object) -> Answer:
    input_ = {"concertId": concert.id, **changes}
    return (await shop.fields(UPDATE, by="olivia", input=input_))["updateConcert"]


async def change_tier(shop: Shop, concert: OnSale, tier: int, **changes: object) -> Answer:
    changed = await update(shop, concert, tiers=[{"tierId": concert.tiers[tier], **changes}])
    assert changed["__typename"] == "UpdateConcertSuccess", changed
    return changed["concert"]


async def read(shop: Shop, concert: OnSale, by: str | None = None) -> Answer:
    return (await shop.fields(TIERS, by=by, id=concert.id))["concert"]


def refusal_of(document: str) -> str:
    """Return the document with the data of TierRefusedError."""
    return document.replace("... on SoldOutError {", f"{REFUSED[:-2]} ... on SoldOutError {{")


async def test_texts_and_rules_are_shown_as_they_were_set(shop: Shop) -> None:
    opens, ends = format_time(minutes(-10)), format_time(minutes(60))
    floor = {
        "name": "Floor",
        "description": " Standing,\nin front. ",
        "zone": " Block A ",
        "priceMinor": 0,
        "capacity": 10,
        "salesStartAt": opens,
        "salesEndAt": ends,
        "minPerOrder": 2,
        "maxPerOrder": 4,
    }
    concert = await shop.on_sale(tiers=[floor])
    (shown,) = (await read(shop, concert))["tiers"]
    assert shown == {
        "id": concert.tiers[0],
        "name": "Floor",
        "description": "Standing,\nin front.",
        "zone": "Block A",
        "salesStartAt": opens,
        "salesEndAt": ends,
        "minPerOrder": 2,
        "maxPerOrder": 4,
        "isHidden": False,
        "isWithdrawn": False,
        "capacity": 10,
        "available": 10,
        "held": 0,
        "sold": 0,
    }
    # A field that is absent keeps its value, and null removes a time or the maximum.
    await change_tier(shop, concert, 0, zone="", salesEndAt=None, maxPerOrder=None, minPerOrder=None)
    (shown,) = (await read(shop, concert))["tiers"]
    names = ("zone", "description", "salesStartAt", "salesEndAt", "minPerOrder", "maxPerOrder")
    assert [shown[name] for name in names] == ["", "Standing,\nin front.", opens, None, 2, None]


async def test_refusal_names_the_tier_and_what_to_do(shop: Shop) -> None:
    concert, opens = await shop.on_sale(tiers=TWO), format_time(minutes(30))
    await change_tier(shop, concert, 1, salesStartAt=opens)
    wanted = {"concertId": concert.id, "lines": lines(concert, 1, 1), "idempotencyKey": new_key()}
    customer = {"customerName": "Alice", "customerEmail": "alice@onsale.example"}
    held = (await shop.fields(refusal_of(HOLD), by="alice", input=wanted))["holdTickets"]
    bought = (await shop.fields(refusal_of(PURCHASE), by="alice", input=wanted | customer))["purchaseTickets"]
    assert held == bought
    assert held == {
        "__typename": "TierRefusedError",
        "code": "TIER_REFUSED",
        "retryable": False,
        "retryAfterSeconds": None,
        "message": f"The sale of this tier opens at {opens}; try again then, or choose another tier.",
        "tierId": concert.tiers[1],
        "problem": "NOT_OPEN",
        "ticketsPerOrder": None,
        "opensAt": opens,
    }
    assert await shop.stock(concert) == [(10, 0, 0), (4, 0, 0)]


async def test_hidden_tier_is_absent_for_everyone_but_organizers(shop: Shop) -> None:
    concert = await shop.on_sale(tiers=[TWO[0], {**TWO[1], "isHidden": True}])
    for by in (None, "alice", "otto"):
        shown = await read(shop, concert, by)
        assert [tier["id"] for tier in shown["tiers"]] == [concert.tiers[0]]
        assert [tier["tierId"] for tier in shown["stock"]["tiers"]] == [concert.tiers[0]]
        assert (await shop.fields(TIER, by=by, id=concert.tiers[1]))["node"] is None
    for by in ("olivia", "ada"):
        shown = await read(shop, concert, by)
        stock = [(tier["id"], tier["available"]) for tier in shown["tiers"]]
        assert stock == [(concert.tiers[0], 10), (concert.tiers[1], 4)]
        assert (await shop.fields(TIER, by=by, id=concert.tiers[1]))["node"] == {"name": "Guests", "available": 4}
    refused = await shop.hold(concert, 0, 1, by="alice")
    assert refused["__typename"] == "InvalidInputError"
    unknown = "is not a tier of this concert; use one of its tiers"
    assert refused["problems"] == [{"path": "lines.0.tierId", "message": unknown}]
    assert (await shop.hold(concert, 0, 1, by="olivia"))["__typename"] == "HoldTicketsSuccess"


async def test_pushed_stock_and_position_hide_the_tier(shop: Shop) -> None:
    concert = await shop.on_sale(tiers=[TWO[0], {**TWO[1], "isHidden": True}])
    floor, guests = concert.tiers
    for by, expected in (("alice", [floor]), ("otto", [floor]), ("olivia", [floor, guests])):
        async with open_client(shop, shop.token(by)) as client:
            await client.subscribe("stock", PUSHED, id=concert.id)
            pushed = (await client.receive())["payload"]["data"]["stockChanged"]
            assert [tier["tierId"] for tier in pushed["tiers"]] == expected
            await client.send({"id": "stock", "type": "complete"})
            await client.subscribe("queue", POSITION, id=concert.id)
            message = await client.receive()
            while message["id"] != "queue":
                message = await client.receive()
            assert message["payload"]["data"]["queuePosition"]["stock"]["tiers"] == [{"tierId": floor}]


async def test_buyer_still_sees_a_tier_that_was_hidden_later(shop: Shop) -> None:
    concert = await shop.on_sale(tiers=TWO)
    held = (await shop.hold(concert, 0, 1, by="carol"))["hold"]
    bought = await shop.buy({"concertId": concert.id, "lines": lines(concert, 0, 2)}, by="carol")
    assert bought["__typename"] == "PurchaseTicketsSuccess"
    await change_tier(shop, concert, 1, isHidden=True)
    (line,) = (await shop.fields(MINE, by="carol", hold=held["id"]))["node"]["lines"]
    hidden = {"name": "Guests", "isHidden": True}
    assert line["tierId"] == concert.tiers[1]
    assert line["tier"] == {"id": concert.tiers[1], **hidden, "available": None, "held": None, "sold": None}
    (order,) = (await shop.fields(ORDERS, by="carol"))["me"]["orders"]["nodes"]
    assert order == {"lines": [{"tier": hidden}], "tickets": [{"tier": hidden}] * 2}


async def test_withdrawn_tier_is_sold_out_and_can_be_restored(shop: Shop) -> None:
    concert = await shop.on_sale(tiers=TWO[:1])
    assert (await shop.hold(concert, 3, by="dave"))["__typename"] == "HoldTicketsSuccess"
    await change_tier(shop, concert, 0, isWithdrawn=True)
    shown = await read(shop, concert)
    (tier,) = shown["tiers"]
    assert (tier["isWithdrawn"], tier["capacity"], tier["available"], tier["held"]) == (True, 10, 0, 3)
    assert (shown["stock"]["soldOut"], shown["stock"]["priceRange"]) == (True, None)
    assert (await shop.hold(concert, 1, by="olivia"))["code"] == "TIER_REFUSED"
    await change_tier(shop, concert, 0, isWithdrawn=False)
    assert await shop.stock(concert) == [(7, 3, 0)]


async def test_tier_of_a_draft_is_removed_for_good(shop: Shop) -> None:
    draft = await shop.draft(tiers=TWO)
    removed = await update(shop, draft, removedTiers=[draft.tiers[1]])
    assert [tier["id"] for tier in removed["concert"]["tiers"]] == [draft.tiers[0]]
    added = await update(shop, draft, newTiers=[TWO[1]])
    assert [tier["name"] for tier in added["concert"]["tiers"]] == ["Floor", "Guests"]
    # The new tier has a new id, although it has the name of the removed one.
    assert added["concert"]["tiers"][1]["id"] not in draft.tiers
    again = await update(shop, draft, removedTiers=[draft.tiers[1]])
    assert [problem["path"] for problem in again["problems"]] == ["removedTiers.0"]
    everything = [tier["id"] for tier in added["concert"]["tiers"]]
    refused = await update(shop, draft, removedTiers=everything)
    assert [problem["path"] for problem in refused["problems"]] == ["removedTiers"]


async def test_tier_of_a_published_concert_cannot_be_removed(shop: Shop) -> None:
    concert = await shop.on_sale(tiers=TWO)
    refused = await update(shop, concert, removedTiers=[concert.tiers[1]])
    (problem,) = refused["problems"]
    assert problem["path"] == "removedTiers"
    assert "withdraw the tiers with `isWithdrawn`" in problem["message"]
    assert len((await read(shop, concert))["tiers"]) == 2


async def test_bad_rules_are_listed_and_change_nothing(shop: Shop) -> None:
    concert = await shop.on_sale(tiers=TWO)
    before = await read(shop, concert)
    bad = {"minPerOrder": 3, "maxPerOrder": 2, "zone": "x" * 201}
    refused = await update(
        shop,
        concert,
        tiers=[{"tierId": concert.tiers[0], **bad}],
        newTiers=[{**TWO[0], "name": "New", "minPerOrder": 0}],
    )
    assert [problem["path"] for problem in refused["problems"]] == [
        "tiers.0.zone",
        "newTiers.0.minPerOrder",
        "tiers.0.minPerOrder",
    ]
    assert await read(shop, concert) == before
