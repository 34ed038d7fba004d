"""A hint names the version of the change, so that a publisher knows whether it has read it."""

from contextlib import aclosing

from redis.asyncio import Redis

from storage.connect import Stores
from storage.keys import hints_channel
from tests.support.sale import hold, on_sale


async def test_hint_contains_epoch_and_version_of_the_change(stores: Stores, valkey_url: str) -> None:
    concert = await on_sale(stores, 10)
    async with aclosing(Redis.from_url(valkey_url, protocol=2)) as client, aclosing(client.pubsub()) as hints:
        await hints.subscribe(hints_channel(concert.id))
        assert (await hints.get_message(timeout=60))["type"] == "subscribe"
        before = (await stores.snapshots.read(concert.id, after=0)).state

        # The second change publishes no hint, because the first one has not been read.
        await hold(stores, concert, 1)
        await hold(stores, concert, 1, who="bob")
        read = (await stores.snapshots.read(concert.id, after=0)).state
        await hold(stores, concert, 1, who="carol")

        received = [(await hints.get_message(timeout=60))["data"].decode() for _ in range(2)]
    assert received == [f"{before.epoch}:{before.version + 1}", f"{read.epoch}:{read.version + 1}"]
    assert read.version == before.version + 2
