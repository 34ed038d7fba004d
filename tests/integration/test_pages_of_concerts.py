"""A page of concerts takes one MongoDB query, and one round trip for all its stocks and rooms."""

import asyncio
from dataclasses import replace
from typing import Any, cast

import schema
from domain.concerts import Concert
from resolvers import concerts
from resolvers.context import Context
from schema import Operation
from storage.connect import Stores
from tests.support.concert_reads import recorded_reads
from tests.support.hub_recorder import ROOM
from tests.support.sale import PASSES, draft, hold, on_sale, organizer
from tests.support.script_calls import recorded_calls

PAGE = """concerts(first: 100) { nodes {
    id stock { version tiers { available } } waitingRoom { status waitingCount } tiers { available held } } }"""


async def fill(stores: Stores, count: int) -> list[Concert]:
    return await asyncio.gather(*[on_sale(stores, 10, 20, room=replace(ROOM)) for _ in range(count)])


async def execute(stores: Stores, document: str, **variables: Any) -> Any:
    anonymous = Context(stores, PASSES, None, "test-request")
    payload = (await schema.execute(Operation(document, variables, None), anonymous)).payload
    assert "errors" not in payload, payload
    return payload["data"]


async def test_page_reads_stocks_and_rooms_in_one_round_trip(stores: Stores) -> None:
    await fill(stores, 30)
    with recorded_calls(stores) as calls, recorded_reads() as reads:
        data = await execute(stores, f"{{ {PAGE} }}")

    assert len(data["concerts"]["nodes"]) == 30
    assert calls.round_trips == [["read_room"] * 30 + ["read_stock"] * 30]
    assert reads == ["page"]


async def test_short_page_reads_stocks_and_rooms_in_one_round_trip(stores: Stores) -> None:
    await fill(stores, 5)
    with recorded_calls(stores) as calls:
        data = await execute(stores, f"{{ {PAGE} }}")

    assert len(data["concerts"]["nodes"]) == 5
    assert calls.round_trips == [["read_room"] * 5 + ["read_stock"] * 5]


async def test_page_without_stock_reads_no_stock(stores: Stores) -> None:
    await fill(stores, 12)
    with recorded_calls(stores) as calls:
        await execute(stores, "{ concerts { edges { node { id waitingRoom { status } } } } }")

    assert calls.round_trips == [["read_room"] * 12]


async def test_identical_fields_are_read_once(stores: Stores) -> None:
    (concert,) = await fill(stores, 1)
    text = (
        "query ($id: ID!) { "
        + " ".join(
            f"a{n}: concerts(first: 2) {{ nodes {{ id stock {{ version }} }} }} b{n}: concert(id: $id) {{ name }}"
            for n in range(10)
        )
        + " }"
    )
    with recorded_calls(stores) as calls, recorded_reads() as reads:
        data = await execute(stores, text, id=schema.ids.of_concert(concert.id))

    assert data["a0"] == data["a9"]
    assert calls.round_trips == [["read_stock"]]
    assert reads.count("page") == 1
    assert len(reads) <= 2


async def test_fields_with_different_arguments_are_read_separately(stores: Stores) -> None:
    await fill(stores, 3)
    with recorded_reads() as reads:
        data = await execute(
            stores, "{ a: concerts(first: 1) { nodes { id } } b: concerts(first: 2) { nodes { id } } }"
        )

    assert (len(data["a"]["nodes"]), len(data["b"]["nodes"])) == (1, 2)
    assert reads == ["page", "page"]


async def test_page_and_single_concert_show_the_same_data(stores: Stores) -> None:
    await fill(stores, 10)
    await hold(stores, await on_sale(stores, 10, 20), 3, 4)
    page = (await execute(stores, f"{{ {PAGE} }}"))["concerts"]["nodes"]
    fields = PAGE[PAGE.index("nodes {") + 7 : PAGE.rindex("} }")]
    for shown in page:
        assert shown == (await execute(stores, f'{{ concert(id: "{shown["id"]}") {{ {fields} }} }}'))["concert"]
    assert [tier["held"] for node in page for tier in node["tiers"]].count(4) == 1


async def test_room_agrees_with_its_queue(stores: Stores) -> None:
    concert = await on_sale(stores, 10, room=replace(ROOM, queue_all=True))
    for name in ("ann", "ben", "cem", "dan"):
        await stores.queues.join(concert.id, cast(Any, name))
    await stores.queues.leave(concert.id, cast(Any, "ben"))

    room, queue = await asyncio.gather(stores.queues.read_room(concert.id), stores.queues.read_queue(concert.id))

    assert room.waiting_count == 3
    assert replace(room, flow=queue.flow) == queue.room


async def test_room_of_a_draft_requires_no_read(stores: Stores) -> None:
    made = await concerts.create_concert(organizer(stores), draft(10))
    text = f'{{ concert(id: "{schema.ids.of_concert(made.id)}") {{ waitingRoom {{ waitingCount }} }} }}'
    with recorded_calls(stores) as calls:
        result = await schema.execute(Operation(text, {}, None), organizer(stores))

    assert result.payload["data"] == {"concert": {"waitingRoom": {"waitingCount": 0}}}
    assert calls.round_trips == []
