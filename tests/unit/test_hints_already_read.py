"""A hint about a change that was already read causes no refresh."""

import asyncio

import pytest

from subscriptions.feed import GAP
from tests.support.fake_queue import FakeQueue
from tests.support.publisher_steps import add_people, make_publisher
from tests.support.waiting import wait_until


@pytest.mark.parametrize("hint", ["1:7", "1:6", "0:99"])
async def test_hint_of_a_version_that_was_read_is_known(hint: str) -> None:
    queue = FakeQueue(people=10, version=7)
    publisher = make_publisher(queue)
    add_people(publisher, 5)
    assert not publisher.has_read(hint)
    await publisher.run_once()
    assert publisher.has_read(hint)


@pytest.mark.parametrize("hint", ["1:8", "2:0", GAP, "changed", "", ":", "1:", ":7", "1:-7", "1:x"])
async def test_any_other_message_may_mean_a_change(hint: str) -> None:
    queue = FakeQueue(people=10, version=7)
    publisher = make_publisher(queue)
    add_people(publisher, 5)
    await publisher.run_once()
    assert not publisher.has_read(hint)


async def test_hint_counts_again_after_a_failed_refresh() -> None:
    queue = FakeQueue(people=10, version=7)
    publisher = make_publisher(queue)
    add_people(publisher, 5)
    await publisher.run_once()
    queue.fails.add("snapshot")
    task = asyncio.create_task(publisher.run())
    try:
        await wait_until(lambda: not publisher.has_read("1:7"), what="the failed refresh")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
