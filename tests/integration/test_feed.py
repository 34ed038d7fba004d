"""The feed reports a lost connection as a gap in every channel, and can always be closed."""

import asyncio

import redis.asyncio

from storage.embedded.process import ServerProcess
from subscriptions.feed import GAP, Feed
from tests.support.waiting import wait_until


async def test_lost_connection_is_reported_as_a_gap_in_every_channel(own_valkey: ServerProcess) -> None:
    feed = Feed(own_valkey.url)
    await feed.start()
    received: dict[str, list[str]] = {"a": [], "b": []}
    for channel, messages in received.items():
        feed.listen(channel, messages.append)
    await wait_until(lambda: all(received.values()), what="the first gaps")
    await own_valkey.kill()
    for messages in received.values():
        messages.clear()
    await own_valkey.start()
    await wait_until(lambda: all(GAP in messages for messages in received.values()), what="the gaps")

    async def are_received_again() -> bool:
        await _publish(own_valkey.url)
        return all("a hint" in messages for messages in received.values())

    await wait_until(are_received_again, what="the hints after the gap")
    await feed.stop_listening("a")
    await feed.aclose()


async def _publish(url: str) -> None:
    async with redis.asyncio.Redis.from_url(url) as client:
        for channel in ("a", "b"):
            await client.publish(channel, "a hint")


async def test_feed_can_be_closed_after_its_listener_is_canceled(valkey_url: str) -> None:
    before = asyncio.all_tasks()
    feed = Feed(valkey_url)
    await feed.start()
    (listener,) = asyncio.all_tasks() - before
    listener.cancel()
    await asyncio.gather(listener, return_exceptions=True)
    await feed.aclose()
