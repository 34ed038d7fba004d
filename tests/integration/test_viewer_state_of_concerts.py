"""A page of concerts shows what the viewer holds and where they queue, in two round trips."""

import asyncio
from dataclasses import replace
from typing import Any

import schema
from domain.concerts import Concert
from resolvers.context import Context
from schema import Operation, ids
from storage.connect import Stores
from tests.support.concert_reads import recorded_reads
from tests.support.hub_recorder import ROOM
from tests.support.queue_steps import with_room
from tests.support.sale import PASSES, buy, context, hold, on_sale
from tests.support.script_calls import ScriptCalls, recorded_calls

PAGE = """{ concerts(first: 100) { nodes { id stock { version } waitingRoom { status }
    myHold { id state total { minor } } myQueueEntry { id state position concert { id } } } } }"""
OWN = "query ($id: ID!) { concert(id: $id) { myHold { id } myQueueEntry { state } } }"
LINKS = """query ($id: ID!) { node(id: $id) {
    ... on Hold { order { id number hold { id } } } ... on Order { hold { id saleState: state order { id } } } } }"""


async def ask(asking: Context, document: str, **variables: object) -> tuple[Any, ScriptCalls]:
    """Return the data, and the script calls that it took."""
    with recorded_calls(asking.stores) as calls:
        payload = (await schema.execute(Operation(document, variables, None), asking)).payload
    assert "errors" not in payload, payload
    return payload["data"], calls


async def fill(stores: Stores, count: int) -> list[Concert]:
    return await asyncio.gather(*[on_sale(stores, 10, room=replace(ROOM, suspended=True)) for _ in range(count)])


async def join(stores: Stores, concert: Concert, who: str) -> None:
    document = "mutation ($id: ID!) { joinQueue(input: {concertId: $id}) { __typename } }"
    data, _ = await ask(replace(context(stores, who), address="127.0.0.1"), document, id=ids.of_concert(concert.id))
    assert data["joinQueue"]["__typename"] == "JoinQueueSuccess"


async def test_page_of_100_concerts_reads_only_those_the_viewer_has_used(stores: Stores) -> None:
    (first, *_), queued = await asyncio.gather(fill(stores, 99), with_room(stores))
    held = [await hold(stores, first, quantity) for quantity in (1, 2)]
    await join(stores, queued, "alice")
    with recorded_reads() as reads:
        data, calls = await ask(context(stores), PAGE)

    shown = {node["id"]: node for node in data["concerts"]["nodes"]}
    assert len(shown) == 100
    newest = max(held, key=lambda hold: (hold.created_ms, hold.id))
    assert shown[ids.of_concert(first.id)]["myHold"] == {
        "id": ids.of_hold(first.id, newest.id),
        "state": "HELD",
        "total": {"minor": 0},
    }
    entry = shown[ids.of_concert(queued.id)]["myQueueEntry"]
    assert (entry["state"], entry["position"], entry["concert"]) == ("WAITING", 1, {"id": ids.of_concert(queued.id)})
    assert sum(node["myHold"] is not None or node["myQueueEntry"] is not None for node in shown.values()) == 2
    without_viewer = [*["read_room"] * 100, *["read_stock"] * 100]
    of_two_concerts = ["read_person", "read_person", "read_position", "read_position"]
    assert calls.round_trips == [["read_person_concerts", *without_viewer], of_two_concerts]
    assert reads == ["page"]

    data, calls = await ask(context(stores, "nina"), PAGE)
    assert all(node["myHold"] is node["myQueueEntry"] is None for node in data["concerts"]["nodes"])
    assert calls.round_trips == [["read_person_concerts", *without_viewer]]

    data, calls = await ask(Context(stores, PASSES, None, "test-request"), PAGE)
    assert all(node["myHold"] is node["myQueueEntry"] is None for node in data["concerts"]["nodes"])
    assert calls.round_trips == [without_viewer]


async def test_hold_and_order_link_to_each_other(stores: Stores) -> None:
    concert = await on_sale(stores, 10)
    held = await hold(stores, concert, 2)
    hold_id = ids.of_hold(concert.id, held.id)
    data, _ = await ask(context(stores), LINKS, id=hold_id)
    assert data["node"] == {"order": None}
    order = await buy(stores, held)
    order_id = ids.of_order(order.id)
    data, _ = await ask(context(stores), LINKS, id=hold_id)
    assert data["node"] == {"order": {"id": order_id, "number": order.number, "hold": {"id": hold_id}}}
    data, _ = await ask(context(stores), LINKS, id=order_id)
    assert data["node"] == {"hold": {"id": hold_id, "saleState": "SOLD", "order": {"id": order_id}}}
    data, _ = await ask(context(stores), OWN, id=ids.of_concert(concert.id))
    assert data["concert"] == {"myHold": None, "myQueueEntry": None}


async def test_ended_entry_is_shown_and_a_change_is_seen_in_the_same_document(stores: Stores) -> None:
    concert = await with_room(stores)
    await join(stores, concert, "alice")
    shown = "{ ... on LeaveQueueSuccess { entry { concert { myQueueEntry { state } } } } }"
    document = f"mutation ($id: ID!) {{ a: leaveQueue(input: {{concertId: $id}}) {shown} }}"
    data, _ = await ask(context(stores), document, id=ids.of_concert(concert.id))
    assert data["a"]["entry"]["concert"]["myQueueEntry"] == {"state": "LEFT"}
