"""Subscriptions from document to bytes on real stores: the newest payload is what a query shows, for each of them."""

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
WATCH_STOCK = f"subscription ($id: ID!) {{ stockChanged(concertId: $id) {{ {_STOCK} }} }}"
QUEUE_POSITION = f"""subscription ($id: ID!) {{
  queuePosition(concertId: $id) {{
    state number position servingNumber waitingCount version epoch expiresAt
    pass {{ token status expiresAt }} stock {{ {_STOCK} }}
  }}
}}"""
WATCH_HOLDS = f"subscription ($id: ID!) {{ holdChanged(concertId: $id) {{ {_HOLD} }} }}"
WATCH_ORDER = f"subscription ($id: ID!) {{ orderUpdated(orderId: $id) {{ {_ORDER} }} }}"
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


def news(line: Any) -> Any:
    """Without the versions: a change that somebody would not see otherwise is not pushed to them."""
    return {**line, "version": None, "stock": {**line["stock"], "version": None}}


@dataclass
class Screen:
    """What one watcher was shown."""

    payloads: list[Any] = field(default_factory=list)
    is_over: bool = False

    def deliver(self, rendered: Rendered) -> None:
        assert not self.is_over, "something came after the last payload"
        answer = orjson.loads(rendered.payload)
        assert list(answer) == ["data"], answer
        self.payloads += answer["data"].values()
        self.is_over = rendered.is_last

    def newest(self) -> Any:
        return self.payloads[-1]


@dataclass(frozen=True, slots=True)
class Person:
    """Asks and watches."""

    name: str
    stores: Stores
    hub: Hub
    concert: Concert

    async def watch(self, document: str, id_: str | None = None) -> Screen:
        variables = {"id": id_ or ids.of_concert(self.concert.id)}
        source = await start(Operation(document, variables, None), context(self.stores, self.name))
        assert not isinstance(source, OperationResult), source.payload
        screen = Screen()
        await self.hub.subscribe(source, screen.deliver)
        return screen

    async def ask(self) -> Any:
        """The same, by a query."""
        variables = {"id": ids.of_concert(self.concert.id)}
        answer = await execute(Operation(NOW, variables, None), context(self.stores, self.name))
        assert list(answer.payload) == ["data"], answer.payload
        return answer.payload["data"]

    async def line_now(self) -> Any:
        """What `queuePosition` has to show."""
        now = orjson.loads(orjson.dumps(await self.ask()))
        never_joined = dict.fromkeys(("state", "number", "position", "expiresAt", "pass"))
        return (now["queueEntry"] or never_joined) | now["waitingRoom"] | {"stock": now["concert"]["stock"]}

    async def sees(self, screen: Screen) -> None:
        """Waits until the newest payload of `queuePosition` is what is true."""

        async def is_true() -> bool:
            return bool(news(screen.newest()) == news(await self.line_now()))

        await wait_until(is_true, what=f"the line of {self.name}")


@pytest_asyncio.fixture
async def alice(stores: Stores, hub: Hub) -> Person:
    return Person("alice", stores, hub, await on_sale(stores, 5, room=ROOM))


async def test_a_whole_visit_is_shown_as_it_happens(stores: Stores, hub: Hub, alice: Person) -> None:
    """Another person's too: what queries show afterwards is what was pushed to both, at every step."""
    concert, asking = alice.concert, context(stores, "alice")
    bob = Person("bob", stores, hub, concert)
    alice_queue, bob_queue = await alice.watch(QUEUE_POSITION), await bob.watch(QUEUE_POSITION)
    stock, held = await alice.watch(WATCH_STOCK), await alice.watch(WATCH_HOLDS)

    async def both_see() -> None:
        await alice.sees(alice_queue)
        await bob.sees(bob_queue)
        assert stock.newest()["tiers"] == bob_queue.newest()["stock"]["tiers"]

    await both_see()
    assert alice_queue.payloads[0]["state"] is None
    await queues.join_queue(asking, concert.id)
    await queues.join_queue(context(stores, "bob"), concert.id)
    await both_see()
    assert (alice_queue.newest()["position"], bob_queue.newest()["position"]) == (1, 2)

    await AdmissionWorker().run_once(stores)
    await both_see()
    assert (alice_queue.newest()["state"], bob_queue.newest()["position"]) == ("READY", 1)
    await queues.claim_pass(asking, concert.id)
    await both_see()
    token = alice_queue.newest()["pass"]["token"]
    assert token is not None
    assert bob_queue.newest()["pass"] is None

    taken = await holds.hold_tickets(asking, concert.id, lines(concert, 2), key(), queue_pass=token)
    await both_see()
    await wait_until(lambda: held.payloads, what="the hold")
    assert (held.newest()["id"], held.newest()["state"]) == (ids.of_hold(concert.id, taken.id), "HELD")
    order = await buy(stores, taken)
    await wait_until(lambda: alice_queue.is_over, what="the end of the visit")
    assert (alice_queue.newest()["state"], alice_queue.newest()["pass"]["token"]) == ("COMPLETED", None)
    await bob.sees(bob_queue)
    await wait_until(lambda: held.newest()["state"] == "SOLD", what="the end of the hold")
    bought = await alice.watch(WATCH_ORDER, ids.of_order(order.id))
    assert bought.newest() == {
        "id": ids.of_order(order.id),
        "status": "PAID",
        "version": 1,
        "total": {"amount": "50.00"},
        "customerEmail": "ada@example.org",
        "concert": {"name": "Goldberg Variations"},
    }
    await wait_until(lambda: stock.newest()["tiers"][0]["sold"] == 2, what="the sale")
    for screen in (alice_queue, bob_queue, stock):
        versions = [(shown["epoch"], shown["version"]) for shown in screen.payloads]
        assert versions == sorted(set(versions))


async def test_who_comes_later_sees_the_same_as_who_watched_all_along(alice: Person) -> None:
    """`apply(old snapshot, updates)` is the new snapshot: each payload is complete, so applying is taking it."""
    stores, concert = alice.stores, alice.concert
    early, stock_early = await alice.watch(QUEUE_POSITION), await alice.watch(WATCH_STOCK)
    for name in ("bob", "alice", "carol"):
        await queues.join_queue(context(stores, name), concert.id)
    await AdmissionWorker().run_once(stores)
    admitted = await queues.claim_pass(context(stores, "bob"), concert.id)
    token = admitted.queue_pass.token if admitted.queue_pass else None
    await holds.hold_tickets(context(stores, "bob"), concert.id, lines(concert, 3), key(), queue_pass=token)
    await queues.leave_queue(context(stores, "carol"), concert.id)
    await alice.sees(early)
    late, stock_late = await alice.watch(QUEUE_POSITION), await alice.watch(WATCH_STOCK)
    assert news(early.newest()) == news(late.newest())
    assert late.newest()["position"] == 1
    assert stock_early.newest()["tiers"] == stock_late.newest()["tiers"]
    assert stock_late.newest()["tiers"][0]["held"] == 3


async def test_a_pass_is_pushed_to_its_owner_and_to_nobody_else(stores: Stores, hub: Hub, alice: Person) -> None:
    watchers = [Person(name, stores, hub, alice.concert) for name in ("bob", "carol", "olivia")]
    screens = [await person.watch(QUEUE_POSITION) for person in watchers]
    own = await alice.watch(QUEUE_POSITION)
    await queues.join_queue(context(stores, "alice"), alice.concert.id)
    await AdmissionWorker().run_once(stores)
    await queues.claim_pass(context(stores, "alice"), alice.concert.id)
    await wait_until(lambda: own.newest()["state"] == "ADMITTED", what="the pass")
    for person, screen in zip(watchers, screens, strict=True):
        await person.sees(screen)
        assert all(shown["pass"] is None for shown in screen.payloads)


async def test_what_cannot_be_read_is_not_watched(stores: Stores, hub: Hub) -> None:
    """An organizer may look at a draft, and it has no stock that could move."""
    made = await concerts.create_concert(organizer(stores), draft(5))
    source = await start(Operation(WATCH_STOCK, {"id": ids.of_concert(made.id)}, None), organizer(stores))
    assert not isinstance(source, OperationResult)
    screen = Screen()
    with pytest.raises(NotOnSale):
        await hub.subscribe(source, screen.deliver)
    assert screen.payloads == []


async def test_every_device_of_a_person_is_shown_the_same(stores: Stores, alice: Person) -> None:
    """From the time the last one came, payload by payload."""
    await queues.join_queue(context(stores, "bob"), alice.concert.id)
    devices = [await alice.watch(QUEUE_POSITION) for _ in range(3)]
    await queues.join_queue(context(stores, "alice"), alice.concert.id)
    for device in devices:
        await alice.sees(device)
    await AdmissionWorker().run_once(stores)
    await queues.leave_queue(context(stores, "bob"), alice.concert.id)
    await wait_until(lambda: devices[-1].newest()["state"] == "READY", what="the call")
    await queues.claim_pass(context(stores, "alice"), alice.concert.id)
    await wait_until(lambda: devices[-1].newest()["state"] == "ADMITTED", what="the pass")
    first, *others = [device.payloads[1 - len(devices[-1].payloads) :] for device in devices]
    assert len(first) >= 3
    assert others == [first, first]
