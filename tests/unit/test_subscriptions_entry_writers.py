"""A person whose entry has not changed gets the same payloads as with rendering, for less work."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auth.viewer import Role
from domain.estimates.wait_estimates import NO_ESTIMATE, WaitEstimate, WaitTable
from domain.ids import ConcertId, EntryId, PersonId, TierId
from domain.queues import EntryState, QueueingMethod
from domain.stock import StockAhead, TierStock
from domain.topics import EntryNumbers, QueueSnapshot
from resolvers.wait_tables import build_waiting_room
from schema import Operation, ids, start
from schema.execution.subscription_source import PreparedOperation, SubscriptionSource
from storage.hot.queues import EntryRecord
from subscriptions.interfaces import EntryWriter, Rendered, RoomSnapshot
from subscriptions.publishing import queue_publisher
from subscriptions.publishing.concert_publisher import ConcertPublisher
from subscriptions.publishing.subscriber_groups import Subscriber
from tests.support.fake_queue import FakeQueue
from tests.support.hub_recorder import SnapshotRecorder
from tests.support.publisher_steps import EVERY_REFRESH, add_people, add_subscriber, make_publisher, queue_topic
from tests.support.pushed_executions import record_executions
from tests.support.sale import viewer
from tests.support.snapshots import CONCERT, NOW, STOCK, FakeStores

PEOPLE = 30
TABLE = WaitTable((1.0, 8.0, 14.0), (3.0, 50.5, 120.25), (9.0, 80.0, 300.0), WaitEstimate(600, 900))
SHORT_TABLE = replace(TABLE, beyond=None)
"""A table without an estimate for the people at the back."""
ENDED = frozenset({EntryState.LEFT, EntryState.EXPIRED, EntryState.COMPLETED})
ENTRY = "entry { id state position number joinedAt round lot version estimatedWait { p50Seconds p90Seconds } }"
DOCUMENT = f"""subscription ($id: ID!) {{ queuePosition(concertId: $id) {{
  state number position waitingCount servingNumber roomStatus message stockAhead version lot {ENTRY}
  estimatedWait {{ p50Seconds p90Seconds }} stock {{ tiers {{ tierId available price {{ minor }} }} }}
}} }}"""


class RenderedRecorder(SnapshotRecorder):
    """A source without a writer, so each of its payloads is rendered."""

    def entry_writer(self, snapshot: QueueSnapshot) -> None:
        return None


@dataclass
class VariedQueue(FakeQueue):
    """A queue whose method and estimates change too. Every third person has a lot."""

    method: QueueingMethod = QueueingMethod.FIFO
    wait_table: WaitTable = NO_ESTIMATE
    outside: set[PersonId] = field(default_factory=set)
    """People who have not joined."""
    joined_again: set[PersonId] = field(default_factory=set)
    """People whose entry id differs from their number."""

    def _room_snapshot(self) -> RoomSnapshot:
        found = super()._room_snapshot()
        settings = replace(found.room.settings, queueing_method=self.method)
        room = build_waiting_room(replace(CONCERT, room=settings), found.state.room)
        return RoomSnapshot(room, found.state, self.wait_table)

    def record(self, person_id: PersonId) -> EntryRecord:
        found = super().record(person_id)
        number = int(person_id[1:])
        lot = number * 7 if number % 3 == 0 else None
        if person_id in self.joined_again:
            found = replace(found, entry_id=EntryId(5_000 + number))
        return replace(found, lot=lot, round=self.round, joined_at=NOW + timedelta(milliseconds=number))

    async def read_entries(self, concert_id: ConcertId, people: Sequence[PersonId]) -> dict[PersonId, EntryRecord]:
        return await super().read_entries(concert_id, [person for person in people if person not in self.outside])

    def set_stock(self, available: int, price_minor: int) -> None:
        tier = TierStock(TierId(f"{CONCERT.id}-1"), capacity=available + 5, held=2, sold=3, price_minor=price_minor)
        self.version += 1
        self.stock = replace(STOCK, version=self.version, tiers=(tier,))


def change_state(queue: VariedQueue, number: int, state: EntryState) -> None:
    if queue.states.get(PersonId(f"p{number}"), EntryState.WAITING) not in ENDED:
        queue.change(f"p{number}", state)


def reset_queue(queue: VariedQueue) -> None:
    queue.round, queue.serving = queue.round + 1, 0
    queue.version += 1


def set_value(queue: VariedQueue, name: str, value: object) -> None:
    setattr(queue, name, value)
    queue.version += 1


Change = tuple[Callable[..., None], tuple[Any, ...]]
changes: st.SearchStrategy[Change] = st.one_of(
    st.tuples(st.just(VariedQueue.move), st.tuples(st.integers(0, 3))),
    st.tuples(
        st.just(change_state), st.tuples(st.integers(1, PEOPLE), st.sampled_from([EntryState.READY, *sorted(ENDED)]))
    ),
    st.tuples(st.just(VariedQueue.set_stock), st.tuples(st.integers(0, 3), st.integers(100, 102))),
    st.tuples(st.just(set_value), st.tuples(st.just("message"), st.sampled_from(["", 'Doors "late" %d']))),
    st.tuples(
        st.just(set_value),
        st.tuples(st.just("method"), st.sampled_from([QueueingMethod.FIFO, QueueingMethod.RANDOM])),
    ),
    st.tuples(st.just(set_value), st.tuples(st.just("wait_table"), st.sampled_from([NO_ESTIMATE, TABLE, SHORT_TABLE]))),
    st.tuples(st.just(reset_queue), st.just(())),
)
event_sequences = st.lists(st.lists(changes, max_size=3), min_size=1, max_size=10)


@settings(max_examples=30, deadline=None)
@given(event_sequences)
async def test_written_snapshots_equal_the_rendered_ones(sequence: list[list[Change]]) -> None:
    queue = VariedQueue(people=PEOPLE)
    publishers = [make_publisher(queue, EVERY_REFRESH), make_publisher(queue, EVERY_REFRESH)]
    written = add_people(publishers[0], *range(1, PEOPLE + 1))
    rendered = [RenderedRecorder(queue_topic(number)) for number in range(1, PEOPLE + 1)]
    for recorder in rendered:
        add_subscriber(publishers[1], recorder)
    for changed in [[], *sequence]:
        for change, arguments in changed:
            change(queue, *arguments)
        for publisher in publishers:
            await publisher.run_once()
        assert [shown(one) for one in written] == [shown(one) for one in rendered]
    assert sum(one.renders for one in written) <= sum(one.renders for one in rendered)


def shown(recorder: SnapshotRecorder) -> list[tuple[object, ...]]:
    """Return what the recorder showed, with the versions, which entries do not compare."""
    return [
        (one, one.entry and (one.entry.epoch, one.entry.version))
        for one in recorder.snapshots
        if isinstance(one, QueueSnapshot)
    ]


@dataclass
class Socket:
    """A real source, and the payloads that its socket gets."""

    source: SubscriptionSource
    person_id: PersonId
    payloads: list[bytes] = field(default_factory=list)

    def deliver(self, rendered: Rendered) -> None:
        self.payloads.append(rendered.payload)

    async def execute(self, snapshot: QueueSnapshot) -> bytes:
        """Return the payload of an execution, from a source without templates."""
        prepared = PreparedOperation(self.source.prepared.key, self.source.prepared.execution)
        return (await replace(self.source, prepared=prepared).render(snapshot)).payload


async def open_socket(publisher: ConcertPublisher, name: str, *roles: Role, document: str = DOCUMENT) -> Socket:
    context = FakeStores().context(viewer(name, *roles))
    source = await start(Operation(document, {"id": ids.of_concert(CONCERT.id)}, None), context)
    assert isinstance(source, SubscriptionSource)
    socket = Socket(source, PersonId(name))
    publisher.add(Subscriber(source, socket.deliver))
    return socket


async def current_snapshot(queue: VariedQueue, name: str) -> QueueSnapshot:
    """Return what a person would be shown now, with tickets left for everyone."""
    found = await queue.read_snapshot(CONCERT.id, after=queue.version)
    return queue.build_queue_snapshot(
        found.room_snapshot, queue.record(PersonId(name)), found.stock, StockAhead.AVAILABLE
    )


@settings(max_examples=10, deadline=None)
@given(event_sequences)
async def test_payload_has_the_bytes_of_an_execution_at_its_version(sequence: list[list[Change]]) -> None:
    queue = VariedQueue(people=PEOPLE)
    publisher = make_publisher(queue, EVERY_REFRESH)
    sockets = {f"p{number}": await open_socket(publisher, f"p{number}") for number in range(11, 18)}
    for changed in [[], *sequence]:
        for change, arguments in changed:
            change(queue, *arguments)
        await publisher.run_once()
        for name, socket in sockets.items():
            payload = orjson.loads(socket.payloads[-1])["data"]["queuePosition"]
            snapshot = replace(await current_snapshot(queue, name), stock_ahead=StockAhead(payload["stockAhead"]))
            if payload["version"] == queue.version and snapshot.entry and payload["state"] == snapshot.entry.state:
                assert socket.payloads[-1] == await socket.execute(snapshot)


@pytest.fixture
def executions(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The executions of subscription payloads."""
    executed: list[object] = []
    record_executions(monkeypatch, lambda snapshot, _: executed.append(snapshot))
    return executed


async def test_people_beyond_the_last_estimate_are_shown_none() -> None:
    queue = VariedQueue(people=100, wait_table=SHORT_TABLE)
    publisher = make_publisher(queue, EVERY_REFRESH)
    sockets = [await open_socket(publisher, f"p{number}") for number in (11, 13, 14, 16, 17, 19, 20, 22)]
    await publisher.run_once()
    for _ in range(2):
        queue.move()
        await publisher.run_once()
    payloads = [socket.payloads[-1] for socket in sockets]
    assert payloads == [await one.execute(await current_snapshot(queue, one.person_id)) for one in sockets]
    waits = [orjson.loads(payload)["data"]["queuePosition"]["estimatedWait"] for payload in payloads]
    assert [wait is None for wait in waits] == [False] * 4 + [True] * 4


async def test_version_costs_three_executions_and_two_snapshots_per_shape(executions: list[object]) -> None:
    queue = VariedQueue(people=300, wait_table=TABLE)
    publisher = make_publisher(queue, EVERY_REFRESH)
    sockets = [await open_socket(publisher, f"p{number}") for number in range(51, 151)]
    await publisher.run_once()
    for moved in range(1, 4):
        queue.move()
        executions.clear()
        queue.calls.clear()
        await publisher.run_once()
        shown_positions = [position_of(socket) for socket in sockets]
        assert shown_positions == list(range(51 - moved, 151 - moved))
        # Of the people with a lot, and of the others, two are rendered, and a placeholder.
        assert (len(executions), queue.calls["show"]) == (6, 4)


def position_of(socket: Socket) -> object:
    return orjson.loads(socket.payloads[-1])["data"]["queuePosition"]["position"]


async def test_all_devices_of_a_person_get_their_own_selection() -> None:
    queue = VariedQueue(people=100)
    publisher = make_publisher(queue, EVERY_REFRESH)
    short = "subscription ($id: ID!) { queuePosition(concertId: $id) { position } }"
    for number in (41, 42):
        await open_socket(publisher, f"p{number}")
    phone, laptop = [await open_socket(publisher, "p50", document=document) for document in (short, DOCUMENT)]
    await publisher.run_once()
    for moved in range(1, 4):
        queue.move()
        await publisher.run_once()
        assert phone.payloads[-1] == b'{"data":{"queuePosition":{"position":%d}}}' % (50 - moved)
        assert laptop.payloads[-1] == await laptop.execute(await current_snapshot(queue, "p50"))


async def test_closed_subscription_gets_nothing_and_the_other_device_does() -> None:
    queue = VariedQueue(people=100)
    publisher = make_publisher(queue, EVERY_REFRESH)
    recorders = [SnapshotRecorder(queue_topic(50)) for _ in range(2)]
    subscribers = [add_subscriber(publisher, recorder) for recorder in recorders]
    await publisher.run_once()
    queue.move()
    await publisher.run_once()
    publisher.remove(subscribers[0])
    for _ in range(2):
        queue.move()
        await publisher.run_once()
    assert [len(recorder.snapshots) for recorder in recorders] == [2, 4]
    assert recorders[1].state_and_position() == (EntryState.WAITING, 47)


async def test_new_device_starts_with_the_version_that_includes_it() -> None:
    queue = VariedQueue(people=100)
    publisher = make_publisher(queue, EVERY_REFRESH)
    first, second = [SnapshotRecorder(queue_topic(50)) for _ in range(2)]
    add_subscriber(publisher, first)
    await publisher.run_once()
    subscriber = add_subscriber(publisher, second)
    queue.move()
    await publisher.run_once()
    assert not subscriber.is_pending
    queue.move()
    await publisher.run_once()
    assert [recorder.versions() for recorder in (first, second)] == [[(1, 1), (1, 2), (1, 3)], [(1, 2), (1, 3)]]


async def test_person_who_never_joined_is_written_to_until_they_join() -> None:
    queue = VariedQueue(people=100)
    publisher = make_publisher(queue, EVERY_REFRESH)
    queue.outside = {PersonId("p60")}
    (spectator,) = add_people(publisher, 60)
    await publisher.run_once()
    set_value(queue, "message", "Doors open late")
    await publisher.run_once()
    assert (spectator.queue().entry, len(spectator.snapshots), spectator.renders) == (None, 2, 1)
    queue.outside.clear()
    queue.change("p60", EntryState.WAITING)
    await publisher.run_once()
    assert spectator.state_and_position() == (EntryState.WAITING, 60)


async def test_organizer_in_the_queue_has_no_writer() -> None:
    """Whether an organizer sees more depends on the concert, so each payload is rendered."""
    queue = VariedQueue(people=100)
    publisher = make_publisher(queue, EVERY_REFRESH)
    customer, organizer = await open_socket(publisher, "p50"), await open_socket(publisher, "p51", Role.ORGANIZER)
    await publisher.run_once()
    snapshot = await current_snapshot(queue, "p50")
    assert customer.source.entry_writer(snapshot) is not None
    assert organizer.source.entry_writer(await current_snapshot(queue, "p51")) is None
    assert organizer.source.entry_writer(snapshot) is None
    assert customer.source.entry_writer(await current_snapshot(queue, "p51")) is None


async def test_writer_writes_nothing_for_a_version_without_templates() -> None:
    queue = VariedQueue(people=100)
    publisher = make_publisher(queue, EVERY_REFRESH)
    sockets = [await open_socket(publisher, f"p{number}") for number in (50, 51)]
    await publisher.run_once()
    snapshot = await current_snapshot(queue, "p50")
    writer: EntryWriter | None = sockets[0].source.entry_writer(snapshot)
    assert writer is not None
    assert snapshot.entry is not None
    numbers = EntryNumbers(snapshot.entry.number, snapshot.entry.position, None, None)
    assert writer.write(replace(snapshot, entry=None), numbers) is None


async def test_refresh_renders_for_fewer_people_than_it_writes_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_publisher, "MAX_PER_REFRESH", 4 * queue_publisher.RENDER_COST)
    queue = VariedQueue(people=100, serving=20)
    queue.states = {PersonId(f"p{number}"): EntryState.READY for number in range(1, 21)}
    publisher = make_publisher(queue, EVERY_REFRESH)
    called = add_people(publisher, *range(1, 11))
    await publisher.run_once()
    waiting = add_people(publisher, *range(21, 91))
    await publisher.run_once()
    set_value(queue, "message", "Doors open late")
    counts = []
    for _ in range(4):
        await publisher.run_once()
        counts.append([sum(len(one.snapshots) > 1 for one in group) for group in (called, waiting)])
    assert counts == [[4, 0], [8, 0], [10, 40], [10, 70]]


async def test_entry_that_gets_a_new_id_is_written_with_its_own_texts() -> None:
    queue = VariedQueue(people=100)
    publisher = make_publisher(queue, EVERY_REFRESH)
    sockets = [await open_socket(publisher, f"p{number}") for number in range(50, 54)]
    await publisher.run_once()
    queue.joined_again = {PersonId("p53")}
    queue.change("p53", EntryState.WAITING)
    for _ in range(3):
        queue.move()
        await publisher.run_once()
    shown_ids = [orjson.loads(one.payloads[-1])["data"]["queuePosition"]["entry"]["id"] for one in sockets]
    assert shown_ids == [ids.of_entry(CONCERT.id, EntryId(number)) for number in (50, 51, 52, 5_053)]
