"""A payload at a version shows what a read at this version shows, so a client can compare them."""

from dataclasses import replace

from domain.holds import EndReason, Hold, HoldState
from domain.ids import ConcertId, HoldId, PersonId
from domain.queues import EntryState
from domain.topics import HoldsTopic
from storage.hot.queues import EntryRecord
from tests.support.fake_queue import FakeQueue
from tests.support.hub_recorder import SnapshotRecorder
from tests.support.publisher_steps import EVERY_REFRESH, add_people, add_subscriber, make_publisher
from tests.support.snapshots import ALICE, CONCERT, hold


class ChangingQueue(FakeQueue):
    """A queue in which an entry may change after the queue is read and before entries are."""

    changed_version: int = 0
    epoch: int = 1

    def record(self, person_id: PersonId) -> EntryRecord:
        return replace(super().record(person_id), changed_version=self.changed_version, epoch=self.epoch)


async def test_entry_waits_for_the_version_that_contains_its_change() -> None:
    queue = ChangingQueue(people=10)
    publisher = make_publisher(queue, EVERY_REFRESH)
    (recorder,) = add_people(publisher, 3)
    await publisher.run_once()
    assert recorder.state_and_position() == (EntryState.WAITING, 3)
    queue.serving = 3
    queue.change("p3", EntryState.READY)
    queue.changed_version = queue.version + 1
    queue.states[PersonId("p3")] = EntryState.ADMITTED
    await publisher.run_once()
    assert recorder.state_and_position() == (EntryState.WAITING, 3)
    queue.change("p3", EntryState.ADMITTED)
    assert queue.version == queue.changed_version
    await publisher.run_once()
    assert recorder.state_and_position() == (EntryState.ADMITTED, 0)
    assert recorder.entry().version == queue.version


async def test_first_payload_waits_for_the_same_version() -> None:
    queue = ChangingQueue(people=10)
    queue.changed_version = queue.version + 1
    publisher = make_publisher(queue, EVERY_REFRESH)
    (recorder,) = add_people(publisher, 3)
    await publisher.run_once()
    assert recorder.snapshots == []
    queue.version += 1
    await publisher.run_once()
    assert len(recorder.snapshots) == 1


async def test_version_of_another_epoch_delays_no_entry() -> None:
    """After a rebuild, versions start over."""
    queue = ChangingQueue(people=10)
    queue.changed_version, queue.epoch = queue.version + 100, 0
    publisher = make_publisher(queue, EVERY_REFRESH)
    (recorder,) = add_people(publisher, 3)
    await publisher.run_once()
    assert recorder.state_and_position() == (EntryState.WAITING, 3)


class ForgettingQueue(FakeQueue):
    """A queue whose store has a hold of alice until it loses it."""

    held: tuple[Hold, ...] = (replace(hold(), epoch=1, version=1),)

    async def read_holds(self, concert_id: ConcertId, person_id: PersonId) -> tuple[Hold, ...]:
        return self.held

    async def read_hold(self, concert_id: ConcertId, hold_id: HoldId) -> Hold | None:
        return None


async def test_lost_hold_is_shown_at_the_version_that_lacks_it() -> None:
    queue = ForgettingQueue(people=10)
    publisher, recorder = make_publisher(queue), SnapshotRecorder(HoldsTopic(CONCERT.id, ALICE))
    add_subscriber(publisher, recorder)
    await publisher.run_once()
    queue.version, queue.held, queue.changed = 9, (), {ALICE: 9}
    await publisher.run_once()
    shown = [(one.state, one.epoch, one.version) for one in recorder.snapshots if isinstance(one, Hold)]
    assert shown == [(HoldState.HELD, 1, 1), (HoldState.ENDED, 1, 9)]
    assert isinstance(recorder.last, Hold)
    assert recorder.last.reason is EndReason.UNITS_LOST
