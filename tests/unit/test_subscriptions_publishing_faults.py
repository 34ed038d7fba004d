"""Publishing despite failed renders, slow documents, rollbacks and disconnections."""

import asyncio
from collections.abc import Callable, Sequence

from domain.holds import EndReason, Hold, HoldState
from domain.ids import ConcertId, HoldId, PersonId
from domain.queues import EntryState
from domain.topics import HoldsTopic, RoomTopic, Snapshot, Topic
from subscriptions.interfaces import Rendered
from subscriptions.publishing.concert_publisher import ConcertPublisher
from subscriptions.publishing.presence import Presence
from tests.support.fake_queue import FakeQueue
from tests.support.hub_recorder import SnapshotRecorder
from tests.support.publisher_steps import EVERY_REFRESH, add_people, add_subscriber, make_publisher, queue_topic
from tests.support.snapshots import CONCERT, hold
from tests.support.waiting import wait_until


class FailsOnce(SnapshotRecorder):
    """A source whose next render times out once `fails` is set."""

    fails = False

    async def render(self, snapshot: Snapshot) -> Rendered:
        if self.fails:
            self.fails = False
            raise TimeoutError("rendering took too long")
        return await super().render(snapshot)


def add_failing(publisher: ConcertPublisher, topic: Topic) -> FailsOnce:
    recorder = FailsOnce(topic)
    add_subscriber(publisher, recorder)
    return recorder


async def test_ended_entry_is_published_after_a_failed_render() -> None:
    queue = FakeQueue(people=1_000)
    publisher = make_publisher(queue)
    recorder = add_failing(publisher, queue_topic(500))
    await publisher.run_once()
    queue.change("p500", EntryState.EXPIRED)
    recorder.fails = True
    for _ in range(20):
        queue.move()
        await publisher.run_once()
    assert recorder.entry().state is EntryState.EXPIRED


async def test_call_is_published_after_a_failed_render() -> None:
    queue = FakeQueue(people=1_000)
    publisher = make_publisher(queue)
    recorder = add_failing(publisher, queue_topic(500))
    await publisher.run_once()
    queue.serving = 500
    queue.change("p500", EntryState.READY)
    recorder.fails = True
    for _ in range(5):
        await publisher.run_once()
    assert recorder.entry().state is EntryState.READY


class FakeHolds(FakeQueue):
    """A queue whose people have the holds in `held`."""

    held: tuple[Hold, ...] = ()
    ended: Hold | None = None

    async def read_holds(self, concert_id: ConcertId, person_id: PersonId) -> tuple[Hold, ...]:
        return self.held

    async def read_hold(self, concert_id: ConcertId, hold_id: HoldId) -> Hold | None:
        return self.ended


async def test_ended_hold_is_published_after_a_failed_render() -> None:
    queue = FakeHolds(people=10)
    queue.held = (hold(),)
    publisher = make_publisher(queue)
    recorder = add_failing(publisher, HoldsTopic(CONCERT.id, PersonId("p5")))
    await publisher.run_once()
    assert isinstance(recorder.last, Hold)
    queue.held, queue.ended = (), hold(state=HoldState.ENDED, reason=EndReason.EXPIRED)
    queue.change("p5", EntryState.WAITING)
    recorder.fails = True
    for _ in range(20):
        await publisher.run_once()
    assert isinstance(recorder.last, Hold)
    assert recorder.last.state is HoldState.ENDED


async def test_presence_is_reported_for_a_person_put_back_by_a_rollback() -> None:
    """In a store that was restored from an older copy, the called entry is waiting again."""
    queue = FakeQueue(people=100, serving=50)
    queue.states = {PersonId("p50"): EntryState.READY}
    publisher = make_publisher(queue)
    (recorder,) = add_people(publisher, 50)
    await publisher.run_once()
    assert recorder.entry().state is EntryState.READY
    queue.serving = 40
    queue.change("p50", EntryState.WAITING)
    for _ in range(2):
        await publisher.run_once()
    assert recorder.entry().state is EntryState.WAITING
    assert queue.connected == ["p50"]


class NeverRenders(SnapshotRecorder):
    async def render(self, snapshot: Snapshot) -> Rendered:
        await asyncio.Event().wait()
        raise AssertionError


async def test_slow_documents_do_not_delay_entries() -> None:
    """Four organizers select fields that are read from the database, which does not answer."""
    queue = FakeQueue(people=1_000)
    publisher = make_publisher(queue)
    (recorder,) = add_people(publisher, 500)
    for name in ("ann", "ben", "cyd", "dan"):
        subscriber = add_subscriber(publisher, NeverRenders(RoomTopic(CONCERT.id), group=name))
        subscriber.first_delivery.add_done_callback(lambda first: first.exception())
    task = asyncio.create_task(publisher.run())
    try:
        await wait_until(lambda: recorder.snapshots, what="the first payload")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class CallsBack(SnapshotRecorder):
    """A source that runs `on_delivery` before each delivery."""

    def __init__(self, topic: Topic) -> None:
        super().__init__(topic)
        self.on_delivery: Callable[[], None] = lambda: None

    def deliver(self, rendered: Rendered) -> None:
        self.on_delivery()
        super().deliver(rendered)


async def test_person_who_disconnects_during_a_refresh_is_no_longer_read() -> None:
    queue = FakeQueue(people=100)
    publisher = make_publisher(queue, EVERY_REFRESH)
    stays = CallsBack(queue_topic(60))
    add_subscriber(publisher, stays)
    leaves = add_subscriber(publisher, SnapshotRecorder(queue_topic(50)))
    await publisher.run_once()
    stays.on_delivery = lambda: publisher.remove(leaves)
    # The change lists no person, as when this process learns late that a worker opened the queue.
    queue.serving = 50
    queue.version += 1
    await publisher.run_once()
    queue.asked.clear()
    for _ in range(5):
        queue.version += 1
        await publisher.run_once()
    assert queue.asked == []


async def test_entry_newer_than_the_shared_snapshot_waits_for_the_next_refresh() -> None:
    """The person joined and was called after the queue was read."""
    queue = FakeQueue(people=10, serving=10)
    queue.states = {PersonId("p11"): EntryState.READY}
    publisher = make_publisher(queue)
    add_people(publisher, 10)
    await publisher.run_once()
    (recorder,) = add_people(publisher, 11)
    await publisher.run_once()
    assert recorder.snapshots == []


class FakePresenceStore:
    """Records each report: process name, connected people, and whether the store knows the name."""

    def __init__(self) -> None:
        self.reports: list[tuple[str, dict[PersonId, bool], bool]] = []

    async def sync_presence(
        self, concert_id: ConcertId, process: str, people: Sequence[tuple[PersonId, int]], *, is_known: bool
    ) -> None:
        self.reports.append((process, {person: sequence > 0 for person, sequence in people}, is_known))


async def test_disconnected_person_is_not_reported_again_after_a_rollback() -> None:
    """A restored store may know the old process name, but only until that name's lease ends."""
    ann, ben = PersonId("ann"), PersonId("ben")
    store = FakePresenceStore()
    presence = Presence(CONCERT.id, store)
    for person_id in (ann, ben):
        presence.connected(person_id)
    await presence.sync()
    presence.disconnected(ann)
    await presence.sync()
    presence.resync_all()
    await presence.sync()
    (first, *_, last) = store.reports
    assert (first[1], last[1:]) == ({ann: True, ben: True}, ({ben: True}, False))
    assert first[0] != last[0]
