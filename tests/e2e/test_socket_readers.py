"""Slow readers skip to the latest value; a client that reads nothing is disconnected."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from websockets.exceptions import ConnectionClosed

from subscriptions.sockets.limits import Limits
from tests.support.slow_readers import small_buffer_socket
from tests.support.sockets import Client, FakeSubscription, Message, Sockets, shown, sockets
from tests.support.waiting import wait_until

BIG = "x" * 200_000


@asynccontextmanager
async def slow_client(server: Sockets) -> AsyncIterator[Client]:
    """A client that buffers only one message until the test reads it."""
    async with (
        small_buffer_socket(server.url.split("/")[2]) as small,
        server.signed_in(sock=small, max_queue=1, max_size=None) as client,
    ):
        yield client


async def test_slow_reader_skips_to_the_latest_value_without_delaying_others() -> None:
    async with sockets() as server, slow_client(server) as slow, server.signed_in() as quick:
        await slow.subscribe("slow")
        [big] = await server.runner.wait_for_subscriptions(1)
        await quick.subscribe("quick")
        small = (await server.runner.wait_for_subscriptions(2))[1]
        for number in range(200):
            big.show([number, BIG])
            small.show(number)
            assert await quick.receive() == shown("quick", number)
        big.show("latest")
        seen: list[Message] = []
        while not seen or seen[-1] != "latest":
            value = (await slow.receive())["payload"]["data"]["value"]
            seen.append(value if value == "latest" else value[0])
        numbers = seen[:-1]
        assert numbers == sorted(set(numbers))
        assert len(numbers) < 100


async def test_values_with_different_keys_do_not_replace_each_other() -> None:
    async with sockets() as server, slow_client(server) as slow:
        await slow.subscribe("s")
        [fake] = await server.runner.wait_for_subscriptions(1)
        for number in range(60):
            fake.show([number, BIG], key="big")
        for number in range(30):
            fake.show([number, "a"], key="a")
            fake.show([number, "b"], key="b")
            await asyncio.sleep(0)
        fake.show("end", is_last=True)
        last: dict[str, int] = {}
        while (message := await slow.receive())["type"] == "next":
            value = message["payload"]["data"]["value"]
            if value != "end":
                last[value[1][:1]] = value[0]
        assert last == {"x": 59, "a": 29, "b": 29}


async def test_client_that_reads_nothing_is_disconnected() -> None:
    async with sockets(Limits(drain_wait_s=0.3)) as server, server.signed_in() as quick:
        await quick.subscribe("quick")
        [small] = await server.runner.wait_for_subscriptions(1)
        async with slow_client(server) as stuck:
            await stuck.subscribe("stuck")
            big = (await server.runner.wait_for_subscriptions(2))[1]
            await _until_closed(big)
            await wait_until(lambda: server.capacity.total == 1, what="the end of the stuck connection")
            small.show(1)
            assert await quick.receive() == shown("quick", 1)
            code = await _close_code(stuck)
        assert code == 1013


async def test_server_stops_reading_from_a_client_that_does_not_read() -> None:
    async with sockets(Limits(messages_burst=100_000)) as server, slow_client(server) as stuck:
        asking = asyncio.create_task(_ask_repeatedly(stuck))
        try:
            await wait_until(lambda: len(server.runner.requests) > 5, what="the first operations")
            await wait_until(_Unchanged(lambda: len(server.runner.requests)), what="the pause in reading")
        finally:
            asking.cancel()
            await asyncio.wait([asking])
            stuck.connection.transport.abort()
        assert len(server.runner.requests) < 120
        assert server.runner.finished == len(server.runner.requests)


class _Unchanged:
    """A condition that becomes true once twenty consecutive checks have found the same count."""

    def __init__(self, count: Callable[[], int]) -> None:
        self._count, self._last, self._checks = count, -1, 0

    def __call__(self) -> bool:
        current = self._count()
        self._checks = self._checks + 1 if current == self._last else 0
        self._last = current
        return self._checks >= 20


async def _ask_repeatedly(client: Client) -> None:
    for number in range(100_000):
        await client.subscribe(str(number), "query", text="x" * 50_000)


async def _until_closed(fake: FakeSubscription) -> None:
    def show() -> bool:
        fake.show(BIG * 5)
        return fake.is_closed

    await wait_until(show, what="the disconnection of the reader")


async def _close_code(client: Client) -> int | None:
    try:
        while True:
            await client.receive()
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None
