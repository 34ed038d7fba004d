"""Selling over GraphQL: holds, releases, purchases, queries, and the details of refusals."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.shop import HOLD, PRICED, RELEASE, Shop, lines, moment
from tests.support.shop_mutations import CLOSE, hold_input

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNTOUCHED = [(100, 0, 0), (2, 0, 0)]
NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"
ORDER = "query ($id: ID!) { order(id: $id) { id customerEmail } }"
MINE = """
query { me { name roles holds { id state } orders { nodes { id concert { id } lines { tier { name } } } } } }
"""


async def test_hold_shows_its_tickets_and_its_expiry(shop: Shop) -> None:
    concert = await shop.on_sale(tiers=PRICED)
    before = datetime.now(UTC)
    answer = await shop.hold(concert, 3, 1)
    after = datetime.now(UTC)
    assert answer["__typename"] == "HoldTicketsSuccess"
    hold = answer["hold"]
    expires_at = datetime.fromisoformat(hold.pop("expiresAt"))
    # The store counts milliseconds, and clients round up to seconds.
    assert before - timedelta(milliseconds=1) <= expires_at - timedelta(seconds=600) <= after
    assert 599 - (after - before).total_seconds() <= hold.pop("expiresInSeconds") <= 600
    assert (await shop.fields(NODE, by="alice", id=hold.pop("id")))["node"]["__typename"] == "Hold"
    assert hold == {
        "state": "HELD",
        "reason": None,
        "concert": {"id": concert.id},
        "total": {"amount": "228.50", "minor": 22850, "currency": "EUR"},
        "lines": [
            {
                "tierId": concert.tiers[0],
                "quantity": 3,
                "tier": {"name": "Standing"},
                "unitPrice": {"minor": 4950},
                "total": {"minor": 14850},
            },
            {
                "tierId": concert.tiers[1],
                "quantity": 1,
                "tier": {"name": "Balcony"},
                "unitPrice": {"minor": 8000},
                "total": {"minor": 8000},
            },
        ],
    }
    assert await shop.stock(concert) == [(97, 3, 0), (1, 1, 0)]


async def test_repeated_key_returns_the_same_hold(shop: Shop) -> None:
    concert = await shop.on_sale()
    first = await shop.hold(concert, 2, key="once")
    again = await shop.hold(concert, 2, key="once")
    assert again["hold"]["id"] == first["hold"]["id"]
    other = await shop.hold(concert, 1, key="once")
    assert (other["__typename"], other["code"]) == ("IdempotencyConflictError", "IDEMPOTENCY_CONFLICT")
    assert await shop.stock(concert) == [(98, 2, 0), (2, 0, 0)]


async def test_released_hold_returns_its_tickets_once(shop: Shop) -> None:
    concert = await shop.on_sale()
    hold = (await shop.hold(concert, 2))["hold"]
    for _ in range(2):
        released = (await shop.fields(RELEASE, by="alice", input={"holdId": hold["id"]}))["releaseHold"]
        assert (released["hold"]["state"], released["hold"]["reason"]) == ("ENDED", "RELEASED")
        assert released["hold"]["expiresInSeconds"] == 0
        assert await shop.stock(concert) == UNTOUCHED
    ended = await shop.buy({"holdId": hold["id"]})
    assert (ended["__typename"], ended["reason"]) == ("HoldEndedError", "RELEASED")
    assert await shop.stock(concert) == UNTOUCHED


async def test_hold_becomes_one_order(shop: Shop) -> None:
    concert = await shop.on_sale()
    hold = (await shop.hold(concert, 2))["hold"]
    bought = await shop.buy({"holdId": hold["id"]}, key="buy")
    assert bought["__typename"] == "PurchaseTicketsSuccess"
    order = bought["order"]
    assert {name: order[name] for name in ("status", "concert", "customerName", "customerEmail", "total", "lines")} == {
        "status": "PAID",
        "concert": {"id": concert.id},
        "customerName": "Alice",
        "customerEmail": "alice@onsale.example",
        "total": {"amount": "0.00", "minor": 0},
        "lines": [{"tierId": concert.tiers[0], "quantity": 2, "unitPrice": {"minor": 0}}],
    }
    assert (await shop.buy({"holdId": hold["id"]}, key="buy"))["order"] == order
    assert await shop.stock(concert) == [(98, 0, 2), (2, 0, 0)]
    late = (await shop.fields(RELEASE, by="alice", input={"holdId": hold["id"]}))["releaseHold"]
    assert (late["__typename"], late["retryable"]) == ("PurchaseInProgressError", False)


async def test_tickets_are_held_and_bought_in_one_mutation(shop: Shop) -> None:
    concert = await shop.on_sale()
    input_: dict[str, object] = {"concertId": concert.id, "lines": lines(concert, 1, 1)}
    order = (await shop.buy(input_, key="both"))["order"]
    assert order["status"] == "PAID"
    assert (await shop.buy(input_, key="both"))["order"]["id"] == order["id"]
    assert await shop.stock(concert) == [(99, 0, 1), (1, 0, 1)]


async def test_viewer_finds_their_own_holds_and_orders(shop: Shop) -> None:
    concert = await shop.on_sale()
    bought = (await shop.buy({"concertId": concert.id, "lines": lines(concert, 1)}, by="carol"))["order"]
    hold = (await shop.hold(concert, 2, by="carol"))["hold"]
    me = (await shop.fields(MINE, by="carol"))["me"]
    assert me == {
        "name": "carol",
        "roles": ["CUSTOMER"],
        "holds": [{"id": hold["id"], "state": "HELD"}],
        "orders": {
            "nodes": [{"id": bought["id"], "concert": {"id": concert.id}, "lines": [{"tier": {"name": "Standing"}}]}]
        },
    }


async def test_sold_out_error_names_available_tickets_and_the_next_release(shop: Shop) -> None:
    concert = await shop.on_sale()
    held = (await shop.hold(concert, 0, 1, by="bob"))["hold"]
    refused = await shop.hold(concert, 1, 2)
    assert (refused["__typename"], refused["retryable"]) == ("SoldOutError", False)
    assert (refused["tierId"], refused["available"]) == (concert.tiers[1], 1)
    assert refused["nextReleaseAt"] == held["expiresAt"]
    assert await shop.stock(concert) == [(100, 0, 0), (1, 1, 0)]


async def test_limits_count_held_and_owned_tickets(shop: Shop) -> None:
    concert = await shop.on_sale()
    many = await shop.hold(concert, 4, 1)
    assert (many["__typename"], many["scope"], many["limit"]) == ("LimitExceededError", "ORDER", 4)
    await shop.buy({"concertId": concert.id, "lines": lines(concert, 2)})
    await shop.hold(concert, 3)
    more = await shop.hold(concert, 2)
    assert [more[name] for name in ("scope", "limit", "held", "owned")] == ["PERSON", 6, 3, 2]
    assert await shop.stock(concert) == [(95, 3, 2), (2, 0, 0)]


@pytest.mark.parametrize("by", ["bob", "olivia"])
async def test_another_persons_hold_cannot_be_bought_or_released(shop: Shop, by: str) -> None:
    concert = await shop.on_sale()
    hold = (await shop.hold(concert, 2))["hold"]
    released = (await shop.fields(RELEASE, by=by, input={"holdId": hold["id"]}))["releaseHold"]
    bought = await shop.buy({"holdId": hold["id"]}, by=by)
    assert (released["code"], bought["code"]) == ("NOT_FOUND", "NOT_FOUND")
    assert await shop.stock(concert) == [(98, 2, 0), (2, 0, 0)]


@pytest.mark.parametrize(
    ("by", "is_seen"), [("alice", True), ("olivia", True), ("ada", True), ("bob", False), ("otto", False)]
)
async def test_only_owner_organizer_and_admin_see_a_hold_and_an_order(shop: Shop, by: str, is_seen: bool) -> None:
    concert = await shop.on_sale()
    order = (await shop.buy({"concertId": concert.id, "lines": lines(concert, 1)}))["order"]
    hold = (await shop.hold(concert, 1))["hold"]
    assert ((await shop.fields(ORDER, by=by, id=order["id"]))["order"] is not None) is is_seen
    assert ((await shop.fields(NODE, by=by, id=order["id"]))["node"] is not None) is is_seen
    assert ((await shop.fields(NODE, by=by, id=hold["id"]))["node"] is not None) is is_seen


@pytest.mark.parametrize(
    ("starts", "ends", "is_upcoming"), [(1, 2, True), (-2, -1, False)], ids=["not yet open", "over"]
)
async def test_nothing_is_sold_outside_the_sale_window(shop: Shop, starts: int, ends: int, is_upcoming: bool) -> None:
    opens_at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=starts)
    window = {"salesStartAt": moment(opens_at), "salesEndAt": moment(opens_at + timedelta(days=ends - starts))}
    concert = await shop.on_sale(**window)
    refused = await shop.hold(concert, 1)
    assert (refused["__typename"], refused["status"]) == ("NotOnSaleError", "PUBLISHED")
    expected = opens_at.isoformat().replace("+00:00", "Z") if is_upcoming else None
    assert refused["opensAt"] == expected
    assert await shop.stock(concert) == UNTOUCHED


async def test_closed_concert_sells_nothing(shop: Shop) -> None:
    concert = await shop.on_sale()
    await shop.fields(CLOSE, by="olivia", input={"concertId": concert.id})
    refused = await shop.hold(concert, 1)
    assert (refused["__typename"], refused["status"], refused["opensAt"]) == ("NotOnSaleError", "CLOSED", None)
    assert await shop.stock(concert) == UNTOUCHED


async def test_draft_sells_nothing(shop: Shop) -> None:
    concert = await shop.draft()
    refused = await shop.hold(concert, 1)
    assert refused["__typename"] == "NotFoundError"


async def test_two_hundred_concurrent_holds_get_one_hundred_tickets(shop: Shop) -> None:
    concert = await shop.on_sale()
    answers = await asyncio.gather(*(shop.hold(concert, 1, by=f"buyer{number}") for number in range(200)))
    assert Counter(answer["__typename"] for answer in answers) == {"HoldTicketsSuccess": 100, "SoldOutError": 100}
    assert len({answer["hold"]["id"] for answer in answers if "hold" in answer}) == 100
    assert await shop.stock(concert) == [(0, 100, 0), (2, 0, 0)]


async def test_mutations_in_a_document_run_in_order(shop: Shop) -> None:
    concert = await shop.on_sale()
    document = HOLD.replace("holdTickets(", "a: holdTickets(")
    twice = document.rstrip()[:-1] + "b: holdTickets(input: $input) { ... on HoldTicketsSuccess { hold { id } } } }"
    answer = await shop.fields(twice, by="alice", input=hold_input(concert, 1))
    assert answer["a"]["hold"]["id"] == answer["b"]["hold"]["id"]
    assert await shop.stock(concert) == [(99, 1, 0), (2, 0, 0)]


async def test_each_mutation_in_a_document_shows_the_stock_after_it(shop: Shop) -> None:
    concert = await shop.on_sale()
    stock = "... on HoldTicketsSuccess { hold { concert { stock { tiers { available } } } } }"
    document = f"""mutation ($a: HoldTicketsInput!, $b: HoldTicketsInput!) {{
      a: holdTickets(input: $a) {{ {stock} }}
      b: holdTickets(input: $b) {{ {stock} }}
    }}"""
    answer = await shop.fields(document, by="alice", a=hold_input(concert, 1), b=hold_input(concert, 1))
    available = [answer[name]["hold"]["concert"]["stock"]["tiers"][0]["available"] for name in ("a", "b")]
    assert available == [99, 98]
