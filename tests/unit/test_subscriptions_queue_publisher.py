"""A refresh of a queue reads and renders only the changes, for any number of subscribers."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest

from domain.ids import PersonId
from domain.queues import EntryState
from subscriptions.publishing import queue_publisher
from subscriptions.publishing.concert_publisher import ConcertPublisher
from subscriptions.publishing.queue_publisher import BATCH
from tests.support.fake_queue import FakeQueue
from tests.support.hub_recorder import SnapshotRecorder
from tests.support.publisher_steps import EVERY_REFRESH, add_people, make_publisher
from tests.support.snapshots import NOW


async def refresh(publisher: ConcertPublisher, queue: FakeQueue) -> Counter[str]:
    """Refresh once, and return the store calls that were made."""
    queue.calls.clear()
    queue.asked.clear()
    await publisher.run_once()
    return Counter(queue.calls)


async def refresh_until_all_have_one(
    publisher: ConcertPublisher, queue: FakeQueue, recorders: Sequence[SnapshotRecorder]
) -> None:
    while not all(recorder.snapshots for recorder in recorders):
        await refresh(publisher, queue)


def positions(recorders: Sequence[SnapshotRecorder]) -> list[int | None]:
    return [recorder.entry().position for recorder in recorders]


@pytest.mark.parametrize("people", [10, 100, 3_000])
async def test_refresh_needs_the_same_commands_for_any_number_of_people(people: int) -> None:
    queue = FakeQueue(people=people + 20)
    publisher = make_publisher(queue, EVERY_REFRESH)
    add_people(publisher, *range(20, people + 20))
    first = await refresh(publisher, queue)
    assert first["entries"] == -(-people // BATCH)
    for _ in range(3):
        queue.move()
        calls = await refresh(publisher, queue)
        assert {name: count for name, count in calls.items() if name != "show"} == {"snapshot": 1}


async def test_refresh_publishes_only_to_people_who_are_due() -> None:
    queue = FakeQueue(people=2_000)
    publisher = make_publisher(queue)
    near, far = add_people(publisher, *range(3, 8)), add_people(publisher, *range(500, 1_500))
    await refresh(publisher, queue)
    queue.move()
    await refresh(publisher, queue)
    assert [len(recorder.snapshots) for recorder in (*near, *far)] == [2] * 5 + [1] * 1_000
    assert positions(near) == [2, 3, 4, 5, 6]
    assert positions(far) == list(range(500, 1_500))


async def test_person_near_the_front_is_sent_every_new_position() -> None:
    queue = FakeQueue(people=100)
    publisher = make_publisher(queue)
    (recorder,) = add_people(publisher, 50)
    await refresh(publisher, queue)
    for serving, published in ((1, 50), (39, 50), (40, 10), (41, 9), (42, 8)):
        queue.serving = serving
        queue.version += 1
        await refresh(publisher, queue)
        assert positions([recorder]) == [published], serving


async def test_changed_entry_is_published_immediately_and_only_it_is_read() -> None:
    queue = FakeQueue(people=2_000)
    publisher = make_publisher(queue)
    recorders = add_people(publisher, *range(500, 600))
    await refresh(publisher, queue)
    queue.serving = 550
    queue.change("p550", EntryState.READY)
    await refresh(publisher, queue)
    assert queue.asked == ["p550"]
    assert recorders[50].state_and_position() == (EntryState.READY, 0)
    assert len(recorders[49].snapshots) == 1


async def test_message_is_published_to_all_immediately() -> None:
    queue = FakeQueue(people=1_000)
    publisher = make_publisher(queue)
    recorders = add_people(publisher, *range(500, 600))
    await refresh(publisher, queue)
    queue.message = "Doors open late"
    queue.version += 1
    calls = await refresh(publisher, queue)
    assert calls["entries"] == 0
    assert {recorder.queue().room.settings.message for recorder in recorders} == {"Doors open late"}


async def test_many_due_people_are_spread_over_refreshes_longest_wait_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_publisher, "MAX_PER_REFRESH", 1_000)
    queue = FakeQueue(people=3_000)
    publisher = make_publisher(queue, EVERY_REFRESH)
    recorders = add_people(publisher, *range(100, 2_600))
    await refresh_until_all_have_one(publisher, queue, recorders)
    queue.move()
    counts = [Counter(len(recorder.snapshots) for recorder in recorders)]
    for _ in range(3):
        await refresh(publisher, queue)
        counts.append(Counter(len(recorder.snapshots) for recorder in recorders))
    assert counts == [{1: 2_500}, {1: 1_500, 2: 1_000}, {1: 500, 2: 2_000}, {2: 2_500}]
    # A person's own change is published before other people's moves.
    queue.move()
    queue.change("p2000", EntryState.LEFT)
    await refresh(publisher, queue)
    assert recorders[1_900].entry().state is EntryState.LEFT


async def test_every_person_is_updated_while_the_queue_keeps_moving(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_publisher, "MAX_PER_REFRESH", 1_000)
    queue = FakeQueue(people=3_000)
    publisher = make_publisher(queue, EVERY_REFRESH)
    recorders = add_people(publisher, *range(100, 2_600))
    await refresh_until_all_have_one(publisher, queue, recorders)
    versions = []
    for _ in range(3):
        queue.move()
        versions.append(queue.version)
        await refresh(publisher, queue)
    assert {recorder.queue().room.version for recorder in recorders} == set(versions)
    assert Counter(recorder.queue().room.version for recorder in recorders)[versions[-1]] == 1_000


async def test_entry_that_ended_without_being_listed_is_read_again() -> None:
    queue = FakeQueue(people=1_000)
    publisher = make_publisher(queue, EVERY_REFRESH)
    recorders = add_people(publisher, *range(500, 800))
    await refresh(publisher, queue)
    queue.serving = 650
    for number in range(500, 651):
        queue.states[PersonId(f"p{number}")] = EntryState.EXPIRED
    queue.version += 1
    await refresh(publisher, queue)
    assert {recorder.entry().state for recorder in recorders} == {EntryState.WAITING}
    calls = await refresh(publisher, queue)
    assert calls["entries"] == 1
    states = [recorder.entry().state for recorder in recorders]
    assert states == [EntryState.EXPIRED] * 151 + [EntryState.WAITING] * 149


async def test_emptied_queue_is_read_again_in_batches() -> None:
    queue = FakeQueue(people=1_000)
    publisher = make_publisher(queue)
    recorders = add_people(publisher, *range(100, 800))
    await refresh(publisher, queue)
    queue.round, queue.people = 2, 0
    queue.states = {PersonId(f"p{number}"): EntryState.EXPIRED for number in range(100, 800)}
    queue.version += 1
    assert (await refresh(publisher, queue))["entries"] == 3
    assert {recorder.entry().state for recorder in recorders} == {EntryState.EXPIRED}
    assert (await refresh(publisher, queue))["entries"] == 0


async def test_grace_period_is_published_to_all_people_who_have_a_deadline() -> None:
    queue = FakeQueue(people=100, serving=10)
    queue.states = {PersonId(f"p{number}"): EntryState.READY for number in range(1, 11)}
    publisher = make_publisher(queue)
    called, waiting = add_people(publisher, *range(5, 9)), add_people(publisher, *range(50, 60))
    await refresh(publisher, queue)
    queue.grace_until_ms = 60_000
    queue.version += 1
    await refresh(publisher, queue)
    assert sorted(queue.asked) == ["p5", "p6", "p7", "p8"]
    assert {recorder.entry().expires_at for recorder in called} == {NOW + timedelta(minutes=6)}
    assert {len(recorder.snapshots) for recorder in waiting} == {1}


async def test_changes_older_than_the_listed_ones_are_found_by_a_full_read() -> None:
    queue = FakeQueue(people=1_000)
    publisher = make_publisher(queue)
    recorders = add_people(publisher, *range(500, 600))
    await refresh(publisher, queue)
    queue.change("p550", EntryState.LEFT)
    queue.unlisted_up_to = queue.version
    await refresh(publisher, queue)
    assert len(queue.asked) == 100
    assert recorders[50].entry().state is EntryState.LEFT


@pytest.mark.parametrize("read", ["snapshot", "entries"])
async def test_failed_read_loses_no_change(read: str) -> None:
    queue = FakeQueue(people=1_000)
    publisher = make_publisher(queue)
    (recorder,) = add_people(publisher, 500)
    await refresh(publisher, queue)
    queue.change("p500", EntryState.LEFT)
    queue.fails = {read}
    with pytest.raises(Exception, match=read):
        await refresh(publisher, queue)
    queue.fails = set()
    await refresh(publisher, queue)
    assert recorder.entry().state is EntryState.LEFT


async def test_connection_is_reported_to_the_store_once() -> None:
    queue = FakeQueue(people=1_000)
    publisher = make_publisher(queue)
    add_people(publisher, *range(500, 600))
    for _ in range(4):
        await refresh(publisher, queue)
    assert Counter(queue.connected) == Counter(f"p{number}" for number in range(500, 600))


async def test_ended_entry_is_published_once() -> None:
    queue = FakeQueue(people=1_000)
    publisher = make_publisher(queue, EVERY_REFRESH)
    (recorder,) = add_people(publisher, 500)
    await refresh(publisher, queue)
    queue.change("p500", EntryState.LEFT)
    for _ in range(3):
        queue.move()
        # The person is listed again, for example because their hold ends after the entry.
        queue.change("p500", EntryState.LEFT)
        await refresh(publisher, queue)
    assert len(recorder.snapshots) == 2
    assert recorder.entry().state is EntryState.LEFT
