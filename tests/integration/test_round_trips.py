"""The round trips and script calls that each operation takes, with cold and warm caches."""

import asyncio
from typing import Any

import pytest

from domain.concerts import Concert
from domain.ids import PersonId
from domain.topics import QueueTopic, RoomTopic, StockTopic
from resolvers.context import Resources
from resolvers.wait_tables import WaitTableCache
from schema import Operation, execute, ids
from storage.connect import Stores
from tests.support.hot_keys import concert_key
from tests.support.hub_recorder import open_hub, subscribe
from tests.support.queue_steps import with_room
from tests.support.sale import PASSES, hold, key, on_sale, viewer
from tests.support.script_calls import ScriptCalls, recorded_calls
from tests.support.waiting import wait_until
from workers.admission import AdmissionWorker

JOIN = [["add_person_concert", "join_queue"]]
ENTRY = "entry { number state position }"
ESTIMATED = "entry { number state position estimatedWait { p50Seconds } }"


def queue_mutation(name: str, shows: str) -> str:
    type_ = name[0].upper() + name[1:]
    return f"""mutation ($input: {type_}Input!) {{ {name}(input: $input) {{
        __typename ... on {type_}Success {{ {shows} }} }} }}"""


class Process:
    """A server process, whose requests share caches. Its clock stands still, so no table ages."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._resources = Resources(stores, PASSES, WaitTableCache(clock=lambda: 0.0))

    async def run(self, document: str, who: str, **variables: Any) -> tuple[Any, ScriptCalls]:
        """Run the operation. Return its data and its script calls."""
        with recorded_calls(self._stores) as calls:
            data = await self.execute(document, who, **variables)
        return data, calls

    async def execute(self, document: str, who: str, **variables: Any) -> Any:
        context = self._resources.context(viewer(who), "test-request", "127.0.0.1")
        payload = (await execute(Operation(document, variables, None), context)).payload
        assert "errors" not in payload, payload
        return payload["data"]

    async def queue(self, name: str, who: str, concert: Concert, *, shows: str = ENTRY) -> tuple[str, list[list[str]]]:
        """Run a queue mutation. Return the type of its result and its round trips."""
        data, calls = await self.run(queue_mutation(name, shows), who, input={"concertId": ids.of_concert(concert.id)})
        return data[name]["__typename"], calls.round_trips


async def test_join_takes_one_round_trip_with_cold_and_warm_caches(stores: Stores) -> None:
    concert = await with_room(stores)
    process = Process(stores)
    for who in ("ann", "ben"):
        assert await process.queue("joinQueue", who, concert) == ("JoinQueueSuccess", JOIN)


async def test_wait_table_is_not_read_unless_an_estimate_is_selected(stores: Stores) -> None:
    concert = await with_room(stores)
    process = Process(stores)
    assert await process.queue("joinQueue", "ann", concert) == ("JoinQueueSuccess", JOIN)
    cold = await process.queue("joinQueue", "ann", concert, shows=ESTIMATED)
    warm = await process.queue("joinQueue", "ann", concert, shows=ESTIMATED)
    assert cold == ("JoinQueueSuccess", [*JOIN, ["read_room"]])
    assert warm == ("JoinQueueSuccess", JOIN)


async def test_300_concurrent_joins_read_the_wait_table_once(stores: Stores) -> None:
    concert = await with_room(stores)
    process = Process(stores)
    with recorded_calls(stores) as calls:
        document, input_ = queue_mutation("joinQueue", ESTIMATED), {"concertId": ids.of_concert(concert.id)}
        await asyncio.gather(*[process.execute(document, f"p{number}", input=input_) for number in range(300)])
    assert (calls.count("join_queue"), calls.count("read_room")) == (300, 1)


@pytest.mark.parametrize(
    ("mutation", "script"),
    [("heartbeat", "heartbeat"), ("leaveQueue", "leave_queue"), ("claimQueuePass", "claim_pass")],
)
async def test_queue_mutation_takes_one_round_trip_with_cold_and_warm_caches(
    stores: Stores, mutation: str, script: str
) -> None:
    concert = await with_room(stores)
    for who in ("ann", "ben"):
        await Process(stores).queue("joinQueue", who, concert)
    await AdmissionWorker().run_once(stores)
    process = Process(stores)
    expected = (f"{mutation[0].upper()}{mutation[1:]}Success", [[script]])
    for who in ("ann", "ben"):
        assert await process.queue(mutation, who, concert) == expected


async def test_refused_claim_costs_the_same_as_a_successful_one(stores: Stores) -> None:
    concert = await with_room(stores)
    process = Process(stores)
    await process.queue("joinQueue", "ann", concert)
    assert await process.queue("claimQueuePass", "ann", concert) == ("NotAdmittedError", [["claim_pass"]])


async def test_refused_hold_costs_the_same_as_a_successful_one(stores: Stores) -> None:
    document = """mutation ($input: HoldTicketsInput!) { holdTickets(input: $input) {
        __typename ... on NotAdmittedError { reason position } } }"""
    process = Process(stores)
    expected = {"HoldTicketsSuccess": await on_sale(stores, 10), "NotAdmittedError": await with_room(stores)}
    await process.queue("joinQueue", "ann", expected["NotAdmittedError"])
    for type_, concert in expected.items():
        lines = [{"tierId": ids.of_tier(concert.tiers[0].id), "quantity": 1}]
        input_ = {"concertId": ids.of_concert(concert.id), "lines": lines, "idempotencyKey": key()}
        data, calls = await process.run(document, "ann", input=input_)
        assert data["holdTickets"]["__typename"] == type_
        assert calls.round_trips == [["add_person_concert", "hold_tickets"]]
    assert data["holdTickets"]["position"] == 1


async def test_purchase_takes_one_round_trip_per_step(stores: Stores) -> None:
    document = """mutation ($input: PurchaseTicketsInput!) { purchaseTickets(input: $input) { __typename } }"""
    concert, process = await on_sale(stores, 10), Process(stores)
    who: dict[str, Any] = {"customerName": "Ann", "customerEmail": "ann@example.org"}
    held = await hold(stores, concert, 1, who="ann")
    input_ = {"holdId": ids.of_hold(concert.id, held.id), "idempotencyKey": key(), **who}
    data, calls = await process.run(document, "ann", input=input_)
    assert data["purchaseTickets"]["__typename"] == "PurchaseTicketsSuccess"
    assert calls.round_trips == [["begin_purchase"], ["record_order"]]
    lines = [{"tierId": ids.of_tier(concert.tiers[0].id), "quantity": 1}]
    input_ = {"concertId": ids.of_concert(concert.id), "lines": lines, "idempotencyKey": key(), **who}
    data, calls = await process.run(document, "ben", input=input_)
    assert data["purchaseTickets"]["__typename"] == "PurchaseTicketsSuccess"
    assert calls.round_trips == [["add_person_concert", "hold_tickets"], ["begin_purchase"], ["record_order"]]


async def test_hold_with_a_forged_pass_is_refused_with_the_position(stores: Stores) -> None:
    concert = await with_room(stores)
    process = Process(stores)
    for who in ("ann", "ben"):
        await process.queue("joinQueue", who, concert)
    document = """mutation ($input: HoldTicketsInput!) { holdTickets(input: $input) {
        __typename ... on NotAdmittedError { reason position } } }"""
    lines = [{"tierId": ids.of_tier(concert.tiers[0].id), "quantity": 1}]
    input_ = {"concertId": ids.of_concert(concert.id), "lines": lines, "idempotencyKey": key(), "queuePass": "forged"}
    data, calls = await process.run(document, "ben", input=input_)
    assert data["holdTickets"] == {"__typename": "NotAdmittedError", "reason": "BAD_PASS", "position": 2}
    assert calls.round_trips == [["read_position"]]


async def test_me_reads_only_the_viewers_concerts(stores: Stores) -> None:
    concerts = [await with_room(stores) for _ in range(8)]
    process = Process(stores)
    for concert in concerts[:2]:
        await process.queue("joinQueue", "ann", concert)
    data, calls = await process.run("{ me { queueEntries { state } holds { id } } }", "ann")
    assert len(data["me"]["queueEntries"]) == 2
    assert calls.round_trips == [
        ["read_person_concerts"],
        ["read_person", "read_person", "read_position", "read_position"],
    ]


async def test_hub_refresh_reads_queue_stock_and_changes_in_one_call(stores: Stores, valkey_url: str) -> None:
    concert = await with_room(stores)
    await Process(stores).queue("joinQueue", "ann", concert)
    async with open_hub(stores, valkey_url) as (hub, _):
        with recorded_calls(stores) as calls:
            seen = await subscribe(hub, QueueTopic(concert.id, PersonId("ann")))
            await subscribe(hub, RoomTopic(concert.id))
            await subscribe(hub, StockTopic(concert.id))
            await stores.queues.join(concert.id, PersonId("ben"))
            await AdmissionWorker().run_once(stores)
            await wait_until(lambda: seen.state_and_position()[1] == 0, what="the call")
    hub_calls = calls.names - {"join_queue", "admit"}
    assert hub_calls == {"read_snapshot", "read_entries", "sync_presence"}


async def test_only_the_hub_snapshot_clears_the_hint(stores: Stores) -> None:
    concert = await with_room(stores)
    process = Process(stores)

    async def is_hinted() -> bool:
        return bool(await stores.script_client.run_command("HEXISTS", concert_key(concert, "state"), "hinted"))

    await process.queue("joinQueue", "ann", concert)
    assert await is_hinted()
    document = """query ($id: ID!) {
        concert(id: $id) { stock { soldOut } }
        waitingRoom(concertId: $id) { servingNumber }
        queueEntry(concertId: $id) { position estimatedWait { p50Seconds } }
        me { queueEntries { state } holds { id } } }"""
    await process.run(document, "ann", id=ids.of_concert(concert.id))
    assert await is_hinted()
    await stores.snapshots.read(concert.id, after=0)
    assert not await is_hinted()
