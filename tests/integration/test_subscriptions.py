"""Subscriptions on real stores: the latest payload equals the result of a query."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
import pytest_asyncio

from domain.concerts import Concert
from domain.errors import NotOnSale
from domain.queues import RoomSettings
from resolvers import concerts, holds, queues
from resolvers.snapshots import StoreSnapshotReader
from resolvers.wait_tables import WaitTableCache
from schema import Operation, OperationResult, execute, ids, start
from storage.connect import Stores
from subscriptions.feed import Feed
from subscriptions.hub import Hub
from subscriptions.interfaces import Rendered
from tests.support.hub_recorder import PUSH_INTERVALS, TICK_S
from tests.support.sale import PASSES, buy, context, draft, key, lines, on_sale, organizer
from tests.support.waiting import wait_until
from workers.admission import AdmissionWorker

_STOCK = "version epoch soldOut tiers { tierId capacity available held sold }"
_HOLD = "id state reason total { minor } lines { tierId quantity } expiresAt"
_ORDER = "id status version total { amount } customerEmail concert { name }"
STOCK_CHANGED = f"subscription ($id: ID!) {{ stockChanged(concertId: $id) {{ {_STOCK} }} }}"
QUEUE_POSITION = f"""subscription ($id: ID!) {{
  queuePosition(concertId: $id) {{
    state number position servingNumber waitingCount version epoch expiresAt
    pass {{ token status expiresAt }} stock {{ {_STOCK} }}
  }}
}}"""
HOLD_CHANGED = f"subscription ($id: ID!) {{ holdChanged(concertId: $id) {{ {_HOLD} }} }}"
ORDER_UPDATED = f"subscription ($id: ID!) {{ orderUpdated(orderId: $id) {{ {_ORDER} }} }}"
NOW = f"""query ($id: ID!) {{
  concert(id: $id) {{ stock {{ {_STOCK} }} }}
  waitingRoom(concertId: $id) {{ servingNumber waitingCount version epoch }}
  queueEntry(concertId: $id) {{ state number position expiresAt pass {{ token status expiresAt }} }}
}}"""
ROOM = RoomSettings(suspended=False, total_active_users=1)


@pytest_asyncio.fixture
async def hub(stores: Stores, valkey_url: str) -> AsyncIterator[Hub]:
    feed = Feed(valkey_url)
    await feed.start()
    reader = StoreSnapshotReader(stores, PASSES, WaitTableCache())
    made = Hub(feed, reader, stores.queues, tick_s=TICK_S, push_intervals=PUSH_INTERVALS)
    yield made
    await made.aclose()
    await feed.aclose()


def without_versions(position: Any) -> Any:
    """Drop the versions, because a change to the versions alone is not pushed."""
    return {**position, "version": None, "stock": {**position["stock"], "version": None}}


@dataclass
class Received:
    """The payloads of one subscription."""

    payloads: list[Any] = field(default_factory=list)
    is_complete: bool = False

    def deliver(self, rendered: Rendered) -> None:
        assert not self.is_complete, "a payload arrived after the last one"
        answer = orjson.loads(rendered.payload)
        assert list(answer) == ["data"], answer
        self.payloads += answer["data"].values()
        self.is_complete = rendered.is_last

    def latest(self) -> Any:
        return self.payloads[-1]


@dataclass(frozen=True, slots=True)
class Person:
    """A person who sends queries and subscriptions."""

    name: str
    stores: Stores
    hub: Hub
    concert: Concert

    async def subscribe(self, document: str, id_: str | None = None) -> Received:
        variables = {"id": id_ or ids.of_concert(self.concert.id)}
        source = await start(Operation(document, variables, None), context(self.stores, self.name))
        assert not isinstance(source, OperationResult), source.payload
        received = Received()
        await self.hub.subscribe(source, received.deliver)
        return received

    async def query(self) -> Any:
        """Query the current state."""
        variables = {"id": ids.of_concert(self.concert.id)}
        answer = await execute(Operation(NOW, variables, None), context(self.stores, self.name))
        assert answer.payload.keys() == {"data", "extensions"}, answer.payload
        return answer.payload["data"]

    async def expected_position(self) -> Any:
        """Build the expected payload of `queuePosition` from a query."""
        now = orjson.loads(orjson.dumps(await self.query()))
        never_joined = dict.fromkeys(("state", "number", "position", "expiresAt", "pass"))
        return (now["queueEntry"] or never_joined) | now["waitingRoom"] | {"stock": now["concert"]["stock"]}

    async def wait_for_latest(self, received: Received) -> None:
        """Wait until the latest payload of `queuePosition` shows the current state."""

        async def is_current() -> bool:
            return bool(without_versions(received.latest()) == without_versions(await self.expected_position()))

        await wait_until(is_current, what=f"the position of {self.name}")


@pytest_asyncio.fixture
async def alice(stores: Stores, hub: Hub) -> Person:
    return Person("alice", stores, hub, await on_sale(stores, 5, room=ROOM))


async def test_every_step_of_a_visit_is_pushed(stores: Stores, hub: Hub, alice: Person) -> None:
    """At every step, both people receive the values that their queries return."""
    concert, alice_context = alice.concert, context(stores, "alice")
    bob = Person("bob", stores, hub, concert)
    alice_queue, bob_queue = await alice.subscribe(QUEUE_POSITION), await bob.subscribe(QUEUE_POSITION)
    stock, held = await alice.subscribe(STOCK_CHANGED), await alice.subscribe(HOLD_CHANGED)

    async def wait_for_both() -> None:
        await alice.wait_for_latest(alice_queue)
        await bob.wait_for_latest(bob_queue)
        assert stock.latest()["tiers"] == bob_queue.latest()["stock"]["tiers"]

    await wait_for_both()
    assert alice_queue.payloads[0]["state"] is None
    await queues.join_queue(alice_context, concert.id)
    await queues.join_queue(context(stores, "bob"), concert.id)
    await wait_for_both()
    assert (alice_queue.latest()["position"], bob_queue.latest()["position"]) == (1, 2)

    await AdmissionWorker().run_once(stores)
    await wait_for_both()
    assert (alice_queue.latest()["state"], bob_queue.latest()["position"]) == ("READY", 1)
    await queues.claim_pass(alice_context, concert.id)
    await wait_for_both()
    token = alice_queue.latest()["pass"]["token"]
    assert token is not None
    assert bob_queue.latest()["pass"] is None

    hold = await holds.hold_tickets(alice_context, concert.id, lines(concert, 2), key(), queue_pass=token)
    await wait_for_both()
    await wait_until(lambda: held.payloads, what="the hold")
    assert (held.latest()["id"], held.latest()["state"]) == (ids.of_hold(concert.id, hold.id), "HELD")
    order = await buy(stores, hold)
    await wait_until(lambda: alice_queue.is_complete, what="the end of the visit")
    assert (alice_queue.latest()["state"], alice_queue.latest()["pass"]["token"]) == ("COMPLETED", None)
    await bob.wait_for_latest(bob_queue)
    await wait_until(lambda: held.latest()["state"] == "SOLD", what="the end of the hold")
    bought = await alice.subscribe(ORDER_UPDATED, ids.of_order(order.id))
    assert bought.latest() == {
        "id": ids.of_order(order.id),
        "status": "PAID",
        "version": 1,
        "total": {"amount": "0.00"},
        "customerEmail": "ada@example.org",
        "concert": {"name": "Goldberg Variations"},
    }
    await wait_until(lambda: stock.latest()["tiers"][0]["sold"] == 2, what="the sale")
    for received in (alice_queue, bob_queue, stock):
        versions = [(payload["epoch"], payload["version"]) for payload in received.payloads]
        assert versions == sorted(set(versions))


async def test_a_late_subscriber_gets_the_same_payload_as_an_early_one(alice: Person) -> None:
    """Each payload is complete, so a client needs only the latest one."""
    stores, concert = alice.stores, alice.concert
    early, stock_early = await alice.subscribe(QUEUE_POSITION), await alice.subscribe(STOCK_CHANGED)
    for name in ("bob", "alice", "carol"):
        await queues.join_queue(context(stores, name), concert.id)
    await AdmissionWorker().run_once(stores)
    admitted = await queues.claim_pass(context(stores, "bob"), concert.id)
    token = admitted.queue_pass.token if admitted.queue_pass else None
    await holds.hold_tickets(context(stores, "bob"), concert.id, lines(concert, 3), key(), queue_pass=token)
    await queues.leave_queue(context(stores, "carol"), concert.id)
    await alice.wait_for_latest(early)
    late, stock_late = await alice.subscribe(QUEUE_POSITION), await alice.subscribe(STOCK_CHANGED)
    assert without_versions(early.latest()) == without_versions(late.latest())
    assert late.latest()["position"] == 1
    assert stock_early.latest()["tiers"] == stock_late.latest()["tiers"]
    assert stock_late.latest()["tiers"][0]["held"] == 3


async def test_pass_is_pushed_only_to_its_owner(stores: Stores, hub: Hub, alice: Person) -> None:
    others = [Person(name, stores, hub, alice.concert) for name in ("bob", "carol", "olivia")]
    received_by_others = [await person.subscribe(QUEUE_POSITION) for person in others]
    own = await alice.subscribe(QUEUE_POSITION)
    await queues.join_queue(context(stores, "alice"), alice.concert.id)
    await AdmissionWorker().run_once(stores)
    await queues.claim_pass(context(stores, "alice"), alice.concert.id)
    await wait_until(lambda: own.latest()["state"] == "ADMITTED", what="the pass")
    for person, received in zip(others, received_by_others, strict=True):
        await person.wait_for_latest(received)
        assert all(payload["pass"] is None for payload in received.payloads)


async def test_subscription_to_the_stock_of_a_draft_is_refused(stores: Stores, hub: Hub) -> None:
    """An organizer may read a draft, but a draft has no stock."""
    made = await concerts.create_concert(organizer(stores), draft(5))
    source = await start(Operation(STOCK_CHANGED, {"id": ids.of_concert(made.id)}, None), organizer(stores))
    assert not isinstance(source, OperationResult)
    received = Received()
    with pytest.raises(NotOnSale):
        await hub.subscribe(source, received.deliver)
    assert received.payloads == []


async def test_all_devices_of_a_person_get_the_same_payloads(stores: Stores, alice: Person) -> None:
    """All devices get the same sequence of payloads after the last device has subscribed."""
    await queues.join_queue(context(stores, "bob"), alice.concert.id)
    devices = [await alice.subscribe(QUEUE_POSITION) for _ in range(3)]
    await queues.join_queue(context(stores, "alice"), alice.concert.id)
    for device in devices:
        await alice.wait_for_latest(device)
    await AdmissionWorker().run_once(stores)
    await queues.leave_queue(context(stores, "bob"), alice.concert.id)
    await wait_until(lambda: devices[-1].latest()["state"] == "READY", what="the call")
    await queues.claim_pass(context(stores, "alice"), alice.concert.id)
    await wait_until(lambda: devices[-1].latest()["state"] == "ADMITTED", what="the pass")
    first, *others = [device.payloads[1 - len(devices[-1].payloads) :] for device in devices]
    assert len(first) >= 3
    assert others == [first, first]
