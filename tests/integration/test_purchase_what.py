"""A purchase means the same in the old fields and in `what`; its problems have the path sent."""

from typing import Any

import schema
from domain.concerts import Concert
from domain.ids import tier_id
from resolvers.context import Context
from schema import Operation, ids
from storage.connect import Stores
from tests.support.sale import all_orders, context, hold, key, on_sale, stock

BUY = """mutation ($input: PurchaseTicketsInput!) { purchaseTickets(input: $input) {
    __typename ... on PurchaseTicketsSuccess { order { id } } ... on InvalidInputError { problems { path } } } }"""


async def buy(asking: Context, **input_: Any) -> Any:
    buyer = {"customerName": "Alice", "customerEmail": "alice@example.org"}
    payload: Any = (await schema.execute(Operation(BUY, {"input": buyer | input_}, None), asking)).payload
    return payload["data"]["purchaseTickets"]


def new_hold(concert: Concert, ordinal: int = 1) -> dict[str, object]:
    tier = ids.of_tier(tier_id(concert.id, ordinal))
    return {"concertId": ids.of_concert(concert.id), "lines": [{"tierId": tier, "quantity": 2}]}


async def test_purchase_in_the_other_form_counts_as_a_repetition(stores: Stores) -> None:
    concert, alice = await on_sale(stores, 10), context(stores)
    lines, once = new_hold(concert), key()
    first = await buy(alice, what={"newHold": lines}, idempotencyKey=once)
    assert first["__typename"] == "PurchaseTicketsSuccess"
    assert await buy(alice, **lines, idempotencyKey=once) == first

    held, again = await hold(stores, concert, 1), key()
    second = await buy(alice, holdId=ids.of_hold(concert.id, held.id), idempotencyKey=again)
    assert await buy(alice, what={"holdId": ids.of_hold(concert.id, held.id)}, idempotencyKey=again) == second
    assert second["order"]["id"] != first["order"]["id"]
    assert len(await all_orders(stores, concert)) == 2
    assert await stock(stores, concert) == [(7, 0, 3)]


async def test_refusal_by_the_store_has_the_path_that_was_sent(stores: Stores) -> None:
    concert, alice = await on_sale(stores, 10), context(stores)
    for what, path in (
        ({"what": {"newHold": new_hold(concert, 9)}}, "what.newHold.lines.0.tierId"),
        (new_hold(concert, 9), "lines.0.tierId"),
    ):
        refused = await buy(alice, **what, idempotencyKey=key())
        assert refused == {"__typename": "InvalidInputError", "problems": [{"path": path}]}
    assert await stock(stores, concert) == [(10, 0, 0)]
