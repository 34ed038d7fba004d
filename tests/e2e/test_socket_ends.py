"""How sockets end with their process: each is told to come back, and not all at once."""

import asyncio
import logging
from contextlib import AsyncExitStack

import pytest

from subscriptions.sockets.limits import Limits
from tests.support.sockets import Client, FakeSubscription, shown, sockets


async def test_a_restart_tells_every_socket_to_come_back() -> None:
    async with AsyncExitStack() as clients:
        async with sockets() as server:
            signed_in = [await clients.enter_async_context(server.signed_in()) for _ in range(20)]
            silent = await clients.enter_async_context(server.client())
            for client in signed_in:
                await client.subscribe("s")
            for watched in await server.behind.wait_for_subscriptions(20):
                watched.show(1)
            assert [await client.hear() for client in signed_in] == [shown("s", 1)] * 20
            ends = [asyncio.create_task(_end(client)) for client in [*signed_in, silent]]
        codes, times = zip(*await asyncio.gather(*ends), strict=True)
        assert set(codes) == {(1012, "This server is restarting; reconnect")}
        assert max(times) - min(times) > 0.1
        assert (server.behind.open, server.capacity.total) == ([], 0)


@pytest.mark.parametrize("ending", ["restart", "too large"])
async def test_what_happens_while_a_socket_ends_disturbs_nobody(caplog: pytest.LogCaptureFixture, ending: str) -> None:
    async with AsyncExitStack() as clients:
        async with sockets() as server:
            client = await clients.enter_async_context(server.signed_in())
            await client.subscribe("s")
            [watched] = await server.behind.wait_for_subscriptions(1)
            showing = asyncio.create_task(_show_until_closed(watched))
            if ending == "too large":
                await client.say("x" * 100_000)
            end = asyncio.create_task(client.closed())
        assert (await end)[0] == (1012 if ending == "restart" else 4400)
        await showing
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_restart_does_not_wait_for_whoever_reads_nothing() -> None:
    async with AsyncExitStack() as clients:
        async with sockets(Limits(drain_wait_s=60)) as server:
            client = await clients.enter_async_context(server.signed_in(max_queue=1, max_size=None))
            await client.subscribe("s")
            [watched] = await server.behind.wait_for_subscriptions(1)
            for number in range(50):
                watched.show([number, "x" * 1_000_000])
                await asyncio.sleep(0)
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 10
        assert server.capacity.total == 0
        client.connection.transport.abort()


async def _show_until_closed(watched: FakeSubscription) -> None:
    number = 0
    while not watched.is_closed:
        number += 1
        watched.show(number)
        await asyncio.sleep(0)


async def _end(client: Client) -> tuple[tuple[int, str], float]:
    return await client.closed(), asyncio.get_running_loop().time()
