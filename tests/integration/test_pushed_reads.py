"""The script calls and the executions of pushes and results that link to other objects."""

from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from domain.ids import PersonId
from resolvers.context import Resources
from schema import Operation, OperationResult, execute, ids, start
from storage.connect import Stores
from subscriptions.interfaces import Rendered
from tests.support.hub_recorder import open_hub
from tests.support.pushed_executions import record_executions
from tests.support.queue_steps import with_room
from tests.support.sale import PASSES, hold, key, on_sale, viewer
from tests.support.script_calls import recorded_calls
from tests.support.waiting import wait_until

PEOPLE = [f"p{number}" for number in range(1, 41)]
TIER = "id available held sold version epoch price { minor }"
LINKED = f"""subscription ($id: ID!) {{
  queuePosition(concertId: $id) {{
    version
    entry {{
      id state position joinedAt version estimatedWait {{ p50Seconds }} stockAhead
      concert {{ id name stock {{ version }} waitingRoom {{ version }} tiers {{ {TIER} }} }}
    }}
    stock {{ version tiers {{ tier {{ {TIER} }} }} concert {{ id }} }}
  }}
}}"""


@dataclass
class Deliveries:
    """The last payload of each person."""

    payloads: dict[str, Any] = field(default_factory=dict)

    def to(self, who: str) -> Any:
        def deliver(rendered: Rendered) -> None:
            payload = orjson.loads(rendered.payload)
            assert list(payload) == ["data"], payload
            self.payloads[who] = payload["data"]["queuePosition"]

        return deliver

    def positions(self) -> list[int]:
        return [self.payloads[who]["entry"]["position"] for who in PEOPLE]


async def test_linked_objects_cost_no_call_and_no_execution_per_person(
    stores: Stores, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    executed: list[int] = []
    record_executions(monkeypatch, lambda snapshot, _: executed.append(snapshot.room.version))
    concert, resources, deliveries = await with_room(stores, 1_000), Resources(stores, PASSES), Deliveries()
    entries = [await stores.queues.join(concert.id, PersonId(who)) for who in ("front", *PEOPLE)]
    async with open_hub(stores, valkey_url) as (hub, _):
        for who in PEOPLE:
            context = resources.context(viewer(who), "test-request")
            source = await start(Operation(LINKED, {"id": ids.of_concert(concert.id)}, None), context)
            assert not isinstance(source, OperationResult), source.payload
            await hub.subscribe(source, deliveries.to(who))
        assert deliveries.positions() == list(range(2, 42))
        executed.clear()
        with recorded_calls(stores) as calls:
            await stores.queues.leave(concert.id, PersonId("front"))
            await wait_until(lambda: deliveries.positions() == list(range(1, 41)), what="the new positions")
    assert calls.names - {"leave_queue"} <= {"read_snapshot", "read_entries", "sync_presence"}
    # In each refresh, two people and a placeholder are executed, and the others are filled in.
    assert all(executed.count(version) <= 3 for version in executed)
    shown = [deliveries.payloads[who]["entry"] for who in PEOPLE]
    assert [one["id"] for one in shown] == [ids.of_entry(concert.id, entry.record.entry_id) for entry in entries[1:]]
    assert {one["version"] for one in shown} == {one["concert"]["stock"]["version"] for one in shown}


async def test_results_read_linked_objects_only_if_they_are_selected(stores: Stores) -> None:
    concert, resources = await on_sale(stores, 10), Resources(stores, PASSES)
    who = {"customerName": "Ann", "customerEmail": "ann@example.org"}

    async def run(document: str, **input_: object) -> tuple[Any, list[list[str]]]:
        context = resources.context(viewer("ann"), "test-request", "127.0.0.1")
        with recorded_calls(stores) as calls:
            payload = (await execute(Operation(document, {"input": input_}, None), context)).payload
        assert "errors" not in payload, payload
        return payload["data"], calls.round_trips

    held = await hold(stores, concert, 1, who="ann")
    data, round_trips = await run(
        """mutation ($input: PurchaseTicketsInput!) { purchaseTickets(input: $input) {
            ... on PurchaseTicketsSuccess { hold { id state } entry { id } } } }""",
        holdId=ids.of_hold(concert.id, held.id),
        idempotencyKey=key(),
        **who,
    )
    sold = {"id": ids.of_hold(concert.id, held.id), "state": "SOLD"}
    assert data["purchaseTickets"] == {"hold": sold, "entry": None}
    assert round_trips == [["begin_purchase"], ["record_order"], ["read_holds", "read_position"]]
    lines = [{"tierId": ids.of_tier(concert.tiers[0].id), "quantity": 1}]
    data, round_trips = await run(
        """mutation ($input: HoldTicketsInput!) { holdTickets(input: $input) {
            ... on HoldTicketsSuccess { hold { version } concert { id tiers { version available } } } } }""",
        concertId=ids.of_concert(concert.id),
        lines=lines,
        idempotencyKey=key(),
    )
    taken = data["holdTickets"]
    assert taken["concert"]["tiers"] == [{"version": taken["hold"]["version"], "available": 8}]
    assert round_trips == [["hold_tickets"], ["read_stock"]]
