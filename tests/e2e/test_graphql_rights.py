"""Permissions over GraphQL: a denied mutation returns an error and changes nothing."""

import pytest

from tests.support.shop import CREATE, HOLD, PUBLISH, PURCHASE, RELEASE, Shop, concert_input, lines, new_key
from tests.support.shop_mutations import CLOSE, customer_input, hold_input

pytestmark = pytest.mark.asyncio(loop_scope="module")

UPDATE = "mutation ($input: UpdateConcertInput!) { updateConcert(input: $input) { __typename } }"


@pytest.mark.parametrize(
    ("by", "code"), [(None, "UNAUTHENTICATED"), ("alice", "FORBIDDEN")], ids=["anonymous", "customer"]
)
@pytest.mark.parametrize("verb", ["create", "update", "publish", "close"])
async def test_only_organizers_may_change_concerts(shop: Shop, verb: str, by: str | None, code: str) -> None:
    draft = await shop.draft()
    target = {"concertId": draft.id}
    document, input_ = {
        "create": (CREATE, concert_input(slug=f"denied-{new_key()}")),
        "update": (UPDATE, {**target, "name": "Hacked"}),
        "publish": (PUBLISH, target),
        "close": (CLOSE, target),
    }[verb]
    before = await all_concerts(shop)
    answer = await shop.ask(document, by=by, input=input_)
    assert answer["data"] is None
    assert [error["extensions"]["code"] for error in answer["errors"]] == [code]
    assert await all_concerts(shop) == before


async def all_concerts(shop: Shop) -> object:
    return await shop.fields(
        "{ concerts(first: 100) { nodes { id name version status } pageInfo { hasNextPage } } }", by="olivia"
    )


async def test_anonymous_clients_cannot_hold_release_or_buy(shop: Shop) -> None:
    concert = await shop.on_sale()
    hold = (await shop.hold(concert, 2))["hold"]
    ticket = {"concertId": concert.id, "lines": lines(concert, 1)}
    for document, input_ in (
        (HOLD, hold_input(concert, 1)),
        (RELEASE, {"holdId": hold["id"]}),
        (PURCHASE, {**customer_input(), "holdId": hold["id"]}),
        (PURCHASE, {**customer_input(), **ticket}),
    ):
        answer = await shop.ask(document, input=input_)
        assert answer["data"] is None
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAUTHENTICATED"]
    assert await shop.stock(concert) == [(98, 2, 0), (2, 0, 0)]


async def test_anonymous_clients_see_only_the_catalog(shop: Shop) -> None:
    concert = await shop.on_sale()
    hold = (await shop.hold(concert, 1))["hold"]
    order = (await shop.buy({"holdId": hold["id"]}))["order"]
    document = """query ($concert: ID!, $tier: ID!, $hold: ID!, $order: ID!) {
      concerts(first: 1) { pageInfo { hasNextPage } }
      concert(id: $concert) { id }
      aConcert: node(id: $concert) { id }
      aTier: node(id: $tier) { id }
      serverTime
      me { name }
      order(id: $order) { id }
      aHold: node(id: $hold) { id }
      anOrder: node(id: $order) { id }
    }"""
    ids = {"concert": concert.id, "tier": concert.tiers[0], "hold": hold["id"], "order": order["id"]}
    answer = await shop.ask(document, **ids)
    assert {name for name, value in answer["data"].items() if value is None} == {"me", "order", "aHold", "anOrder"}
    assert [error["path"] for error in answer["errors"]] == [["order"], ["aHold"], ["anOrder"]]
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"UNAUTHENTICATED"}
