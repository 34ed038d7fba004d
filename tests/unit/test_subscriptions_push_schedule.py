"""The schedule finds everyone who is due, although it computes due times only for a few people."""

from dataclasses import dataclass, field
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.ids import EntryId, PersonId
from domain.queue_positions import QueuePositions
from domain.queues import EntryState, QueueingMethod
from domain.stock import StockAhead
from domain.topics import NO_NUMBERS, QueueTopic
from storage.hot.queues import EntryRecord
from subscriptions.publishing import queue_subscriber
from subscriptions.publishing.push_schedule import PushSchedule
from subscriptions.publishing.queue_subscriber import MIN_SHARE, QueueSubscriber
from subscriptions.publishing.shared_snapshot import SharedSnapshot
from tests.support.shared_snapshots import shared_snapshot, stock_left
from tests.support.snapshots import CONCERT, NOW

PEOPLE = 40


@pytest.fixture(autouse=True, scope="module")
def _everyone_has_the_shortest_share() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queue_subscriber, "MAX_SHARE", MIN_SHARE)
        yield


def record(number: int | None, state: EntryState = EntryState.WAITING) -> EntryRecord:
    person_id = PersonId(f"p{number}")
    return EntryRecord(person_id, EntryId(number or 1), number, state, NOW, None, NOW, None, None, None, 1)


def add(schedule: PushSchedule, name: str, found: EntryRecord | None) -> QueueSubscriber:
    schedule.add(QueueTopic(CONCERT.id, PersonId(name)))
    subscriber = schedule.get(PersonId(name))
    assert subscriber is not None
    schedule.update(subscriber, found)
    return subscriber


def publish(subscriber: QueueSubscriber, shared: SharedSnapshot, now_s: float) -> None:
    is_sold_out = shared.is_sold_out(subscriber.membership, subscriber.number)
    moving = StockAhead.AVAILABLE, NO_NUMBERS
    subscriber.mark_moved(shared, moving, is_sold_out=is_sold_out, now_s=now_s)


@dataclass
class Published:
    """The last payload of a person, and whether the person has been due since then."""

    at_s: float = -inf
    version: tuple[int, int] = (-1, -1)
    announcement: tuple[object, ...] = ()
    is_sold_out: bool = False
    was_due: bool = True


@dataclass
class Model:
    """A schedule, and what was published to each person, from which the due people follow."""

    schedule: PushSchedule = field(default_factory=PushSchedule)
    published: dict[PersonId, Published] = field(default_factory=dict)

    def is_due(self, one: QueueSubscriber, shared: SharedSnapshot, now_s: float) -> bool:
        last = self.published[one.topic.person_id]
        has_announcement = last.announcement == shared.announcement
        if last.version == shared.version_key and has_announcement:
            return False
        is_sold_out = shared.is_sold_out(one.membership, one.number)
        due_s = last.at_s + shared.interval_s(one.membership, one.number) * MIN_SHARE
        return not has_announcement or is_sold_out is not last.is_sold_out or due_s <= now_s

    def publish(self, one: QueueSubscriber, shared: SharedSnapshot, now_s: float) -> None:
        publish(one, shared, now_s)
        is_sold_out = shared.is_sold_out(one.membership, one.number)
        self.published[one.topic.person_id] = Published(
            now_s, shared.version_key, shared.announcement, is_sold_out, was_due=False
        )


@dataclass(frozen=True)
class Step:
    """A version of the queue, some seconds after the last one."""

    after_s: float
    move: int
    gone: frozenset[int]
    available: int
    message: str
    method: QueueingMethod
    served: int
    """The number of due people who get a payload."""


steps = st.builds(
    Step,
    after_s=st.sampled_from([0.0, 0.5, 1.0, 4.0]),
    move=st.integers(0, 6),
    gone=st.frozensets(st.integers(1, PEOPLE), max_size=3),
    available=st.sampled_from([0, 5, 20, 100]),
    message=st.sampled_from(["", "", "", "Doors open late"]),
    method=st.sampled_from([QueueingMethod.FIFO] * 5 + [QueueingMethod.RANDOM]),
    served=st.sampled_from([0, 3, PEOPLE]),
)


def positions(serving: int, gone: set[int]) -> QueuePositions:
    bits = bytearray(PEOPLE // 8 + 1)
    for number in gone:
        bits[number // 8] |= 0x80 >> number % 8
    return QueuePositions(serving, PEOPLE, bytes(bits[serving // 8 :]))


@settings(max_examples=30, deadline=None)
@given(st.lists(steps, min_size=1, max_size=12))
async def test_everyone_who_is_due_is_found(sequence: list[Step]) -> None:
    model = Model()
    everyone: list[tuple[str, EntryRecord | None]] = [(f"p{n}", record(n)) for n in range(1, PEOPLE + 1)]
    special = [("never", None), ("drawn", record(None)), ("called", record(500, EntryState.READY))]
    for name, found in [*everyone, *special]:
        add(model.schedule, name, found)
        model.published[PersonId(name)] = Published()
    serving, gone, now_s = 0, set[int](), 100.0
    for version, step in enumerate(sequence, start=1):
        serving, now_s, gone = min(serving + step.move, PEOPLE), now_s + step.after_s, gone | step.gone
        shared = model.schedule.begin_version(
            shared_snapshot(
                positions(serving, gone),
                stock_left(step.available),
                version=version,
                message=step.message,
                method=step.method,
            ),
            now_s,
        )
        due, next_due_s = await model.schedule.find_due(shared, now_s)
        expected = {id(one) for one in model.schedule if model.is_due(one, shared, now_s)}
        assert expected <= {id(one) for one in due}
        # A forecast that changed back leaves a person due, who then gets a payload early.
        assert all(id(one) in expected or model.published[one.topic.person_id].was_due for one in due)
        assert next_due_s > now_s
        for one in model.schedule:
            model.published[one.topic.person_id].was_due |= id(one) in expected
        for one in due[: step.served]:
            model.publish(one, shared, now_s)


async def test_moved_person_is_due_within_their_interval() -> None:
    schedule = PushSchedule()
    subscriber = add(schedule, "p9", record(9))
    shared = schedule.begin_version(shared_snapshot(QueuePositions(0, 20, b"")), 100.0)
    assert await schedule.find_due(shared, 100.0) == ([subscriber], inf)
    publish(subscriber, shared, 100.0)
    assert await schedule.find_due(shared, 200.0) == ([], inf)
    moved = schedule.begin_version(shared_snapshot(QueuePositions(0, 20, b"\x40"), version=10), 101.0)
    # The person is now at position 8, whose interval is two seconds.
    assert await schedule.find_due(moved, 100.9) == ([], 101.0)
    assert await schedule.find_due(moved, 101.0) == ([subscriber], inf)


async def test_ended_entry_is_never_due() -> None:
    schedule = PushSchedule()
    subscriber = add(schedule, "p9", record(9))
    shared = schedule.begin_version(shared_snapshot(QueuePositions(0, 20, b"")), 100.0)
    publish(subscriber, shared, 100.0)
    schedule.update(subscriber, record(9, EntryState.LEFT))
    subscriber.reschedule(shared)
    later = schedule.begin_version(shared_snapshot(QueuePositions(3, 20, b""), version=10, message="Late"), 200.0)
    assert await schedule.find_due(later, 200.0) == ([], inf)


async def test_removed_person_is_not_found_by_number() -> None:
    schedule = PushSchedule()
    subscriber = add(schedule, "p9", record(9))
    shared = schedule.begin_version(shared_snapshot(QueuePositions(0, 20, b"")), 100.0)
    publish(subscriber, shared, 100.0)
    schedule.remove(PersonId("p9"))
    later = schedule.begin_version(shared_snapshot(QueuePositions(6, 20, b""), version=10), 200.0)
    assert await schedule.find_due(later, 200.0) == ([], inf)
    assert (list(schedule), PersonId("p9") in schedule) == ([], False)
