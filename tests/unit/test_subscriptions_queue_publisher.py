"""Looks at a line: what they read and show follows from the news, not from how many people watch."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest

from domain.ids import PersonId
from domain.queues import EntryState
from domain.topics import QueueTopic
from subscriptions.publishing.concert_publisher import ConcertPublisher
from subscriptions.publishing.push_intervals import PushIntervals
from subscriptions.publishing.queue_publisher import BATCH, MAX_PER_REFRESH
from subscriptions.publishing.subscriber_groups import Subscriber
from tests.support.fake_queue import FakeQueue
from tests.support.hub_recorder import SnapshotRecorder
from tests.support.snapshots import CONCERT, NOW

SLOW = PushIntervals(((10, 0.0),), 1_000.0)
EVERY_LOOK = PushIntervals((), 0.0)


def watch_of(line: FakeQueue, push_intervals: PushIntervals = SLOW) -> ConcertPublisher:
    return ConcertPublisher(CONCERT.id, line, line, tick_s=0.001, push_intervals=push_intervals)


def come(watching: ConcertPublisher, *numbers: int) -> list[SnapshotRecorder]:
    seen = [SnapshotRecorder(QueueTopic(CONCERT.id, PersonId(f"p{number}"))) for number in numbers]
    for one in seen:
        watching.add(Subscriber(one, one.deliver))
    return seen


async def look(watching: ConcertPublisher, line: FakeQueue) -> Counter[str]:
    """What one look asked for."""
    line.calls.clear()
    line.asked.clear()
    await watching._refresh()
    return Counter(line.calls)


def positions(seen: Sequence[SnapshotRecorder]) -> list[int | None]:
    return [one.entry().position for one in seen]


@pytest.mark.parametrize("people", [10, 100, 3_000])
async def test_a_look_costs_the_same_commands_for_any_number_of_people(people: int) -> None:
    line = FakeQueue(people=people + 20)
    watching = watch_of(line, EVERY_LOOK)
    come(watching, *range(20, people + 20))
    first = await look(watching, line)
    assert first["entries"] == -(-people // BATCH)
    for _ in range(3):
        line.move()
        asked = await look(watching, line)
        assert {name: count for name, count in asked.items() if name != "show"} == {"snapshot": 1}


async def test_no_snapshot_is_made_for_people_who_are_not_due() -> None:
    line = FakeQueue(people=2_000)
    watching = watch_of(line)
    near, far = come(watching, *range(3, 8)), come(watching, *range(500, 1_500))
    await look(watching, line)
    line.move()
    assert (await look(watching, line))["show"] == 5
    assert positions(near) == [2, 3, 4, 5, 6]
    assert positions(far) == list(range(500, 1_500))


async def test_who_comes_near_is_shown_at_every_look() -> None:
    line = FakeQueue(people=100)
    watching = watch_of(line)
    (seen,) = come(watching, 50)
    await look(watching, line)
    for serving, shown in ((1, 50), (39, 50), (40, 10), (41, 9), (42, 8)):
        line.serving = serving
        line.version += 1
        await look(watching, line)
        assert positions([seen]) == [shown], serving


async def test_news_of_ones_own_is_shown_at_once_and_read_of_nobody_else() -> None:
    line = FakeQueue(people=2_000)
    watching = watch_of(line)
    seen = come(watching, *range(500, 600))
    await look(watching, line)
    line.serving = 550
    line.change("p550", EntryState.READY)
    await look(watching, line)
    assert line.asked == ["p550"]
    assert seen[50].place() == (EntryState.READY, 0)
    assert len(seen[49].snapshots) == 1


async def test_a_message_is_shown_to_everybody_at_once() -> None:
    line = FakeQueue(people=1_000)
    watching = watch_of(line)
    seen = come(watching, *range(500, 600))
    await look(watching, line)
    line.message = "Doors open late"
    line.version += 1
    asked = await look(watching, line)
    assert asked["entries"] == 0
    assert {one.line().room.settings.message for one in seen} == {"Doors open late"}


async def test_a_crowd_that_is_due_is_shown_over_several_looks_those_first_who_waited_longest() -> None:
    line = FakeQueue(people=3_000)
    watching = watch_of(line, EVERY_LOOK)
    seen = come(watching, *range(100, 2_600))
    await look(watching, line)
    while any(len(one.snapshots) == 0 for one in seen):
        await look(watching, line)
    line.move()
    counts = [Counter(len(one.snapshots) for one in seen)]
    for _ in range(3):
        asked = await look(watching, line)
        assert asked["show"] == min(MAX_PER_REFRESH, counts[-1][1])
        counts.append(Counter(len(one.snapshots) for one in seen))
    assert counts == [{1: 2_500}, {1: 1_500, 2: 1_000}, {1: 500, 2: 2_000}, {2: 2_500}]
    # In the crowd, news of one's own comes first.
    line.move()
    line.change("p2000", EntryState.LEFT)
    await look(watching, line)
    assert seen[1_900].entry().state is EntryState.LEFT


async def test_a_line_that_always_moves_leaves_nobody_behind() -> None:
    line = FakeQueue(people=3_000)
    watching = watch_of(line, EVERY_LOOK)
    seen = come(watching, *range(100, 2_600))
    await look(watching, line)
    while any(len(one.snapshots) == 0 for one in seen):
        await look(watching, line)
    versions = []
    for _ in range(3):
        line.move()
        versions.append(line.version)
        await look(watching, line)
    assert {one.line().room.version for one in seen} == set(versions)
    assert Counter(one.line().room.version for one in seen)[versions[-1]] == MAX_PER_REFRESH


async def test_who_is_not_waiting_any_more_though_nobody_named_them_is_read_again() -> None:
    line = FakeQueue(people=1_000)
    watching = watch_of(line, EVERY_LOOK)
    seen = come(watching, *range(500, 800))
    await look(watching, line)
    line.serving = 650
    for number in range(500, 651):
        line.states[PersonId(f"p{number}")] = EntryState.EXPIRED
    line.version += 1
    await look(watching, line)
    assert {one.entry().state for one in seen} == {EntryState.WAITING}
    asked = await look(watching, line)
    assert asked["entries"] == 1
    assert [one.entry().state for one in seen] == [EntryState.EXPIRED] * 151 + [EntryState.WAITING] * 149


async def test_an_emptied_line_is_read_again_in_batches() -> None:
    line = FakeQueue(people=1_000)
    watching = watch_of(line)
    seen = come(watching, *range(100, 800))
    await look(watching, line)
    line.round, line.people = 2, 0
    line.states = {PersonId(f"p{number}"): EntryState.EXPIRED for number in range(100, 800)}
    line.version += 1
    assert (await look(watching, line))["entries"] == 3
    assert {one.entry().state for one in seen} == {EntryState.EXPIRED}
    assert (await look(watching, line))["entries"] == 0


async def test_a_grace_is_news_to_everybody_with_a_deadline() -> None:
    line = FakeQueue(people=100, serving=10)
    line.states = {PersonId(f"p{number}"): EntryState.READY for number in range(1, 11)}
    watching = watch_of(line)
    called, waiting = come(watching, *range(5, 9)), come(watching, *range(50, 60))
    await look(watching, line)
    line.grace_until_ms = 60_000
    line.version += 1
    await look(watching, line)
    assert sorted(line.asked) == ["p5", "p6", "p7", "p8"]
    assert {one.entry().expires_at for one in called} == {NOW + timedelta(minutes=6)}
    assert {len(one.snapshots) for one in waiting} == {1}


async def test_older_news_than_is_named_is_found_by_reading_everybody() -> None:
    line = FakeQueue(people=1_000)
    watching = watch_of(line)
    seen = come(watching, *range(500, 600))
    await look(watching, line)
    line.change("p550", EntryState.LEFT)
    line.names_up_to = line.version
    await look(watching, line)
    assert len(line.asked) == 100
    assert seen[50].entry().state is EntryState.LEFT


@pytest.mark.parametrize("what", ["snapshot", "entries"])
async def test_a_failure_loses_no_news(what: str) -> None:
    line = FakeQueue(people=1_000)
    watching = watch_of(line)
    (seen,) = come(watching, 500)
    await look(watching, line)
    line.change("p500", EntryState.LEFT)
    line.fails = {what}
    with pytest.raises(Exception, match=what):
        await look(watching, line)
    line.fails = set()
    await look(watching, line)
    assert seen.entry().state is EntryState.LEFT


async def test_who_comes_is_attached_once() -> None:
    line = FakeQueue(people=1_000)
    watching = watch_of(line)
    come(watching, *range(500, 600))
    for _ in range(3):
        await look(watching, line)
        await watching._presence.sync()
    assert Counter(line.attached) == Counter(f"p{number}" for number in range(500, 600))


async def test_what_ended_is_shown_once() -> None:
    line = FakeQueue(people=1_000)
    watching = watch_of(line, EVERY_LOOK)
    (seen,) = come(watching, 500)
    await look(watching, line)
    line.change("p500", EntryState.LEFT)
    for _ in range(3):
        line.move()
        # Named again, as when a hold of theirs ends after it.
        line.change("p500", EntryState.LEFT)
        await look(watching, line)
    assert len(seen.snapshots) == 2
    assert seen.entry().state is EntryState.LEFT
