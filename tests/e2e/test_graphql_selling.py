"""A sale through the face: hold, release, buy, find everything again; each refusal with its data."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.shop import HOLD, RELEASE, Shop, lines, moment, new_key

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNTOUCHED = [(100, 0, 0), (2, 0, 0)]
NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"
ORDER = "query ($id: ID!) { order(id: $id) { id customerEmail } }"
MINE = """
query { me { name roles holds { id state } orders { nodes { id concert { id } lines { tier { name } } } } } }
"""


async def test_a_hold_says_what_it_holds_and_until_when(shop: Shop) -> None:
    concert = await shop.on_sale()
    before = datetime.now(UTC)
    answer = await shop.hold(concert, 3, 1)
    assert answer["__typename"] == "HoldTicketsSuccess"
    hold = answer["hold"]
    expires_at = datetime.fromisoformat(hold.pop("expiresAt"))
    assert timedelta(seconds=599) < expires_at - before < timedelta(seconds=605)
    assert hold.pop("expiresInSeconds") in (598, 599, 600)
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


async def test_the_same_key_finds_the_same_hold(shop: Shop) -> None:
    concert = await shop.on_sale()
    first = await shop.hold(concert, 2, key="once")
    again = await shop.hold(concert, 2, key="once")
    assert again["hold"]["id"] == first["hold"]["id"]
    other = await shop.hold(concert, 1, key="once")
    assert (other["__typename"], other["code"]) == ("IdempotencyConflictError", "IDEMPOTENCY_CONFLICT")
    assert await shop.stock(concert) == [(98, 2, 0), (2, 0, 0)]


async def test_a_released_hold_gives_its_tickets_back_once(shop: Shop) -> None:
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


async def test_a_hold_becomes_an_order_once(shop: Shop) -> None:
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
        "total": {"amount": "99.00", "minor": 9900},
        "lines": [{"tierId": concert.tiers[0], "quantity": 2, "unitPrice": {"minor": 4950}}],
    }
    assert (await shop.buy({"holdId": hold["id"]}, key="buy"))["order"] == order
    assert await shop.stock(concert) == [(98, 0, 2), (2, 0, 0)]
    late = (await shop.fields(RELEASE, by="alice", input={"holdId": hold["id"]}))["releaseHold"]
    assert (late["__typename"], late["retryable"]) == ("PurchaseInProgressError", False)


async def test_lines_are_held_and_bought_in_one_step(shop: Shop) -> None:
    concert = await shop.on_sale()
    wish: dict[str, object] = {"concertId": concert.id, "lines": lines(concert, 1, 1)}
    order = (await shop.buy(wish, key="both"))["order"]
    assert order["total"] == {"amount": "129.50", "minor": 12950}
    assert (await shop.buy(wish, key="both"))["order"]["id"] == order["id"]
    assert await shop.stock(concert) == [(99, 0, 1), (1, 0, 1)]


async def test_after_a_reload_everything_of_mine_is_there(shop: Shop) -> None:
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


async def test_sold_out_says_how_many_are_left_and_when_more_may_come(shop: Shop) -> None:
    concert = await shop.on_sale()
    held = (await shop.hold(concert, 0, 1, by="bob"))["hold"]
    refused = await shop.hold(concert, 1, 2)
    assert (refused["__typename"], refused["retryable"]) == ("SoldOutError", False)
    assert (refused["tierId"], refused["available"]) == (concert.tiers[1], 1)
    assert refused["nextReleaseAt"] == held["expiresAt"]
    assert await shop.stock(concert) == [(100, 0, 0), (1, 1, 0)]


async def test_limits_count_what_is_held_and_owned(shop: Shop) -> None:
    concert = await shop.on_sale()
    many = await shop.hold(concert, 4, 1)
    assert (many["__typename"], many["scope"], many["limit"]) == ("LimitExceededError", "ORDER", 4)
    await shop.buy({"concertId": concert.id, "lines": lines(concert, 2)})
    await shop.hold(concert, 3)
    more = await shop.hold(concert, 2)
    assert [more[name] for name in ("scope", "limit", "held", "owned")] == ["PERSON", 6, 3, 2]
    assert await shop.stock(concert) == [(95, 3, 2), (2, 0, 0)]


@pytest.mark.parametrize("by", ["bob", "olivia"])
async def test_somebody_elses_hold_cannot_be_bought_or_released(shop: Shop, by: str) -> None:
    concert = await shop.on_sale()
    hold = (await shop.hold(concert, 2))["hold"]
    released = (await shop.fields(RELEASE, by=by, input={"holdId": hold["id"]}))["releaseHold"]
    bought = await shop.buy({"holdId": hold["id"]}, by=by)
    assert (released["code"], bought["code"]) == ("NOT_FOUND", "NOT_FOUND")
    assert await shop.stock(concert) == [(98, 2, 0), (2, 0, 0)]


@pytest.mark.parametrize(("by", "is_seen"), [("alice", True), ("olivia", True), ("bob", False)])
async def test_a_hold_and_an_order_are_seen_by_their_owner_and_organizers(shop: Shop, by: str, is_seen: bool) -> None:
    concert = await shop.on_sale()
    order = (await shop.buy({"concertId": concert.id, "lines": lines(concert, 1)}))["order"]
    hold = (await shop.hold(concert, 1))["hold"]
    assert ((await shop.fields(ORDER, by=by, id=order["id"]))["order"] is not None) is is_seen
    assert ((await shop.fields(NODE, by=by, id=order["id"]))["node"] is not None) is is_seen
    assert ((await shop.fields(NODE, by=by, id=hold["id"]))["node"] is not None) is is_seen


@pytest.mark.parametrize(
    ("starts", "ends", "is_to_come"), [(1, 2, True), (-2, -1, False)], ids=["not yet open", "over"]
)
async def test_outside_its_window_nothing_is_sold(shop: Shop, starts: int, ends: int, is_to_come: bool) -> None:
    opens_at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=starts)
    window = {"salesStartAt": moment(opens_at), "salesEndAt": moment(opens_at + timedelta(days=ends - starts))}
    concert = await shop.on_sale(**window)
    refused = await shop.hold(concert, 1)
    assert (refused["__typename"], refused["status"]) == ("NotOnSaleError", "PUBLISHED")
    expected = opens_at.isoformat().replace("+00:00", "Z") if is_to_come else None
    assert refused["opensAt"] == expected
    assert await shop.stock(concert) == UNTOUCHED


async def test_a_closed_concert_sells_nothing_more(shop: Shop) -> None:
    concert = await shop.on_sale()
    close = "mutation ($input: CloseConcertInput!) { closeConcert(input: $input) { __typename } }"
    await shop.fields(close, by="olivia", input={"concertId": concert.id})
    refused = await shop.hold(concert, 1)
    assert (refused["__typename"], refused["status"], refused["opensAt"]) == ("NotOnSaleError", "CLOSED", None)
    assert await shop.stock(concert) == UNTOUCHED


async def test_a_draft_sells_nothing(shop: Shop) -> None:
    concert = await shop.draft()
    refused = await shop.hold(concert, 1)
    assert (refused["__typename"], refused["status"]) == ("NotOnSaleError", "DRAFT")


async def test_two_hundred_people_want_the_last_hundred(shop: Shop) -> None:
    concert = await shop.on_sale()
    answers = await asyncio.gather(*(shop.hold(concert, 1, by=f"buyer{number}") for number in range(200)))
    assert Counter(answer["__typename"] for answer in answers) == {"HoldTicketsSuccess": 100, "SoldOutError": 100}
    assert len({answer["hold"]["id"] for answer in answers if "hold" in answer}) == 100
    assert await shop.stock(concert) == [(0, 100, 0), (2, 0, 0)]


async def test_two_mutations_in_one_document_run_in_order(shop: Shop) -> None:
    concert = await shop.on_sale()
    wish = {"concertId": concert.id, "lines": lines(concert, 1), "idempotencyKey": new_key()}
    document = HOLD.replace("holdTickets(", "a: holdTickets(")
    twice = document.rstrip()[:-1] + "b: holdTickets(input: $input) { ... on HoldTicketsSuccess { hold { id } } } }"
    answer = await shop.fields(twice, by="alice", input=wish)
    assert answer["a"]["hold"]["id"] == answer["b"]["hold"]["id"]
    assert await shop.stock(concert) == [(99, 1, 0), (2, 0, 0)]


async def test_each_mutation_of_a_document_shows_what_is_true_after_it(shop: Shop) -> None:
    concert = await shop.on_sale()
    stock = "... on HoldTicketsSuccess { hold { concert { stock { tiers { available } } } } }"
    document = f"""mutation ($a: HoldTicketsInput!, $b: HoldTicketsInput!) {{
      a: holdTickets(input: $a) {{ {stock} }}
      b: holdTickets(input: $b) {{ {stock} }}
    }}"""
    wishes = {
        name: {"concertId": concert.id, "lines": lines(concert, 1), "idempotencyKey": new_key()} for name in ("a", "b")
    }
    answer = await shop.fields(document, by="alice", **wishes)
    available = [answer[name]["hold"]["concert"]["stock"]["tiers"][0]["available"] for name in ("a", "b")]
    assert available == [99, 98]
