"""During a broker outage, the feeds of a process together log one warning and then one summary."""

import logging

import pytest
import redis

from storage.embedded.process import ServerProcess
from subscriptions.feed import GAP, Feed
from tests.support.waiting import wait_until


async def test_feeds_log_a_broker_outage_once(own_valkey: ServerProcess, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="subscriptions.feed")
    feeds, received = [Feed(own_valkey.url) for _ in range(2)], list[str]()
    for feed in feeds:
        await feed.start()
        feed.listen("a", received.append)
    await wait_until(lambda: _count_connections(own_valkey.url, "onsale-feed") == 2, what="the connections")
    await own_valkey.kill()
    polls = 0

    def has_polled_200_times() -> bool:
        nonlocal polls
        polls += 1
        return polls > 200

    await wait_until(has_polled_200_times, what="time for further attempts to connect")
    received.clear()
    await own_valkey.start()
    await wait_until(lambda: received.count(GAP) == 2, what="the gaps")
    await wait_until(lambda: "works again" in caplog.messages[-1], what="the summary")
    assert len(caplog.messages) == 2
    assert caplog.messages[0].startswith("the connection to the broker failed, trying again: ")
    for feed in feeds:
        await feed.aclose()


def _count_connections(url: str, name: str) -> int:
    with redis.Redis.from_url(url, decode_responses=True) as client:
        return sum(one["name"] == name for one in client.client_list())
