"""Numbers that are written without rendering are delivered in slices, as all other payloads."""

import asyncio
import time

import pytest

from subscriptions.publishing.subscriber_groups import Subscriber
from tests.support.fake_queue import FakeQueue
from tests.support.hub_recorder import SnapshotRecorder
from tests.support.publisher_steps import EVERY_REFRESH, make_publisher, queue_topic

PEOPLE = 1_000


async def test_other_tasks_run_after_two_hundred_written_payloads(monkeypatch: pytest.MonkeyPatch) -> None:
    turn, delivered = [0], list[int]()
    queue = FakeQueue(people=PEOPLE + 20)
    publisher = make_publisher(queue, EVERY_REFRESH)
    for number in range(20, PEOPLE + 20):
        publisher.add(Subscriber(SnapshotRecorder(queue_topic(number)), lambda _: delivered.append(turn[0])))
    await publisher.run_once()
    delivered.clear()
    queue.move()
    queue.calls.clear()

    async def count_turns() -> None:
        while True:
            turn[0] += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    now_s = time.monotonic()
    monkeypatch.setattr("storage.time_slice.time.monotonic", lambda: now_s)
    await publisher.run_once()
    counting.cancel()
    await asyncio.gather(counting, return_exceptions=True)
    assert queue.calls["show"] == 0
    assert [delivered.count(one) for one in sorted(set(delivered))] == [200] * 5
