"""A well-behaved client next to misbehaving ones, and the memory that these cost the server."""

import gc
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support.sockets import Client, FakeSubscription, Sockets, shown


@dataclass(frozen=True, slots=True)
class Neighbor:
    """A client that must get every value, whatever the others do."""

    client: Client
    fake: FakeSubscription

    async def check(self, value: object) -> None:
        self.fake.show(value)
        assert await self.client.receive() == shown("neighbor", value)


async def subscribed_neighbor(server: Sockets, client: Client) -> Neighbor:
    """Subscribe a client before all others of the test."""
    await client.subscribe("neighbor", "subscription neighbor")
    [fake] = await server.runner.wait_for_subscriptions(1)
    return Neighbor(client, fake)


@contextmanager
def traced_memory() -> Iterator[list[int]]:
    """Yield a list that receives, at the end of the block, the number of bytes that the block left
    allocated in this process.
    """
    added: list[int] = []
    gc.collect()
    tracemalloc.start(1)
    before, _ = tracemalloc.get_traced_memory()
    try:
        yield added
        gc.collect()
        added.append(tracemalloc.get_traced_memory()[0] - before)
    finally:
        tracemalloc.stop()
