"""How sockets end with their process: each is asked to reconnect, at a time of its own."""

import asyncio
import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest

from subscriptions.sockets import ws_protocol
from subscriptions.sockets.limits import Limits
from tests.support.sockets import FakeSubscription, shown, sockets


@dataclass
class RecordedRandom:
    """Stands in for the module `random` and records the intervals from which numbers are drawn."""

    drawn: list[tuple[float, float]] = field(default_factory=list)

    def uniform(self, low: float, high: float) -> float:
        self.drawn.append((low, high))
        return low


async def test_restart_asks_each_socket_to_reconnect_at_a_random_time(monkeypatch: pytest.MonkeyPatch) -> None:
    delays = RecordedRandom()
    monkeypatch.setattr(ws_protocol, "random", delays)
    async with AsyncExitStack() as clients:
        async with sockets() as server:
            signed_in = [await clients.enter_async_context(server.signed_in()) for _ in range(20)]
            silent = await clients.enter_async_context(server.client())
            for client in signed_in:
                await client.subscribe("s")
            for fake in await server.runner.wait_for_subscriptions(20):
                fake.show(1)
            assert [await client.receive() for client in signed_in] == [shown("s", 1)] * 20
            ends = [asyncio.create_task(client.closed()) for client in [*signed_in, silent]]
        assert set(await asyncio.gather(*ends)) == {(1012, "This server is restarting; reconnect")}
        assert delays.drawn == [(0, ws_protocol.RESTART_SPREAD_S)] * 21
        assert (server.runner.open, server.capacity.total) == ([], 0)


@pytest.mark.parametrize("ending", ["restart", "too large"])
async def test_data_for_an_ending_socket_causes_no_warning(caplog: pytest.LogCaptureFixture, ending: str) -> None:
    async with AsyncExitStack() as clients:
        async with sockets() as server:
            client = await clients.enter_async_context(server.signed_in())
            await client.subscribe("s")
            [fake] = await server.runner.wait_for_subscriptions(1)
            showing = asyncio.create_task(_show_until_closed(fake))
            if ending == "too large":
                await client.send("x" * 100_000)
            end = asyncio.create_task(client.closed())
        assert (await end)[0] == (1012 if ending == "restart" else 4400)
        await showing
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_restart_does_not_wait_for_a_client_that_reads_nothing() -> None:
    async with asyncio.timeout(60), AsyncExitStack() as clients:
        async with sockets(Limits(drain_wait_s=3_600)) as server:
            client = await clients.enter_async_context(server.signed_in(max_queue=1, max_size=None))
            await client.subscribe("s")
            [fake] = await server.runner.wait_for_subscriptions(1)
            for number in range(50):
                fake.show([number, "x" * 1_000_000])
                await asyncio.sleep(0)
        assert server.capacity.total == 0
        client.connection.transport.abort()


async def _show_until_closed(fake: FakeSubscription) -> None:
    number = 0
    while not fake.is_closed:
        number += 1
        fake.show(number)
        await asyncio.sleep(0)
